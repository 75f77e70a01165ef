"""Stands for the service that carries messages: it speaks what apprise sends to a `json://` address, and keeps it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self

PASSWORD = "the-word-that-nobody-may-read"


class Service(HTTPServer):
    """Keeps (kind, title, text) of each message; while `takes` is false it refuses them, and counts how often."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.messages: list[tuple[str, str, str]] = []
        self.refused = 0
        self.takes = True
        self._thread = threading.Thread(target=self.serve_forever)

    @property
    def extra(self) -> dict[str, Any]:
        """What the Airflow connection `alerts` says in its extra."""
        return {"config": {"path": f"json://somebody:{PASSWORD}@127.0.0.1:{self.server_port}/alerts"}}

    def about(self, dag_id: str) -> list[tuple[str, str, str]]:
        """Return the messages about one DAG."""
        return [message for message in self.messages if message[1].startswith(f"{dag_id}: ")]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.takes:
            self.server.messages.append((body["type"], body["title"], body["message"]))
        else:
            self.server.refused += 1
        self.send_response(200 if self.server.takes else 500)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass
