"""Make the secrets of a deployment at random, and Kubernetes Secrets of them. Needs nothing but Python, and age-keygen for dumps.

    python3 -m deploy.make_secrets env                   # .env, from .env.example; what .env has already is kept
    python3 -m deploy.make_secrets manifest | kubectl apply --namespace dwh --filename -
    python3 -m deploy.make_secrets manifest @helm-values/PLACE/services.txt --ca CA.pem | ...   # services of somebody else
    python3 -m deploy.make_secrets manifest --tls postgres --own-ca FOLDER | ...   # the chart's PostgreSQL, by TLS alone

Each Kubernetes Secret holds what one kind of pod needs, so that a task's pod never sees the superuser's password.
"""

import argparse
import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from deploy import REPO

EXAMPLE = REPO / ".env.example"
DEFAULT_FILE = REPO / ".env"
SERVICES = ("postgres", "kafka", "valkey")
# The chart's own Kafka: where it answers, and its accounts (deploy/kafka_accounts.py). The pipeline reads as this consumer group.
OWN_KAFKA, PIPELINE_ACCOUNT, SOURCE_ACCOUNT, CONSUMER_GROUP = "kafka:9092", "dwh", "orders", "dwh-orders"
# The Secret of the CA, and where the pods have it: `tls.caSecret` of our chart, helm-values/tls.yaml.
CA_SECRET, CA_FILE = "services-ca", "/run/services-ca/ca.crt"
# The Secret of PostgreSQL's own certificate, `secrets.postgresTls` of our chart, and for how long both are good.
TLS_SECRET, CA_DAYS, CERTIFICATE_DAYS = "postgres-tls", 3650, 730


class Arguments(argparse.ArgumentParser):
    """Takes arguments from @FILE as well, where # begins a comment."""

    def convert_arg_line_to_args(self, arg_line: str) -> list[str]:
        """Return the argument of a line, if it has one."""
        return [] if arg_line.startswith("#") or not arg_line else [arg_line]


