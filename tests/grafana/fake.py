"""A stateful stand-in for Grafana's HTTP API on a loopback port: the calls that we make.

`with fake_grafana(V9) as grafana:` answers as 9.4 does, V13 as 13.2. `grafana.trouble` decides,
request by request, whether the connection breaks before or after the work was done.
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fake_calls import CALLS, Calls, Reply
from fake_state import V9, V13, Json, Profile, RefusedError, State

__all__ = ["ADMIN", "V9", "V13", "FakeGrafana", "Reply", "fake_grafana"]

ADMIN = "admin-token-of-more-than-16-characters"
Trouble = Callable[[str, str], str]


@dataclass
class FakeGrafana(Calls):
    """The server's address, its state, what was asked of it."""

    state: State
    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    trouble: Trouble = lambda _method, _path: ""
    query: Callable[[Json], Reply] | None = None
    domain: str = ""
    """GF_SERVER_DOMAIN with GF_SERVER_ENFORCE_DOMAIN: who names another is sent to it."""

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Requests that may have changed something."""
        return [row for row in self.requests if row[0] != "GET" and "/ds/query" not in row[1]]

    def role(self, header: str) -> str:
        """Whose token it is; Admin is the one we are given."""
        if header.startswith("Basic "):
            user, _, password = (
                base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
            )
            return "Admin" if (user, password) == ("operator", ADMIN) else ""
        token = header.removeprefix("Bearer ")
        if token == ADMIN:
            return "Admin"
        for account in self.state.accounts.values():
            for row in account["tokens"]:
                if row["key"] == token:
                    return str(account["role"])
        return ""

    def answer(self, method: str, path: str, query: Json, body: Any, headers: Any) -> Reply:
        """Finds the call and does it."""
        if path == "/health":
            return 200, {"database": "ok", "version": self.state.profile.version, "commit": "x"}
        role = self.role(headers.get("Authorization", ""))
        if not role:
            return 401, {"message": "Unauthorized"}
        needs_admin = method != "GET" or path.startswith(("/v1/", "/datasources", "/serviceacc"))
        if needs_admin and role != "Admin" and path not in {"/annotations", "/ds/query"}:
            return 403, {"message": "You'll need additional permissions"}
        for pattern, name in CALLS:
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                parts = [unquote(part) for part in found.groups()]
                reply: Reply = getattr(self, name)(*parts, query=query, body=body, headers=headers)
                return reply
        return 404, {"message": f"no such call: {method} {path}"}


def _handler(grafana: FakeGrafana) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            """Silent."""

        def handle_one(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path.removeprefix("/api")
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            grafana.requests.append((self.command, path))
            fate = grafana.trouble(self.command, path)
            if fate == "before":
                self.close_connection = True
                return
            if fate.isdigit():
                self.reply(int(fate), {"message": "trouble"})
                return
            name = self.headers.get("Host", "").split(":")[0]
            if grafana.domain and name != grafana.domain:
                self.send_response(301)
                self.send_header("Location", f"http://{grafana.domain}:1/")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            try:
                status, answer = grafana.answer(self.command, path, query, body, self.headers)
            except RefusedError as error:
                status, answer = error.status, {"message": error.message}
            if fate == "after":
                self.close_connection = True
                return
            self.reply(status, answer)

        def reply(self, status: int, answer: Any) -> None:
            content = b"" if status == 204 else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815

    return Handler


@contextmanager
def fake_grafana(profile: Profile = V9) -> Iterator[FakeGrafana]:
    """A server for as long as the context lasts."""
    grafana = FakeGrafana(State(profile))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(grafana))
    server.daemon_threads = True
    grafana.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield grafana
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
