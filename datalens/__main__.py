"""Bring a DataLens workbook to the definitions in datalens/board, or write them as a file for open-source DataLens.

    make datalens ARGS="--dry-run"                     # what would change; writes nothing
    make datalens                                      # change it
    make datalens ARGS="--workbook-file guest-tags.json"

Environment, all for hosted and Enterprise DataLens (docs/datalens.md says where each comes from):
  DATALENS_INSTALLATION   yc (default) or enterprise
  DATALENS_WORKBOOK_ID    the workbook to fill: its id stands in its address
  DATALENS_ORG_ID         yc: organization id
  DATALENS_IAM_TOKEN      yc: IAM token; lives 12 hours at most
  DATALENS_BASE_URL       enterprise: address of the API; yc: https://api.datalens.tech unless given
  DATALENS_OAUTH_TOKEN    enterprise, where it asks for one
The database, for the file as well:
  DATALENS_DB_HOST        as DataLens reaches it
  DATALENS_DB_PORT        5432 unless given
  DATALENS_DB_NAME        dwh unless given
  DATALENS_DB_USER        dwh_bi unless given
  DATALENS_DB_SSL         on (default) or off
  DWH_BI_PASSWORD         its password: only when the connection is made, moved or --set-password is given; never in the file
"""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import datalens_sdk as sdk
import pydantic

from datalens.definitions import DefinitionError, load
from datalens.hosted import Change, Client, Database, MissingPasswordError, TwinsError, UnreadableViewError, bring
from datalens.workbook import DEFAULT_KEY, export_file

INSTALLATIONS = ("yc", "enterprise")


class SettingsError(ValueError):
    """The environment lacks something or contradicts itself."""