def read_env(text: str) -> dict[str, str]:
    """Return the NAME=value lines of an env file."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def random_value(name: str) -> str:
    """Return a new secret: letters and digits that are safe in URLs, JSON and shells; Fernet wants a form of its own."""
    if name == "AIRFLOW_FERNET_KEY":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32 if name.startswith("AIRFLOW_") else 16)


def backup_keys() -> dict[str, str]:
    """Return two new pairs of age's keys: one of the people, one of the weekly test. Empty ones where age-keygen is missing.

    The people's private key is BACKUP_IDENTITY: the example does not know it, and no deployment gets it.
    """
    if not shutil.which("age-keygen"):
        return {"BACKUP_AGE_RECIPIENTS": "", "BACKUP_TEST_IDENTITY": ""}
    made = [subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout for _ in range(2)]
    (people, people_public), (test, test_public) = (
        (re.findall(r"AGE-SECRET-KEY-\w+", pair)[0], re.findall(r"age1\w+", pair)[0]) for pair in made
    )
    recipients = f"{people_public} {test_public}"
    return {"BACKUP_AGE_RECIPIENTS": recipients, "BACKUP_TEST_IDENTITY": test, "BACKUP_IDENTITY": people}


def certificate(folder: Path, host: str) -> dict[str, str]:
    """Return ca.crt, tls.crt and tls.key: a new certificate of a server by the CA in the folder, which is made unless there.

    Raises `CalledProcessError` where openssl refuses; its version 3 is needed.
    """
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    ca, ca_key = folder / "ca.crt", folder / "ca.key"

    def made(*options: str | Path) -> None:
        subprocess.run(["openssl", "req", "-x509", *key, *options], check=True, capture_output=True, umask=0o077)

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not ca_key.exists():
        about = ("-subj", "/CN=guest-tags CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        made(*about, "-days", str(CA_DAYS), "-out", ca, "-keyout", ca_key)
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch, name) for name in ("tls.crt", "tls.key")]
        about = (
            *(f"subjectAltName=DNS:{host}", "basicConstraints=critical,CA:FALSE"),
            *("keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth"),
        )
        kind = (
            "-subj",
            f"/CN={host}",
            "-days",
            str(CERTIFICATE_DAYS),
            *(word for a in about for word in ("-addext", a)),
        )
        made("-CA", ca, "-CAkey", ca_key, *kind, "-out", files[0], "-keyout", files[1])
        return {file.name: file.read_text() for file in (ca, *files)}


def filled(example: str, known: Mapping[str, str]) -> str:
    """Return the example with each empty value replaced by the known one, else by a random one; others known follow it."""
    if not known.get("BACKUP_AGE_RECIPIENTS"):
        known = {**known, **backup_keys()}
    lines = []
    for line in example.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            made = "" if name.startswith("BACKUP_") else random_value(name)
            line = f"{name}={known.get(name) or value or made}"
        lines.append(line)
    lines += [f"{name}={value}" for name, value in known.items() if name not in read_env(example)]
    return "\n".join(lines) + "\n"


def kubernetes_secrets(
    env: Mapping[str, str],
    *,
    postgres: str = "postgres",
    kafka: str = OWN_KAFKA,
    kafka_user: str = "",
    valkey: str = "valkey",
    tls: Collection[str] = (),
    ca: str = "",
    server: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, dict[str, str]]:
    """Return the data of each Kubernetes Secret by its name.

    `postgres`, `kafka` and `valkey` are where the services answer, `tls` which of them do so by TLS alone; `ca` is the text of
    the CA by which they are believed, `server` the certificate of the chart's PostgreSQL and its key. `kafka_user` logs in by
    SCRAM-SHA-512 with `KAFKA_PASSWORD`; in the chart's own Kafka the pipeline has an account.
    """
    host, _, port = postgres.partition(":")
    by_ca = {"sslmode": "verify-full", "sslrootcert": CA_FILE} if "postgres" in tls else {}
    said = f"?{urlencode(by_ca, safe='/')}" if by_ca else ""
    postgres = f"{host}:{port or 5432}"
    warehouse: dict[str, Any] = {"conn_type": "postgres", "host": host, "port": int(port or 5432), "schema": "dwh"}
    if by_ca:
        warehouse["extra"] = by_ca
    etl = {**warehouse, "login": "dwh_etl", "password": env["DWH_ETL_PASSWORD"]}
    page = {**warehouse, "login": "dwh_page", "password": env["DWH_PAGE_PASSWORD"]}
    brokers = {"bootstrap.servers": kafka, "group.id": CONSUMER_GROUP}
    if "kafka" in tls:
        brokers |= {"security.protocol": "SSL", "ssl.ca.location": CA_FILE}
    accounts = {name: env[name] for name in ("KAFKA_PIPELINE_PASSWORD", "KAFKA_SOURCE_PASSWORD")}
    if kafka_user or kafka == OWN_KAFKA:
        brokers |= {
            "security.protocol": "SASL_SSL" if "kafka" in tls else "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": kafka_user or PIPELINE_ACCOUNT,
            "sasl.password": env["KAFKA_PASSWORD"] if kafka_user else accounts["KAFKA_PIPELINE_PASSWORD"],
        }
    orders = {"conn_type": "kafka", "extra": brokers}
    host, _, port = valkey.partition(":")
    by_tls = {"ssl": True, "ssl_cert_reqs": "required", "ssl_ca_certs": CA_FILE} if "valkey" in tls else {}
    no_guests = {"guests": False} if env.get("LOAD_GUESTS") == "false" else {}
    reference = {
        "conn_type": "redis",
        "host": host,
        "port": int(port or 6379),
        "password": env["VALKEY_PASSWORD"],
        "extra": {"db": 0, **by_tls, **no_guests},
    }
    alerts = env.get("AIRFLOW_CONN_ALERTS")
    return {
        # The DAG processor: whom it calls, where .env says so (docs/alerts.md).
        **({"alerts": {"AIRFLOW_CONN_ALERTS": alerts}} if alerts else {}),
        # The server and its bootstrap.
        "dwh-server": {
            "DWH_ADMIN_URL": f"postgresql://postgres:{env['POSTGRES_PASSWORD']}@{postgres}/postgres{said}",
            **{name: env[name] for name in ("POSTGRES_PASSWORD", "AIRFLOW_DB_PASSWORD")},
            **{f"DWH_{role}_PASSWORD": env[f"DWH_{role}_PASSWORD"] for role in ("OWNER", "ETL", "BI", "PAGE")},
        },
        # The migrations of the warehouse, and its backup.
        "dwh-owner": {"DWH_URL": f"postgresql://dwh_owner:{env['DWH_OWNER_PASSWORD']}@{postgres}/dwh{said}"},
        # The pods of the tasks, and no others.
        "pipeline-connections": {
            "AIRFLOW_CONN_KAFKA_ORDERS": json.dumps(orders),
            "AIRFLOW_CONN_POSTGRES_DWH": json.dumps(etl),
            "AIRFLOW_CONN_REDIS_REFERENCE": json.dumps(reference),
        },
        # The API server, for the page "Guest tags": it reads the marts.
        "page-connection": {"AIRFLOW_CONN_POSTGRES_DWH_BI": json.dumps(page)},
        # The exporter of the metrics; a URL, because it is no part of Airflow.
        "metrics-connection": {
            "SQLEXPORTER_TARGET_DSN": f"postgres://dwh_bi:{env['DWH_BI_PASSWORD']}@{postgres}/dwh{said}"
        },
        # Who makes dumps can't read them; the weekly test can.
        "backup": {"BACKUP_AGE_RECIPIENTS": env["BACKUP_AGE_RECIPIENTS"]},
        "restore-test": {"BACKUP_AGE_IDENTITY": env["BACKUP_TEST_IDENTITY"]},
        # The pod of our Kafka, where its accounts are made.
        "kafka-accounts": accounts,
        "valkey": {"VALKEY_PASSWORD": env["VALKEY_PASSWORD"]},
        # Airflow; names of keys as its chart wants them. Its way of TLS comes by the environment: helm-values/tls.yaml.
        "airflow-metadata": {"connection": f"postgresql://airflow:{env['AIRFLOW_DB_PASSWORD']}@{postgres}/airflow"},
        "airflow-fernet-key": {"fernet-key": env["AIRFLOW_FERNET_KEY"]},
        "airflow-api-secret-key": {"api-secret-key": env["AIRFLOW_API_SECRET_KEY"]},
        "airflow-jwt-secret": {"jwt-secret": env["AIRFLOW_JWT_SECRET"]},
        "airflow-admin": {"AIRFLOW_ADMIN_PASSWORD": env["AIRFLOW_ADMIN_PASSWORD"]},
        **({CA_SECRET: {"ca.crt": ca}} if ca else {}),
        **({TLS_SECRET: dict(server)} if server else {}),
    }


def manifest(data: Mapping[str, Mapping[str, str]]) -> str:
    """Return the Secrets as one YAML stream; JSON is YAML, and sops keeps a stream of documents."""
    documents = (
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
        for name, values in data.items()
    )
    return "".join(f"---\n{json.dumps(document, indent=2)}\n" for document in documents)


def main(arguments: list[str] | None = None) -> None:
    """Write .env or print the Kubernetes Secrets made of it."""
    about = f"{main.__doc__} @FILE stands for the arguments in a file, one a line."
    parser = Arguments(prog="python3 -m deploy.make_secrets", description=about, fromfile_prefix_chars="@")
    parser.add_argument("command", choices=["env", "manifest"])
    parser.add_argument("--env", type=Path, default=DEFAULT_FILE, metavar="FILE", help="(default %(default)s)")
    parser.add_argument("--postgres", default="postgres", metavar="HOST[:PORT]", help="(default %(default)s)")
    parser.add_argument("--kafka", default=OWN_KAFKA, metavar="HOST:PORT,...", help="(default %(default)s)")
    parser.add_argument("--kafka-user", default="", metavar="NAME", help="logs in by SCRAM; KAFKA_PASSWORD is in .env")
    parser.add_argument("--valkey", default="valkey", metavar="HOST[:PORT]", help="(default %(default)s)")
    parser.add_argument("--tls", nargs="*", choices=SERVICES, default=[], help="services that answer by TLS, by a CA")
    authority = parser.add_mutually_exclusive_group()
    authority.add_argument("--ca", type=Path, metavar="FILE", help=f"the CA: becomes the Secret {CA_SECRET}")
    own = f"a CA of your own, made there unless it is: makes {TLS_SECRET} as well, for the chart's PostgreSQL"
    authority.add_argument("--own-ca", type=Path, metavar="FOLDER", help=own)
    options = parser.parse_args(arguments)
    known = read_env(options.env.read_text()) if options.env.exists() else {}
    if options.command == "env":
        with os.fdopen(os.open(options.env, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(filled(EXAMPLE.read_text(), known))
        print(f"secrets are in {options.env}", file=sys.stderr)
        made = read_env(options.env.read_text())
        if not made["BACKUP_AGE_RECIPIENTS"]:
            print("no keys for backups: put age-keygen on PATH (Debian: apt install age), and again", file=sys.stderr)
        elif "BACKUP_IDENTITY" in made:
            print("BACKUP_IDENTITY opens every dump: move its line to where no machine of this is", file=sys.stderr)
        return
    missing = [name for name in read_env(EXAMPLE.read_text()) if not known.get(name)]
    if missing:
        parser.error(f"{options.env} has no {', '.join(missing)}: run `make secrets` first")
    if options.kafka_user and not known.get("KAFKA_PASSWORD"):
        parser.error(f"{options.env} has no KAFKA_PASSWORD, which is that of --kafka-user: write it there")
    ca, server = options.ca.read_text() if options.ca else "", {}
    if options.own_ca:
        try:
            server = certificate(options.own_ca, options.postgres)
        except (OSError, subprocess.CalledProcessError) as error:
            parser.error(
                f"no certificate was made: {getattr(error, 'stderr', b'').decode() or error}; openssl 3 is needed"
            )
        ca = server.pop("ca.crt")
    data = kubernetes_secrets(
        known,
        postgres=options.postgres,
        kafka=options.kafka,
        kafka_user=options.kafka_user,
        valkey=options.valkey,
        tls=options.tls,
        ca=ca,
        server=server,
    )
    print(manifest(data), end="")


if __name__ == "__main__":
    main()
