"""A named background: statistics come from its pixels alone, and every valid pixel still gets a score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import ogr, osr

from ferd_engine import detect, detect_raster, enhance
from ferd_engine.detectors import make_detector, takes_background
from ferd_engine.errors import InputError, OutputError, UsageError
from ferd_engine.fen.bundle import Model
from ferd_engine.raster import ArraySource, open_source
from ferd_engine.raster.background import open_background
from ferd_engine.windows import Window, tiles

from .detectors.arrays import scene
from .detectors.test_lrx import ring_pixels, whitened
from .rasters import GEOTRANSFORM, read_scores, write_tiff
from .test_outputs import contents

N_ROWS, N_COLS = 31, 27


@pytest.fixture
def array() -> np.ndarray:
    return scene(N_ROWS, N_COLS, 6, holes=0.1)


@pytest.fixture
def flags() -> np.ndarray:
    flags = np.random.default_rng(5).uniform(size=(N_ROWS, N_COLS)) < 0.5
    flags[:9, :12] = False
    return flags


@pytest.fixture
def background(tmp_path: Path, flags: np.ndarray) -> Path:
    return write_tiff(tmp_path / "background.tif", flags[:, :, None].astype(np.uint8) * 7)


def pixels_of(array: np.ndarray, taken: np.ndarray) -> np.ndarray:
    return array[taken & ~np.isnan(array[:, :, 0])].astype(np.float64)


def distances(array: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    centred = array.astype(np.float64) - mean
    return np.einsum("rci,ij,rcj->rc", centred, np.linalg.inv(covariance), centred)


def naive_grx(array: np.ndarray, flags: np.ndarray) -> np.ndarray:
    pixels = pixels_of(array, flags)
    return distances(array, pixels.mean(axis=0), np.cov(pixels.T))


def test_grx_takes_mean_and_covariance_from_the_background(
    array: np.ndarray, flags: np.ndarray, background: Path
) -> None:
    found = detect(array, enhance=False, background=background)
    np.testing.assert_allclose(found, naive_grx(array, flags), rtol=1e-6)
    assert (np.isnan(found) == np.isnan(array[:, :, 0])).all()
    assert not np.allclose(found, detect(array, enhance=False), rtol=1e-2, equal_nan=True)


@pytest.mark.parametrize("covariance", ["ledoit-wolf", "oas", "trimmed:10", "pca:3"])
def test_other_covariances_are_those_of_the_background_as_well(
    array: np.ndarray, flags: np.ndarray, background: Path, covariance: str
) -> None:
    found = detect(array, enhance=False, background=background, covariance=covariance)
    pixels = pixels_of(array, flags)
    # The same pixels as an image of one row, followed by all pixels, which that run masks.
    line = np.concatenate([pixels[None], array.reshape(1, -1, 6)], axis=1).astype(np.float32)
    marked = np.zeros((1, line.shape[1], 1), dtype=np.uint8)
    marked[0, : len(pixels)] = 1
    path = write_tiff(background.parent / "line.tif", marked)
    other = detect(line, enhance=False, background=path, covariance=covariance)[0, len(pixels) :].reshape(
        array.shape[:2]
    )
    np.testing.assert_allclose(found, other, rtol=1e-6)
    alone = detect(pixels[None].astype(np.float32), enhance=False, covariance=covariance)[0]
    np.testing.assert_allclose(found[flags & ~np.isnan(array[:, :, 0])], alone, rtol=1e-5)


@pytest.mark.parametrize("covariance", ["empirical", "ledoit-wolf"])
def test_rings_of_lrx_hold_background_pixels_alone(
    array: np.ndarray, flags: np.ndarray, background: Path, covariance: str
) -> None:
    found = detect(
        array, enhance=False, detector="lrx", inner=3, outer=11, covariance=covariance, background=background
    )
    only = np.where(flags[:, :, None], array, np.nan)
    if covariance == "ledoit-wolf":
        shrunk = pytest.importorskip("sklearn.covariance").ledoit_wolf
        pixels = pixels_of(array, flags)
        root = np.linalg.inv(np.linalg.cholesky(np.cov(pixels.T))).T
        array, only = (array - pixels.mean(axis=0)) @ root, whitened(only)
        only = np.where(np.isnan(only), np.nan, array)
    checked = 0
    for row, col in zip(*np.nonzero(~np.isnan(array[:, :, 0]))):
        ring = ring_pixels(only, row, col, 3, 11)
        # A ring short of rank takes another way, which has tests of its own.
        if len(ring) > 12:
            matrix = np.cov(ring.T) if covariance == "empirical" else shrunk(ring)[0]
            centred = array[row, col] - ring.mean(axis=0)
            assert found[row, col] == pytest.approx(centred @ np.linalg.solve(matrix, centred), rel=1e-5)
            checked += 1
    assert checked > 500
    assert np.isfinite(found[~np.isnan(array[:, :, 0])]).all()


def test_directions_and_rings_of_qlrx_are_those_of_background_pixels(
    array: np.ndarray, flags: np.ndarray, background: Path
) -> None:
    found = detect(array, enhance=False, detector="qlrx", inner=3, outer=9, background=background)
    eigenvalues, vectors = np.linalg.eigh(np.cov(pixels_of(array, flags).T))
    only = np.where(flags[:, :, None], array, np.nan)
    lonely = 0
    for row, col in zip(*np.nonzero(~np.isnan(array[:, :, 0]))):
        ring = ring_pixels(only, row, col, 3, 9) @ vectors
        mean, variances = pixels_of(array, flags).mean(axis=0) @ vectors, eigenvalues
        if len(ring) >= 2:
            mean, variances = ring.mean(axis=0), np.maximum(ring.var(axis=0, ddof=1), 1e-6 * eigenvalues)
        lonely += len(ring) < 2
        expected = ((array[row, col] @ vectors - mean) ** 2 / variances).sum()
        assert found[row, col] == pytest.approx(expected, rel=1e-5)
    assert 0 < lonely < 100
    assert (np.isnan(found) == np.isnan(array[:, :, 0])).all()


def test_utd_and_rxd_utd_take_mean_and_covariance_from_the_background(
    array: np.ndarray, flags: np.ndarray, background: Path
) -> None:
    pixels = pixels_of(array, flags)
    mean, precision = pixels.mean(axis=0), np.linalg.inv(np.cov(pixels.T))
    utd = (array - mean) @ precision @ (1.0 - mean)
    for name, expected in (("utd", utd), ("rxd-utd", naive_grx(array, flags) - utd)):
        found = detect(array, enhance=False, detector=name, background=background)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.nanstd(expected))


def test_with_enhancement_the_statistics_are_those_of_enhanced_background_pixels(
    array: np.ndarray, flags: np.ndarray, background: Path, small_model: Model
) -> None:
    found = detect(array, model=small_model.folder, background=background)
    np.testing.assert_allclose(found, naive_grx(enhance(array, model=small_model.folder), flags), rtol=2e-4)


def test_a_fusion_takes_it_for_both_cubes(
    array: np.ndarray, flags: np.ndarray, background: Path, small_model: Model
) -> None:
    found = detect(
        array, detector="fusion", components="raw:grx,fen:grx", model=small_model.folder, background=background
    )
    enhanced = enhance(array, model=small_model.folder)
    expected = np.log(naive_grx(array, flags)) + np.log(naive_grx(enhanced, flags))
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_blocks_change_nothing(array: np.ndarray, background: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = detect(array, enhance=False, background=background)
    monkeypatch.setattr("ferd_engine.background.blocks", lambda cube, *_: tiles(cube.n_rows, cube.n_cols, 4, 5))
    np.testing.assert_allclose(detect(array, enhance=False, background=background), expected, rtol=1e-6)


def write_polygons(path: Path, rings: list[list[tuple[float, float]]], code: int | None = 32633) -> Path:
    driver = ogr.GetDriverByName({".gpkg": "GPKG", ".geojson": "GeoJSON"}[path.suffix])
    dataset = driver.CreateDataSource(str(path))
    system = None
    if code is not None:
        system = osr.SpatialReference()
        system.ImportFromEPSG(code)
        system.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    layer = dataset.CreateLayer("areas", system, ogr.wkbUnknown)
    for ring in rings:
        kind = "POLYGON((" if len(ring) > 1 else "POINT("
        text = kind + ", ".join(f"{x:.9f} {y:.9f}" for x, y in ring) + kind.count("(") * ")"
        feature = ogr.Feature(layer.GetLayerDefn())
        feature.SetGeometry(ogr.CreateGeometryFromWkt(text))
        layer.CreateFeature(feature)
    layer = dataset = None
    return path


def corner(row: float, col: float) -> tuple[float, float]:
    """Return the map coordinates of a pixel's corner."""
    x, dx, _, y, _, dy = GEOTRANSFORM
    return x + col * dx, y + row * dy


