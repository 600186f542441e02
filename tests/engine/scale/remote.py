"""A stand-in for a web server and for clouds' storage on this machine: serves byte ranges and notes what it served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any


@dataclass
class Served:
    """What was asked for: bytes of each answer with content, and the requests' signatures."""

    port: int = 0
    n_bytes: list[int] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.n_bytes)


class Ranges(SimpleHTTPRequestHandler):
    served: Served

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        first, last = 0, len(content) - 1
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            first, last = int(wanted[1]), min(int(wanted[2] or last), last)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        else:
            self.send_response(200)
        self.served.n_bytes.append(last - first + 1)
        self.served.signatures.append(self.headers.get("Authorization", ""))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def log_message(self, *_: Any) -> None:
        pass


class Storage(ThreadingHTTPServer):
    # GDAL opens twenty connections at once; with room for five in the queue the others would come back after a second.
    request_queue_size = 64


@contextmanager
def storage(folder: Path) -> Iterator[Served]:
    """Serve a folder: a file is at http://127.0.0.1:PORT/NAME, an object of the bucket below at PORT/BUCKET/NAME."""
    served = Served()
    handler = type("Handler", (Ranges,), {"served": served})
    with Storage(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        served.port = server.server_address[1]
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield served
        finally:
            server.shutdown()
