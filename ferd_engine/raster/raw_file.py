"""Full rows of an uncompressed ENVI file by plain reads.

GDAL reads such files line by line, for each band on its own: some hundred thousand small reads per gigabyte, which take
several times as long as the bytes. The layout is three orders of one array, so whole stretches are read at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .gdal_setup import gdal_array
from .raw_rows import RawPixels, RawRows, checked, read_into

_ORDERS = ("BAND", "LINE", "PIXEL")


class RawFile:
    """An array of one dtype in a file, by bands (bands, rows, cols) or by lines (rows, bands, cols)."""

    def __init__(
        self, path: str, offset: int, shape: tuple[int, int, int], dtype: np.dtype[Any], *, by_lines: bool
    ) -> None:
        self._file = FileIO(path)
        self._offset = offset
        self._n_bands, self._n_rows, self._n_cols = shape
        self.dtype = dtype
        self._by_lines = by_lines

    def read_rows(self, start: int, stop: int, numbers: Sequence[int], buffer: NDArray[Any]) -> NDArray[Any]:
        """Return rows, as `RawRows` has it."""
        n_rows, bands = stop - start, [number - 1 for number in numbers]
        flat = buffer[: len(bands) * n_rows * self._n_cols]
        if self._by_lines:
            stored = flat.reshape(n_rows, len(bands), self._n_cols)
            self._read_lines(start, bands, stored)
            return stored.transpose(1, 0, 2)
        stored = flat.reshape(len(bands), n_rows, self._n_cols)
        for plane, band in zip(stored, bands):
            self._read((band * self._n_rows + start) * self._n_cols, plane)
        return stored

    def _read_lines(self, start: int, bands: list[int], stored: NDArray[Any]) -> None:
        """Fill stored (rows, bands, cols)."""
        low, n_read = min(bands), max(bands) + 1 - min(bands)
        if bands == list(range(self._n_bands)):
            self._read(start * self._n_bands * self._n_cols, stored)
            return
        line = None if bands == list(range(low, low + n_read)) else np.empty((n_read, self._n_cols), self.dtype)
        for index, target in enumerate(stored):
            first = ((start + index) * self._n_bands + low) * self._n_cols
            self._read(first, target if line is None else line)
            if line is not None:
                np.take(line, [band - low for band in bands], axis=0, out=target)

    def _read(self, first_value: int, target: NDArray[Any]) -> None:
        read_into(self._file, self._offset + first_value * self.dtype.itemsize, target)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_raw(dataset: Any) -> RawRows | None:
    """Return the dataset's file where it is a plain ENVI array and reads as GDAL reads it, else None."""
    header = dataset.GetMetadata("ENVI") or {}
    path, first = dataset.GetDescription(), dataset.GetRasterBand(1)
    order = dataset.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE") or ""
    code = gdal_array.GDALTypeCodeToNumericTypeCode(first.DataType)
    if dataset.GetDriver().ShortName != "ENVI" or code is None or order not in _ORDERS or not Path(path).is_file():
        return None
    if header.get("file_compression", "0").strip() != "0" or "major_frame_offsets" in header:
        return None
    try:
        offset, big_endian = int(header.get("header_offset", "0")), int(header.get("byte_order", "0"))
    except ValueError:
        return None
    shape = (dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize)
    dtype = np.dtype(code).newbyteorder(">" if big_endian else "<")
    if Path(path).stat().st_size < offset + shape[0] * shape[1] * shape[2] * dtype.itemsize:
        return None
    if order == "PIXEL":
        n_bands, n_rows, n_cols = shape
        # The whole file is one block.
        where = np.array([[offset]], dtype=np.int64)
        return checked(RawPixels(path, where, (n_rows, n_cols), n_cols, n_bands, dtype), dataset)
    return checked(RawFile(path, offset, shape, dtype, by_lines=order == "LINE"), dataset)
