"""Full rows of an uncompressed, pixel-interleaved TIFF by plain reads.

A row of a tile lies in the file as it lies in the image, so it is read straight into its place. GDAL fills a buffer of
its own for each band of each tile first, which takes several times as long as the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .gdal_setup import gdal_array, reads_tiff_directly
from .raw_file import checked, read_into

# To look up where blocks lie takes some microseconds each, for every reader of a file.
_MOST_BLOCKS = 1 << 17
_WHERE = ("OFFSET", "SIZE")


class RawTiff:
    """Blocks (rows, cols, bands) of one dtype, each in one piece; those at the right edge are as wide as the others."""

    def __init__(
        self, path: str, offsets: NDArray[np.int64], block: tuple[int, int], n_cols: int, n_bands: int, dtype: Any
    ) -> None:
        self._file = FileIO(path)
        self._offsets = offsets
        self._block_rows, self._block_cols = block
        self._n_cols = n_cols
        self._n_bands = n_bands
        self.dtype: np.dtype[Any] = dtype

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


def open_raw_tiff(dataset: Any) -> RawTiff | None:
    """Return the dataset's file where its blocks are plain arrays and read as GDAL reads them, else None."""
    path, first = dataset.GetDescription(), dataset.GetRasterBand(1)
    code = gdal_array.GDALTypeCodeToNumericTypeCode(first.DataType)
    signed_bytes = first.GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE") is not None
    if not reads_tiff_directly(dataset) or code is None or signed_bytes or not Path(path).is_file():
        return None
    if dataset.RasterCount > 1 and dataset.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE") != "PIXEL":
        return None
    block_cols, block_rows = first.GetBlockSize()
    dtype = np.dtype(code).newbyteorder(_byte_order(path))
    offsets = _offsets(dataset, block_rows, block_cols, dtype, Path(path).stat().st_size)
    if offsets is None:
        return None
    raw = RawTiff(path, offsets, (block_rows, block_cols), dataset.RasterXSize, dataset.RasterCount, dtype)
    return checked(raw, dataset)


def _byte_order(path: str) -> Literal["<", ">"]:
    with open(path, "rb") as file:
        return ">" if file.read(2) == b"MM" else "<"


def _offsets(
    dataset: Any, block_rows: int, block_cols: int, dtype: np.dtype[Any], file_bytes: int
) -> NDArray[np.int64] | None:
    """Return where each block (down, across) begins in the file, or None where one is not there, or not whole."""
    n_down, n_across = -(-dataset.RasterYSize // block_rows), -(-dataset.RasterXSize // block_cols)
    if n_down * n_across > _MOST_BLOCKS:
        return None
    first = dataset.GetRasterBand(1)
    offsets = np.zeros((n_down, n_across), dtype=np.int64)
    for down, across in np.ndindex(offsets.shape):
        n_rows = min(block_rows, dataset.RasterYSize - down * block_rows)
        n_bytes = n_rows * block_cols * dataset.RasterCount * dtype.itemsize
        place = [int(first.GetMetadataItem(f"BLOCK_{what}_{across}_{down}", "TIFF") or 0) for what in _WHERE]
        if not place[0] or place[1] < n_bytes or place[0] + n_bytes > file_bytes:
            return None
        offsets[down, across] = place[0]
    return offsets
