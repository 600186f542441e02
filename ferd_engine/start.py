"""Where the command `ferd` starts: signals are heeded before anything that takes time is loaded."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn

_EXIT_INTERRUPTED = 130


def main() -> int:
    """Run the command of `sys.argv` and return its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    from .cli import main as command

    code = command()
    # The run is over and has said so: what asks it to stop now comes too late.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    return code


def _leave(number: int, frame: Any) -> NoReturn:
    """End at once: nothing has begun that would have to be put away."""
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"ferd: Interrupted; nothing was written.\n")
    os._exit(_EXIT_INTERRUPTED)