# Rows 3 to 15, columns 2 to 20, and a triangle over a corner of the image.
AREAS = [
    [corner(3, 2), corner(3, 20), corner(15, 20), corner(15, 2), corner(3, 2)],
    [corner(20, 20), corner(40, 20), corner(40, 40), corner(20, 20)],
]


def inside_areas() -> np.ndarray:
    """Return where the centres of the pixels lie inside the areas."""
    rows, cols = np.mgrid[0:N_ROWS, 0:N_COLS] + 0.5
    square = (rows > 3) & (rows < 15) & (cols > 2) & (cols < 20)
    # Corners lie on lines of equal steps in rows and columns.
    return square | ((cols > 20) & (cols - 20 < rows - 20))


@pytest.fixture
def raster(tmp_path: Path, array: np.ndarray) -> Path:
    return write_tiff(tmp_path / "scene.tif", np.where(np.isnan(array), -1, array), nodata=-1)


@pytest.mark.parametrize("name", ["areas.gpkg", "areas.geojson"])
def test_polygons_mark_pixels_by_their_centres(tmp_path: Path, raster: Path, array: np.ndarray, name: str) -> None:
    # GeoJSON is in longitude and latitude, whatever it was given.
    areas = AREAS
    if name.endswith("json"):
        areas = [[_degrees(x, y) for x, y in area] for area in AREAS]
    path = write_polygons(tmp_path / name, areas, 4326 if name.endswith("json") else 32633)
    source = open_source(str(raster))
    flags = open_background(str(path), source)
    expected = inside_areas()
    diagonal = np.eye(N_ROWS, N_COLS, dtype=bool)
    found = np.zeros_like(expected)
    for window in tiles(N_ROWS, N_COLS, 7, 10):
        found[window.row_start : window.row_stop, window.col_start : window.col_stop] = flags.read(window)
    # Centres on the slanted edge itself may fall to either side.
    np.testing.assert_array_equal(found[~diagonal], expected[~diagonal])
    np.testing.assert_array_equal(found, flags.read(Window(0, N_ROWS, 0, N_COLS)))
    flags.close()
    source.close()
    report = detect_raster(raster, tmp_path / "out.tif", enhance=False, background=path)
    scores = read_scores(report.output)[:, :, 0]
    np.testing.assert_allclose(np.where(scores == -9999, np.nan, scores), naive_grx(array, found), rtol=1e-6)


