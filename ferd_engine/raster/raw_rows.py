"""Full rows of a raster by plain reads, past GDAL: what is common to the kinds of files that are read so."""

from __future__ import annotations

from collections.abc import Sequence
from io import FileIO
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray


class RawRows(Protocol):
    """Full rows of a raster, read past GDAL."""

    dtype: np.dtype[Any]

    def read_rows(self, start: int, stop: int, numbers: Sequence[int], buffer: NDArray[Any]) -> NDArray[Any]:
        """Return rows [start, stop) of the bands with these numbers, (bands, rows, cols), as a view of `buffer`.

        buffer : flat, of this file's dtype, at least as large as the result.
        Raises `OSError` where the file ends too early.
        """

    def close(self) -> None:
        """Close the file."""


class RawPixels:
    """Blocks (rows, cols, bands) of one dtype, each in one piece; those at the right edge are as wide as the others.

    offsets : (down, across), where each block begins in the file. block : its rows and columns. A file that is one
    array is one block.
    """

    def __init__(
        self,
        path: str,
        offsets: NDArray[np.int64],
        block: tuple[int, int],
        n_cols: int,
        n_bands: int,
        dtype: np.dtype[Any],
    ) -> None:
        self._file = FileIO(path)
        self._offsets = offsets
        self._block_rows, self._block_cols = block
        self._n_cols = n_cols
        self._n_bands = n_bands
        self.dtype = dtype

    def read_rows(self, start: int, stop: int, numbers: Sequence[int], buffer: NDArray[Any]) -> NDArray[Any]:
        """Return rows, as `RawRows` has it."""
        shape = stop - start, self._n_cols, len(numbers)
        stored = buffer[: shape[0] * shape[1] * shape[2]].reshape(shape)
        bands = [number - 1 for number in numbers]
        taken = None if bands == list(range(self._n_bands)) else bands
        row = start
        while row < stop:
            end = min(row - row % self._block_rows + self._block_rows, stop)
            self._read_block_row(row, stored[row - start : end - start], taken)
            row = end
        return stored.transpose(2, 0, 1)

    def _read_block_row(self, row: int, stored: NDArray[Any], taken: list[int] | None) -> None:
        """Fill stored (rows, cols, bands), rows of one row of blocks, with the bands `taken`, by default all."""
        width = self._block_cols
        line_bytes = width * self._n_bands * self.dtype.itemsize
        offsets = self._offsets[row // self._block_rows] + row % self._block_rows * line_bytes
        if taken is None and len(offsets) == 1 and width == self._n_cols:
            read_into(self._file, int(offsets[0]), stored)
            return
        line = np.empty((width, self._n_bands), self.dtype)
        for index, pixels in enumerate(stored):
            for number, offset in enumerate(offsets):
                target = pixels[number * width : (number + 1) * width]
                into = target if taken is None else line[: len(target)]
                read_into(self._file, int(offset) + index * line_bytes, into)
                if taken is not None:
                    np.take(into, taken, axis=1, out=target)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_into(file: FileIO, place: int, target: NDArray[Any]) -> None:
    """Fill a C-contiguous array with the bytes of the file from `place` on; `OSError` where it ends too early."""
    view = target.reshape(-1).view(np.uint8).data
    file.seek(place)
    done = 0
    while done < len(view):
        # Some systems refuse transfers above 2 GiB.
        count = file.readinto(view[done : done + (1 << 26)])
        if not count:
            raise OSError("the file ends before its last row")
        done += count


Raw = TypeVar("Raw", bound=RawRows)


def checked(raw: Raw, dataset: Any) -> Raw | None:
    """Return the file where all bands of the first and the last row are what GDAL reads, else close it, for None."""
    n_bands, n_rows, n_cols = dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize
    understood = False
    try:
        for row in {0, n_rows - 1}:
            ours = raw.read_rows(row, row + 1, range(1, n_bands + 1), np.empty(n_bands * n_cols, raw.dtype))
            theirs = dataset.ReadAsArray(0, row, n_cols, 1).reshape(ours.shape)
            if not np.array_equal(ours, theirs, equal_nan=raw.dtype.kind == "f"):
                return None
        understood = True
        return raw
    finally:
        if not understood:
            raw.close()
