"""What a detector reads from and writes to: windows of a cube, in memory or in a scratch file.

Arrays are (rows, cols, bands) everywhere.
"""

from __future__ import annotations

from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import RunError
from .windows import Window

Float32Array = NDArray[np.float32]
FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

FLOAT32 = np.dtype(np.float32)


class Cube(Protocol):
    """A cube that can be read by windows, as often as needed."""

    @property
    def n_rows(self) -> int: ...

    @property
    def n_cols(self) -> int: ...

    @property
    def n_bands(self) -> int: ...

    def read(self, window: Window) -> tuple[FloatArray, BoolArray]:
        """Return values (rows, cols, bands), C-contiguous and finite, and validity (rows, cols).

        Values are float32, or float64 where the raster's own type needs it.

        Values of invalid pixels are finite and mean nothing; they take part in no statistic.
        """


class ScoreSink(Protocol):
    """Where a detector writes its scores, each pixel once, in any order."""

    def write(self, window: Window, scores: Float32Array) -> None:
        """Take scores (rows, cols); NaN marks a pixel without a score."""


class ScratchCube:
    """A cube (rows, cols, bands) of float32 or float64 for one run: in memory, or in a file, interleaved by pixel.

    The file is read and written with plain positioned I/O, not mapped, so that it never counts as the process's memory.
    """

    def __init__(
        self, n_rows: int, n_cols: int, n_bands: int, path: Path | None = None, dtype: np.dtype[Any] = FLOAT32
    ) -> None:
        self.n_rows = n_rows
        self.n_cols = n_cols
        self.n_bands = n_bands
        self._path = path
        self.dtype = dtype
        self._memory: FloatArray | None = None
        self._file: FileIO | None = None
        if path is None:
            self._memory = np.zeros((n_rows, n_cols, n_bands), dtype=dtype)
        else:
            self._file = FileIO(path, "x+")
        self._lock = Lock()

    def write(self, window: Window, values: FloatArray) -> None:
        """Store values (rows, cols, bands) of a window."""
        if self._memory is not None:
            self._memory[window.row_start : window.row_stop, window.col_start : window.col_stop] = values
            return
        for offset, part in self._segments(window, np.ascontiguousarray(values, dtype=self.dtype)):
            self._transfer(offset, part.data.cast("B"), write=True)

    def read_values(self, window: Window) -> FloatArray:
        """Return the values (rows, cols, bands) of a window, as a fresh C-contiguous array."""
        if self._memory is not None:
            return self._memory[window.row_start : window.row_stop, window.col_start : window.col_stop].copy()
        values: FloatArray = np.empty((window.n_rows, window.n_cols, self.n_bands), dtype=self.dtype)
        for offset, part in self._segments(window, values):
            self._transfer(offset, part.data.cast("B"), write=False)
        return values

    def _segments(self, window: Window, values: FloatArray) -> list[tuple[int, FloatArray]]:
        """Return (byte offset, flat part of values) for each contiguous run of the file."""
        pixel_bytes = self.n_bands * self.dtype.itemsize
        if window.n_cols == self.n_cols:
            return [(window.row_start * self.n_cols * pixel_bytes, values.reshape(-1))]
        return [
            ((row * self.n_cols + window.col_start) * pixel_bytes, values[row - window.row_start].reshape(-1))
            for row in range(window.row_start, window.row_stop)
        ]

    def _transfer(self, offset: int, view: memoryview, *, write: bool) -> None:
        if self._file is None:
            raise RunError("A scratch file was used after it was closed; please report this.")
        try:
            with self._lock:
                self._file.seek(offset)
                done = 0
                while done < len(view):
                    # 64 MiB at a time: some systems refuse transfers above 2 GiB.
                    part = view[done : done + (1 << 26)]
                    count = self._file.write(part) if write else self._file.readinto(part)
                    if not count:
                        raise OSError("the file is shorter than what was written to it")
                    done += count
        except OSError as error:
            what = "write" if write else "read"
            raise RunError(
                f"Cannot {what} the scratch file {self._path} ({error.strerror or error}): free disk space beside the "
                "output or raise --memory, then run again."
            ) from error

    def close(self) -> None:
        """Release the memory or close and delete the file."""
        self._memory = None
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)


class MaskedCube:
    """A scratch cube in which NaN marks invalid pixels, as a `Cube`."""

    def __init__(self, values: ScratchCube) -> None:
        self._values = values
        self.n_rows = values.n_rows
        self.n_cols = values.n_cols
        self.n_bands = values.n_bands

    def read(self, window: Window) -> tuple[FloatArray, BoolArray]:
        """Return values and validity of a window."""
        values = self._values.read_values(window)
        # NaN stands in all bands of an invalid pixel, so one band tells.
        valid = ~np.isnan(values[:, :, 0])
        if not valid.all():
            values[~valid] = 0.0
        return values, valid
