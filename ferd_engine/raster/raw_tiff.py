"""Full rows of an uncompressed, pixel-interleaved TIFF by plain reads.

A row of a tile lies in the file as it lies in the image, so it is read straight into its place. GDAL fills a buffer of
its own for each band of each tile first, which takes several times as long as the bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .gdal_setup import gdal_array, reads_tiff_directly
from .raw_rows import RawPixels, checked

# To look up where blocks lie takes some microseconds each, for every reader of a file.
_MOST_BLOCKS = 1 << 17
_WHERE = ("OFFSET", "SIZE")


def open_raw_tiff(dataset: Any) -> RawPixels | None:
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
    raw = RawPixels(path, offsets, (block_rows, block_cols), dataset.RasterXSize, dataset.RasterCount, dtype)
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
