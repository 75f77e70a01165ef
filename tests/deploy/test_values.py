"""The values of the deployments, read as they are: no helm and no cluster needed."""

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from airflow.configuration import conf
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store
from psycopg.conninfo import conninfo_to_dict

from deploy import REPO
from deploy.make_secrets import (
    CA_FILE,
    CA_SECRET,
    EXAMPLE,
    TLS_SECRET,
    filled,
    kubernetes_secrets,
    main,
    manifest,
    random_value,
    read_env,
)
from deploy.sizes import CHART, VALUES, airflow_values, asked, load, merged, misfits, warehouse_values
from local.services.postgres import SETTINGS
from local.stack import SERVICES
from local.state import State
from operators.connections import export_settings
from tests.deploy.charts import PLACES
from warehouse.constants import EXPORTS_CONN_ID, POSTGRES_LIMITS, TERMS_FILE
from warehouse.terms import parse_terms

# `aws:amz` is how curl calls the signature that every S3 wants.
CLOUD = re.compile(
    r"yandex|\byc-|ru-central|amazon|\baws\b(?!:amz)(?<!--aws)|azure|\bgcp\b|google|csi-s3|vk\.?cloud|selectel",
    re.IGNORECASE,
)
SECRET_KEY = re.compile(
    r"(pass|password|passwd|token|secret|secretKey|fernetKey|jwtSecret|apiSecretKey|connection)$", re.IGNORECASE
)
OUR_SCHEMA = json.loads((CHART / "values.schema.json").read_text())
BASE_FILES = [
    VALUES / "base.yaml",
    VALUES / "metrics.yaml",
    VALUES / "tls.yaml",
    VALUES / "ingress.yaml",
    CHART / "values.yaml",
    *sorted((CHART / "templates").iterdir()),
]
OVERLAYS = [file for place in PLACES for file in sorted((VALUES / place).iterdir())]


def leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield (path, value) of everything that is no map."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from leaves(value, (*path, str(key)))
    else:
        yield path, values


def airflow_schema() -> dict[str, Any]:
    """Return the schema of the values of the official chart: from the chart itself, else from a copy beside the repository."""
    chart = os.environ.get("AIRFLOW_CHART", "")
    if chart.endswith(".tgz"):
        with tarfile.open(chart) as archive:
            member = archive.extractfile("airflow/values.schema.json")
            assert member is not None
            return dict(json.load(member))
    for file in (Path(chart) / "values.schema.json", REPO.parent / "shared" / "airflow-chart-values.schema.json"):
        if file.exists():
            return dict(json.loads(file.read_text()))
    pytest.skip("AIRFLOW_CHART does not name the official chart, and no copy of its schema lies beside the repository")


@pytest.mark.parametrize("place", PLACES)
def test_values_of_airflow_are_what_its_chart_knows(place):
    schema = airflow_schema()
    values = airflow_values(place, "metrics.yaml", "tls.yaml", "ingress.yaml")
    jsonschema.validate(values, schema)
    # helm lets a misspelt name at the top pass in silence.
    assert values.keys() <= schema["properties"].keys()


@pytest.mark.parametrize("file", [*OVERLAYS, *BASE_FILES], ids=lambda file: str(file.relative_to(REPO)))
def test_no_file_of_values_holds_a_secret(file):
    if file.suffix != ".yaml" or file.parent.name == "templates":
        return
    for path, value in leaves(load(file)):
        named = path[:1] == ("secrets",) or path[-2:-1] in (("s3",), ("tls",))  # the names of Secrets
        assert named or not (isinstance(value, str) and SECRET_KEY.search(path[-1])), ".".join(path)


@pytest.mark.parametrize("file", BASE_FILES, ids=lambda file: file.name)
def test_the_base_knows_no_cloud(file):
    assert not CLOUD.search(file.read_text())


