"""Reading any GDAL raster by windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..bands import BandInfo
from ..errors import DamagedInputError, InputError
from ..windows import Window
from .band_metadata import read_band_infos
from .declared import SLACK_BYTES, check_declared
from .gdal_setup import direct_tiff_reads, gdal, gdal_exceptions, gdal_reason, reads_tiff_directly
from .raw_file import open_raw
from .raw_rows import RawRows
from .raw_tiff import open_raw_tiff
from .row_cache import RowCache
from .source import Block, FloatArray, Georeference, check_raster, mark_invalid, path_exists, target

# Types that float32 holds exactly; the others are read as float64.
_FLOAT32_TYPES = ("uint8", "int8", "uint16", "int16", "float16", "float32")
# Rows per read where any rows of a tile can be read alone: fewer would not be worth a call.
_DIRECT_ROWS = 16
# Pixels as they are stored are given by so many, or by one row: a narrow image has too little in each for the calls.
_STORED_PX = 512
_ENVI_DATA_SUFFIXES = (".bsq", ".bil", ".bip", ".img", ".dat", ".raw")


class GdalSource:
    """A GDAL raster, read by windows; the path may be anything that GDAL opens."""

    def __init__(self, path: str) -> None:
        self.path = _data_file(path)
        with gdal_exceptions():
            self._dataset = _open(self.path)
            try:
                self._describe()
            except RuntimeError as error:
                raise InputError(
                    f"The raster {self.path} opens but cannot be read ({gdal_reason(error)}): the file is damaged, "
                    "replace it."
                ) from error
        self._buffer: NDArray[Any] = np.empty(0, dtype=self._stored_type if self._raw is None else self._raw.dtype)
        self._rows = RowCache(
            self._load_rows,
            self.n_rows,
            self.block_rows,
        )

    def _describe(self) -> None:
        """Take from the open dataset what is asked of a source."""
        first = self._dataset.GetRasterBand(1)
        self.n_rows: int = self._dataset.RasterYSize
        self.n_cols: int = self._dataset.RasterXSize
        self.bands = read_band_infos(self._dataset)
        self.georeference = _georeference(self._dataset)
        self.files = tuple(self._dataset.GetFileList() or ())
        block_cols, block_rows = first.GetBlockSize()
        self._block_bytes = block_rows * block_cols * gdal.GetDataTypeSize(first.DataType) // 8
        if self._dataset.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE") == "PIXEL":
            self._block_bytes *= self._dataset.RasterCount
        if reads_tiff_directly(self._dataset):
            self._block_bytes = 0
            block_rows = min(block_rows, _DIRECT_ROWS)
        self.block_rows: int = min(max(block_rows, 1), self.n_rows)
        self.block_cols: int = min(max(block_cols, 1), self.n_cols)
        self.dtype, self._floating = _working_type(self.bands, self.path)
        if any(_leaves_float32(band) for band in self.bands):
            self.dtype = np.float64
        self._masked = bool(first.GetMaskFlags() & (gdal.GMF_PER_DATASET | gdal.GMF_ALPHA))
        self._stored_type = _stored_type(self.bands, self.dtype)
        self._raw: RawRows | None = open_raw(self._dataset) or open_raw_tiff(self._dataset)

    def read(self, window: Window, numbers: Sequence[int], out: FloatArray | None = None) -> Block:
        """Read a window of the bands with these numbers, scale and offset applied."""
        values = target(out, (*window.shape, len(numbers)), self.dtype)
        if window.n_cols == self.n_cols:
            for row, stored in self._rows.read(window.row_start, window.row_stop, numbers):
                # A transposed row fits into the cache; a transposed window does not, and takes twice as long.
                values[row - window.row_start] = stored.T
        else:
            stored = self._load(window, np.empty((len(numbers), *window.shape), dtype=self._stored_type), numbers)
            for row, line in enumerate(values):
                line[...] = stored[:, row].T
        complete = self._mark_nodata(values, numbers)
        if self._floating:
            complete = mark_invalid(values) and complete
        if self._masked:
            complete = self._mark_masked(values, window) and complete
        self._apply_scale(values, numbers)
        return Block(values, complete)

    def is_plain(self, numbers: Sequence[int]) -> bool:
        """Return what `PlainSource` says."""
        bands = [self.bands[number - 1] for number in numbers]
        as_stored = all(band.nodata is None and band.scale == 1 and band.offset == 0 for band in bands)
        return as_stored and not self._masked and self._buffer.dtype.kind in "iu"

    def stored_rows(self, start: int, stop: int, numbers: Sequence[int]) -> Iterator[NDArray[np.integer[Any]]]:
        """Yield pixels, as `PlainSource` says."""
        n_rows = max(_STORED_PX // self.n_cols, 1)
        for rows in self._rows.read_pieces(start, stop, numbers):
            for first in range(0, rows.stored.shape[1], n_rows):
                yield rows.stored[:, first : first + n_rows].reshape(len(numbers), -1)

    def check_block(self, budget_bytes: int) -> None:
        """Raise `InputError` where the file stores more pixels in one piece than the memory budget can take."""
        if self._block_bytes > SLACK_BYTES + budget_bytes // 2:
            raise InputError(
                f"The raster {self.path} stores its pixels in blocks of {self._block_bytes >> 20} MiB, which can only "
                "be read as a whole: give a larger --memory, or rewrite it with gdal_translate -co TILED=YES."
            )

    def row_bytes(self, n_rows: int, n_bands: int) -> int:
        """Return the size of the rows that are held for the next window."""
        return self._rows.most_rows(n_rows) * self.n_cols * n_bands * self._stored_type.itemsize

    def _load_rows(self, start: int, stop: int, numbers: Sequence[int]) -> NDArray[Any]:
        """Return rows [start, stop) for the row cache, which copies what it keeps of them before it asks for more.

        The memory is used again: to get it fresh from the system costs more than to read a file from the disk's cache.
        """
        window = Window(start, stop, 0, self.n_cols)
        n_values = len(numbers) * window.n_pixels
        if self._buffer.size < n_values:
            self._buffer = np.empty(n_values, dtype=self._buffer.dtype)
        if self._raw is not None:
            try:
                return self._raw.read_rows(start, stop, numbers, self._buffer)
            except OSError as error:
                raise self._read_error(window, error) from error
        return self._load(window, self._buffer[:n_values].reshape(len(numbers), *window.shape), numbers)

    def _load(self, window: Window, stored: NDArray[Any], numbers: Sequence[int]) -> NDArray[Any]:
        """Fill `stored` (bands, rows, cols) with what the file has, in its own dtype, and return it."""
        box = window.col_start, window.row_start, window.n_cols, window.n_rows
        with gdal_exceptions():
            try:
                # Band after band is how GDAL reads fastest, whatever the file's interleave.
                # GDAL 3.6 wants a plane for a single band.
                self._dataset.ReadAsArray(
                    *box, buf_obj=stored if len(numbers) > 1 else stored[0], band_list=list(numbers)
                )
            except RuntimeError as error:
                raise self._read_error(window, error) from error
        return stored

    def _mark_masked(self, values: FloatArray, window: Window) -> bool:
        """Turn pixels outside the dataset's mask into NaN, in place; return whether there was none."""
        box = window.col_start, window.row_start, window.n_cols, window.n_rows
        with gdal_exceptions():
            try:
                outside = self._dataset.GetRasterBand(1).GetMaskBand().ReadAsArray(*box) == 0
            except RuntimeError as error:
                raise self._read_error(window, error) from error
        values[outside] = np.nan
        return not outside.any()

    def _read_error(self, window: Window, error: Exception) -> DamagedInputError:
        return DamagedInputError(
            f"Cannot read rows {window.row_start + 1} to {window.row_stop} of {self.path} "
            f"({gdal_reason(error)}): the file is damaged or was cut short, replace it and run again."
        )

    def _mark_nodata(self, values: Any, numbers: Sequence[int]) -> bool:
        """Turn nodata into NaN, in place; return whether there was none."""
        nodata = [self.bands[number - 1].nodata for number in numbers]
        complete = True
        known = {value for value in nodata if value is not None and not np.isnan(value)}
        for value in known:
            stored = np.asarray(value, dtype=self.dtype)
            same = values == stored
            if any(own != value for own in nodata):
                same &= np.array([own == value for own in nodata])
            if same.any():
                np.copyto(values, np.nan, where=same)
                complete = False
        return complete

    def _apply_scale(self, values: Any, numbers: Sequence[int]) -> None:
        scale = np.array([self.bands[number - 1].scale for number in numbers], dtype=self.dtype)
        offset = np.array([self.bands[number - 1].offset for number in numbers], dtype=self.dtype)
        if (scale != 1).any():
            values *= scale
        if offset.any():
            values += offset

    def reopened(self) -> GdalSource:
        """Open the raster once more: GDAL's datasets are for one thread at a time."""
        return GdalSource(self.path)

    def close(self) -> None:
        """Close the dataset."""
        if self._raw is not None:
            self._raw.close()
        self._dataset = self._rows = self._buffer = None  # type: ignore[assignment]


