"""The orchestrator: Airflow's API server, scheduler (LocalExecutor), DAG processor and triggerer, on the stack's PostgreSQL."""

import base64
import json
import secrets
import subprocess
import sys
import urllib.request
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from local.processes import Daemon, StartError
from local.services.base import REPO, Service, inherited_env
from local.services.kafka import Kafka
from local.services.postgres import Postgres
from local.services.redis import Redis
from local.state import HOST


class Airflow(Service):
    """Configured by the environment only, the same one that the `airflow` CLI gets from `make env`."""

    name = "airflow"
    user = "admin"
    # May look at everything and change nothing.
    viewer = "viewer"
    needs = ("postgres",)
    process_names = ("airflow-api-server", "airflow-dag-processor", "airflow-scheduler")

    def address(self) -> str:
        """Return the URL of the UI and of the REST API."""
        return f"http://{HOST}:{self.state.port('airflow')}"

    def password(self) -> str:
        """Return the password of its user."""
        return self.state.secret("airflow_admin")

    def viewers_password(self) -> str:
        """Return the password of who may only look."""
        return self.state.secret("airflow_viewer")

    def env(self) -> dict[str, str]:
        """Return the configuration of this Airflow as environment variables."""
        home = self.home / "airflow"
        metadata = Postgres(self.home, self.state).url("airflow", "airflow").replace("://", "+psycopg2://")
        return {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_AUDIENCE_EXPORTS": json.dumps(
                {"conn_type": "generic", "extra": {"url": str(self.home / "exports")}}
            ),
            "AIRFLOW_CONN_ERASURE_LEDGER": json.dumps(
                {
                    "conn_type": "generic",
                    "password": self.state.secret("erasure_pepper"),
                    "extra": {"copy": str(self.home / "ledger")},
                }
            ),
            "AIRFLOW__API__BASE_URL": self.address(),
            "AIRFLOW__API__HOST": HOST,
            "AIRFLOW__API__PORT": str(self.state.port("airflow")),
            "AIRFLOW__API__SECRET_KEY": self.state.secret("airflow_api_secret_key"),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self.state.secret("airflow_jwt", make=lambda: secrets.token_hex(32)),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPO / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.address()}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__FERNET_KEY": self.state.secret("airflow_fernet_key", make=_fernet_key),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "4",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPO / "plugins"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "simple_auth_manager_passwords.json"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{self.user}:admin,{self.viewer}:viewer",
            # Of files that have not changed; one that has is read at once.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }

    def start(self) -> None:
        """Migrate the metadata, start the API server, then what depends on it; return when all are healthy."""
        api_server, dag_processor, scheduler = self.daemons
        if not api_server.process():
            self.state.choose_port("airflow")
        env = inherited_env(**self.env())
        for source in (Postgres, Redis, Kafka):
            env |= source(self.home, self.state).env()
        home = self.home / "airflow"
        home.mkdir(parents=True, exist_ok=True)
        self._write_passwords(Path(env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]))
        self._migrate(env)
        airflow = [sys.executable, "-m", "airflow"]
        if not api_server.process():
            api_server.launch([*airflow, "api-server"], env=env, cwd=home)
        if not dag_processor.process():
            dag_processor.launch([*airflow, "dag-processor"], env=env, cwd=home)
        api_server.wait_until(lambda: self._healthy("metadatabase"), timeout_s=180)
        # Last, because a task that finds no API server fails.
        if not scheduler.process():
            scheduler.launch([*airflow, "scheduler", "--skip-serve-logs"], env=env, cwd=home)
        dag_processor.wait_until(lambda: self._healthy("dag_processor", dag_processor), timeout_s=120)
        scheduler.wait_until(lambda: self._healthy("scheduler", scheduler), timeout_s=120)

    def _healthy(self, part: str, daemon: Daemon | None = None) -> bool:
        """Ask the API server about a part; if its process is given, believe only a heartbeat made since it began."""
        try:
            with urllib.request.urlopen(f"{self.address()}/api/v2/monitor/health", timeout=5) as answer:
                health: dict[str, str] = json.load(answer)[part]
        except (OSError, ValueError):
            return False
        process = daemon and daemon.process()
        if process and health["status"] == "healthy":
            return datetime.fromisoformat(health[f"latest_{part}_heartbeat"]).timestamp() > process.create_time()
        return health["status"] == "healthy"

    def _migrate(self, env: dict[str, str]) -> None:
        """Bring the metadata to the installed version; skipped when that is known, because the command costs seconds."""
        installed = version("apache-airflow")
        if self.state.get("airflow", "metadata_version") == installed:
            return
        log = self.home / "log" / "airflow-migrate.log"
        with log.open("wb") as output:
            done = subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            tail = "\n    ".join(log.read_text(errors="replace").splitlines()[-15:])
            raise StartError(f"airflow did not start: `airflow db migrate` failed\n  log: {log}\n    {tail}")
        self.state.put("airflow", "metadata_version", installed)

    def _write_passwords(self, file: Path) -> None:
        file.touch(mode=0o600)
        file.write_text(json.dumps({self.user: self.password(), self.viewer: self.viewers_password()}))


class Triggerer(Service):
    """Waits for what deferrable operators wait for. None of ours defers, but Airflow's home page calls its absence unhealthy."""

    name = "triggerer"
    needs = ("postgres", "airflow")
    process_names = ("airflow-triggerer",)

    def address(self) -> str:
        """Say that nobody connects to it."""
        return "no port"

    def env(self) -> dict[str, str]:
        """Return nothing: it has no clients."""
        return {}

    def start(self) -> None:
        """Start it beside the API server, which hears from it some seconds later: nothing waits for that."""
        airflow = Airflow(self.home, self.state)
        (daemon,) = self.daemons
        if not daemon.process():
            daemon.launch(
                [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs"],
                env=inherited_env(**airflow.env()),
                cwd=self.home / "airflow",
            )


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
