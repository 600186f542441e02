"""A lock on one output, held by one process at a time and gone with it, however it ends."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..errors import OutputError
from ..outputs import is_at

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Windows locks bytes, and locked ones cannot be read: this one lies behind what the file says.
_LOCKED_BYTE = 1 << 20


@contextmanager
def try_lock(path: Path) -> Iterator[str | None]:
    """Hold the lock of a file, which goes at the end; gives None, or who holds it where another process does.

    It is the system's own lock, so that the file a killed process left locks nothing. Nobody waits here. Raises
    `OutputError` where the folder cannot be written or its file system has no locks.
    """
    try:
        file = _open_locked(path)
    except OSError as error:
        raise OutputError(
            f"Cannot lock {path} ({error.strerror or error}): choose an output folder that you may write, on a file "
            "system with locks."
        ) from error
    if file is None:
        yield _holder(path)
        return
    try:
        yield None
    finally:
        # Still locked, so nobody else can have it; a waiting opener sees that the name is gone.
        with suppress(OSError):
            path.unlink()
        file.close()


def _open_locked(path: Path) -> IO[bytes] | None:
    while True:
        file = path.open("a+b")
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            file.close()
            return None
        except OSError:
            file.close()
            raise
        if is_at(file, path):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}".encode())
            file.flush()
            return file
        # Its holder removed it between our opening and our locking.
        file.close()


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        file.seek(_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(path: Path) -> str:
    try:
        return path.read_bytes()[:200].decode("utf-8", "replace") or "another process"
    except OSError:
        return "another process"
