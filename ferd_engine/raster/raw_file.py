"""Full rows of an uncompressed ENVI file by plain reads.

GDAL reads such files line by line, for each band on its own: some hundred thousand small reads per gigabyte, which take
several times as long as the bytes. The layout is three orders of one array, so whole stretches are read at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .gdal_setup import gdal_array

# The axes (bands, rows, cols) in the order of the file, and what transposes them back.
_ORDERS = {"BAND": (0, 1, 2), "LINE": (1, 0, 2), "PIXEL": (1, 2, 0)}


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


class RawFile:
    """An array (bands, rows, cols) of one dtype in a file, in any order of its axes."""

    def __init__(self, path: str, offset: int, shape: tuple[int, int, int], dtype: np.dtype[Any], order: str) -> None:
        self._file = FileIO(path)
        self._offset = offset
        self._n_bands, self._n_rows, self._n_cols = shape
        self.dtype = dtype
        self._axes = _ORDERS[order]
        self._order = order

    def read_rows(self, start: int, stop: int, numbers: Sequence[int], buffer: NDArray[Any]) -> NDArray[Any]:
        """Return rows, as `RawRows` has it."""
        shape = (len(numbers), stop - start, self._n_cols)
        stored = buffer[: shape[0] * shape[1] * shape[2]].reshape([shape[axis] for axis in self._axes])
        bands = [number - 1 for number in numbers]
        if self._order == "BAND":
            for plane, band in zip(stored, bands):
                self._read((band * self._n_rows + start) * self._n_cols, plane)
        elif self._order == "LINE":
            self._read_lines(start, bands, stored)
        else:
            self._read_pixels(start, bands, stored)
        return stored.transpose(np.argsort(self._axes))

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

    def _read_pixels(self, start: int, bands: list[int], stored: NDArray[Any]) -> None:
        """Fill stored (rows, cols, bands)."""
        row_values = self._n_cols * self._n_bands
        if bands == list(range(self._n_bands)):
            self._read(start * row_values, stored)
            return
        pixels = np.empty((self._n_cols, self._n_bands), self.dtype)
        for index, target in enumerate(stored):
            self._read((start + index) * row_values, pixels)
            np.take(pixels, bands, axis=1, out=target)

    def _read(self, first_value: int, target: NDArray[Any]) -> None:
        read_into(self._file, self._offset + first_value * self.dtype.itemsize, target)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_raw(dataset: Any) -> RawFile | None:
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
    return checked(RawFile(path, offset, shape, dtype, order), dataset)


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