@pytest.mark.parametrize("place", PLACES)
def test_an_overlay_says_only_what_differs_from_the_base(place):
    for base, overlay in (
        (load(CHART / "values.yaml"), load(VALUES / place / "guest-tags.yaml")),
        (load(VALUES / "base.yaml"), load(VALUES / place / "airflow.yaml")),
    ):
        below = dict(leaves(base))
        repeated = [".".join(path) for path, value in leaves(overlay) if path in below and below[path] == value]
        assert not repeated


@pytest.mark.parametrize("place", PLACES)
def test_values_of_our_chart_are_what_its_schema_allows(place):
    jsonschema.validate(warehouse_values(place), OUR_SCHEMA)


@pytest.mark.parametrize("path", [path for path, _ in leaves(load(CHART / "values.yaml"))], ids=".".join)
def test_a_misspelt_name_of_our_chart_is_refused(path):
    if path[-2:-1] == ("settings",):
        return  # PostgreSQL's own names: it refuses those that it does not know
    misspelt: Any = 1
    for name in reversed((*path[:-1], f"{path[-1]}s")):
        misspelt = {name: misspelt}
    with pytest.raises(jsonschema.ValidationError, match="Additional properties"):
        jsonschema.validate(merged(load(CHART / "values.yaml"), misspelt), OUR_SCHEMA)


def test_postgresql_notices_a_client_that_is_gone_and_logs_no_rows_by_the_same_settings_everywhere():
    settings = {
        name: str(value)
        for name, value in load(CHART / "values.yaml")["postgres"]["settings"].items()
        if name.startswith(("tcp_", "client_", "log_"))
    }
    assert len(settings) == 6
    assert settings.items() <= SETTINGS.items()
    command = ["postgres", *(f"-c{name}={value}" for name, value in settings.items())]
    assert load(REPO / "docker-compose.yaml")["services"]["postgres"]["command"] == command
    assert {str(node["command"]) for node in nodes_of_compose().values()} == {str(command)}


def test_airflow_waits_for_its_own_database_as_a_task_does_for_the_warehouse(monkeypatch):
    option = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS"
    (said,) = load(VALUES / "base.yaml")["env"]
    assert said["name"] == option
    assert load(REPO / "docker-compose.yaml")["x-airflow"]["environment"][option] == said["value"]
    monkeypatch.setenv(option, said["value"])
    limits = conf.getimport("database", "sql_alchemy_connect_args")
    assert limits == POSTGRES_LIMITS
    assert limits is not POSTGRES_LIMITS, (
        "what Airflow adds for a file of SQLite would reach the warehouse's connections"
    )


def test_the_single_machine_holds_all_pods_and_volumes():
    machine = yaml.safe_load((REPO / "deploy" / "bills.yaml").read_text())["bills"]["single-vm"]["machine"]
    assert {pod.name for pod in asked("single-vm")} >= {"postgres", "kafka", "valkey", "scheduler", "task pods"}
    assert misfits("single-vm", **{size: machine[size] for size in ("vcpu", "ram_gib", "disk_gib")}) == []


def test_the_single_machine_holds_the_exporters_too():
    machine = yaml.safe_load((REPO / "deploy" / "bills.yaml").read_text())["bills"]["single-vm"]["machine"]
    assert {pod.name for pod in asked("single-vm", metrics=True)} >= {"metrics", "statsd"}
    assert misfits("single-vm", **{size: machine[size] for size in ("vcpu", "ram_gib", "disk_gib")}, metrics=True) == []


def test_a_machine_that_is_too_small_is_noticed():
    assert len(misfits("single-vm", vcpu=1, ram_gib=4, disk_gib=20)) == 3


def test_everything_together_may_take_at_most_six_and_a_half_gib():
    assert sum(pod.limit_mib * pod.count for pod in asked("single-vm")) <= 6.5 * 1024


@pytest.mark.parametrize("place", PLACES)
def test_both_charts_run_the_same_image(place):
    ours, airflows = warehouse_values(place)["image"], airflow_values(place)["images"]["airflow"]
    assert ours["repository"] == airflows["repository"]
    assert ours["tag"] in ("", airflows["tag"])