def settings(env: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """Return these variables; raises SettingsError with all that are missing."""
    if missing := [name for name in names if not env.get(name)]:
        raise SettingsError(f"not set: {', '.join(missing)}. See: make datalens ARGS=--help")
    return {name: env[name] for name in names}


def database(env: Mapping[str, str]) -> Database:
    """Return where the warehouse is."""
    host = settings(env, ("DATALENS_DB_HOST",))["DATALENS_DB_HOST"]
    port, ssl = env.get("DATALENS_DB_PORT") or "5432", env.get("DATALENS_DB_SSL") or "on"
    if not port.isdecimal():
        raise SettingsError(f"DATALENS_DB_PORT is not a number: {port}")
    if ssl not in ("on", "off"):
        raise SettingsError(f"DATALENS_DB_SSL is neither on nor off: {ssl}")
    return Database(
        host=host,
        port=int(port),
        db_name=env.get("DATALENS_DB_NAME") or "dwh",
        username=env.get("DATALENS_DB_USER") or "dwh_bi",
        ssl_enable=ssl,
        password=env.get("DWH_BI_PASSWORD") or None,
    )


def connect(env: Mapping[str, str]) -> Client:
    """Return the SDK's client for the installation that the environment names."""
    installation = env.get("DATALENS_INSTALLATION") or "yc"
    if installation not in INSTALLATIONS:
        raise SettingsError(f"DATALENS_INSTALLATION is neither {' nor '.join(INSTALLATIONS)}: {installation}")
    if installation == "enterprise":
        url = settings(env, ("DATALENS_BASE_URL",))["DATALENS_BASE_URL"]
        token = env.get("DATALENS_OAUTH_TOKEN")
        auth = sdk.OAuthAuthProvider(token=token) if token else None
        return sdk.DataLensClientEnterprise(base_url=url, auth=auth)
    given = settings(env, ("DATALENS_ORG_ID", "DATALENS_IAM_TOKEN"))
    return sdk.DataLensClientYC(
        auth=sdk.StaticYCIAMAuthProvider(org_id=given["DATALENS_ORG_ID"], token=given["DATALENS_IAM_TOKEN"]),
        base_url=env.get("DATALENS_BASE_URL") or sdk.DataLensClientYC.DEFAULT_BASE_URL,
    )


def main(arguments: list[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """Do what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="make datalens", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dry-run", action="store_true", help="show the differences, write nothing")
    parser.add_argument("--set-password", action="store_true", help="write DWH_BI_PASSWORD to the connection again")
    parser.add_argument(
        "--workbook-file", type=Path, metavar="FILE", help="write the file for open-source DataLens; - is stdout"
    )
    given = parser.parse_args(arguments)
    try:
        if given.workbook_file is not None:
            write_file(given.workbook_file, env)
        else:
            fill(env, dry_run=given.dry_run, password=given.set_password)
    except (SettingsError, DefinitionError, TwinsError) as error:
        return fail(str(error), env)
    except MissingPasswordError:
        return fail("the connection must be written: set DWH_BI_PASSWORD, the password of its role", env)
    except UnreadableViewError as error:
        return fail(
            f"DataLens cannot read {error} through the connection. Are host, port, role and password right (--set-password "
            "writes the password again)? Does the server let DataLens' addresses in? Is its certificate one of a public CA? "
            "Is the database migrated?",
            env,
        )
    except sdk.DataLensError as error:
        return fail(explain(error, env), env)
    except pydantic.ValidationError as error:
        return fail(
            f"DataLens answers in a form that this datalens-sdk does not know; a newer one may:\n  {error}", env
        )
    return 0


def write_file(path: Path, env: Mapping[str, str]) -> None:
    """Write the file for open-source DataLens."""
    text = export_file(load(), database(env).body(), env.get("EXPORT_DATA_VERIFICATION_KEY") or DEFAULT_KEY)
    if str(path) == "-":
        sys.stdout.write(text)
        return
    path.write_text(text, encoding="utf-8")
    print(f"{path}: import it in DataLens, then enter the password of the connection")


def fill(env: Mapping[str, str], *, dry_run: bool, password: bool) -> None:
    """Bring the workbook to the definitions and say what was done."""
    board, target = load(), database(env)
    workbook_id = settings(env, ("DATALENS_WORKBOOK_ID",))["DATALENS_WORKBOOK_ID"]
    counts: dict[str, int] = {}
    client = connect(env)
    with client:
        for change in bring(client, workbook_id, board, target, dry_run=dry_run, password=password):
            counts[change.action] = counts.get(change.action, 0) + 1
            show(change)
    total = ", ".join(f"{counts.get(action, 0)} {verb}" for action, verb in _verbs(dry_run=dry_run).items())
    print(f"{total}, {counts.get('same', 0)} as defined")


def _verbs(*, dry_run: bool) -> dict[str, str]:
    return {"create": "to create", "update": "to change"} if dry_run else {"create": "created", "update": "changed"}


def show(change: Change) -> None:
    """Print an entry that differs, and how."""
    if change.action == "same":
        return
    print(f"{change.action} {change.kind} «{change.title}»")
    for line in change.differences:
        print(f"    {line}")
    for line in change.kept:
        print(f"    DataLens keeps it otherwise: {line}")


def explain(error: sdk.DataLensError, env: Mapping[str, str]) -> str:
    """Say what an error of the SDK means here, and what to do."""
    workbook = env.get("DATALENS_WORKBOOK_ID")
    again = "What was written stays; the next run goes on from there."
    match error:
        case sdk.UnauthorizedError():
            advice = (
                "DataLens refused the token. An IAM token lives 12 hours at most: yc iam create-token makes a new one."
            )
        case sdk.ForbiddenError():
            advice = f"The account may not do this in workbook {workbook}: it needs the role of an editor there."
        case sdk.NotFoundError():
            advice = f"DataLens does not know it: is workbook {workbook} in the organization of DATALENS_ORG_ID?"
        case sdk.ConflictError() | sdk.LockedError():
            advice = f"Somebody else is changing this entry. {again}"
        case sdk.ServerError() | sdk.RateLimitError():
            advice = f"DataLens is not well or has had enough: try later. {again}"
        case sdk.DataLensTransportError():
            advice = f"DataLens cannot be reached from here. {again}"
        case _:
            advice = again
    return f"{advice}\n  {error}"


def fail(text: str, env: Mapping[str, str]) -> int:
    """Print an error without the secrets that a server might have repeated; return the exit code."""
    for name in ("DWH_BI_PASSWORD", "DATALENS_IAM_TOKEN", "DATALENS_OAUTH_TOKEN"):
        if secret := env.get(name):
            text = text.replace(secret, "***")
    print(f"datalens: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
