"""What the charts render to, in every place: valid for Kubernetes, under Pod Security `restricted`, with least privilege."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import psycopg
import pytest
import yaml

from deploy import REPO
from deploy.sizes import CHART
from tests.deploy.charts import (
    KUBERNETES,
    PLACES,
    containers,
    refused_warehouse,
    render_airflow,
    render_warehouse,
    task_pod,
)
from tests.programs import program
from tests.sql.scratch import scratch_database

WRITES_BESIDE_ITS_PROGRAMS = {"kafka"}
WITH_EXTRAS = (
    "--set=watch.enabled=true",
    "--set=metrics.enabled=true",
)
# Only beside a server of our own.
WITH_WAL = {"local": "--set=backup.wal.enabled=true", "single-vm": "--set=backup.wal.enabled=true"}
# A cluster of our own in the place of one server.
DISTRIBUTED = ("--set=warehouse.distributed.enabled=true", "--set=backup.enabled=false")
PODS = ("backup-shell", "data-shell", "toolbox")


def rendered(chart: str, place: str) -> list[dict[str, Any]]:
    """Return the objects of a chart, with what only some places have; or the pods that people make by hand."""
    if chart == "by hand":
        return [yaml.safe_load((REPO / "deploy" / f"{pod}.yaml").read_text()) for pod in PODS]
    if chart == "airflow":
        objects = render_airflow(place, "metrics.yaml")
        return [*objects, task_pod(objects)]
    if chart == "distributed":
        return render_warehouse(place, *DISTRIBUTED)
    return render_warehouse(place, *WITH_EXTRAS, *filter(None, [WITH_WAL.get(place)]))


@pytest.fixture(
    params=[
        *((chart, place) for chart in ("warehouse", "airflow") for place in PLACES),
        ("by hand", "anywhere"),
        ("distributed", "local"),
    ],
    ids="-".join,
)
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The objects of one chart in one place."""
    return rendered(*request.param)


def test_kubernetes_accepts_each_object_strictly(objects):
    assert objects
    for item in objects:
        kubernetes_validate.validate(item, KUBERNETES.rpartition(".")[0], strict=True)


def test_each_container_passes_pod_security_restricted(objects):
    checked = 0
    for name, spec, container in containers(objects):
        pod, own = spec["securityContext"], container["securityContext"]
        assert pod["runAsNonRoot"] is True, name
        assert pod["runAsUser"] > 0, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert own["allowPrivilegeEscalation"] is False, name
        assert own["capabilities"] == {"drop": ["ALL"]}, name
        assert not any("hostPath" in volume for volume in spec.get("volumes", [])), name
        checked += 1
    assert checked


def test_each_container_says_what_it_needs_and_how_much_memory_it_may_take(objects):
    for name, _, container in containers(objects):
        resources = container["resources"]
        assert {"cpu", "memory"} <= resources["requests"].keys(), name
        assert "memory" in resources["limits"], name
        assert "cpu" not in resources["limits"], f"{name}: an idle core is lent, not fenced"


def test_no_image_is_latest(objects):
    for name, _, container in containers(objects):
        _, _, tag = container["image"].rpartition(":")
        assert tag not in ("", "latest"), f"{name}: {container['image']}"


@pytest.mark.parametrize("place", PLACES)
def test_our_containers_write_into_their_volumes_only(place):
    for name, _, container in containers(rendered("warehouse", place)):
        if container["name"] not in WRITES_BESIDE_ITS_PROGRAMS:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name


@pytest.mark.parametrize("place", PLACES)
def test_our_pods_have_no_door_to_the_kubernetes_api(place):
    for name, spec, _ in containers(rendered("warehouse", place)):
        assert spec["automountServiceAccountToken"] is False, name


@pytest.mark.parametrize("place", PLACES)
def test_our_chart_makes_no_secret(place):
    assert "Secret" not in {item["kind"] for item in rendered("warehouse", place)}


