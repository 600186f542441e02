"""A stand-in for a hub's HTTP interface on this machine: what huggingface_hub asks for, and ways of failing."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """A repository `owner/net` at one revision, and what is wrong with it.

    fault : "" none, "cut" breaks each connection half way, "cut once" only the first and then serves ranges, "short"
        sends less than it announced by HEAD, or a status such as "500"; "linked" is no fault: files lie elsewhere, as
        large ones do.
    """

    files: dict[str, bytes]
    fault: str = ""
    address: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)

    @property
    def n_gets(self) -> int:
        return sum(method == "GET" and "/resolve/" in path for method, path in self.requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, with_body: bool) -> None:
        # A proxy is asked with the whole address, a server with the path alone.
        path = urlsplit(self.path).path
        self.hub.requests.append((self.command, path))
        self.hub.agents.add(self.headers.get("User-Agent", ""))
        if self.hub.fault.isdigit():
            return self._refuse(int(self.hub.fault), "")
        if path.startswith("/elsewhere/"):
            return self._send(self.hub.files[path.removeprefix("/elsewhere/")], with_body, {})
        parts = path.strip("/").split("/", 4)
        if parts[:2] != ["owner", "net"] or parts[2] != "resolve":
            return self._refuse(404, "RepoNotFound")
        if parts[3] != REVISION:
            return self._refuse(404, "RevisionNotFound")
        if parts[4] not in self.hub.files:
            return self._refuse(404, "EntryNotFound")
        content = self.hub.files[parts[4]]
        if self.hub.fault != "linked":
            etag = hashlib.sha1(content).hexdigest()
            return self._send(content, with_body, {"X-Repo-Commit": REVISION, "ETag": f'"{etag}"'})
        self.send_response(302)
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Linked-Size", str(len(content)))
        # Another host name, as large files lie on another host.
        self.send_header("Location", f"{self.hub.address.replace('127.0.0.1', 'localhost')}/elsewhere/{parts[4]}")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, content: bytes, with_body: bool, headers: dict[str, str]) -> None:
        start = 0
        ranged = self.headers.get("Range", "")
        if ranged.startswith("bytes=") and self.hub.fault != "cut":
            start = int(ranged[6:].split("-")[0])
        announced = body = content[start:]
        if with_body and self.hub.fault == "short":
            announced = body = content[: len(content) // 2]
        elif with_body and (self.hub.fault == "cut" or (self.hub.fault == "cut once" and self.hub.n_gets == 1)):
            body = content[: len(content) // 2]
        self.send_response(206 if start else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(announced)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)
            self.close_connection = len(body) < len(announced)


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """Serve a hub on a free port of this machine, and say where in `hub.address`."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
