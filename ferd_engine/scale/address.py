"""What `--scheduler` may say."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import UsageError


class Address(NamedTuple):
    """Where the windows go: so many workers on this machine, or the cluster of a scheduler."""

    n_local: int
    url: str


def parse_scheduler(text: str) -> Address:
    """Return the parts of `local:N` or `tcp://host:port` (or tls, ucx, ws, wss).

    >>> parse_scheduler("local:2")
    Address(n_local=2, url='')
    """
    local = re.fullmatch(r"local:([1-9][0-9]{0,3})", text)
    if local:
        return Address(int(local[1]), "")
    if re.fullmatch(r"(tcp|tls|ucx|ws|wss)://[^/\s]+:[0-9]{1,5}", text):
        return Address(0, text)
    raise UsageError(
        f"The scheduler {text!r} is none: give local:N for N workers on this machine, or the address of a running one, "
        "such as tcp://host:8786."
    )
