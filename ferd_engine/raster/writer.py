"""Writing a raster whole or not at all: under a scratch folder beside the output, renamed at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from traceback import clear_frames
from typing import Any
from uuid import uuid4

import numpy as np

from ..bands import BandInfo
from ..cube import Float32Array
from ..errors import OutputError, RunError
from ..windows import Window
from .cog import check_cog_name, make_cog
from .gdal_setup import close_dataset, gdal, gdal_exceptions, gdal_reason
from .source import Georeference

# A plain number, because not every tool of this field reads NaN as nodata; see docs/adr/0003.
NODATA = -9999.0
MASK_NODATA = 255.0

_ENVI_SUFFIXES = (".hdr", ".bsq", ".bil", ".bip", ".img", ".dat")
_TIFF_SUFFIXES = (".tif", ".tiff")
TILE_COLS = 256


@dataclass(frozen=True)
class RasterSpec:
    """Shape and meaning of an output raster; `bands` carry names and, for cubes, wavelengths."""

    n_rows: int
    n_cols: int
    bands: tuple[BandInfo, ...]
    georeference: Georeference
    metadata: Mapping[str, str] = field(default_factory=dict)
    # Rows of a tile: a divisor of the height of the windows that are written, so that no tile is compressed twice.
    tile_rows: int = 256
    # A mask holds 0, 1 and nodata in bytes.
    is_mask: bool = False
    # Written anew at the end, since overviews and the order of a COG's parts follow from all of it.
    cog: bool = False

    @property
    def nodata(self) -> float:
        return MASK_NODATA if self.is_mask else NODATA


class RasterWriter:
    """A Float32 raster, or a mask of bytes, being written into a scratch folder that holds nothing else.

    Use `write` for windows (rows, cols) or (rows, cols, bands), NaN for nodata; then `finish`.
    """

    def __init__(self, name: str, folder: Path, spec: RasterSpec) -> None:
        self._path = folder / data_name(name)
        self._spec = spec
        driver, creation = _format(name, spec)
        if spec.cog:
            check_cog_name(name)
        kind = gdal.GDT_Byte if spec.is_mask else gdal.GDT_Float32
        with gdal_exceptions():
            try:
                self._dataset: Any = gdal.GetDriverByName(driver).Create(
                    str(self._path), spec.n_cols, spec.n_rows, len(spec.bands), kind, creation
                )
                # Without a word, GDAL's ENVI driver has none where its header cannot be written.
                if self._dataset is None:
                    raise _write_error(self._path, gdal.GetLastErrorMsg() or "its file could not be made")
                self._describe(envi=driver == "ENVI")
            except RuntimeError as error:
                raise _write_error(self._path, error) from error

    def write(self, window: Window, values: Float32Array) -> None:
        """Write a window; NaN becomes nodata."""
        planes = values[np.newaxis] if values.ndim == 2 else values.transpose(2, 0, 1)
        planes = np.ascontiguousarray(planes, dtype=np.float32)
        invalid = np.isnan(planes)
        if invalid.any():
            planes = np.where(invalid, np.float32(self._spec.nodata), planes)
        with gdal_exceptions():
            try:
                self._dataset.WriteArray(planes, window.col_start, window.row_start)
                if self._fills_tiles(window):
                    # Left to itself, GDAL's cache of written tiles would grow with the rows of the image.
                    for band in range(1, len(planes) + 1):
                        self._dataset.GetRasterBand(band).FlushCache()
            except RuntimeError as error:
                raise _write_error(self._path, error) from error

    def add_metadata(self, items: Mapping[str, str]) -> None:
        """Add metadata that is known only after the run."""
        self._dataset.SetMetadata({**self._dataset.GetMetadata(), **items})

    def finish(self) -> tuple[Path, ...]:
        """Close the raster and force it to the disk; return its files, the data file last."""
        failures = close_dataset(self._dataset)
        self._dataset = None
        if failures:
            raise _write_error(self._path, failures[0])
        if self._spec.cog:
            make_cog(self._path, is_mask=self._spec.is_mask)
        try:
            files = sorted(self._path.parent.iterdir(), key=lambda file: file == self._path)
            for file in files:
                if file.suffix == ".hdr":
                    # GDAL describes an ENVI file by its path, which is one in the scratch folder.
                    file.write_bytes(file.read_bytes().replace(os.fsencode(self._path), os.fsencode(self._path.name)))
                with open(file, "rb+") as handle:
                    os.fsync(handle.fileno())
        except OSError as error:
            raise _write_error(self._path, error.strerror or str(error)) from error
        return tuple(files)

    def abandon(self) -> None:
        """Close the raster without care for its content."""
        if self._dataset is not None:
            close_dataset(self._dataset)
            self._dataset = None

    def _fills_tiles(self, window: Window) -> bool:
        """Say whether the window ends where tiles or the image do, so that no tile is compressed before it is full."""
        row_end = window.row_stop % self._spec.tile_rows == 0 or window.row_stop == self._spec.n_rows
        col_end = window.col_stop % TILE_COLS == 0 or window.col_stop == self._spec.n_cols
        return row_end and col_end

    def _describe(self, *, envi: bool) -> None:
        place = self._spec.georeference
        if place.geotransform is not None:
            if envi:
                _check_envi_grid(self._path.name, place.geotransform, self._spec)
            self._dataset.SetGeoTransform(place.geotransform)
        if place.projection:
            self._dataset.SetProjection(place.projection)
        if place.gcps and place.geotransform is None:
            self._dataset.SetGCPs(list(place.gcps), place.gcp_projection)
        if place.rpc:
            self._dataset.SetMetadata(dict(place.rpc), "RPC")
        self._dataset.SetMetadata(dict(self._spec.metadata))
        for index, info in enumerate(self._spec.bands, start=1):
            band = self._dataset.GetRasterBand(index)
            band.SetNoDataValue(self._spec.nodata)
            band.SetDescription(info.name)
            if info.wavelength_nm is not None:
                _set_band_wavelength(band, info.wavelength_nm, info.fwhm_nm, imagery_only=envi)
        if envi:
            _set_envi_lists(self._dataset, self._spec.bands)


def _set_band_wavelength(band: Any, wavelength_nm: float, fwhm_nm: float | None, *, imagery_only: bool) -> None:
    """Write a wavelength as GDAL's IMAGERY domain has it, and as other tools read it.

    An ENVI file has the latter in its header. GDAL 3.10 and later fill IMAGERY from that, too, in whole nanometres, and
    EnMAP-Box reads IMAGERY first; what stands in the file beside it goes before the header.
    """
    items = {"wavelength": f"{wavelength_nm:.10g}", "wavelength_units": "Nanometers"}
    imagery = {"CENTRAL_WAVELENGTH_UM": f"{wavelength_nm / 1e3:.10g}"}
    if fwhm_nm is not None:
        items["fwhm"] = f"{fwhm_nm:.10g}"
        imagery["FWHM_UM"] = f"{fwhm_nm / 1e3:.10g}"
    if not imagery_only:
        band.SetMetadata(items)
    band.SetMetadata(imagery, "IMAGERY")


def _set_envi_lists(dataset: Any, bands: Sequence[BandInfo]) -> None:
    wavelengths = [band.wavelength_nm for band in bands]
    if any(wavelength is None for wavelength in wavelengths):
        return
    items = {
        "wavelength": "{" + ", ".join(f"{wavelength:.10g}" for wavelength in wavelengths) + "}",
        "wavelength_units": "Nanometers",
    }
    widths = [band.fwhm_nm for band in bands]
    if all(width is not None for width in widths):
        items["fwhm"] = "{" + ", ".join(f"{width:.10g}" for width in widths) + "}"
    dataset.SetMetadata({**(dataset.GetMetadata("ENVI") or {}), **items}, "ENVI")


def _check_envi_grid(name: str, wanted: Sequence[float], spec: RasterSpec) -> None:
    """Refuse a grid that an ENVI header cannot hold: it knows one angle, so sheared grids would come out elsewhere."""
    path = f"/vsimem/ferd-{uuid4().hex}.bsq"
    driver = gdal.GetDriverByName("ENVI")
    try:
        probe = driver.Create(path, 1, 1, 1, gdal.GDT_Byte)
        probe.SetGeoTransform(wanted)
        probe = None
        found = gdal.Open(path).GetGeoTransform()
    finally:
        driver.Delete(path)
    moved = np.subtract(found, wanted).reshape(2, 3) @ [1.0, spec.n_cols, spec.n_rows]
    # A hundredth of a pixel at the far corner.
    if np.abs(moved).max() > 0.01 * np.abs(np.take(wanted, [1, 2, 4, 5])).max():
        raise OutputError(
            f"The ENVI output {name} cannot hold the rotated grid of the input: choose a GeoTIFF (.tif) as the output."
        )


def check_output_name(name: str) -> None:
    """Raise `OutputError` for a file type that is not written."""
    if Path(name).suffix.lower() not in _TIFF_SUFFIXES + _ENVI_SUFFIXES:
        raise OutputError(
            f"The output {name} has no known type: end it in .tif for GeoTIFF, or in .hdr, .bsq, .bil, .bip, .img or "
            ".dat for ENVI."
        )


def data_name(name: str) -> str:
    """Return the name of the data file: an ENVI header's is its .bsq."""
    path = Path(name)
    return path.with_suffix(".bsq").name if path.suffix.lower() == ".hdr" else path.name