def _data_file(path: str) -> str:
    """Return the data file for an ENVI header, which GDAL does not open itself; any other path as it is.

    The header of `scene.bsq` is `scene.hdr` or `scene.bsq.hdr`.
    """
    header = Path(path)
    if header.suffix.lower() != ".hdr" or not path_exists(path) or not header.is_file():
        return path
    beside = header.with_suffix("")
    if beside.is_file():
        return str(beside)
    found = [
        file
        for file in header.parent.iterdir()
        if file.stem == beside.name and file.suffix.lower() in _ENVI_DATA_SUFFIXES and file.is_file()
    ]
    if not found:
        raise InputError(
            f"The ENVI header {path} has no data file of a known ending beside it: put it there, or name the data file "
            "itself."
        )
    return str(min(found, key=lambda file: _ENVI_DATA_SUFFIXES.index(file.suffix.lower())))


def _open(path: str) -> Any:
    check_raster(path)
    try:
        with direct_tiff_reads():
            dataset = gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_READONLY)
    except RuntimeError as error:
        raise InputError(
            f"Cannot open {path} as a raster ({gdal_reason(error)}): give a raster that GDAL reads, or a .mat or .npy "
            "cube."
        ) from error
    if dataset.RasterCount == 0:
        parts = [name for name, _ in dataset.GetSubDatasets()]
        advice = f"name one of its parts, such as {parts[0]}" if parts else "give a raster with bands"
        raise InputError(f"The file {path} holds no raster bands by itself: {advice}.")
    check_declared(dataset)
    return dataset


