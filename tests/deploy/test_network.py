"""Who reaches whom in the namespace, by the network policies of both charts: what is needed, and nothing else."""

from itertools import product
from typing import Any

import pytest

from deploy.sizes import CHART, VALUES, load
from tests.deploy.charts import containers, render_airflow, render_warehouse, task_pod
from tests.deploy.network import OUTSIDE, Pod, may_connect, pods

EVERYTHING = ("--set=watch.enabled=true", "--set=metrics.enabled=true")
PORTS = {"postgres": 5432, "postgres-worker": 5432, "kafka": 9092, "valkey": 6379, "api-server": 8080}
AIRFLOW = {"api-server", "dag-processor", "scheduler", "database-cleanup", "create-user", "run-airflow-migrations"}
TASK = "placeholder"  # so the template calls it
DNS = Pod("dns", frozenset({("k8s-app", "kube-dns")}), "kube-system")
PROMETHEUS = Pod("prometheus", frozenset({("app.kubernetes.io/name", "prometheus")}), "monitoring")
STRANGER = Pod("stranger", frozenset({("tier", "airflow"), ("component", "worker")}), "other")
NEEDED = {
    "postgres": {*AIRFLOW, TASK, "statsd", "migrate", "backup", "restore-test", "watch", "metrics"},
    "kafka": {TASK},
    "valkey": {TASK},
    "api-server": {*AIRFLOW, TASK, "statsd", "watch"},
}


def world(*options):
    objects = [*render_warehouse("local", *EVERYTHING, *options), *render_airflow("local", "metrics.yaml")]
    policies = [item for item in objects if item["kind"] == "NetworkPolicy"]
    return policies, {pod.name: pod for pod in pods([*objects, task_pod(objects)])}


def doors(policies, there):
    """Return who reaches each door."""
    return {
        name: {source.name for source in there.values() if may_connect(policies, source, there[name], port)}
        for name, port in PORTS.items()
        if name in there
    }


def test_each_door_is_open_to_who_needs_it_and_shut_to_all_others():
    assert doors(*world()) == NEEDED


def test_no_pod_reaches_any_other_port_of_another():
    policies, there = world()
    for source, target, port in product(there.values(), there.values(), {22, 443, 10250, *PORTS.values()}):
        if may_connect(policies, source, target, port):
            assert port == PORTS.get(target.name), f"{source.name} -> {target.name}:{port}"


def test_by_a_name_people_come_through_the_controller_alone_and_as_whom_they_are_elsewhere(monkeypatch):
    objects = [*render_warehouse("local"), *render_airflow("local", "ingress.yaml")]
    (door,) = [item["spec"] for item in objects if item["kind"] == "Ingress"]
    ((host,),) = [said["hosts"] for said in door["tls"]]
    assert [rule["host"] for rule in door["rules"]] == [host]
    (policy,) = [item for item in objects if item["metadata"]["name"].endswith("api-server-policy")]
    controller = {"app.kubernetes.io/name": "ingress-nginx"}
    base = load(VALUES / "base.yaml")["apiServer"]["networkPolicy"]["ingress"]["from"]
    *others, last = policy["spec"]["ingress"][0]["from"]
    assert others == base
    assert last["podSelector"]["matchLabels"] == controller
    ((_, _, server),) = [found for found in containers(objects) if found[2]["name"] == "api-server"]
    secret = {
        item["name"]
        for item in server["env"]
        if item.get("valueFrom", {}).get("secretKeyRef", {}).get("name") == "oidc"
    }
    assert secret == {"OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"}
    (config,) = [
        item["data"]["webserver_config.py"] for item in objects if "webserver_config.py" in item.get("data", {})
    ]
    monkeypatch.setenv("OIDC_ISSUER", "https://id.invalid")
    made: dict[str, Any] = {}
    exec(config, made)
    (provider,) = made["OAUTH_PROVIDERS"]
    assert provider["remote_app"]["server_metadata_url"] == "https://id.invalid/.well-known/openid-configuration"
    assert made["AUTH_TYPE"] == made["AUTH_OAUTH"]
    assert made["AUTH_USER_REGISTRATION_ROLE"] == "Public", "who is in no group may do nothing"
    (airflow,) = [item["data"]["airflow.cfg"] for item in objects if "airflow.cfg" in item.get("data", {})]
    assert f"base_url = https://{host}" in airflow
    assert "enable_proxy_fix = True" in airflow


