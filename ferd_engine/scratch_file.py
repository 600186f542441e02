"""A file of image rows for one run, that is neither mapped nor, where the system allows it, kept in its cache.

A scratch file is larger than the memory that a run may take, is read once or twice, and then deleted. To pass it
through the system's cache costs a copy and, page by page, more time than the disk itself takes; it would also drive
the input out of the cache. Linux offers direct transfers (O_DIRECT), for whole pages of memory and file. Rows follow
each other without gaps, so that rows that are read need no copy: the pages around them are read, and a view on them
returned. What is written begins and ends within pages; these go through the cache, and the others through a small
buffer, unless they lie in memory as they will in the file. File systems that refuse direct transfers get ordinary ones.

To delete the file takes a quarter of the time of reading it where the disk is told of each freed block. Rows can be
released while others are computed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from io import FileIO
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from .errors import RunError

Bytes = NDArray[np.uint8]

# Direct transfers start and end at multiples of the disk's block, at most this.
PAGE_BYTES = 4096
_BUFFER_BYTES = 8 << 20
# Released at once: each call takes a while, whatever its size.
_RELEASED_BYTES = 64 << 20
# Linux's FALLOC_FL_PUNCH_HOLE with FALLOC_FL_KEEP_SIZE, without which it is refused.
_PUNCH_HOLE = 3
# Some systems refuse transfers above 2 GiB.
_MOST_BYTES = 1 << 26


class ScratchFile:
    """`n_rows` rows of `row_bytes` bytes each, zeros at first; deleted by `close`."""

    def __init__(self, path: Path, n_rows: int, row_bytes: int) -> None:
        self._path = path
        self._row_bytes = row_bytes
        try:
            self._file = FileIO(path, "x+")
            # Direct transfers read to the end of the last page.
            self._file.truncate(_page_after(n_rows * row_bytes))
        except OSError as error:
            raise self._error("make", error) from error
        self._direct = _open_direct(path)
        # Bytes before the first are released, those before the second are not asked for again.
        self._released = self._done = 0
        self._lock = Lock()

    def write(self, row: int, start: int, values: Bytes) -> None:
        """Store values (n, m) as bytes [start, start + m) of the rows from `row` on."""
        place = row * self._row_bytes
        try:
            with self._lock:
                if values.shape[1] < self._row_bytes:
                    for index, line in enumerate(values):
                        _write_all(self._file, place + index * self._row_bytes + start, line)
                    return
                flat = np.ascontiguousarray(values).reshape(-1)
                try:
                    self._write_direct(place, flat)
                except OSError as error:
                    if error.errno != errno.EINVAL:
                        raise
                    self._direct = None
                    _write_all(self._file, place, flat)
        except OSError as error:
            raise self._error("write", error) from error

    def read(self, row: int, n_rows: int, start: int = 0, n_bytes: int | None = None) -> Bytes:
        """Return what was stored as bytes [start, start + n_bytes) of so many rows, by default all of them.

        The array (n_rows, n_bytes) is C-contiguous and the caller's own.
        """
        place = row * self._row_bytes
        n_bytes = self._row_bytes if n_bytes is None else n_bytes
        try:
            with self._lock:
                if n_bytes == self._row_bytes:
                    return self._read_direct(place, n_rows * n_bytes).reshape(n_rows, n_bytes)
                values = np.empty((n_rows, n_bytes), np.uint8)
                for index, line in enumerate(values):
                    _read_all(self._file, place + index * self._row_bytes + start, line)
                return values
        except OSError as error:
            raise self._error("read", error) from error

    def release(self, row: int, n_rows: int) -> None:
        """Give the place of rows back to the disk, soon and where the system can; what they read as then is undefined.

        Only rows that follow those released before are; others wait for `close`.
        """
        punch = _fallocate()
        if punch is None or row * self._row_bytes != self._done:
            return
        with self._lock:
            self._done += n_rows * self._row_bytes
            stop = self._done // PAGE_BYTES * PAGE_BYTES
            if stop - self._released >= _RELEASED_BYTES:
                # A file system that cannot do it releases all when the file is deleted.
                punch(self._file.fileno(), _PUNCH_HOLE, self._released, stop - self._released)
                self._released = stop

    def _write_direct(self, place: int, values: Bytes) -> None:
        """Store values (n,) from a byte of the file on: whole pages directly, the others through the cache."""
        stop = place + len(values)
        first, last = _page_after(place), stop // PAGE_BYTES * PAGE_BYTES
        if self._direct is None or first >= last:
            _write_all(self._file, place, values)
            return
        _write_all(self._file, place, values[: first - place])
        _write_all(self._file, last, values[last - place :])
        if (values.ctypes.data - place) % PAGE_BYTES == 0:
            _write_all(self._direct, first, values[first - place : last - place])
            return
        staged = _whole_pages(min(last - first, _BUFFER_BYTES))
        for start in range(first, last, len(staged)):
            part = values[start - place : min(start + len(staged), last) - place]
            staged[: len(part)] = part
            _write_all(self._direct, start, staged[: len(part)])

    def _read_direct(self, place: int, n_bytes: int) -> Bytes:
        """Return bytes (n_bytes,) from a byte of the file on, as a view on the pages around them."""
        if self._direct is None:
            values = np.empty(n_bytes, np.uint8)
            _read_all(self._file, place, values)
            return values
        first = place // PAGE_BYTES * PAGE_BYTES
        pages = _whole_pages(_page_after(place + n_bytes) - first)
        _read_all(self._direct, first, pages)
        return pages[place - first : place - first + n_bytes]

    def _error(self, what: str, error: OSError) -> RunError:
        return RunError(
            f"Cannot {what} the scratch file {self._path} ({error.strerror or error}): free disk space beside the "
            "output or raise --memory, then run again."
        )

    def close(self) -> None:
        """Close and delete the file."""
        self._file.close()
        if self._direct is not None:
            self._direct.close()
        self._path.unlink(missing_ok=True)


@cache
def _fallocate() -> Callable[[int, int, int, int], int] | None:
    """Return Linux's call for a file's place on its disk (file, what, start, bytes), where the C library has it."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    # Of a 32-bit system's two calls, the one whose offsets have 64 bits.
    call = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if call is not None:
        call.restype, call.argtypes = ctypes.c_int, [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return call


def _page_after(place: int) -> int:
    """Return where the next page begins, or the place itself where one begins there."""
    return -(-place // PAGE_BYTES) * PAGE_BYTES


def _whole_pages(n_bytes: int) -> Bytes:
    """Return memory (n_bytes,) that begins with a page."""
    memory = np.empty(n_bytes + PAGE_BYTES, np.uint8)
    start = -memory.ctypes.data % PAGE_BYTES
    return memory[start : start + n_bytes]


def _open_direct(path: Path) -> FileIO | None:
    """Open a file that exists for direct transfers, or return None where the system has none."""
    flag = getattr(os, "O_DIRECT", 0)
    if not flag:
        return None
    try:
        return FileIO(path, "r+", opener=lambda name, flags: os.open(name, flags | flag))
    except OSError:
        return None


def _write_all(file: FileIO, offset: int, values: Bytes) -> None:
    view = values.data
    file.seek(offset)
    done = 0
    while done < len(view):
        done += _moved(file.write(view[done : done + _MOST_BYTES]))


def _read_all(file: FileIO, offset: int, values: Bytes) -> None:
    view = values.data
    file.seek(offset)
    done = 0
    while done < len(view):
        done += _moved(file.readinto(view[done : done + _MOST_BYTES]))


def _moved(count: int | None) -> int:
    if not count:
        raise OSError("the file is shorter than what was written to it")
    return count
