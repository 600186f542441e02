"""Layers as QGIS knows them: what GDAL opens for each kind."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal

pytestmark = pytest.mark.qgis


@pytest.fixture
def gdal_source(part):
    from qgis.core import QgsRasterLayer

    def source(uri) -> str:
        layer = QgsRasterLayer(str(uri), "layer")
        assert layer.isValid()
        return part("source").gdal_source(layer)

    return source


def test_a_file_is_its_path(gdal_source, make_scene):
    path = make_scene("a scene, é.tif")

    assert gdal_source(path) == str(path)


def test_a_file_in_an_archive_is_a_vsi_path(gdal_source, scene, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "scenes.zip", "w") as archive:
        archive.write(scene, "inside.tif")
    path = f"/vsizip/{tmp_path}/scenes.zip/inside.tif"

    assert gdal_source(path) == path


def test_a_geopackage_raster_keeps_its_table(gdal_source, tmp_path):
    path = tmp_path / "rasters.gpkg"
    for name, value in (("first", 10), ("second", 20)):
        memory = gdal.GetDriverByName("MEM").Create("", 8, 5, 1, gdal.GDT_Byte)
        memory.SetGeoTransform((0, 1, 0, 0, 0, -1))
        memory.GetRasterBand(1).Fill(value)
        options = [f"RASTER_TABLE={name}"] + (["APPEND_SUBDATASET=YES"] if value == 20 else [])
        gdal.GetDriverByName("GPKG").CreateCopy(str(path), memory, options=options)

    source = gdal_source(f"GPKG:{path}:second")

    assert gdal.Open(source).ReadAsArray().max() == 20


def test_open_options_are_kept(gdal_source, scene, read_raster):
    """At overview level 0 the raster is half as large; a plain path would lose that."""
    gdal.Open(str(scene), gdal.GA_Update).BuildOverviews("NEAREST", [2])

    source = gdal_source(f"{scene}|option:OVERVIEW_LEVEL=0")

    opened = gdal.Open(source)
    assert (opened.RasterXSize, opened.RasterYSize) == (12, 16)
    full = gdal.OpenEx(str(scene), open_options=["OVERVIEW_LEVEL=0"]).ReadAsArray()
    np.testing.assert_array_equal(opened.ReadAsArray(), full)


def test_wavelengths_and_nodata_survive_open_options(gdal_source, scene):
    opened = gdal.Open(gdal_source(f"{scene}|option:NUM_THREADS=2"))

    assert opened.GetRasterBand(3).GetMetadataItem("wavelength") == "445.0"
    assert opened.GetRasterBand(3).GetNoDataValue() == -32768


def test_a_login_kept_by_qgis_is_refused(part, scene):
    from qgis.core import QgsRasterLayer

    layer = QgsRasterLayer(f"{scene} authcfg='abc1234'", "private")

    with pytest.raises(part("source").UnusableLayerError, match="private"):
        part("source").gdal_source(layer)