@pytest.mark.parametrize("source", [OUTSIDE, STRANGER], ids=lambda source: source.name)
def test_from_outside_of_the_namespace_nothing_is_reached(source):
    policies, there = world()
    assert not [
        pod.name for pod in there.values() for port in PORTS.values() if may_connect(policies, source, pod, port)
    ]


DUMPS = {"backup", "restore-test", "migrate"}
CALLS = {"dag-processor", "watch"}
ANYWHERE = '[{"ipBlock": {"cidr": "0.0.0.0/0"}}]'


@pytest.mark.parametrize(
    ("options", "port", "who"),
    [
        ((), 443, {"scheduler", *CALLS, *DUMPS}),
        ((), 6443, {"scheduler"}),
        ((), 465, {"dag-processor"}),
        ((), 9092, set()),
        (("--set=backup.s3.endpoint=http://s3.invalid:9000",), 9000, DUMPS),
        (("--set=backup.s3.endpoint=http://s3.invalid",), 443, {"scheduler", *CALLS}),
        (
            ("--set=backup.wal.enabled=true", "--set=watch.enabled=false"),
            443,
            {"scheduler", "dag-processor", "postgres", *DUMPS},
        ),
        (
            (f"--set-json=networkPolicies.exports={ANYWHERE}", "--set=backup.s3.bucket="),
            443,
            {"scheduler", *CALLS, TASK},
        ),
        ((f"--set-json=networkPolicies.login={ANYWHERE}",), 443, {"scheduler", "api-server", *CALLS, *DUMPS}),
        (("--set=postgres.mode=external",), 6432, NEEDED["postgres"]),
        (("--set=kafka.mode=external",), 9091, {TASK}),
        (("--set=valkey.mode=external",), 6380, {TASK}),
    ],
)
def test_out_of_the_cluster_goes_who_must(options, port, who):
    policies, there = world(*options)
    assert {pod.name for pod in there.values() if may_connect(policies, pod, OUTSIDE, port)} == who


def test_everybody_asks_for_names_and_prometheus_is_let_in():
    policies, there = world()
    assert all(may_connect(policies, pod, DNS, 53, "UDP") for pod in there.values())
    assert may_connect(policies, PROMETHEUS, there["statsd"], 9102)
    assert not may_connect(policies, STRANGER, there["statsd"], 9102)
    assert may_connect(policies, there["scheduler"], there["statsd"], 9125, "UDP")


def test_nodes_of_a_cluster_reach_each_other():
    policies, there = world("--set=warehouse.distributed.enabled=true", "--set=backup.enabled=false")
    found = doors(policies, there)
    assert found["postgres-worker"] == {"postgres", "postgres-worker", "migrate"}
    assert found["postgres"] == NEEDED["postgres"] - {"backup", "restore-test"} | {"postgres", "postgres-worker"}


def test_who_may_go_out_is_not_judged_where_a_value_says_so():
    policies, there = world("--set=networkPolicies.egress=false")
    assert all(may_connect(policies, pod, OUTSIDE, 25) for pod in there.values())
    assert doors(policies, there) == NEEDED


def test_who_makes_pods_has_no_shell_in_one_and_reads_no_secret():
    objects = [*render_warehouse("local"), *render_airflow("local")]
    bound = {
        item["roleRef"]["name"]
        for item in objects
        if item["kind"].endswith("RoleBinding")
        and any(found["name"].endswith("-scheduler") for found in item["subjects"])
    }
    rules = [
        rule
        for item in objects
        if item["kind"] == "Role" and item["metadata"]["name"] in bound
        for rule in item["rules"]
    ]
    assert bound
    assert [(rule["apiGroups"], rule["resources"], sorted(rule["verbs"])) for rule in rules] == [
        ([""], ["pods"], ["create", "delete", "get", "list", "patch", "watch"])
    ]
    accounts = {item["metadata"]["name"] for item in objects if item["kind"] == "ServiceAccount"}
    assert f"release-{load(CHART / 'values.yaml')['podLauncher']['serviceAccount']}" in accounts, (
        "with another release's name"
    )