def _working_type(bands: Sequence[BandInfo], path: str) -> tuple[DTypeLike, bool]:
    """Return the dtype to read into, and whether the raster can hold NaN or infinities."""
    names = {band.stored_type for band in bands}
    if any(name.startswith("c") for name in names):
        raise InputError(f"The raster {path} holds complex numbers: give a raster of real numbers.")
    exact = all(name in _FLOAT32_TYPES for name in names)
    return (np.float32 if exact else np.float64), any(name.startswith("float") for name in names)


def _stored_type(bands: Sequence[BandInfo], working: DTypeLike) -> np.dtype[Any]:
    """Return the dtype of the bands where they share one, else the one to work in."""
    names = {band.stored_type for band in bands}
    return np.dtype(names.pop() if len(names) == 1 else working)


def _leaves_float32(band: BandInfo) -> bool:
    """Say whether scale and offset of a band lead beyond float32's range, or leave too few digits to its values."""
    scale = abs(band.scale)
    return not 1e-20 < scale < 1e20 or abs(band.offset) > 1e5 * scale


def _georeference(dataset: Any) -> Georeference:
    return Georeference(
        projection=dataset.GetProjection() or "",
        geotransform=dataset.GetGeoTransform(can_return_null=True),
        gcps=tuple(dataset.GetGCPs() or ()),
        gcp_projection=dataset.GetGCPProjection() or "",
        rpc=dict(dataset.GetMetadata("RPC") or {}),
    )