def test_terraform_makes_the_machine_that_is_priced():
    text = (REPO / "deploy" / "infra" / "yandex" / "variables.tf").read_text()
    size = {
        name: int(value) for name, value in re.findall(r'variable "(\w+)" {\s+type\s+= number\s+default = (\d+)', text)
    }
    bills = yaml.safe_load((REPO / "deploy" / "bills.yaml").read_text())["bills"]
    machine = bills["single-vm"]["machine"]
    assert size == {
        "vcpu": machine["vcpu"],
        "vcpu_share": machine["share"],
        "ram_gib": machine["ram_gib"],
        "disk_gib": machine["disk_gib"],
    }


def test_cloud_init_is_yaml_and_begins_as_cloud_init_wants_it():
    text = (REPO / "deploy" / "infra" / "cloud-init.yaml").read_text()
    assert text.startswith("#cloud-config\n")
    for file in yaml.safe_load(text)["write_files"]:
        if file["path"].endswith("config.yaml"):
            assert yaml.safe_load(file["content"])["secrets-encryption"] is True


def nodes_of_compose() -> dict[str, dict[str, Any]]:
    """Return the services of a cluster that deploy/compose.distributed.yaml makes of docker-compose.yaml."""
    services = load(REPO / "deploy/compose.distributed.yaml")["services"]
    return {name: service for name, service in services.items() if name.startswith("postgres")}


def test_a_cluster_in_compose_is_that_of_the_chart():
    said = load(CHART / "values.yaml")["warehouse"]["distributed"]
    nodes = nodes_of_compose()
    migrate = load(REPO / "deploy/compose.distributed.yaml")["services"]["migrate"]
    workers = sorted(set(nodes) - {"postgres"})
    assert len(workers) == said["workers"]
    assert migrate["environment"] == {"DWH_DISTRIBUTED": "true", "DWH_WORKERS": " ".join(workers)}
    assert sorted(migrate["depends_on"]) == workers
    settings = " ".join(f"-c{name}={value}" for name, value in said["settings"].items())
    for node in nodes.values():
        assert node["image"] == said["image"]
        assert f'docker-entrypoint.sh "$$@" {settings}\n' in node["entrypoint"][2]
        assert "ports" not in node
        assert all(str(value).startswith("${") for name, value in node["environment"].items() if "PASSWORD" in name)


def test_airflow_forgets_after_the_terms_wherever_it_runs():
    terms = parse_terms(Path(TERMS_FILE).read_text(encoding="utf-8"))
    values = airflow_values("single-vm")
    assert values["databaseCleanup"]["retentionDays"] == terms.airflow_runs.days
    assert values["scheduler"]["logGroomerSidecar"]["retentionDays"] == terms.airflow_logs.days
    services = load(REPO / "docker-compose.yaml")["services"]
    assert [name for name, service in services.items() if "deploy.clean_airflow" in service.get("command", [])] == [
        "clean"
    ]


# --- Docker, secrets: the same names everywhere ----------------------------------------------------------------------


def secrets_of_kafka() -> set[str]:
    return set(kubernetes_secrets(read_env(filled(EXAMPLE.read_text(), {})))["kafka-accounts"])


def test_compose_and_kubernetes_know_the_same_secrets():
    compose = (REPO / "docker-compose.yaml").read_text()
    names = set(read_env(EXAMPLE.read_text()))
    used = {name for name in re.findall(r"\$\{(\w+)(?!\w|:-)", compose) if not name.endswith("_PORT")}
    # In Docker only this machine reaches Kafka: it has no accounts.
    assert used == names - secrets_of_kafka(), "what has a default (`:-`) may be left out"
    by_hand = {"AIRFLOW_CONN_ALERTS": '{"conn_type": "apprise"}'}
    secrets = kubernetes_secrets(read_env(filled(EXAMPLE.read_text(), by_hand)))
    connections = set(re.findall(r"AIRFLOW_CONN_\w+", compose))
    owners = ("pipeline-connections", "page-connection", "alerts")
    in_kubernetes_by_hand = {"AIRFLOW_CONN_AUDIENCE_EXPORTS", "AIRFLOW_CONN_ERASURE_LEDGER"}
    assert {name for owner in owners for name in secrets[owner]} | in_kubernetes_by_hand == connections
    assert "ERASURE_PEPPER" in names
    assert read_env(filled(EXAMPLE.read_text(), {}))["ERASURE_PEPPER"] not in str(secrets), (
        "it would replace that of the ledger"
    )
    assert secrets["alerts"] == by_hand
    assert "alerts" not in kubernetes_secrets(read_env(filled(EXAMPLE.read_text(), {})))


