"""Strips of full rows: the windows that workers take, and cubes of which they see a part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..cube import BoolArray, Cube, Float32Array, FloatArray
from ..raster import Source
from ..raster.background import Background
from ..raster.source import path_exists
from ..windows import Window

# A task is worth its few milliseconds of overhead from about so much on, and there should be tasks enough for all.
STRIP_BYTES = 64 << 20
LEAST_STRIPS = 16
_STEP = 64

Rows = tuple[int, int]


@dataclass(frozen=True)
class Strips:
    """Ranges [start, stop) of `height` rows, the last one lower, that cover an image of `n_rows`.

    Worked out when they are asked for: an image may have a million, and they travel with each task.
    """

    n_rows: int
    height: int

    def __len__(self) -> int:
        return -(-self.n_rows // self.height)

    def __getitem__(self, index: int) -> Rows:
        if not 0 <= index < len(self):
            raise IndexError(f"There is no strip {index} of {len(self)}.")
        start = index * self.height
        return start, min(start + self.height, self.n_rows)

    def __iter__(self) -> Iterator[Rows]:
        return (self[index] for index in range(len(self)))

    def touching(self, start: int, stop: int) -> Iterator[Rows]:
        """Yield the strips that hold rows of [start, stop)."""
        return (self[index] for index in range(start // self.height, -(-stop // self.height)))


def strips(n_rows: int, row_bytes: int, *, step: int = _STEP, least: int = 1) -> Strips:
    """Return ranges [start, stop) of rows that cover an image; they follow from the image alone.

    row_bytes : bytes of a row of pixels. Heights are multiples of `step`, and `least` rows or more but for the last.
    The number of workers has no part in it, so that it has none in the result either.

    >>> list(strips(200, 1 << 20))
    [(0, 64), (64, 128), (128, 192), (192, 200)]
    """
    height = min(STRIP_BYTES // max(row_bytes, 1), n_rows // LEAST_STRIPS)
    return Strips(n_rows, max(-(-max(height, least, 1) // step) * step, step))


def row_step(source: Source) -> int:
    """Return what heights of strips are multiples of: the file's own blocks, so that none is read twice, or 64."""
    return source.block_rows if _STEP < source.block_rows <= 1024 else _STEP


def absolute(path: str) -> str:
    """Return the path of a file for workers in another folder; names that are not files stay as they are."""
    return str(Path(path).absolute()) if path_exists(path) and not path.startswith("/vsi") else path


class RowsOf:
    """The rows [start, stop) of a cube, as a cube."""

    def __init__(self, cube: Cube, start: int, stop: int) -> None:
        self._cube, self._start = cube, start
        self.n_rows, self.n_cols, self.n_bands = stop - start, cube.n_cols, cube.n_bands

    def read(self, window: Window) -> tuple[FloatArray, BoolArray]:
        """Return values and validity of a window, counted from `start`."""
        return self._cube.read(_down(window, self._start))


class FlagsOf:
    """The flags of the background, with rows counted from `start`."""

    def __init__(self, flags: Background, start: int) -> None:
        self._flags, self._start = flags, start
        self.path = flags.path

    def read(self, window: Window) -> BoolArray:
        """Return (rows, cols) whether a pixel belongs to the background."""
        return self._flags.read(_down(window, self._start))

    def close(self) -> None:
        """Leave the file to who opened it."""


def _down(window: Window, n_rows: int) -> Window:
    return window._replace(row_start=window.row_start + n_rows, row_stop=window.row_stop + n_rows)


class StripFiles:
    """A cube of float32 in one .npy file per strip, on storage that all workers see; planes have one band."""

    def __init__(self, folder: Path, rows: Strips, n_cols: int, n_bands: int) -> None:
        self._folder, self._rows = folder, rows
        self.n_rows, self.n_cols, self.n_bands = rows.n_rows, n_cols, n_bands

    def read_values(self, window: Window) -> FloatArray:
        """Return the values (rows, cols, bands) of a window, as a fresh array."""
        values: Float32Array = np.empty((*window.shape, self.n_bands), dtype=np.float32)
        for start, stop in self._rows.touching(window.row_start, window.row_stop):
            first, last = max(start, window.row_start), min(stop, window.row_stop)
            stored = np.load(strip_file(self._folder, start), mmap_mode="r", allow_pickle=False)
            part = stored[first - start : last - start, window.col_start : window.col_stop]
            values[first - window.row_start : last - window.row_start] = part.reshape(*part.shape[:2], self.n_bands)
        return values


def strip_file(folder: Path, start: int) -> Path:
    """Return the file of the strip that begins at a row."""
    return folder / f"strip-{start}.npy"


class CoreRows:
    """Scores of the rows [start, stop) out of a view that begins at `origin`; what lies beyond is dropped."""

    def __init__(self, origin: int, start: int, stop: int, n_cols: int) -> None:
        self._down = origin - start
        self.values: Float32Array = np.full((stop - start, n_cols), np.nan, dtype=np.float32)

    def write(self, window: Window, scores: Float32Array) -> None:
        """Take scores (rows, cols) of a window of the view."""
        core = core_of(window, self._down, len(self.values))
        if core is not None:
            place, part = core
            self.values[place.row_start : place.row_stop, place.col_start : place.col_stop] = scores[part]


def core_of(window: Window, down: int, n_rows: int) -> tuple[Window, slice] | None:
    """Return a window moved down by `down` and cut to n_rows rows, and which of its rows are left; None for none."""
    start, stop = window.row_start + down, window.row_stop + down
    first, last = max(start, 0), min(stop, n_rows)
    if first >= last:
        return None
    return window._replace(row_start=first, row_stop=last), slice(first - start, last - start)