def _degrees(x: float, y: float) -> tuple[float, float]:
    systems = []
    for code in (32633, 4326):
        system = osr.SpatialReference()
        system.ImportFromEPSG(code)
        system.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
        systems.append(system)
    lon, lat, _ = osr.CoordinateTransformation(*systems).TransformPoint(x, y)
    return lon, lat


def check_refused(folder: Path, error: type[Exception], words: str, **options: Any) -> None:
    before = contents(folder)
    with pytest.raises(error, match=words) as caught:
        detect_raster(folder / "scene.tif", folder / "out.tif", **{"enhance": False, **options})
    assert str(caught.value).endswith(".")
    assert contents(folder) == before


def test_backgrounds_that_are_refused(tmp_path: Path, raster: Path, array: np.ndarray, small_model: Model) -> None:
    def flags(name: str, values: np.ndarray, **options: Any) -> Path:
        return write_tiff(tmp_path / name, values.astype(np.uint8)[:, :, None], **options)

    check_refused(tmp_path, InputError, "missing.tif", background=tmp_path / "missing.tif")
    other = flags("small.tif", np.ones((N_ROWS, N_COLS - 1)))
    check_refused(tmp_path, InputError, "background .*small.tif has 31 rows and 26 columns", background=other)
    empty = flags("empty.tif", np.zeros((N_ROWS, N_COLS)))
    check_refused(tmp_path, InputError, "holds 0 valid pixels", background=empty)
    few = np.zeros((N_ROWS, N_COLS))
    few[np.nonzero(~np.isnan(array[:, :, 0]))[0][:6], np.nonzero(~np.isnan(array[:, :, 0]))[1][:6]] = 1
    few_path = flags("few.tif", few)
    check_refused(tmp_path, InputError, "holds 6 valid pixels .* 6 bands need more", background=few_path)
    check_refused(
        tmp_path, InputError, "holds 6 valid pixels", background=few_path, enhance=True, model=small_model.folder
    )
    points = write_polygons(tmp_path / "points.gpkg", [[corner(4, 5)]])
    check_refused(tmp_path, InputError, "holds no polygon", background=points)
    away = write_polygons(tmp_path / "away.gpkg", [[(x + 9e4, y) for x, y in AREAS[0]]])
    check_refused(tmp_path, InputError, "holds 0 valid pixels", background=away)
    own = flags("out.tif", np.ones((N_ROWS, N_COLS)))
    check_refused(tmp_path, OutputError, "out.tif", background=own, overwrite=True)


def test_polygons_need_a_place_on_the_map(tmp_path: Path, array: np.ndarray) -> None:
    path = write_polygons(tmp_path / "areas.gpkg", AREAS)
    with pytest.raises(InputError, match="place on the map"):
        open_background(str(path), ArraySource(array))


@pytest.mark.parametrize(
    ("detector", "options"),
    [("crd", {}), ("slrx", {}), ("fusion", {"components": "raw:grx,raw:crd"})],
)
def test_detectors_that_cannot_take_one_refuse_it(
    array: np.ndarray, background: Path, detector: str, options: dict[str, Any]
) -> None:
    assert not takes_background(make_detector(detector, **options))
    with pytest.raises(UsageError, match=f"{detector}.*drop it"):
        detect(array, enhance=False, detector=detector, background=background, **options)
