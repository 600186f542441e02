"""The main job on real rasters: every georeferenced scene, and the published figures on two ABU scenes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal
from scipy.io import loadmat

from ferd_engine import detect_raster, enhance_raster
from ferd_engine.bands import parse_band_list
from ferd_engine.evaluate import evaluate_files
from ferd_engine.fen.importers import import_model

SHARED = Path(os.environ.get("FERD_SHARED") or Path(__file__).resolve().parents[3] / "shared")
GEOREFERENCED = SHARED / "data" / "georeferenced"
ABU = SHARED / "data" / "abu"
SCENES = sorted(path.name for path in GEOREFERENCED.glob("*") if path.suffix in (".tif", ".bsq"))

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not SCENES, reason=f"the real scenes are not at {SHARED} (FERD_SHARED names the place)"),
]


def planes(path: Path | str) -> tuple[Any, np.ndarray]:
    """Return the open dataset and its values (bands, rows, cols)."""
    dataset = gdal.Open(str(path))
    array = dataset.ReadAsArray()
    return dataset, array[np.newaxis] if array.ndim == 2 else array


def assert_on_the_grid_of(output: Any, scene: Any) -> None:
    assert (output.RasterXSize, output.RasterYSize) == (scene.RasterXSize, scene.RasterYSize)
    place = scene.GetGeoTransform(can_return_null=True)
    # The Gamsberg subset alone has no place, and gets none.
    assert (place is None) == scene.GetDescription().endswith("cubus_gamsberg_subset.bsq")
    if place is None:
        assert output.GetGeoTransform(can_return_null=True) is None
        assert output.GetProjection() == scene.GetProjection() == ""
        return
    assert output.GetSpatialRef().IsSame(scene.GetSpatialRef())
    np.testing.assert_allclose(output.GetGeoTransform(), place, rtol=1e-12)


def band_facts(dataset: Any) -> tuple[list[bool], list[bool], np.ndarray]:
    """Return by GDAL alone, per band: marked good; alive; and which pixels are nodata (bands, rows, cols)."""
    _, array = planes(dataset.GetDescription())
    bands = [dataset.GetRasterBand(i + 1) for i in range(dataset.RasterCount)]
    nodata = np.stack(
        [
            np.zeros(p.shape, bool) if b.GetNoDataValue() is None else p == b.GetNoDataValue()
            for p, b in zip(array, bands)
        ]
    )
    nodata |= ~np.isfinite(array)
    listed = (dataset.GetMetadata("ENVI") or {}).get("bbl", "").strip("{} ")
    marks = listed.split(",") if listed else [band.GetMetadata().get("bbl", "1") for band in bands]
    alive = [bool((~n).any() and np.ptp(p[~n]) > 0) for p, n in zip(array, nodata)]
    return [float(mark) != 0 for mark in marks], alive, nodata


@pytest.mark.parametrize("suffix", [".tif", ".bsq"])
@pytest.mark.parametrize("name", SCENES)
def test_detect_on_every_georeferenced_scene(name: str, suffix: str, tmp_path: Path) -> None:
    scene = gdal.Open(str(GEOREFERENCED / name))
    report = detect_raster(GEOREFERENCED / name, tmp_path / f"out{suffix}")
    output, scores = planes(report.output)
    assert_on_the_grid_of(output, scene)
    good, alive, nodata = band_facts(scene)
    used = parse_band_list(report.bands_used, scene.RasterCount)
    assert len(used) == report.bands
    assert all(good[number - 1] and alive[number - 1] for number in used)
    assert [not mark for mark in good].count(True) == len(report.bad_bands and parse_band_list(report.bad_bands, 999))
    invalid = nodata[[number - 1 for number in used]].any(axis=0)
    np.testing.assert_array_equal(scores[0] == -9999.0, invalid)
    assert report.valid_pixels == (~invalid).sum()
    # GRX: the mean over N pixels is rank * (N - 1) / N.
    valid = scores[0][~invalid].astype(np.float64)
    assert valid.min() >= 0
    assert valid.mean() <= report.bands
    if not any("rank" in warning for warning in report.warnings):
        assert valid.mean() == pytest.approx(report.bands * (valid.size - 1) / valid.size, rel=1e-4)


@pytest.mark.parametrize("suffix", [".tif", ".bsq"])
@pytest.mark.parametrize("name", SCENES)
def test_enhance_on_every_georeferenced_scene(name: str, suffix: str, tmp_path: Path) -> None:
    scene = gdal.Open(str(GEOREFERENCED / name))
    report = enhance_raster(GEOREFERENCED / name, tmp_path / f"out{suffix}")
    output, values = planes(report.output)
    assert_on_the_grid_of(output, scene)
    assert output.RasterCount == report.bands
    used = parse_band_list(report.bands_used, scene.RasterCount)
    invalid = band_facts(scene)[2][[number - 1 for number in used]].any(axis=0)
    np.testing.assert_array_equal(values == -9999.0, np.broadcast_to(invalid, values.shape))
    assert np.isfinite(values).all()
    # Every one of these files tells its wavelengths, each in its own place; outputs tell them in one.
    header = (output.GetMetadata("ENVI") or {}).get("wavelength", "").strip("{} ")
    if suffix == ".bsq":
        centres = [float(text) for text in header.split(",")]
    else:
        centres = [float(output.GetRasterBand(i + 1).GetMetadata()["wavelength"]) for i in range(report.bands)]
    assert len(centres) == report.bands
    assert 400 < min(centres) < max(centres) < 2550


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Import the published model from both layouts into a folder of its own."""
    pytest.importorskip("torch")
    if not (SHARED / "models").is_dir():
        pytest.skip(f"there are no published models in {SHARED}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERD_MODELS", str(tmp_path_factory.mktemp("models")))
        upstream = import_model(SHARED / "models" / "upstream" / "aviris-200", "aviris-200")
        hub = import_model(SHARED / "models" / "hub-layout" / "aviris" / "200bands", "hub-200")
    assert upstream.folder is not None
    assert hub.folder is not None
    return {"upstream": upstream.folder, "hub": hub.folder}