def test_the_tasks_of_compose_have_each_connection_that_those_of_the_native_stack_have(tmp_path):
    state = State(tmp_path / "state.json")
    native = {
        name for service in SERVICES for name in service(tmp_path, state).env() if name.startswith("AIRFLOW_CONN_")
    }
    services = load(REPO / "docker-compose.yaml")["services"]
    tasks, page = (set(services[name]["environment"]) for name in ("scheduler", "api-server"))
    assert {"AIRFLOW_CONN_AUDIENCE_EXPORTS", "AIRFLOW_CONN_ERASURE_LEDGER", "AIRFLOW_CONN_POSTGRES_DWH"} <= native
    assert native - page <= tasks


def test_lists_of_guests_go_to_a_volume_of_compose_that_its_tasks_may_write(monkeypatch):
    scheduler = load(REPO / "docker-compose.yaml")["services"]["scheduler"]
    said = re.fullmatch(r"\$\{(\w+):-(.+)\}", scheduler["environment"]["AIRFLOW_CONN_AUDIENCE_EXPORTS"])
    assert said
    monkeypatch.setenv(said[1], said[2])
    settings = export_settings(EXPORTS_CONN_ID)
    assert f"exports:{settings.url}" in scheduler["volumes"]
    assert re.search(rf"install .*--owner=airflow .*{settings.url}\b", (REPO / "Dockerfile").read_text())


def test_compose_holds_no_secret_and_opens_no_port_to_the_network():
    compose = yaml.safe_load((REPO / "docker-compose.yaml").read_text())
    for name, service in compose["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY$", variable):
                assert str(value).startswith("${"), f"{name}: {variable}"


def test_an_env_file_says_that_no_names_are_loaded():
    env = read_env(filled(EXAMPLE.read_text(), {}))
    for said, extra in ((env, {"db": 0}), ({**env, "LOAD_GUESTS": "false"}, {"db": 0, "guests": False})):
        connection = json.loads(kubernetes_secrets(said)["pipeline-connections"]["AIRFLOW_CONN_REDIS_REFERENCE"])
        assert connection["extra"] == extra


def test_secrets_are_filled_in_once_and_kept():
    first = filled(EXAMPLE.read_text(), {})
    assert all(read_env(first).values())
    assert filled(EXAMPLE.read_text(), read_env(first)) == first
    assert filled(EXAMPLE.read_text(), {}) != first


def test_the_key_that_opens_every_dump_is_made_once_and_no_deployment_gets_it():
    made = read_env(filled(EXAMPLE.read_text(), {}))
    people = made.pop("BACKUP_IDENTITY")  # as it is moved away
    public = subprocess.run(["age-keygen", "-y"], input=people, capture_output=True, text=True, check=True).stdout
    assert public.strip() == made["BACKUP_AGE_RECIPIENTS"].split()[0]
    again = read_env(filled(EXAMPLE.read_text(), made))
    assert again == made, "no new pair, which would not open the old dumps"
    secrets = kubernetes_secrets({**made, "BACKUP_IDENTITY": people})
    assert people not in str(secrets)
    assert people not in (REPO / "docker-compose.yaml").read_text()
    test = secrets["restore-test"]["BACKUP_AGE_IDENTITY"]
    public = subprocess.run(["age-keygen", "-y"], input=test, capture_output=True, text=True, check=True).stdout
    assert public.strip() == secrets["backup"]["BACKUP_AGE_RECIPIENTS"].split()[1]
    assert [name for name, values in secrets.items() if test in values.values()] == ["restore-test"]


