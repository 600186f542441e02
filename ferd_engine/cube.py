"""What a detector reads from and writes to: windows of a cube, in memory or in a scratch file.

Arrays are (rows, cols, bands) everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .errors import RunError
from .scratch_file import ScratchFile
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

        Values of invalid pixels are finite and mean nothing; they take part in no statistic. No array may be changed.
        """


@runtime_checkable
class CubeWithBackground(Cube, Protocol):
    """A cube of which only some pixels are background."""

    @property
    def background(self) -> Cube:
        """The same cube, in which only background pixels are valid."""

    def flags(self, window: Window) -> BoolArray:
        """Return (rows, cols) whether a pixel would be background if it is valid."""


def background_of(cube: Cube) -> Cube:
    """Return the cube that statistics of the background are taken from: by default the cube itself."""
    return cube.background if isinstance(cube, CubeWithBackground) else cube


class ScoreSink(Protocol):
    """Where a detector writes its scores, each pixel once, in any order."""

    def write(self, window: Window, scores: Float32Array) -> None:
        """Take scores (rows, cols); NaN marks a pixel without a score."""


class ScratchCube:
    """A cube (rows, cols, bands) of float32 or float64 for one run, interleaved by pixel: in memory, or in a file."""

    def __init__(
        self, n_rows: int, n_cols: int, n_bands: int, path: Path | None = None, dtype: np.dtype[Any] = FLOAT32
    ) -> None:
        self.n_rows = n_rows
        self.n_cols = n_cols
        self.n_bands = n_bands
        self.dtype = dtype
        self._pixel_bytes = n_bands * dtype.itemsize
        self._memory: FloatArray | None = None
        self._file: ScratchFile | None = None
        if path is None:
            self._memory = np.zeros((n_rows, n_cols, n_bands), dtype=dtype)
        else:
            self._file = ScratchFile(path, n_rows, n_cols * self._pixel_bytes)

    def write(self, window: Window, values: FloatArray) -> None:
        """Store values (rows, cols, bands) of a window."""
        if self._memory is not None:
            self._memory[window.row_start : window.row_stop, window.col_start : window.col_stop] = values
            return
        self._open_file().write(
            window.row_start,
            window.col_start * self._pixel_bytes,
            _lines(window, np.ascontiguousarray(values, dtype=self.dtype)),
        )

    def read_values(self, window: Window) -> FloatArray:
        """Return the values (rows, cols, bands) of a window, C-contiguous.

        They are read-only where they are what is kept, since a copy would cost more than a detector's look at it.
        """
        if self._memory is not None:
            place = slice(window.row_start, window.row_stop), slice(window.col_start, window.col_stop)
            kept: FloatArray = np.ascontiguousarray(self._memory[place])
            kept.flags.writeable = False
            return kept
        start, n_bytes = window.col_start * self._pixel_bytes, window.n_cols * self._pixel_bytes
        stored = self._open_file().read(window.row_start, window.n_rows, start, n_bytes)
        return stored.view(self.dtype).reshape(*window.shape, self.n_bands)

    def release(self, window: Window) -> None:
        """Give the place of full rows that are not read again back to the disk, as `ScratchFile.release` does."""
        if self._file is not None and window.n_cols == self.n_cols:
            self._file.release(window.row_start, window.n_rows)

    def _open_file(self) -> ScratchFile:
        if self._file is None:
            raise RunError("A scratch file was used after it was closed; please report this.")
        return self._file

    def close(self) -> None:
        """Release the memory or delete the file."""
        self._memory = None
        if self._file is not None:
            self._file.close()
            self._file = None


def _lines(window: Window, values: FloatArray) -> NDArray[np.uint8]:
    """Return values (rows, cols, bands) as the bytes (rows, n) of the window's rows, without a copy."""
    return values.reshape(window.n_rows, -1).view(np.uint8)


class StoredValues(Protocol):
    """Values of a cube that were stored before."""

    n_rows: int
    n_cols: int
    n_bands: int

    def read_values(self, window: Window) -> FloatArray:
        """Return the values (rows, cols, bands) of a window, C-contiguous; they may be read-only."""


class MaskedCube:
    """A scratch cube in which NaN marks invalid pixels, as a `Cube`.

    release : told of each window that was read for the last time in the run.
    """

    def __init__(self, values: StoredValues, release: Callable[[Window], None] | None = None) -> None:
        self._values = values
        self._release = release
        self.n_rows = values.n_rows
        self.n_cols = values.n_cols
        self.n_bands = values.n_bands

    def read(self, window: Window) -> tuple[FloatArray, BoolArray]:
        """Return values and validity of a window."""
        values = self._values.read_values(window)
        # NaN stands in all bands of an invalid pixel, so one band tells.
        valid = ~np.isnan(values[:, :, 0])
        if not valid.all():
            if not values.flags.writeable:
                values = values.copy()
            values[~valid] = 0.0
        return values, valid

    def read_last(self, window: Window) -> tuple[FloatArray, BoolArray]:
        """Return what `read` does, of a window that is not read again."""
        block = self.read(window)
        if self._release is not None:
            self._release(window)
        return block


def last_reader(cube: Cube) -> Callable[[Window], tuple[FloatArray, BoolArray]]:
    """Return what reads a cube from the top down in a detector's last pass over it."""
    return cube.read_last if isinstance(cube, MaskedCube) else cube.read
