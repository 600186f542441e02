"""Nothing leaves this machine: the block that holds for every test works, and the sources have no other way out."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import no_network

from .test_architecture import ENGINE, PLUGIN, ROOT, TRAINING, identify, imports_of, sources

# RFC 5737 and RFC 3849: addresses of documentation, which belong to nobody.
OUTSIDE = [("192.0.2.1", 80), ("2001:db8::1", 80)]
CONNECT = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=20)"
NETWORK_MODULES = {
    *(
        "socket",
        "socketserver",
        "ssl",
        "http",
        "urllib",
        "ftplib",
        "smtplib",
        "poplib",
        "imaplib",
        "telnetlib",
        "xmlrpc",
    ),
    *("asyncio", "webbrowser", "requests", "httpx", "httpcore", "aiohttp", "urllib3", "pycurl", "websocket"),
    *("sentry_sdk", "posthog", "opentelemetry", "prometheus_client", "statsd"),
}
# Qt's and QGIS's own ways, GDAL's, and what would weaken TLS.
FORBIDDEN = re.compile(
    r"QtNetwork|QNetwork|QgsNetwork|QgsFileDownloader|QgsHttp|/vsi(?:curl|s3|gs|az)|HTTPFetch"
    r"|verify\s*=\s*False|_create_unverified_context|CERT_NONE|--trusted-host|UNSAFESSL|PYTHONHTTPSVERIFY"
)
GDAL_WAYS = re.compile("/vsi(?:curl|s3|gs|az)")


@pytest.mark.parametrize("address", OUTSIDE, ids=["IPv4", "IPv6"])
def test_no_connection_leaves_this_machine(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as some, pytest.raises(no_network.NetworkBlocked, match=address[0]):
        some.connect(address)
    with socket.socket(family, socket.SOCK_DGRAM) as some, pytest.raises(no_network.NetworkBlocked):
        some.sendto(b"x", address)
    assert no_network.attempts == [f"socket.connect {address[0]}"]
    no_network.attempts.clear()


def test_no_name_is_looked_up() -> None:
    with pytest.raises(no_network.NetworkBlocked, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)
    with pytest.raises(no_network.NetworkBlocked):
        socket.gethostbyname("example.org")
    assert len(no_network.attempts) == 2
    no_network.attempts.clear()


def test_loopback_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"x")
        assert server.accept()[0].recv(1) == b"x"
    assert socket.getaddrinfo("localhost", 80)


def test_a_child_process_has_no_network_either(own_network: bool) -> None:
    if not own_network:
        pytest.skip("this system gives no network namespace")
    started = time.monotonic()
    found = subprocess.run([sys.executable, "-I", "-c", CONNECT], capture_output=True, text=True, check=False)
    assert "Network is unreachable" in found.stderr
    assert time.monotonic() - started < 10
    assert [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]] == ["lo"]


@pytest.mark.parametrize("path", [*sources(ENGINE), *sources(PLUGIN), *sources(TRAINING)], ids=identify)
def test_sources_have_no_way_to_the_network_of_their_own(path: Path) -> None:
    found = {name for name, _ in imports_of(path) if name.split(".")[0] in NETWORK_MODULES}
    assert found <= {"urllib.parse"}
    text = path.read_text(encoding="utf-8")
    if path == ENGINE / "raster" / "address.py":
        # An address that the user gave as an input goes to GDAL, and this module alone says how.
        text = GDAL_WAYS.sub("", text)
    assert not FORBIDDEN.findall(text)
    # What downloads is loaded inside the function that the user asked for by a command or a setting.
    hubs = [at_load for name, at_load in imports_of(path) if name.split(".")[0] == "huggingface_hub"]
    assert not hubs or (path in (ENGINE / "fen" / "hub.py", TRAINING / "networks" / "teacher.py") and not any(hubs))


def test_the_scripts_never_turn_tls_off() -> None:
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.suffix in (".py", ".sh")]
    assert len(scripts) > 10
    assert not [path.name for path in scripts if FORBIDDEN.search(path.read_text(encoding="utf-8"))]


def test_the_patterns_find_what_they_are_for() -> None:
    assert FORBIDDEN.search("requests.get(url, verify=False)")
    assert FORBIDDEN.search("gdal.Open('/vsicurl/https://example.org/a.tif')")
    assert not FORBIDDEN.search("verify = arguments.verify")