def area(folder: Path, scene: str, **options: Any) -> float:
    """Return the ROC area of scores on the first 200 bands of an ABU scene."""
    truth = folder / "truth.npy"
    np.save(truth, (loadmat(ABU / f"{scene}.mat")["map"] > 0).astype(np.uint8))
    report = detect_raster(ABU / f"{scene}.mat", folder / "scores.tif", bands="1-200", **options)
    assert report.bands == 200
    return evaluate_files(report.output, str(truth), None).auc


@pytest.mark.parametrize(("scene", "expected"), [("abu-airport-1", 0.8248), ("abu-airport-2", 0.8433)])
def test_grx_on_abu(scene: str, expected: float, tmp_path: Path) -> None:
    assert area(tmp_path, scene, enhance=False) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(
    ("scene", "detector", "expected"),
    [
        ("abu-airport-1", "grx", 0.9489),
        ("abu-airport-2", "grx", 0.9871),
        ("abu-airport-1", "slrx", 0.9667),
        ("abu-airport-2", "slrx", 0.9829),
    ],
)
@pytest.mark.parametrize(
    ("layout", "backend"), [("upstream", "numpy"), ("upstream", "torch"), ("hub", "numpy"), ("hub", "torch")]
)
def test_published_figures_on_abu(
    models: dict[str, Path], scene: str, detector: str, expected: float, layout: str, backend: str, tmp_path: Path
) -> None:
    # The published figures used 25 blocks a side, which is the default: rows // 25.
    options = {"model": models[layout], "detector": detector, "backend": backend, "device": "cpu"}
    assert area(tmp_path, scene, **options) == pytest.approx(expected, abs=5e-4)
