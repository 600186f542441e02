"""Cloud-optimized GeoTIFFs: the content of the plain ones, in GDAL's COG layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

from ferd_engine import detect_raster, enhance_raster
from ferd_engine.errors import OutputError
from ferd_engine.fen.bundle import Model

from .rasters import GEOTRANSFORM, cube, read_scores, write_tiff


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    values = cube(1201, 37, 9)
    values[100:140, 3:9] = -9999.0
    return write_tiff(tmp_path / "in" / "scene.tif", values, nodata=-9999)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()


def layout(path: Path | str) -> str | None:
    return gdal.Open(str(path)).GetMetadataItem("LAYOUT", "IMAGE_STRUCTURE")


def test_scores_and_mask(scene: Path, tmp_path: Path) -> None:
    plain, out, mask = tmp_path / "plain.tif", tmp_path / "out.tif", tmp_path / "mask.tif"
    detect_raster(scene, plain, enhance=False)
    report = detect_raster(scene, out, enhance=False, cog=True, threshold="count:50", mask_out=str(mask))
    assert (layout(plain), layout(out), layout(mask)) == (None, "COG", "COG")
    np.testing.assert_array_equal(read_scores(out), read_scores(plain))
    dataset = gdal.Open(str(out))
    band = dataset.GetRasterBand(1)
    assert dataset.GetGeoTransform() == GEOTRANSFORM
    assert dataset.GetProjection() == gdal.Open(str(plain)).GetProjection()
    assert (band.GetNoDataValue(), band.GetDescription()) == (-9999.0, "Global RX score")
    assert dataset.GetMetadata()["FERD_DETECTOR"] == "grx"
    assert "FERD_COG" not in dataset.GetMetadata()
    overview = band.GetOverview(0).ReadAsArray()
    assert overview.shape == (600, 18)
    # Means of four pixels, which nodata takes no part in.
    assert overview[overview != -9999.0].min() >= 0.0
    flags = gdal.Open(str(mask)).ReadAsArray()
    assert (flags == 1).sum() == 50 == report.n_anomalies
    assert set(np.unique(gdal.Open(str(mask)).GetRasterBand(1).GetOverview(0).ReadAsArray())) <= {0, 1, 255}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "mask.tif", "out.tif", "plain.tif"]


def test_an_enhanced_cube(scene: Path, tmp_path: Path, small_model: Model) -> None:
    options = {"model": str(small_model.folder), "backend": "numpy"}
    enhance_raster(scene, tmp_path / "plain.tif", **options)
    enhance_raster(scene, tmp_path / "out.tif", cog=True, **options)
    assert layout(tmp_path / "out.tif") == "COG"
    np.testing.assert_array_equal(read_scores(tmp_path / "out.tif"), read_scores(tmp_path / "plain.tif"))


def test_other_formats_are_refused(scene: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out\.bsq is no GeoTIFF, and --cog"):
        detect_raster(scene, tmp_path / "out.bsq", enhance=False, cog=True)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
