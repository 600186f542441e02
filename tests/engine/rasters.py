"""Small rasters with a truth that is known, written without the engine, and plain readers of what it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from osgeo import gdal, osr

from ferd_engine.windows import Window

GDAL_TYPES = {
    "uint8": gdal.GDT_Byte,
    "int16": gdal.GDT_Int16,
    "uint16": gdal.GDT_UInt16,
    "int32": gdal.GDT_Int32,
    "float32": gdal.GDT_Float32,
    "float64": gdal.GDT_Float64,
}
_ENVI_TYPES = {"uint8": 1, "int16": 2, "int32": 3, "float32": 4, "float64": 5, "uint16": 12}
_AXES = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}
# Non-square pixels, north up.
GEOTRANSFORM = (380000.0, 30.0, 0.0, 5800000.0, 0.0, -20.0)


def cube(n_rows: int, n_cols: int, n_bands: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Return a scene (rows, cols, bands) of correlated bands between 10 and 250, no value twice for floats."""
    rng = np.random.default_rng(seed)
    mixing = rng.uniform(0.2, 1.0, (3, n_bands))
    values = rng.uniform(0.0, 1.0, (n_rows, n_cols, 3)) @ mixing
    values += 0.2 * rng.standard_normal((n_rows, n_cols, n_bands))
    values = 10.0 + 240.0 * (values - values.min()) / np.ptp(values)
    return values.astype(dtype) if np.dtype(dtype).kind == "f" else np.rint(values).astype(dtype)


NODATA = -9999.0


def flight_line(n_rows: int, n_cols: int, n_bands: int, seed: int) -> np.ndarray:
    """Return an image (rows, cols, bands) with gaps, the brighter the higher the seed."""
    values = cube(n_rows, n_cols, n_bands, seed=seed) * (1.0 + 0.3 * seed)
    values[3:6, 2:5] = NODATA
    values[:, 1, 2] = NODATA
    return values.astype(np.float32)


def flight_lines(n_bands: int) -> list[np.ndarray]:
    """Return three images of one scene, of different sizes."""
    sizes = [(40, 23), (67, 19), (301, 23)]
    return [flight_line(*size, n_bands, seed) for seed, size in enumerate(sizes)]


def write_lines(folder: Path, lines: list[np.ndarray]) -> Path:
    """Write images as line0.tif, line1.tif and so on into a new folder, and return it."""
    folder.mkdir()
    for index, values in enumerate(lines):
        write_tiff(folder / f"line{index}.tif", values, nodata=NODATA)
    return folder


def projection(code: int = 32633) -> str:
    system = osr.SpatialReference()
    system.ImportFromEPSG(code)
    return system.ExportToWkt()


def write_envi(path: Path, array: np.ndarray, interleave: str = "bsq", byte_order: int = 0, **header: Any) -> Path:
    """Write an ENVI file byte by byte; `header` items go into the .hdr as they are, `_` for a space."""
    order = "<" if byte_order == 0 else ">"
    path.write_bytes(np.ascontiguousarray(array.transpose(_AXES[interleave])).astype(f"{order}{array.dtype.str[1:]}"))
    lines = {
        "samples": array.shape[1],
        "lines": array.shape[0],
        "bands": array.shape[2],
        "header offset": 0,
        "file type": "ENVI Standard",
        "data type": _ENVI_TYPES[array.dtype.name],
        "interleave": interleave,
        "byte order": byte_order,
        **{key.replace("_", " "): value for key, value in header.items()},
    }
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    path.with_suffix(".hdr").write_text(f"ENVI\n{text}")
    return path


def envi_list(values: Any) -> str:
    """Return values as an ENVI header holds a list."""
    return "{" + ", ".join(str(value) for value in values) + "}"


def write_tiff(
    path: Path,
    array: np.ndarray,
    *creation: str,
    nodata: float | None = None,
    geotransform: tuple[float, ...] | None = GEOTRANSFORM,
    code: int = 32633,
) -> Path:
    """Write a GeoTIFF with one nodata value for all bands."""
    n_rows, n_cols, n_bands = array.shape
    options = list(creation)
    dataset = gdal.GetDriverByName("GTiff").Create(
        str(path), n_cols, n_rows, n_bands, GDAL_TYPES[array.dtype.name], options
    )
    if geotransform is not None:
        dataset.SetGeoTransform(geotransform)
        dataset.SetProjection(projection(code))
    for index in range(n_bands):
        band = dataset.GetRasterBand(index + 1)
        if nodata is not None:
            band.SetNoDataValue(nodata)
        band.WriteArray(array[:, :, index])
    dataset = None
    return path


def read_all(path: Path | str) -> np.ndarray:
    """Return a raster as (rows, cols, bands), nodata as it is stored."""
    dataset = gdal.Open(str(path))
    assert dataset is not None, path
    array = dataset.ReadAsArray()
    return array[:, :, None] if array.ndim == 2 else array.transpose(1, 2, 0)


def read_scores(path: Path | str) -> np.ndarray:
    """Return a written raster (rows, cols, bands) with NaN for its nodata value, which must be -9999."""
    dataset = gdal.Open(str(path))
    assert {dataset.GetRasterBand(i + 1).GetNoDataValue() for i in range(dataset.RasterCount)} == {-9999.0}
    array = read_all(path)
    assert array.dtype == np.float32
    assert np.isfinite(array).all()
    return np.where(array == -9999.0, np.nan, array)


def cut(array: np.ndarray, window: Window) -> np.ndarray:
    """Return a window of an array (rows, cols, ...)."""
    return array[window.row_start : window.row_stop, window.col_start : window.col_stop]
