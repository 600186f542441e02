"""The tests' own machine has no network: only its loopback, for stand-ins of servers.

Where the system lets us (Linux), the process moves into a network namespace of its own before anything else happens, so
that neither a native library nor a child process finds a way out. Everywhere, an audit hook of the
interpreter stops what Python itself would open, and keeps a note of it, because a caller may swallow the error.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
import struct
import sys
from typing import Any

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_CAPABILITY_VERSION = 0x20080522
_SIOCSIFFLAGS = 0x8914
_UP_AND_RUNNING = 0x1 | 0x40
_LOCAL_NAMES = {"", "localhost", "localhost.localdomain", "ip6-localhost"}
_LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
_CONTACTS = ("socket.connect", "socket.sendto", "socket.sendmsg")


class NetworkBlocked(OSError):
    """An attempt to reach another machine."""


attempts: list[str] = []
"""What was attempted and not yet reported; datagram sockets only ask the system for its own address by this."""


def enter_own_network() -> bool:
    """Leave the machine's network for an empty one with a loopback; False where the system does not let us."""
    if sys.platform != "linux":
        return False
    user, group, is_root = os.geteuid(), os.getegid(), os.geteuid() == 0
    # Others than root may have a network of their own only among users of their own.
    if ctypes.CDLL(None).unshare(_CLONE_NEWNET if is_root else _CLONE_NEWNET | _CLONE_NEWUSER) != 0:
        return False
    _start_loopback()
    if not is_root:
        for name, content in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(content)
        _drop_capabilities()
    return True


def _start_loopback() -> None:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some:
        fcntl.ioctl(some, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", _UP_AND_RUNNING, b""))


def _drop_capabilities() -> None:
    """Give up what the first user of a namespace may do, such as passing over the permissions of files."""
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    if ctypes.CDLL(None).capset(header, struct.pack("6I", *[0] * 6)) != 0:
        raise OSError("The capabilities of the new namespace could not be dropped.")


def block_sockets() -> None:
    """Let the interpreter refuse look-ups of names and contacts with addresses outside this machine, for good."""
    local = _LOCAL_NAMES | {socket.gethostname().lower()}

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _LOOK_UPS:
            _refuse_unless_local(event, arguments[0], local)
        elif event in _CONTACTS:
            some, address = arguments[0], arguments[1]
            if some.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
                _refuse_unless_local(event, address[0], local, counts=some.type == socket.SOCK_STREAM)

    sys.addaudithook(hook)


def _refuse_unless_local(event: str, host: Any, local: set[str], counts: bool = True) -> None:
    if isinstance(host, tuple):
        host = host[0]
    name = (host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")).lower()
    try:
        if name in local or ipaddress.ip_address(name.split("%")[0]).is_loopback or name in ("0.0.0.0", "::"):
            return
    except ValueError:
        pass
    if counts:
        attempts.append(f"{event} {name}")
    raise NetworkBlocked(f"The tests have no network, and {event} asked for {name}.")
