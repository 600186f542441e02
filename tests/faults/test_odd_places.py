"""Grids that are turned over, rotated, unplaced or placed by points, and masks that do not fit them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, osr

from tests.engine.rasters import GEOTRANSFORM, cube, projection, write_tiff
from tests.faults.hostile import Trials

ARRAY = cube(13, 9, 4, "int16")
GRIDS = {
    "north up": (1000.0, 30.0, 0.0, 2000.0, 0.0, -20.0),
    "south up": (1000.0, 30.0, 0.0, 2000.0, 0.0, 20.0),
    "mirrored": (1000.0, -30.0, 0.0, 2000.0, 0.0, -20.0),
    "rotated": (1000.0, 26.0, 15.0, 2000.0, 15.0, -26.0),
    "sheared": (1000.0, 30.0, 7.0, 2000.0, 0.0, -20.0),
    "turned by 90 degrees": (1000.0, 0.0, 30.0, 2000.0, 20.0, 0.0),
    "without size": (1000.0, 0.0, 0.0, 2000.0, 0.0, 0.0),
    "tiny": (1e-9, 1e-12, 0.0, 1e-9, 0.0, -1e-12),
    "far": (1e15, 1.0, 0.0, -1e15, 0.0, -1.0),
    "NaN": (float("nan"), 1.0, 0.0, 0.0, 0.0, -1.0),
    "none": None,
}


@pytest.mark.parametrize("system", ["", 32633, 4326])
@pytest.mark.parametrize("name", GRIDS)
def test_the_place_is_kept(name: str, system: int | str, tmp_path: Path, trials: Trials) -> None:
    wanted = GRIDS[name]
    path = write_tiff(tmp_path / "odd.tif", ARRAY, geotransform=None)
    dataset = gdal.Open(str(path), gdal.GA_Update)
    if wanted is not None:
        dataset.SetGeoTransform(wanted)
    if system:
        dataset.SetProjection(projection(int(system)))
    dataset = None
    assert trials.detect(path).deviation is not None
    before, after = gdal.Open(str(path)), gdal.Open(str(tmp_path / "result-of-it.tif"))
    np.testing.assert_array_equal(after.GetGeoTransform(), before.GetGeoTransform())
    assert after.GetProjection() == before.GetProjection()
    if not system:
        # An ENVI header holds some of these and not others: the same place, or a sentence.
        found = trials.detect(path, output=str(tmp_path / "out.bsq"))
        if found.gave_a_result and wanted is not None:
            kept = gdal.Open(str(tmp_path / "out.bsq")).GetGeoTransform()
            np.testing.assert_allclose(kept, wanted, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("n_points", [1, 2, 4, 200])
def test_points_instead_of_a_grid(n_points: int, tmp_path: Path, trials: Trials) -> None:
    path = write_tiff(tmp_path / "odd.tif", ARRAY, geotransform=None)
    rng = np.random.default_rng(n_points)
    points = [gdal.GCP(*rng.uniform(0, 9, 5)) for _ in range(n_points)]
    dataset = gdal.Open(str(path), gdal.GA_Update)
    dataset.SetGCPs(points, projection(4326))
    dataset = None
    assert trials.detect(path).deviation is not None
    after = gdal.Open(str(tmp_path / "result-of-it.tif"))
    kept = [(p.GCPX, p.GCPY, p.GCPZ, p.GCPPixel, p.GCPLine) for p in after.GetGCPs()]
    np.testing.assert_allclose(kept, [(p.GCPX, p.GCPY, p.GCPZ, p.GCPPixel, p.GCPLine) for p in points], rtol=1e-12)
    assert after.GetGCPProjection()


RPC = {
    **{f"{axis}_{what}": "1" for axis in ("LINE", "SAMP", "LAT", "LONG", "HEIGHT") for what in ("OFF", "SCALE")},
    **{f"{axis}_{part}_COEFF": "1 " + "0 " * 19 for axis in ("LINE", "SAMP") for part in ("NUM", "DEN")},
}


@pytest.mark.parametrize(
    "change", [{}, {"LINE_SCALE": "0"}, {"LAT_OFF": "nan"}, {"LINE_NUM_COEFF": "1 2"}, {"LINE_OFF": "x"}]
)
def test_rational_polynomials(change: dict[str, str], tmp_path: Path, trials: Trials) -> None:
    path = write_tiff(tmp_path / "odd.tif", ARRAY, geotransform=None)
    dataset = gdal.Open(str(path), gdal.GA_Update)
    dataset.SetMetadata({**RPC, **change}, "RPC")
    dataset = None
    before = gdal.Open(str(path)).GetMetadata("RPC") or {}
    assert trials.detect(path).deviation is not None
    after = gdal.Open(str(tmp_path / "result-of-it.tif")).GetMetadata("RPC") or {}
    if not change:
        assert {key: after[key].split() for key in RPC} == {key: before[key].split() for key in RPC}


def mask_of(folder: Path, *, shape: tuple[int, int] = (13, 9), kind: str = "uint8", **place: object) -> Path:
    flags = (np.indices(shape).sum(axis=0) % 5 != 0).astype(kind)[:, :, None]
    return write_tiff(folder / "mask.tif", flags, **place)


@pytest.mark.parametrize("kind", ["uint8", "int16", "float32", "float64"])
def test_masks_that_fit(kind: str, tmp_path: Path, trials: Trials) -> None:
    path, mask = write_tiff(tmp_path / "odd.tif", ARRAY), mask_of(tmp_path, kind=kind)
    assert trials.detect(path, "--mask", str(mask), mask=str(mask)).deviation is not None
    mask_of(tmp_path, kind=kind, geotransform=None)
    assert trials.detect(path, "--mask", str(mask), mask=str(mask)).deviation is not None


MISFITS = {
    "shorter": {"shape": (12, 9)},
    "wider": {"shape": (13, 10)},
    "turned": {"shape": (9, 13)},
    "one pixel": {"shape": (1, 1)},
    "beside": {"geotransform": (*GEOTRANSFORM[:3], GEOTRANSFORM[3] + 20.0, 0.0, -20.0)},
    "half a pixel off": {"geotransform": (GEOTRANSFORM[0] + 15.0, *GEOTRANSFORM[1:])},
    "south up": {"geotransform": (*GEOTRANSFORM[:5], 20.0)},
    "other pixels": {"geotransform": (GEOTRANSFORM[0], 31.0, *GEOTRANSFORM[2:])},
    "in the next zone": {"code": 32632},
    "in degrees": {"code": 4326},
    "on the other half of the earth": {"code": 32733},
    "in another datum": {"code": 26733},
}


@pytest.mark.parametrize("place", MISFITS.values(), ids=MISFITS.keys())
def test_masks_of_another_size_or_place(place: dict[str, object], tmp_path: Path, trials: Trials) -> None:
    path, mask = write_tiff(tmp_path / "odd.tif", ARRAY), mask_of(tmp_path, **place)
    for option in ("--mask", "--background"):
        found = trials.detect(path, option, str(mask), compare=False)
        assert not found.gave_a_result, found.said
        assert "on the input's grid" in found.said


def test_one_system_in_other_words(tmp_path: Path, trials: Trials) -> None:
    """What ENVI and Esri call by other names, or an axis order turned, is the same place."""
    path, mask = write_tiff(tmp_path / "odd.tif", ARRAY), mask_of(tmp_path)
    system = osr.SpatialReference()
    system.ImportFromEPSG(32633)
    without_code = osr.SpatialReference()
    without_code.ImportFromProj4(system.ExportToProj4())
    for text in (system.ExportToWkt(["FORMAT=WKT1_ESRI"]), without_code.ExportToWkt(), projection(25833)):
        dataset = gdal.Open(str(mask), gdal.GA_Update)
        dataset.SetProjection(text)
        dataset = None
        assert trials.detect(path, "--mask", str(mask), mask=str(mask)).deviation is not None


@pytest.mark.parametrize("name", ["none.tif", "", ".", "text.tif", "odd.tif"])
def test_masks_that_are_none(name: str, tmp_path: Path, trials: Trials) -> None:
    path = write_tiff(tmp_path / "odd.tif", ARRAY)
    (tmp_path / "text.tif").write_text("no raster")
    found = trials.detect(path, "--mask", str(tmp_path / name) if name else "", compare=False)
    assert found.gave_a_result == (name == "odd.tif")
