"""What the pods may hold that the scheduler makes: the chart's admission policy, read by a library; e2e-k8s asks Kubernetes."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import celpy
import pytest

from tests.deploy.charts import PLACES, render_airflow, render_warehouse, task_pod

SCHEDULER = "system:serviceaccount:dwh:airflow-scheduler"
LABELS = {"tier": "airflow", "component": "worker"}
TASK = {
    "metadata": {"name": "task", "labels": LABELS},
    "spec": {
        "automountServiceAccountToken": False,
        "containers": [{"name": "base", "image": "x", "envFrom": [{"secretRef": {"name": "pipeline-connections"}}]}],
    },
}
SERVER = {"metadata": {"name": "postgres-0", "labels": {"app.kubernetes.io/name": "postgres"}}, "spec": TASK["spec"]}
Pod = dict[str, Any]


def refusals(
    new: Pod | None, old: Pod | None = None, user: str = SCHEDULER, options: tuple[str, ...] = (), place: str = "local"
) -> list[str]:
    """Return what the policy says against a pod that somebody makes (`new`), changes (both) or deletes (`old`)."""
    (policy,) = [
        item["spec"] for item in render_warehouse(place, *options) if item["kind"] == "ValidatingAdmissionPolicy"
    ]
    operation = "CREATE" if old is None else "DELETE" if new is None else "UPDATE"
    facts = {
        "object": celpy.json_to_cel(new),
        "oldObject": celpy.json_to_cel(old),
        "request": celpy.json_to_cel({"userInfo": {"username": user}, "operation": operation}),
    }
    if not all(_value(condition["expression"], facts) for condition in policy["matchConditions"]):
        return []
    facts["variables"] = celpy.celtypes.MapType(
        {celpy.celtypes.StringType(each["name"]): _value(each["expression"], facts) for each in policy["variables"]}
    )
    return [rule["message"] for rule in policy["validations"] if not _value(rule["expression"], facts)]


def _value(expression: str, facts: dict[str, Any]) -> Any:
    environment = celpy.Environment()
    return environment.program(environment.compile(expression)).evaluate(facts)


def a_task_with(change: Callable[[Pod], object]) -> Pod:
    pod = deepcopy(TASK)
    change(pod)
    return pod


def volume(**source: Any) -> Callable[[Pod], object]:
    return lambda pod: pod["spec"].update(volumes=[{"name": "held", **source}])


def variable(name: str) -> Callable[[Pod], object]:
    value = {"valueFrom": {"secretKeyRef": {"name": name, "key": "password"}}}
    return lambda pod: pod["spec"]["containers"][0].update(env=[{"name": "X", **value}])


def beside(name: str) -> Callable[[Pod], object]:
    first = {"name": "first", "image": "x", "envFrom": [{"secretRef": {"name": name}}]}
    return lambda pod: pod["spec"].update(initContainers=[first])


@pytest.mark.parametrize("place", PLACES)
def test_the_pod_of_a_task_is_made_changed_and_deleted(place):
    pod = task_pod(render_airflow(place))
    assert refusals(pod, place=place) == refusals(pod, pod, place=place) == refusals(None, pod, place=place) == []


def test_with_the_ca_of_the_services_it_is_too():
    pod = task_pod(render_airflow("local", "tls.yaml"))
    assert refusals(pod, options=("--set=tls.caSecret=services-ca",)) == []
    assert refusals(pod) != []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda pod: pod["metadata"].pop("labels"), "tasks"),
        (lambda pod: pod["metadata"]["labels"].update(component="backup"), "tasks"),
        (lambda pod: pod["spec"].pop("automountServiceAccountToken"), "token"),
        (lambda pod: pod["spec"].update(automountServiceAccountToken=True), "token"),
        (lambda pod: pod["spec"]["containers"][0]["envFrom"].append({"secretRef": {"name": "dwh-server"}}), "Secrets"),
        (variable("dwh-owner"), "Secrets"),
        (variable("pipeline-connections"), "Secrets"),
        (beside("dwh-owner"), "Secrets"),
        (volume(secret={"secretName": "dwh-server"}), "volumes"),
        (volume(projected={"sources": [{"secret": {"name": "dwh-server"}}]}), "volumes"),
        (volume(persistentVolumeClaim={"claimName": "data-postgres-0"}), "volumes"),
        (volume(hostPath={"path": "/"}), "volumes"),
    ],
)
def test_a_pod_that_holds_more_is_refused_with_a_word_of_what(change, word):
    assert refusals(TASK) == []
    (reason,) = refusals(a_task_with(change))
    assert word in reason


def test_the_pods_of_others_are_out_of_its_reach():
    assert refusals(None, SERVER) == refusals(SERVER, SERVER) == refusals(SERVER) != []
    disguised = SERVER | {"metadata": {"name": "postgres-0", "labels": LABELS}}
    assert refusals(disguised, SERVER) != []
    assert refusals({**TASK, "metadata": SERVER["metadata"]}, TASK) != []


def test_others_are_not_asked():
    assert refusals(SERVER, user="system:serviceaccount:kube-system:statefulset-controller") == []
