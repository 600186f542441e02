"""No test reaches another machine, nor the environment that the tests were started from."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import no_network

# Before any library has started a thread, which would stay in the old network.
_OWN_NETWORK = no_network.enter_own_network()
no_network.block_sockets()


def _leave_environment() -> None:
    """Forget an activated environment: a QGIS that finds it takes it, with its PyTorch, for a Python of its own."""
    activated = os.environ.pop("VIRTUAL_ENV", None)
    if activated is not None:
        kept = [folder for folder in os.environ["PATH"].split(os.pathsep) if not folder.startswith(activated + os.sep)]
        os.environ["PATH"] = os.pathsep.join(kept)


_leave_environment()


def pytest_report_header() -> str:
    """Say how far the promise reaches on this machine."""
    how = "none but loopback, children included" if _OWN_NETWORK else "refused by the interpreter"
    return f"network: {how}"


@pytest.fixture(scope="session")
def own_network() -> bool:
    """Whether the whole process tree is cut off, not only this interpreter."""
    return _OWN_NETWORK


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    """Fail a test in which something asked for the network, even if it took the refusal well."""
    no_network.attempts.clear()
    yield
    asked, no_network.attempts[:] = no_network.attempts[:], []
    assert not asked, f"the network was asked for: {asked}"