def test_without_age_keygen_no_key_is_made_up(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    main(["env", "--env", str(tmp_path / ".env")])
    assert "apt install age" in capsys.readouterr().err
    assert read_env((tmp_path / ".env").read_text())["BACKUP_AGE_RECIPIENTS"] == ""
    with pytest.raises(SystemExit):
        main(["manifest", "--env", str(tmp_path / ".env")])
    assert "has no BACKUP_AGE_RECIPIENTS, BACKUP_TEST_IDENTITY" in capsys.readouterr().err


def test_what_else_an_env_file_says_is_kept():
    assert read_env(filled(EXAMPLE.read_text(), {"AIRFLOW_PORT": "28080"}))["AIRFLOW_PORT"] == "28080"


def test_a_fernet_key_has_fernets_form():
    from cryptography.fernet import Fernet

    assert Fernet(random_value("AIRFLOW_FERNET_KEY"))


def test_each_secret_that_values_name_is_made():
    made = kubernetes_secrets(read_env(filled(EXAMPLE.read_text(), {})))
    assert [document["metadata"]["name"] for document in yaml.safe_load_all(manifest(made))] == list(made)
    named = {name for name in warehouse_values("single-vm")["secrets"].values() if name}
    values = airflow_values("single-vm")
    named |= {values["data"]["metadataSecretName"]} | {values[key] for key in values if key.endswith("SecretName")}
    named |= {values["jwtSecretName"], "pipeline-connections", "airflow-admin"}
    (connections,) = values["apiServer"]["extraVolumes"]
    named.add(connections["secret"]["secretName"])
    by_hand = {"heartbeat"}  # an address of somebody's service: docs/alerts.md
    assert named - by_hand == made.keys()


def test_the_roles_get_their_limits_wherever_a_warehouse_is_made():
    program = "deploy.bootstrap"
    for file in (
        "docker-compose.yaml",
        "deploy/charts/guest-tags/templates/migrate.yaml",
        "local/services/postgres.py",
    ):
        assert program in (REPO / file).read_text(encoding="utf-8"), file


# --- TLS to the services ----------------------------------------------------------------------------------------------


def managed_secrets(tmp_path: Path, *arguments: str) -> dict[str, dict[str, str]]:
    """Return the Secrets that the profile of the managed services makes."""
    made = filled(EXAMPLE.read_text(), {"KAFKA_PASSWORD": "of-kafka"})
    (tmp_path / ".env").write_text(made)
    profile = f"@{VALUES / 'yandex-managed' / 'services.txt'}"
    command = [
        sys.executable,
        "-m",
        "deploy.make_secrets",
        "manifest",
        profile,
        "--env",
        str(tmp_path / ".env"),
        *arguments,
    ]
    done = subprocess.run(command, cwd=REPO, check=True, capture_output=True, text=True)
    return {document["metadata"]["name"]: document["stringData"] for document in yaml.safe_load_all(done.stdout)}


def test_a_profile_says_where_managed_services_answer_and_by_whom_they_are_believed(tmp_path):
    (tmp_path / "ca.pem").write_text("of the cloud\n")
    made = managed_secrets(tmp_path, "--ca", str(tmp_path / "ca.pem"))
    assert made[CA_SECRET] == {"ca.crt": "of the cloud\n"}
    urls = [
        made["dwh-owner"]["DWH_URL"],
        made["dwh-server"]["DWH_ADMIN_URL"],
        made["metrics-connection"]["SQLEXPORTER_TARGET_DSN"],
    ]
    for url in urls:
        parts = conninfo_to_dict(url)
        assert (parts["port"], parts["sslmode"], parts["sslrootcert"]) == ("6432", "verify-full", CA_FILE)
    for secret in ("pipeline-connections", "page-connection"):
        for name, value in made[secret].items():
            if "POSTGRES" in name:
                said = json.loads(value)
                assert (said["port"], said["extra"]) == (6432, {"sslmode": "verify-full", "sslrootcert": CA_FILE})
    kafka = json.loads(made["pipeline-connections"]["AIRFLOW_CONN_KAFKA_ORDERS"])["extra"]
    assert kafka["security.protocol"] == "SASL_SSL"
    assert (kafka["sasl.username"], kafka["sasl.password"], kafka["ssl.ca.location"]) == ("dwh", "of-kafka", CA_FILE)
    assert "sslmode" not in made["airflow-metadata"]["connection"], "asyncpg does not know it"


def test_where_kafka_asks_for_a_password_it_is_asked_for(tmp_path, capsys):
    (tmp_path / ".env").write_text(filled(EXAMPLE.read_text(), {}))
    with pytest.raises(SystemExit):
        main(["manifest", "--env", str(tmp_path / ".env"), "--kafka-user", "dwh"])
    assert "has no KAFKA_PASSWORD" in capsys.readouterr().err


def test_a_ca_of_ones_own_is_made_once_and_signs_the_certificate_of_postgresql(tmp_path):
    def made() -> dict[str, dict[str, str]]:
        command = [sys.executable, "-m", "deploy.make_secrets", "manifest", "--env", str(tmp_path / ".env")]
        options = ["--tls", "postgres", "--own-ca", str(tmp_path / "ca")]
        done = subprocess.run([*command, *options], cwd=REPO, check=True, capture_output=True, text=True)
        return {document["metadata"]["name"]: document["stringData"] for document in yaml.safe_load_all(done.stdout)}

    (tmp_path / ".env").write_text(filled(EXAMPLE.read_text(), {}))
    first, second = made(), made()
    assert first[CA_SECRET] == second[CA_SECRET] == {"ca.crt": (tmp_path / "ca" / "ca.crt").read_text()}
    assert first[TLS_SECRET].keys() == {"tls.crt", "tls.key"}
    assert first[TLS_SECRET] != second[TLS_SECRET]
    assert {oct(file.stat().st_mode)[-3:] for file in (tmp_path / "ca").iterdir()} == {"600"}
    # Python believes it as libpq does.
    authority = x509.load_pem_x509_certificate(first[CA_SECRET]["ca.crt"].encode())
    server = x509.load_pem_x509_certificate(first[TLS_SECRET]["tls.crt"].encode())
    believes = PolicyBuilder().store(Store([authority])).build_server_verifier(x509.DNSName("postgres"))
    assert believes.verify(server, []) == [server, authority]
    url = conninfo_to_dict(first["dwh-owner"]["DWH_URL"])
    assert (url["host"], url["sslmode"], url["sslrootcert"]) == ("postgres", "verify-full", CA_FILE)


def test_without_openssl_no_certificate_is_made_and_it_is_said(tmp_path, capsys, monkeypatch):
    (tmp_path / ".env").write_text(filled(EXAMPLE.read_text(), {}))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit):
        main(["manifest", "--env", str(tmp_path / ".env"), "--own-ca", str(tmp_path / "ca")])
    assert "openssl 3 is needed" in capsys.readouterr().err


def test_the_ca_is_one_secret_at_one_place_in_both_charts():
    overlay = load(VALUES / "tls.yaml")
    (volume,), (mount,) = overlay["volumes"], overlay["volumeMounts"]
    ours = warehouse_values("yandex-managed")["tls"]["caSecret"]
    assert ours == volume["secret"]["secretName"] == CA_SECRET
    assert f"{mount['mountPath']}/ca.crt" == CA_FILE
    said = {item["name"]: item["value"] for item in overlay["env"]}
    assert said == {item["name"]: item["value"] for item in load(VALUES / "base.yaml")["env"]} | {
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": CA_FILE,
    }
