"""Values that are rare and allowed: the scores are those of the definition, or one sentence says why there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

from tests.engine.rasters import GDAL_TYPES, cube, read_scores, write_envi, write_tiff
from tests.faults.hostile import Trials

N_ROWS, N_COLS, N_BANDS = 13, 9, 4
BASE = cube(N_ROWS, N_COLS, N_BANDS, "float64")
NOISE = (BASE - BASE.mean()) / BASE.std()


def changed(row: int, col: int, value: float, band: int | None = None) -> np.ndarray:
    array = BASE.copy()
    array[row, col, slice(None) if band is None else band] = value
    return array


def with_band(band: np.ndarray | float) -> np.ndarray:
    array = BASE.copy()
    array[:, :, 1] = band
    return array


VALUES = {
    "as usual": BASE,
    "negative": -BASE,
    "around zero": NOISE,
    "huge offset": 1e6 + NOISE * 1e-2,
    "huge offset in one band": with_band(1e6 + NOISE[:, :, 1] * 1e-2),
    "small": NOISE * 1e-30,
    "smaller": NOISE * 1e-38,
    "denormal in float32": NOISE * 1e-41,
    "denormal in float64": NOISE * 1e-310,
    "large": NOISE * 1e30,
    "larger than float32": NOISE * 1e60,
    "the largest": NOISE * 1e307 / np.abs(NOISE).max(),
    "bands of all sizes": NOISE * np.array([1e-30, 1e-3, 1e6, 1e30]),
    "NaN": changed(2, 3, np.nan),
    "NaN in a band": changed(2, 3, np.nan, 1),
    "infinite": changed(2, 3, np.inf),
    "minus infinite in a band": changed(12, 8, -np.inf, 3),
    "NaN in every other pixel": np.where((np.indices((N_ROWS, N_COLS)).sum(axis=0) % 2)[:, :, None], np.nan, BASE),
    "NaN around one pixel": np.where((np.indices((N_ROWS, N_COLS)) == 4).all(axis=0)[:, :, None], BASE, np.nan),
    "two pixels": np.where((np.arange(N_ROWS * N_COLS) < 2).reshape(N_ROWS, N_COLS, 1), BASE, np.nan),
    "three pixels": np.where((np.arange(N_ROWS * N_COLS) < 3).reshape(N_ROWS, N_COLS, 1), BASE, np.nan),
    "six pixels": np.where((np.arange(N_ROWS * N_COLS) < 6).reshape(N_ROWS, N_COLS, 1), BASE, np.nan),
    "all NaN": np.full_like(BASE, np.nan),
    "all equal": np.full_like(BASE, 7.25),
    "all zero": np.zeros_like(BASE),
    "a band equal": with_band(5.0),
    "a band NaN": with_band(np.nan),
    "a band twice": with_band(BASE[:, :, 0]),
    "a band scaled": with_band(BASE[:, :, 0] * -3.0 + 7.0),
    "all bands the same": np.repeat(BASE[:, :, :1], N_BANDS, axis=2),
    "no pixel valid in all bands": np.where(
        np.arange(N_ROWS * N_COLS * N_BANDS).reshape(BASE.shape) % N_BANDS == 0, np.nan, BASE
    ),
    "two values": (BASE > 100.0).astype(float),
    "a pixel a million times": changed(6, 4, 1e8),
    "a zero with a sign": changed(6, 4, -0.0),
    "rows NaN": np.where((np.arange(N_ROWS) % 3 == 0)[:, None, None], np.nan, BASE),
    "one band": BASE[:, :, :1],
    "two bands": BASE[:, :, :2],
    "one row": BASE[:1],
    "one column": BASE[:, :1],
    "one pixel": BASE[:1, :1],
    "more bands than pixels": cube(3, 4, 40, "float64"),
}
KINDS = ("float32", "float64")


def kept_in(array: np.ndarray, kind: str) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        return array.astype(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", VALUES)
def test_values(name: str, kind: str, tmp_path: Path, trials: Trials, tiny_model: Path) -> None:
    array = kept_in(VALUES[name], kind)
    trials.detect(write_tiff(tmp_path / "odd.tif", array))
    if kind == "float32":
        np.save(tmp_path / "odd.npy", array)
        trials.detect(tmp_path / "odd.npy")
        trials.info(write_envi(tmp_path / "odd.bsq", array))
    if kind == "float64" and "float" not in name and "large" not in name:
        return
    found = trials.enhance(tmp_path / "odd.tif", tiny_model)
    if found.gave_a_result:
        enhanced = read_scores(tmp_path / "result-of-it.tif")
        assert (np.isnan(enhanced).any(axis=2) == ~np.isfinite(array).all(axis=2)).all()


def raster(path: Path, array: np.ndarray, bands: dict[int, dict[str, Any]]) -> Path:
    """Write a raster, in whose bands (from 0) nodata, scale and offset are set."""
    dataset = gdal.GetDriverByName("GTiff").Create(
        str(path), array.shape[1], array.shape[0], array.shape[2], GDAL_TYPES[array.dtype.name]
    )
    for index in range(array.shape[2]):
        band = dataset.GetRasterBand(index + 1)
        band.WriteArray(array[:, :, index])
        for what, value in bands.get(index, {}).items():
            getattr(band, f"Set{what}")(value)
    dataset = None
    return path


def per_band(path: Path, array: np.ndarray, nodata: list[float | None]) -> Path:
    """Write a raster whose bands have nodata values of their own, which a GeoTIFF cannot keep and a VRT can."""
    write_tiff(path.with_suffix(".tif"), array)
    dataset = gdal.Translate(str(path), str(path.with_suffix(".tif")), format="VRT")
    for index, value in enumerate(nodata):
        if value is not None:
            dataset.GetRasterBand(index + 1).SetNoDataValue(value)
    dataset = None
    return path


NODATA: list[list[float | None]] = [
    [0.0] * 4,
    [1.0, 2.0, 3.0, 4.0],
    [None, 2.0, None, 4.0],
    [-9999.0, None, None, None],
    [float("nan")] * 4,
    [float("inf")] * 4,
    [1e300] * 4,
    [-1.5] * 4,
    [1.0, 1.0, 1.0, float("nan")],
]


@pytest.mark.parametrize("nodata", NODATA, ids=str)
@pytest.mark.parametrize("kind", ["int16", "float32", "float64"])
@pytest.mark.parametrize("pattern", ["checkerboard", "rows by band"])
def test_nodata_by_band(nodata: list[float | None], kind: str, pattern: str, tmp_path: Path, trials: Trials) -> None:
    array = np.rint(BASE).astype(kind)
    rows, cols = np.indices((N_ROWS, N_COLS))
    for index, value in enumerate(nodata):
        where = {
            "checkerboard": (rows + cols) % 2 == 0,
            "rows by band": rows == index * 2,
        }[pattern]
        stored = 1.0 if value is None or not np.isfinite(value) or abs(value) > 255 else value
        array[where, index] = np.array(stored).astype(kind)
    trials.detect(per_band(tmp_path / "odd.vrt", array, nodata))


SCALES = {
    "a scale": {0: {"Scale": 1e-4}, 1: {"Scale": 1e4, "Offset": -3.0}},
    "an offset": {2: {"Offset": 1e6}},
    "a negative scale": {0: {"Scale": -2.0}},
    "a scale of zero": {0: {"Scale": 0.0}},
    "a scale of NaN": {0: {"Scale": float("nan"), "Offset": float("inf")}},
    "a scale beyond float32": {0: {"Scale": 1e38}, 1: {"Scale": 1e60}},
    "a scale below float32": {0: {"Scale": 1e-60}},
    "an offset beyond float32": {0: {"Offset": 1e60}},
    "scale and nodata": {index: {"Scale": 0.5, "Offset": 10.0, "NoDataValue": 100.0} for index in range(4)},
}


@pytest.mark.parametrize("bands", SCALES.values(), ids=SCALES.keys())
@pytest.mark.parametrize("kind", ["int16", "float32", "float64"])
def test_scale_and_offset(bands: dict[int, dict[str, Any]], kind: str, tmp_path: Path, trials: Trials) -> None:
    trials.detect(raster(tmp_path / "odd.tif", np.rint(BASE).astype(kind), bands))
