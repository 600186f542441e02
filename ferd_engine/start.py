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
    from .errors import EXIT_FAILED, OUT_OF_MEMORY, tells_of_memory

    try:
        from .cli import main as command

        code = command()
    except Exception as error:
        if not tells_of_memory(error):
            raise
        # Nothing of the command is loaded yet, or so little is left that its own last words failed.
        _say(f"ferd: {OUT_OF_MEMORY}\n".encode())
        return EXIT_FAILED
    # The run is over and has said so: what asks it to stop now comes too late.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    return code


def _leave(number: int, frame: Any) -> NoReturn:
    """End at once: nothing has begun that would have to be put away."""
    _say(b"ferd: Interrupted; nothing was written.\n")
    os._exit(_EXIT_INTERRUPTED)


def _say(line: bytes) -> None:
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, line)