def file_names(name: str) -> tuple[str, ...]:
    """Return the names of the data file and, for ENVI, of its header."""
    data = Path(data_name(name))
    return (data.name, data.with_suffix(".hdr").name) if data.suffix.lower() in _ENVI_SUFFIXES else (data.name,)


def _format(name: str, spec: RasterSpec) -> tuple[str, list[str]]:
    suffix = Path(name).suffix.lower()
    if suffix in _ENVI_SUFFIXES:
        interleave = suffix[1:].upper() if suffix in (".bil", ".bip") else "BSQ"
        return "ENVI", [f"INTERLEAVE={interleave}"]
    # The fastest level: on float data the next ones cost several times the time for a few per cent of the size.
    creation = [
        "COMPRESS=DEFLATE",
        "ZLEVEL=1",
        f"PREDICTOR={2 if spec.is_mask else 3}",
        "BIGTIFF=IF_SAFER",
        "INTERLEAVE=BAND",
        "NUM_THREADS=ALL_CPUS",
    ]
    return "GTiff", [*creation, "TILED=YES", f"BLOCKXSIZE={TILE_COLS}", f"BLOCKYSIZE={spec.tile_rows}"]


def _write_error(path: Path, reason: RuntimeError | str) -> RunError:
    if isinstance(reason, RuntimeError):
        # GDAL's own frames hold the dataset, which must be closed before its folder is removed.
        clear_frames(reason.__traceback__)
    return RunError(
        f"Cannot write {path.name} ({gdal_reason(reason)}): free disk space in the output folder, or choose another "
        "one."
    )