@pytest.mark.parametrize("place", PLACES)
def test_the_pod_of_a_task_holds_the_pipelines_connections_and_no_other_secret(place):
    spec = task_pod(render_airflow(place))["spec"]
    (container,) = spec["containers"]
    where_lists_go = {"secretRef": {"name": "audience-exports", "optional": True}}
    who_was_erased = {"secretRef": {"name": "erasure-ledger", "optional": True}}
    assert container["envFrom"] == [{"secretRef": {"name": "pipeline-connections"}}, where_lists_go, who_was_erased]
    assert not [variable for variable in container["env"] if "valueFrom" in variable]
    assert not [volume for volume in spec["volumes"] if "secret" in volume]
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(
    ("secret", "component", "variable"),
    [
        ("alerts", "dag-processor", "AIRFLOW_CONN_ALERTS"),
        ("page-connection", "api-server", "AIRFLOW_CONN_POSTGRES_DWH_BI"),
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_a_connection_of_one_component_is_known_to_it_alone_and_may_be_absent(
    place, secret, component, variable, tmp_path
):
    objects = render_airflow(place)
    told = []
    for name, spec, container in containers([*objects, task_pod(objects)]):
        # The pod must not wait for a Secret that may be absent.
        volumes = {volume["name"] for volume in spec["volumes"] if secret in str(volume.get("secret"))}
        assert all(volume["secret"]["optional"] for volume in spec["volumes"] if volume["name"] in volumes)
        assert secret not in str(container.get("env")) + str(container.get("envFrom"))
        if any(mount["name"] in volumes for mount in container.get("volumeMounts", [])):
            told.append((name, container))
    assert {name.partition(",")[0] for name, _ in told} == {f"Deployment release-{component}"}
    (mount,) = [mount for mount in told[-1][1]["volumeMounts"] if mount["name"] == "connections"]
    programs, files = tmp_path / "programs", tmp_path / "files"
    programs.mkdir()
    files.mkdir()
    (programs / "airflow").write_text(f'#!/bin/sh\necho "$@: ${variable}"\n')
    (programs / "airflow").chmod(0o755)
    path = {"PATH": f"{programs}:{os.environ['PATH']}"}
    command = [word.replace(mount["mountPath"], str(files)) for word in told[-1][1]["args"]]
    assert subprocess.check_output(command, env=path, text=True) == f"{component}: \n"
    connection = '{"conn_type": "apprise", "extra": {"config": {"path": "tgram://$x/\\"1"}}}'
    (files / variable).write_text(connection)
    assert subprocess.check_output(command, env=path, text=True) == f"{component}: {connection}\n"


@pytest.mark.parametrize("place", PLACES)
def test_no_door_is_open_to_everybody_and_none_is_walled_up(place):
    policies = [
        item for chart in ("warehouse", "airflow") for item in rendered(chart, place) if item["kind"] == "NetworkPolicy"
    ]
    for policy in policies:
        name = policy["metadata"]["name"]
        if name == "default-deny" or name.endswith("scheduler-policy") or policy["spec"]["policyTypes"] == ["Egress"]:
            continue  # nobody calls the scheduler; who goes out: test_network.py
        rules = policy["spec"]["ingress"]
        assert rules, policy["metadata"]["name"]
        assert all(rule["from"] for rule in rules), policy["metadata"]["name"]


def test_one_machine_is_not_installed_without_a_bucket_unless_somebody_says_so():
    assert "backup.s3.bucket is not set, and here it is required" in refused_warehouse("single-vm")
    refusal = refused_warehouse("single-vm", "--set=backup.s3.bucket=dumps")
    assert "backup.s3.endpoint and backup.s3.region say where it is" in refusal
    assert render_warehouse("single-vm", "--set=backup.s3.bucket=", "--set=backup.s3.required=false")


@pytest.mark.parametrize("place", PLACES)
def test_who_makes_dumps_can_not_read_them_and_who_tests_them_can(place):
    made = {name.split(", ")[1]: container for name, _, container in containers(rendered("warehouse", place))}
    secrets = {
        name: [source["secretRef"]["name"] for source in made[name]["envFrom"]] for name in ("backup", "restore-test")
    }
    assert secrets == {
        "backup": ["dwh-owner", "backup", "backup-s3"],
        "restore-test": ["dwh-owner", "restore-test", "backup-s3"],
    }
    assert made["backup"]["command"] == ["python", "-m", "deploy.backup", "dump"]
    assert made["restore-test"]["command"] == ["python", "-m", "deploy.backup", "test"]
    (bucket,) = [item["value"] for item in made["backup"]["env"] if item["name"] == "BACKUP_S3_URL"]
    assert bucket.endswith("/dumps")


def test_the_way_back_to_a_moment_is_a_value():
    def server(*options: str) -> dict[str, dict[str, Any]]:
        objects = render_warehouse("local", *options)
        return {found["name"]: found for name, _, found in containers(objects) if "StatefulSet postgres" in name}

    assert set(server()) == {"postgres"}
    assert "archive_mode=on" not in server()["postgres"]["args"]
    made = server("--set=backup.wal.enabled=true")
    # `kubectl exec postgres-0` goes to the first that is no init container.
    assert list(made) == ["wal-tools", "postgres", "wal"]
    args = made["postgres"]["args"]
    assert {"archive_mode=on", "archive_command=bash /wal-tools/archive_wal.sh %p %f", "archive_timeout=5min"} <= set(
        args
    )
    places = {found["name"]: {at["name"] for at in found["volumeMounts"]} for found in made.values()}
    assert {"wal", "wal-tools"} <= places["postgres"]
    assert "wal-tools" in places["wal-tools"]
    assert places["wal"] == {"wal", "tmp"}
    assert "for the server of this chart" in refused_warehouse("yandex-managed", "--set=backup.wal.enabled=true")


def test_a_cluster_in_the_place_of_the_server_is_a_value():
    objects = render_warehouse("local", *DISTRIBUTED, "--set=warehouse.distributed.workers=3")
    named = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    parts = {name: (spec, found) for name, spec, found in containers(objects)}
    (_, coordinator), (_, worker) = (parts[f"StatefulSet {name}, postgres"] for name in ("postgres", "postgres-worker"))
    for part in ("image", "args", "env", "volumeMounts", "securityContext"):
        assert worker[part] == coordinator[part], "nodes are alike"
    assert {"wal_level=logical", "tcp_keepalives_idle=30s"} <= set(worker["args"])
    workers = named["StatefulSet", "postgres-worker"]["spec"]
    assert (workers["replicas"], workers["serviceName"]) == (3, "postgres-worker")
    assert workers["volumeClaimTemplates"]
    (linked,) = parts["Job migrate, bootstrap"][1]["env"]
    nodes = [f"postgres-worker-{number}.postgres-worker:5432" for number in range(3)]
    assert linked == {"name": "DWH_WORKERS", "value": " ".join(nodes)}

    def peers(policy: str) -> set[str]:
        (rule,) = named["NetworkPolicy", policy]["spec"]["ingress"]
        return {str(peer["podSelector"]["matchLabels"].get("app.kubernetes.io/name")) for peer in rule["from"]}

    assert peers("postgres-worker") == {"postgres", "postgres-worker", "migrate"}
    assert {"postgres-worker", "migrate"} < peers("postgres")


def test_nothing_of_a_cluster_is_there_unless_it_is_asked_for_and_ours():
    asked_elsewhere = ("--set=postgres.mode=external", "--set=warehouse.distributed.enabled=true")
    for options in ((), asked_elsewhere):
        objects = render_warehouse("local", *options)
        assert "postgres-worker" not in str(objects)
        assert "DWH_WORKERS" not in str(objects)
        assert ("deploy.distribute" in str(objects)) == bool(options)


def test_a_cluster_is_not_installed_with_backups_that_would_hold_nothing_of_its_workers():
    assert "set backup.enabled: false" in refused_warehouse("local", *DISTRIBUTED[:1])


def test_nodes_of_a_cluster_log_in_to_each_other_by_a_file_that_nobody_else_reads(tmp_path):
    parts = {name: found for name, _, found in containers(render_warehouse("local", *DISTRIBUTED))}
    made = parts["StatefulSet postgres-worker, passwords"]
    passwords = {
        f"{name}_PASSWORD": rf"{name}:\1" for name in ("POSTGRES", "DWH_OWNER", "DWH_ETL", "DWH_BI", "DWH_PAGE")
    }
    command = [word.replace("/passwords/", f"{tmp_path}/") for word in made["command"]]
    subprocess.run(command, check=True, env=passwords | {"PATH": os.environ["PATH"]})
    file = tmp_path / "pgpass"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().splitlines() == [
        rf"*:*:*:{role}:{role.upper()}\:\\1" for role in ("postgres", "dwh_owner", "dwh_etl", "dwh_bi", "dwh_page")
    ]


def test_an_upgrade_starts_the_server_again_that_was_scaled_to_zero_for_its_data():
    (server,) = [
        item
        for item in render_warehouse("local")
        if item["kind"] == "StatefulSet" and item["metadata"]["name"] == "postgres"
    ]
    assert server["spec"]["replicas"] == 1, "what a manifest does not say, helm leaves as it is"


def test_the_watcher_waits_for_a_backup_where_there_is_to_be_one():
    def limits(*options: str) -> list[str]:
        objects = render_warehouse("local", "--set=watch.enabled=true", *options)
        ((_, _, watch),) = [found for found in containers(objects) if found[2]["name"] == "watch"]
        return [item["value"] for item in watch["env"] if item["name"] == "MAX_DUMP_AGE_HOURS"]

    assert limits() == ["26"]
    assert limits("--set=backup.enabled=false") == []


def test_no_table_is_changed_before_a_dump_is_made_where_there_are_backups():
    def steps(*options: str) -> list[str]:
        objects = render_warehouse("single-vm", *options)
        return [found["name"] for name, _, found in containers(objects) if name.startswith("Job migrate")]

    assert steps() == ["bootstrap", "dump", "migrate"]
    assert steps("--set=migrations.bootstrap=false") == ["dump", "migrate"]
    assert steps("--set=migrations.dump=false") == steps("--set=backup.enabled=false") == ["bootstrap", "migrate"]


def test_a_dump_before_a_migration_needs_what_the_nightly_one_needs():
    parts = {name: (spec, found) for name, spec, found in containers(render_warehouse("single-vm"))}
    (night_pod, night), (pod, before) = parts["CronJob backup, backup"], parts["Job migrate, dump"]
    for part in ("env", "envFrom", "volumeMounts", "resources", "securityContext"):
        assert before[part] == night[part]
    assert pod["volumes"] == night_pod["volumes"]
    assert pod["securityContext"] == night_pod["securityContext"]


@pytest.mark.parametrize(("at", "dumps"), [("", False), ("0003", True), ("0099 (head)", False)])
def test_a_dump_is_made_where_tables_are_there_and_are_to_change(tmp_path, at, dumps):
    ((_, _, dump),) = [found for found in containers(render_warehouse("single-vm")) if found[2]["name"] == "dump"]
    for name, text in (("alembic", f"echo '{at}'"), ("python", f"echo $* > {tmp_path}/done")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
        program.chmod(0o755)
    subprocess.run(dump["command"], check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert (tmp_path / "done").exists() == dumps


def test_an_image_that_is_older_than_the_tables_is_refused_at_once_and_says_so(pipeline):
    objects = render_warehouse("single-vm")
    ((_, _, dump),) = [found for found in containers(objects) if found[2]["name"] == "dump"]
    with scratch_database(pipeline, "dwh_newer", "0001") as url:
        with psycopg.connect(url) as connection:
            connection.execute("update migration.alembic_version set version_num = 'newer'")
        env = os.environ | {"DWH_URL": url, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        done = subprocess.run(dump["command"], capture_output=True, text=True, env=env, cwd=REPO, check=False)
    assert "revision identified by 'newer'" in done.stdout
    (job,) = [item for item in objects if (item["kind"], item["metadata"]["name"]) == ("Job", "migrate")]
    rule = {"containerName": "dump", "operator": "In", "values": [done.returncode]}
    assert {"action": "FailJob", "onExitCodes": rule} in job["spec"]["podFailurePolicy"]["rules"]


def test_airflow_makes_no_user_with_a_known_password():
    (job,) = [item for item in render_airflow("single-vm") if item["metadata"]["name"].endswith("create-user")]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert '"$AIRFLOW_ADMIN_PASSWORD"' in container["args"][-1]
    assert "admin@example.com" not in str(container["args"])


@pytest.mark.parametrize("service", ["postgres", "kafka", "valkey"])
def test_an_external_service_leaves_nothing_of_itself_in_the_cluster(service):
    objects = render_warehouse("single-vm", f"--set={service}.mode=external")
    assert service not in {item["metadata"]["name"] for item in objects}
    assert "migrate" in {item["metadata"]["name"] for item in objects}


def test_prometheus_operator_gets_both_exporters_the_alerts_and_the_dashboard():
    objects = render_warehouse(
        "single-vm",
        "--set=metrics.enabled=true",
        "--set=metrics.operator.enabled=true",
        "--set=metrics.operator.labels.release=monitoring",
    )
    services = {
        item["metadata"]["name"].removeprefix("release-"): item
        for item in [*objects, *render_airflow("single-vm", "metrics.yaml")]
        if item["kind"] == "Service"
    }
    monitors = {item["metadata"]["name"]: item for item in objects if item["kind"] == "ServiceMonitor"}
    assert monitors.keys() == {"metrics", "airflow-statsd"}
    for name, monitor in monitors.items():
        service = services[name.removeprefix("airflow-")]
        assert monitor["metadata"]["labels"]["release"] == "monitoring"
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["spec"]["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}
    (rules,) = [item for item in objects if item["kind"] == "PrometheusRule"]
    files = [yaml.safe_load(file.read_text()) for file in sorted((CHART / "metrics").glob("*.rules.yaml"))]
    assert rules["spec"]["groups"] == [group for file in files for group in file["groups"]]
    (dashboard,) = [item for item in objects if "grafana_dashboard" in item["metadata"].get("labels", {})]
    assert json.loads(dashboard["data"]["guest-tags.json"]) == json.loads(
        (CHART / "metrics/dashboard.json").read_text()
    )


def test_metrics_are_off_unless_asked_for():
    objects = [*render_warehouse("single-vm"), *render_airflow("single-vm")]
    assert not [item for item in objects if item["metadata"]["name"] in {"metrics", "release-statsd"}]


def test_checkov_finds_nothing_but_what_is_accepted(objects, tmp_path):
    checkov = program("checkov")
    (tmp_path / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    command = [checkov, "--directory", tmp_path, "--config-file", REPO / ".checkov.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Passed checks: 0" not in done.stdout


def test_the_ca_of_the_services_is_in_each_container_that_connects_to_one():
    airflow = render_airflow("yandex-managed", "tls.yaml", "metrics.yaml")
    objects = [*render_warehouse("yandex-managed", *WITH_EXTRAS), *airflow, task_pod(airflow)]
    told = {
        found["name"]
        for _, spec, found in containers(objects)
        if {"name": "services-ca", "secret": {"secretName": "services-ca"}} in (spec.get("volumes") or [])
        and {"name": "services-ca", "mountPath": "/run/services-ca", "readOnly": True} in found.get("volumeMounts", [])
    }
    everybody = {found["name"] for _, _, found in containers(objects)}
    assert everybody - told == {"valkey", "statsd"}, "who connects to none"
    by_environment = {
        found["name"]
        for _, _, found in containers(objects)
        if {"name": "PGSSLMODE", "value": "verify-full"} in found.get("env", [])
    }
    # A task has no database but the warehouse, whose connection says it.
    assert told - by_environment == {"base", "scheduler-log-groomer"}


BY_TLS = ("--set=secrets.postgresTls=postgres-tls", "--set=tls.caSecret=services-ca")


def test_postgresql_of_the_chart_answers_other_pods_by_tls_alone():
    objects = render_warehouse("single-vm", *BY_TLS, *WITH_EXTRAS, WITH_WAL["single-vm"])
    (access,) = [item["data"]["pg_hba.conf"] for item in objects if item["metadata"]["name"] == "postgres-access"]
    rules = [line.split() for line in access.splitlines() if not line.startswith("#")]
    assert ["hostssl", "all", "all", "all", "scram-sha-256"] in rules
    assert {rule[3] for rule in rules if rule[0] == "host"} == {"127.0.0.1/32", "::1/128"}, "the pod itself"
    ((spec, server),) = [(spec, found) for _, spec, found in containers(objects) if found["name"] == "postgres"]
    settings = dict(item.split("=", 1) for item in server["args"] if "=" in item)
    mounts = {item["mountPath"]: item["name"] for item in server["volumeMounts"]}
    volumes = {item["name"]: item for item in spec["volumes"]}
    assert settings["ssl"] == "on"
    for name in ("ssl_cert_file", "ssl_key_file", "hba_file"):
        assert str(Path(settings[name]).parent) in mounts, name
    key = volumes[mounts[str(Path(settings["ssl_key_file"]).parent)]]["secret"]
    assert (key["secretName"], key["defaultMode"]) == ("postgres-tls", 0o440), "the server refuses what others may read"
    # Whoever connects has the CA, and asks for it.
    for name in ("migrate", "backup", "watch", "metrics"):
        (client,) = [found for _, _, found in containers(objects) if found["name"] == name]
        assert {"name": "PGSSLMODE", "value": "verify-full"} in client["env"], name
        assert {"name": "services-ca", "mountPath": "/run/services-ca", "readOnly": True} in client["volumeMounts"]


def test_tls_of_a_server_that_is_none_of_ours_or_that_nobody_would_believe_is_refused():
    assert "nobody would believe the server" in refused_warehouse("local", BY_TLS[0])
    assert "somebody else's has its own" in refused_warehouse("local", *BY_TLS, "--set=postgres.mode=external")
    assert "speak without TLS to each other" in refused_warehouse("local", *BY_TLS, *DISTRIBUTED)


def test_without_a_ca_nothing_of_one_is_there():
    airflow = render_airflow("local")
    assert not [
        word for word in ("services-ca", "PGSSL") if word in str([*render_warehouse("local", *WITH_EXTRAS), *airflow])
    ]
