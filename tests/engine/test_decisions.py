"""Thresholds, masks and polygons of whole runs: what they hold, and that they are there together or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from osgeo import gdal, ogr, osr

from ferd_engine import detect_raster
from ferd_engine.errors import OutputError, UsageError
from ferd_engine.progress import SilentProgress

GEOTRANSFORM = (400_000.0, 5.0, 0.0, 5_800_000.0, 0.0, -7.0)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raster of 61 x 83 pixels of 5 m x 7 m with a hole and some bright objects, two of them touching at a corner."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((6, 61, 83)) * 10.0 + 500.0
    for row, col in ((10, 10), (10, 11), (11, 12), (11, 13), (40, 60), (41, 60), (41, 61), (25, 5)):
        values[:, row, col] += np.array([200.0, -150.0, 90.0, 10.0, 0.0, 300.0])
    values[:, 50:55, 20:30] = -9.0
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    raster = gdal.GetDriverByName("GTiff").Create(str(path), 83, 61, 6, gdal.GDT_Float32)
    raster.SetGeoTransform(GEOTRANSFORM)
    projection = osr.SpatialReference()
    projection.ImportFromEPSG(32633)
    raster.SetProjection(projection.ExportToWkt())
    for band in range(6):
        raster.GetRasterBand(band + 1).SetNoDataValue(-9.0)
    raster.WriteArray(values.astype(np.float32))
    return path


def read(path: Path) -> np.ndarray:
    return gdal.Open(str(path)).ReadAsArray()


def features(path: Path) -> list[tuple[dict[str, Any], Any]]:
    dataset = ogr.Open(str(path))
    return [(dict(f.items(), id=f.GetFID()), f.GetGeometryRef().Clone()) for f in dataset.GetLayer(0)]


def test_mask_and_report(scene: Path, tmp_path: Path) -> None:
    report = detect_raster(
        scene, tmp_path / "s.tif", enhance=False, threshold="count:8", mask_out=str(tmp_path / "m.tif")
    )
    scores, mask = read(tmp_path / "s.tif"), read(tmp_path / "m.tif")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask == 255, scores == -9999.0)
    np.testing.assert_array_equal(mask == 1, scores > report.threshold)
    assert report.n_anomalies == 8 == np.count_nonzero(mask == 1)
    assert report.n_objects is None
    assert {Path(name).name for name in report.files} == {"s.tif", "m.tif"}
    assert gdal.Open(str(tmp_path / "m.tif")).GetGeoTransform() == GEOTRANSFORM
    metadata = gdal.Open(str(tmp_path / "s.tif")).GetMetadata()
    assert metadata["FERD_THRESHOLD"] == "count:8"
    assert float(metadata["FERD_THRESHOLD_SCORE"]) == report.threshold
    assert "FERD_MASK_OUT" not in metadata


@pytest.mark.parametrize("name", ["p.gpkg", "p.geojson"])
@pytest.mark.parametrize(("connectedness", "min_pixels"), [(8, 1), (4, 1), (8, 2), (4, 3)])
def test_polygons_are_the_connected_pixels(
    scene: Path, tmp_path: Path, name: str, connectedness: int, min_pixels: int
) -> None:
    report = detect_raster(
        scene,
        tmp_path / "s.tif",
        enhance=False,
        threshold="percentile:95",
        polygons=str(tmp_path / name),
        connectedness=connectedness,
        min_pixels=min_pixels,
    )
    scores, cube = read(tmp_path / "s.tif"), read(scene)
    labels, n_labels = scipy.ndimage.label(scores > report.threshold, np.ones((3, 3)) if connectedness == 8 else None)
    expected = [labels == number for number in range(1, n_labels + 1) if (labels == number).sum() >= min_pixels]
    found = features(tmp_path / name)
    assert report.n_objects == len(found) == len(expected) > 3
    assert sorted(f["id"] for f, _ in found) == list(range(1, len(found) + 1))
    for attributes, geometry in found:
        row, col = attributes["peak_row"], attributes["peak_col"]
        inside = labels == labels[row, col]
        assert attributes["pixels"] == inside.sum()
        assert attributes["area"] == inside.sum() * 35.0
        assert geometry.IsValid()
        assert geometry.GetGeometryName() == "MULTIPOLYGON"
        assert geometry.Area() == pytest.approx(attributes["area"])
        assert attributes["max_score"] == scores[inside].max() == scores[row, col]
        assert attributes["mean_score"] == pytest.approx(scores[inside].mean())
        assert attributes["peak_x"] == 400_000.0 + (col + 0.5) * 5.0
        assert attributes["peak_y"] == 5_800_000.0 - (row + 0.5) * 7.0
        point = ogr.Geometry(ogr.wkbPoint)
        point.AddPoint_2D(attributes["peak_x"], attributes["peak_y"])
        assert geometry.Contains(point)
        spectrum = np.array(attributes["mean_spectrum"].split(","), dtype=float)
        np.testing.assert_allclose(spectrum, cube[:, inside].mean(axis=1), rtol=1e-5)


def test_polygons_carry_the_projection(scene: Path, tmp_path: Path) -> None:
    detect_raster(scene, tmp_path / "s.tif", enhance=False, threshold="count:9", polygons=str(tmp_path / "p.gpkg"))
    dataset = ogr.Open(str(tmp_path / "p.gpkg"))
    layer = dataset.GetLayer(0)
    assert layer.GetName() == "anomalies"
    assert layer.GetSpatialRef().GetAuthorityCode(None) == "32633"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.gpkg", "s.tif"]


def test_a_raster_without_a_map_gives_columns_and_rows(tmp_path: Path) -> None:
    array = np.random.default_rng(0).standard_normal((20, 30, 4))
    array[7, 9] += 50.0
    np.save(tmp_path / "cube.npy", array)
    detect_raster(
        tmp_path / "cube.npy", tmp_path / "s.tif", enhance=False, threshold="count:1", polygons=str(tmp_path / "p.gpkg")
    )
    (attributes, geometry), = features(tmp_path / "p.gpkg")  # fmt: skip
    assert (attributes["peak_row"], attributes["peak_col"]) == (7, 9)
    assert geometry.GetEnvelope() == (9.0, 10.0, -8.0, -7.0)


def test_no_anomaly_gives_an_empty_layer(scene: Path, tmp_path: Path) -> None:
    report = detect_raster(
        scene, tmp_path / "s.tif", enhance=False, threshold="value:1e9", polygons=str(tmp_path / "p.gpkg")
    )
    assert (report.n_anomalies, report.n_objects) == (0, 0)
    assert features(tmp_path / "p.gpkg") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"detector": "slrx"}, {"detector": "lrx"}, {"covariance": "oas"}, {"mean": "local"}, {"preset": "best"},
    ],
)  # fmt: skip
def test_chi2_for_scores_of_no_known_distribution_is_refused_before_the_input_is_opened(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="chi2 needs"):
        detect_raster(tmp_path / "no.tif", tmp_path / "s.tif", threshold="chi2:0.99", **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"mask_out": "m.tif"}, UsageError, "without a threshold"),
        ({"polygons": "p.gpkg"}, UsageError, "without a threshold"),
        ({"threshold": "count:3", "polygons": "p.shp"}, OutputError, "end the name in .gpkg or .geojson"),
        ({"threshold": "count:3", "mask_out": "m.png"}, OutputError, "no known type"),
        ({"threshold": "count:3", "mask_out": "s.tif"}, OutputError, "Two outputs"),
        ({"threshold": "count:3", "polygons": "no/p.gpkg"}, OutputError, "There is no folder"),
        ({"threshold": "count:3", "polygons": "there.gpkg"}, OutputError, "exists already"),
        ({"threshold": "count:3", "min_pixels": 4}, UsageError, "of no use without polygons"),
        ({"threshold": "count:3", "polygons": "p.gpkg", "connectedness": 6}, UsageError, "give 4 or 8"),
        ({"threshold": "count:3", "polygons": "p.gpkg", "min_pixels": 0}, UsageError, "give 1 or more"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    scene: Path, tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    (tmp_path / "there.gpkg").write_text("old")
    for name in ("mask_out", "polygons"):
        if name in changes:
            changes = {**changes, name: str(tmp_path / changes[name])}
    with pytest.raises(error, match=message):
        detect_raster(scene, tmp_path / "s.tif", enhance=False, **changes)
    assert [path.name for path in tmp_path.iterdir()] == ["there.gpkg"]
    assert (tmp_path / "there.gpkg").read_text() == "old"


def test_a_cancelled_run_leaves_nothing(scene: Path, tmp_path: Path) -> None:
    class Late(SilentProgress):
        stop = False

        def update(self, fraction: float, message: str) -> None:
            self.stop = message == "Polygons"

        def cancelled(self) -> bool:
            return self.stop

    with pytest.raises(Exception, match="cancelled"):
        detect_raster(
            scene, tmp_path / "s.tif", enhance=False, threshold="count:3", mask_out=str(tmp_path / "m.tif"),
            polygons=str(tmp_path / "p.gpkg"), progress=Late(),
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_overwriting_replaces_the_older_ones(scene: Path, tmp_path: Path) -> None:
    for count in (5, 2):
        detect_raster(
            scene, tmp_path / "s.tif", enhance=False, threshold=f"count:{count}", mask_out=str(tmp_path / "m.hdr"),
            polygons=str(tmp_path / "p.geojson"), min_pixels=1, overwrite=True,
        )  # fmt: skip
    assert (read(tmp_path / "m.bsq") == 1).sum() == 2
    assert sum(attributes["pixels"] for attributes, _ in features(tmp_path / "p.geojson")) == 2
