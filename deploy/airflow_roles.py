"""Make the roles of Airflow that hold single rights: who makes rules and lists, who lets a held list go, who sees one guest.

For Airflow under the FAB auth manager, with its settings in the environment. A person has `Viewer` and one of these beside it:
`Viewer` may look at every DAG and start none. Airflow's own `User`, `Op` and `Admin` may start them all. Safe to run again: each
role holds exactly what is said here; who has it is the business of whoever gives accounts.

    python -m deploy.airflow_roles
"""

from collections.abc import Iterator, Mapping, Sequence

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

GUEST_SUPPORT = "Guest support"
# role -> the DAGs that it may start, and switch on and off
ROLES: Mapping[str, Sequence[str]] = {
    "Marketing": ("tag_rules", "tag_rule_rehearse", "audience_export"),
    "Export approver": ("audience_approve",),
    GUEST_SUPPORT: (),
}
# Who may see single guests on that page, beside sums, and is written down each time: a resource that only the page asks for.
GUEST_DATA = ("can_read", "Guest data")
# Roles of Airflow's own that have it, too.
SEE_GUESTS = ("Op", "Admin")
# Who has any of them sees the page "Guest tags"; the third FAB gives to every role by itself.
PAGE = (("can_read", "Plugins"), ("menu_access", "Plugins"), ("can_read", "Website"))


def rights(role: str) -> Iterator[tuple[str, str]]:
    """Yield what a role may do, as FAB's actions and resources."""
    yield from PAGE
    if role == GUEST_SUPPORT:
        yield GUEST_DATA
    for dag_id in ROLES[role]:
        # To start a run asks for both: FAB calls it a change of the DAG.
        yield "can_edit", f"DAG:{dag_id}"
        yield "can_create", f"DAG Run:{dag_id}"


def main() -> None:
    """Make what is missing, and take from the roles what is not said here."""
    with get_application_builder() as builder:
        manager = builder.sm
        for name in ROLES:
            role = manager.add_role(name)
            wanted = set(rights(name))
            for held in list(role.permissions):
                if (held.action.name, held.resource.name) not in wanted:
                    manager.remove_permission_from_role(role, held)
            for action, resource in sorted(wanted):
                manager.add_permission_to_role(role, manager.create_permission(action, resource))
            print(f"role {name}: {', '.join(ROLES[name]) or 'starts nothing'}")
        for name in SEE_GUESTS:
            manager.add_permission_to_role(manager.find_role(name), manager.create_permission(*GUEST_DATA))


if __name__ == "__main__":
    main()
