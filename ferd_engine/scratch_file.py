"""A file of image rows for one run, that is neither mapped nor, where the system allows it, kept in its cache.

A scratch file is larger than the memory that a run may take, is read once or twice, and then deleted. To pass it
through the system's cache costs a copy and, page by page, more time than the disk itself takes; it would also drive
the input out of the cache. Linux offers direct transfers (O_DIRECT), for whole pages of memory and file: rows are
padded to whole pages and go through a small buffer. File systems that refuse direct transfers get ordinary ones.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator
from contextlib import closing
from io import FileIO
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from .errors import RunError
from .overlap import one_ahead

Bytes = NDArray[np.uint8]

# Direct transfers start and end at multiples of the disk's block, at most this.
_PAGE_BYTES = 4096
_BUFFER_BYTES = 8 << 20
# Some systems refuse transfers above 2 GiB.
_MOST_BYTES = 1 << 26


class ScratchFile:
    """`n_rows` rows of `row_bytes` bytes each, zeros at first; deleted by `close`."""

    def __init__(self, path: Path, n_rows: int, row_bytes: int) -> None:
        self._path = path
        self._row_bytes = row_bytes
        self._stride = -(-row_bytes // _PAGE_BYTES) * _PAGE_BYTES
        try:
            self._file = FileIO(path, "x+")
            # Direct transfers read to the end of the last page.
            self._file.truncate(n_rows * self._stride)
        except OSError as error:
            raise self._error("make", error) from error
        self._direct = _open_direct(path)
        # Memory of its own pages, as direct transfers need it; one is filled while the other one is emptied.
        n_bytes = max(_BUFFER_BYTES // self._stride, 1) * self._stride
        self._buffers = [mmap.mmap(-1, n_bytes) for _ in range(2 if self._direct else 0)]
        self._lock = Lock()

    def write(self, row: int, start: int, values: Bytes) -> None:
        """Store values (n, m) as bytes [start, start + m) of the rows from `row` on."""
        try:
            with self._lock:
                if values.shape[1] == self._row_bytes and self._direct is not None:
                    try:
                        self._write_direct(self._direct, row, values)
                        return
                    except OSError as error:
                        if error.errno != errno.EINVAL:
                            raise
                        self._direct = None
                for index, line in enumerate(values):
                    _write_all(self._file, (row + index) * self._stride + start, memoryview(line))
        except OSError as error:
            raise self._error("write", error) from error

    def read(self, row: int, start: int, values: Bytes) -> None:
        """Fill values (n, m) with what was stored there."""
        try:
            with self._lock:
                if values.shape[1] == self._row_bytes and self._direct is not None:
                    self._read_direct(self._direct, row, values)
                    return
                for index, line in enumerate(values):
                    _read_all(self._file, (row + index) * self._stride + start, memoryview(line))
        except OSError as error:
            raise self._error("read", error) from error

    def _write_direct(self, file: FileIO, row: int, values: Bytes) -> None:
        for index, part, view in self._buffered(values):
            self._staged(view)[:, : self._row_bytes] = part
            _write_all(file, (row + index) * self._stride, view)

    def _read_direct(self, file: FileIO, row: int, values: Bytes) -> None:
        def fill(job: tuple[int, Bytes, memoryview]) -> None:
            _read_all(file, (row + job[0]) * self._stride, job[2])

        with closing(one_ahead(fill, self._buffered(values))) as filled:
            for (_, part, view), _ in filled:
                part[...] = self._staged(view)[:, : self._row_bytes]

    def _staged(self, view: memoryview) -> Bytes:
        return np.frombuffer(view, dtype=np.uint8).reshape(-1, self._stride)

    def _buffered(self, values: Bytes) -> Iterator[tuple[int, Bytes, memoryview]]:
        """Yield (first row, rows, one of the two buffers in turn) for all rows of values (n, row_bytes)."""
        step = len(self._buffers[0]) // self._stride
        for index in range(0, len(values), step):
            part = values[index : index + step]
            self._buffers.reverse()
            yield index, part, memoryview(self._buffers[0])[: len(part) * self._stride]

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


def _open_direct(path: Path) -> FileIO | None:
    """Open a file that exists for direct transfers, or return None where the system has none."""
    flag = getattr(os, "O_DIRECT", 0)
    if not flag:
        return None
    try:
        return FileIO(path, "r+", opener=lambda name, flags: os.open(name, flags | flag))
    except OSError:
        return None


def _write_all(file: FileIO, offset: int, view: memoryview) -> None:
    file.seek(offset)
    done = 0
    while done < len(view):
        done += _moved(file.write(view[done : done + _MOST_BYTES]))


def _read_all(file: FileIO, offset: int, view: memoryview) -> None:
    file.seek(offset)
    done = 0
    while done < len(view):
        done += _moved(file.readinto(view[done : done + _MOST_BYTES]))


def _moved(count: int | None) -> int:
    if not count:
        raise OSError("the file is shorter than what was written to it")
    return count
