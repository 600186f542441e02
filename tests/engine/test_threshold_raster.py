"""Mask and polygons of a score raster: those of the run that made it, and of rasters of other programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, ogr

import ferd_engine
from ferd_engine.errors import FerdError, InputError, OutputError, UsageError
from ferd_engine.progress import SilentProgress
from ferd_engine.threshold_raster import threshold_raster

N_ROWS, N_COLS, N_BANDS = 37, 23, 6


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    cube = rng.normal(size=(N_BANDS, N_ROWS, N_COLS)).astype(np.float32)
    cube[:, 10:12, 7:9] += 6
    cube[:, 30, 3] += 9
    cube[:, 0, :4] = -1
    return _write(tmp_path / "scene.tif", cube, nodata=-1)


def _write(path: Path, planes: np.ndarray, nodata: float | None = None) -> Path:
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), planes.shape[2], planes.shape[1], len(planes), 6)
    dataset.SetGeoTransform((500.0, 2.0, 0.0, 900.0, 0.0, -3.0))
    for index, plane in enumerate(planes, start=1):
        dataset.GetRasterBand(index).WriteArray(plane)
        if nodata is not None:
            dataset.GetRasterBand(index).SetNoDataValue(nodata)
    return path


def _objects(path: Path) -> list[dict[str, object]]:
    dataset = ogr.Open(str(path))
    return [{**f.items(), "wkt": f.geometry().ExportToWkt()} for f in dataset.GetLayer(0)]


@pytest.mark.parametrize("rule", ["chi2:0.999", "percentile:98", "count:7", "value:20", "pareto:0.01"])
@pytest.mark.parametrize("suffix", [".tif", ".bsq"])
def test_the_same_as_in_the_run_that_made_the_scores(scene: Path, tmp_path: Path, rule: str, suffix: str) -> None:
    scores = tmp_path / f"scores{suffix}"
    run = ferd_engine.detect_raster(
        scene, scores, enhance=False, threshold=rule, mask_out=tmp_path / "a.tif", polygons=tmp_path / "a.gpkg"
    )

    report = threshold_raster(
        scores, threshold=rule, mask_out=tmp_path / "b.tif", polygons=tmp_path / "b.gpkg", spectra=scene
    )

    assert (report.threshold, report.n_anomalies, report.n_objects) == (run.threshold, run.n_anomalies, run.n_objects)
    assert report.n_scores == N_ROWS * N_COLS - 4
    one, other = (gdal.Open(str(tmp_path / name)) for name in ("a.tif", "b.tif"))
    np.testing.assert_array_equal(one.ReadAsArray(), other.ReadAsArray())
    assert one.GetGeoTransform() == other.GetGeoTransform()
    assert _objects(tmp_path / "a.gpkg") == _objects(tmp_path / "b.gpkg")
    assert len(_objects(tmp_path / "b.gpkg")) >= 2


def test_lrx_scores_keep_their_f_distribution(scene: Path, tmp_path: Path) -> None:
    options = {"detector": "lrx", "covariance": "empirical", "inner": 3, "outer": 9, "enhance": False}
    run = ferd_engine.detect_raster(
        scene, tmp_path / "s.tif", threshold="chi2:0.99", mask_out=tmp_path / "a.tif", **options
    )

    report = threshold_raster(tmp_path / "s.tif", threshold="chi2:0.99", mask_out=tmp_path / "b.tif")

    assert report.threshold == run.threshold


def test_without_spectra_the_polygons_have_none(tmp_path: Path) -> None:
    values = np.zeros((1, 20, 30))
    values[0, 4:6, 7] = 3
    values[0, 15, 20] = 5
    scores = _write(tmp_path / "s.tif", values)

    report = threshold_raster(scores, threshold="value:1", polygons=tmp_path / "p.geojson", min_pixels=2)

    assert (report.n_anomalies, report.n_objects) == (3, 1)
    (found,) = _objects(tmp_path / "p.geojson")
    assert (found["pixels"], found["area"], found["max_score"]) == (2, 12.0, 3.0)
    assert not found["mean_spectrum"]


def test_blocks_do_not_matter(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ferd_engine.detect_raster(scene, tmp_path / "s.tif", enhance=False)
    whole = threshold_raster(tmp_path / "s.tif", threshold="percentile:97", polygons=tmp_path / "a.gpkg")
    monkeypatch.setattr("ferd_engine.threshold_raster._WINDOW_PIXELS", 50)
    monkeypatch.setattr("ferd_engine.decisions._WINDOW_PIXELS", 50)

    parts = threshold_raster(tmp_path / "s.tif", threshold="percentile:97", polygons=tmp_path / "b.gpkg")

    assert (whole.threshold, whole.n_anomalies) == (parts.threshold, parts.n_anomalies)
    assert _objects(tmp_path / "a.gpkg") == _objects(tmp_path / "b.gpkg")


def test_refusals_write_nothing(scene: Path, tmp_path: Path) -> None:
    scores = _write(tmp_path / "s.tif", np.random.default_rng(1).random((1, 20, 30)))
    empty = _write(tmp_path / "empty.tif", np.full((1, 4, 5), np.nan))
    before = set(tmp_path.iterdir())
    mask = tmp_path / "m.tif"
    cases: list[tuple[type[FerdError], str, dict[str, object]]] = [
        (UsageError, "without an output", {"scores": scores, "threshold": "count:3"}),
        (UsageError, "chi2 needs", {"scores": scores, "threshold": "chi2:0.9", "mask_out": mask}),
        (UsageError, "percentile:x", {"scores": scores, "threshold": "percentile:x", "mask_out": mask}),
        (InputError, "6 bands", {"scores": scene, "threshold": "count:3", "mask_out": mask}),
        (InputError, "no valid score", {"scores": empty, "threshold": "count:3", "mask_out": mask}),
        (InputError, "37 rows", {"scores": scores, "threshold": "count:3", "mask_out": mask, "spectra": scene}),
        (InputError, "no file", {"scores": tmp_path / "no.tif", "threshold": "count:3", "mask_out": mask}),
        (OutputError, "name", {"scores": scores, "threshold": "count:3", "mask_out": scores}),
    ]
    for kind, words, options in cases:
        with pytest.raises(kind, match=words):
            threshold_raster(**options)  # type: ignore[arg-type]
    assert set(tmp_path.iterdir()) == before


def test_a_cancelled_run_leaves_nothing(scene: Path, tmp_path: Path) -> None:
    class Impatient(SilentProgress):
        def cancelled(self) -> bool:
            return True

    scores = _write(tmp_path / "s.tif", np.random.default_rng(1).random((1, 20, 30)))
    before = set(tmp_path.iterdir())
    with pytest.raises(FerdError, match="cancelled"):
        threshold_raster(scores, threshold="count:3", polygons=tmp_path / "p.gpkg", progress=Impatient())
    assert set(tmp_path.iterdir()) == before


def test_the_command(tmp_path: Path) -> None:
    scores = _write(tmp_path / "s.tif", np.random.default_rng(1).random((1, 20, 30)))
    command = [sys.executable, "-m", "ferd_engine", "threshold", str(scores), "--threshold", "count:5", "--json"]

    done = subprocess.run(
        [*command, "--mask-out", str(tmp_path / "m.tif")], capture_output=True, text=True, check=False
    )
    again = subprocess.run(
        [*command, "--mask-out", str(tmp_path / "m.tif")], capture_output=True, text=True, check=False
    )
    nothing = subprocess.run(command, capture_output=True, text=True, check=False)

    assert json.loads(done.stdout)["n_anomalies"] == 5
    assert gdal.Open(str(tmp_path / "m.tif")).ReadAsArray().sum() == 5
    assert (again.returncode, nothing.returncode) == (2, 2)
    assert "exists already" in again.stderr
