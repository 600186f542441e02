"""Layers as QGIS has them: what their owner changed, where they lie, what they hold; each through a run."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from osgeo import gdal

import ferd_engine

pytestmark = pytest.mark.qgis

RX = "ferd:rxanomalydetection"


@pytest.fixture
def layer(plugin, scene):
    from qgis.core import QgsRasterLayer

    return QgsRasterLayer(str(scene), "my scene")


def run(feedback=None, **parameters):
    import processing

    values = {"ENHANCE": False, "OUTPUT": "TEMPORARY_OUTPUT", **parameters}
    return processing.run(RX, values, feedback=feedback)["OUTPUT"]


def bands_of(path) -> str:
    return gdal.Open(path).GetMetadataItem("FERD_BANDS")


def test_bad_bands_marked_in_the_layer(layer, feedback):
    layer.setCustomProperty("QGISPAM/band/5//bbl", 0)
    layer.setCustomProperty("QGISPAM/band/9//bad_band_multiplier", "0")

    output = run(feedback, INPUT=layer)

    # Band 7 is constant.
    assert bands_of(output) == "1-4,6,8,10-110"
    assert any("marked bad: 5,9" in line for line in feedback.infos)


def test_wavelengths_edited_in_the_layer(layer):
    """The file says 420 nm and so on for bands 1 and 2."""
    for band, centre in ((1, 2.1), (2, 2.2)):
        layer.setCustomProperty(f"QGISPAM/band/{band}//wavelength", centre)
        layer.setCustomProperty(f"QGISPAM/band/{band}//wavelength_units", "Micrometers")

    assert bands_of(run(INPUT=layer, BANDS="2000-2300nm")) == "1-2"


def test_wavelengths_of_the_dataset_edited_in_the_layer(plugin, tmp_path):
    from qgis.core import QgsRasterLayer

    path = str(tmp_path / "plain.tif")
    dataset = gdal.GetDriverByName("GTiff").Create(path, 12, 20, 4, gdal.GDT_Float32)
    for number in range(1, 5):
        dataset.GetRasterBand(number).WriteArray(np.random.default_rng(number).normal(size=(20, 12)))
    dataset = None
    layer = QgsRasterLayer(path, "plain")
    layer.setCustomProperty("QGISPAM/dataset//wavelength", [400, 500, 600, 700])

    assert bands_of(run(INPUT=layer, BANDS="450-650nm")) == "2-3"


@pytest.mark.parametrize("prefix", ["", "enmapbox/"])
@pytest.mark.parametrize("as_list", [True, False])
def test_what_enmap_box_keeps_for_all_bands(layer, feedback, prefix, as_list):
    """Its names for wavelengths, units and bad bands since version 3.17; values as a list, or by number of the band."""
    centres = [2000.0 + band if band <= 3 else None for band in range(1, 111)]
    for key, values in (
        ("wavelength", [centre and centre / 1000 for centre in centres]),
        ("wavelength_unit", ["μm"] * 110),
        ("bbl", [int(band != 2) for band in range(1, 111)]),
    ):
        by_band = {band: value for band, value in enumerate(values, start=1) if value is not None}
        layer.setCustomProperty(prefix + key, values if as_list else by_band)

    output = run(feedback, INPUT=layer, BANDS="2000-2300nm")

    assert bands_of(output) == "1,3"
    assert any("marked bad: 2" in line for line in feedback.infos)


def test_properties_of_other_plugins_are_no_edits(layer, part):
    for name, value in (("wavelength", "red"), ("fwhm", [1.0, 2.0]), ("bbl/colour", [0] * 110)):
        layer.setCustomProperty(name, value)

    assert not part("layer_edits").LayerEdits.of(layer)


def test_no_data_set_in_the_layer(layer, scene, read_raster):
    """A value that stands once in band 3, and no-data of the file that is switched off in band 4."""
    from qgis.core import QgsRasterRange

    stored = gdal.Open(str(scene)).ReadAsArray()
    value = int(stored[2, 20, 11])
    layer.dataProvider().setUseSourceNoDataValue(3, False)
    layer.dataProvider().setUserNoDataValue(3, [QgsRasterRange(value, value)])

    missing = np.isnan(read_raster(run(INPUT=layer, BANDS="3,10-30"))[0])

    other = (stored[9:30] == -32768).any(axis=0)
    np.testing.assert_array_equal(missing, other | (stored[2] == value))
    assert missing[20, 11]


def test_a_projection_set_in_the_layer(plugin, tmp_path):
    from qgis.core import QgsCoordinateReferenceSystem, QgsRasterLayer

    path = str(tmp_path / "plain.tif")
    dataset = gdal.GetDriverByName("GTiff").Create(path, 12, 20, 3, gdal.GDT_Float32)
    dataset.SetGeoTransform((365000.0, 30.0, 0.0, 5812000.0, 0.0, -25.0))
    for number in range(1, 4):
        dataset.GetRasterBand(number).WriteArray(np.random.default_rng(number).normal(size=(20, 12)))
    dataset = None
    layer = QgsRasterLayer(path, "plain")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32633"))

    output = gdal.Open(run(INPUT=layer))

    assert output.GetSpatialRef().GetAuthorityCode(None) == "32633"
    assert output.GetGeoTransform() == (365000.0, 30.0, 0.0, 5812000.0, 0.0, -25.0)


def test_scale_and_offset_are_applied_as_the_layer_shows_them(plugin, scene, read_raster, tmp_path):
    """The range that is scaled for FEN is that of the scaled values."""
    from qgis.core import QgsRasterLayer

    dataset = gdal.Open(str(scene), gdal.GA_Update)
    for number in range(1, 111):
        dataset.GetRasterBand(number).SetScale(0.0001 * number)
        dataset.GetRasterBand(number).SetOffset(0.5)
    dataset = None
    layer = QgsRasterLayer(str(scene), "scaled")
    assert layer.dataProvider().bandScale(2) == pytest.approx(0.0002)

    import processing

    values = {"INPUT": layer, "MODEL": "fen-50", "OUTPUT": str(tmp_path / "e.tif")}
    low, high = map(float, gdal.Open(processing.run("ferd:fenenhance", values)["OUTPUT"]).GetMetadataItem(
        "FERD_SCALING_RANGE").split())  # fmt: skip
    stored = gdal.Open(str(scene)).ReadAsArray().astype(np.float64)
    stored[stored == -32768] = np.nan
    used = ferd_engine.enhance_raster(str(scene), str(tmp_path / "f.tif"), model="fen-50", backend="numpy")
    numbers = [int(n) for part in used.bands_used.split(",")
               for n in (range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1))]  # fmt: skip
    scaled = np.stack([stored[n - 1] * 0.0001 * n + 0.5 for n in numbers])
    assert (low, high) == pytest.approx((np.nanmin(scaled), np.nanmax(scaled)), rel=1e-6)


@pytest.mark.parametrize("edited", [False, True])
def test_a_layer_with_a_mask(plugin, scene, read_raster, edited):
    """With an edit of the layer too, which takes the way over a VRT."""
    from qgis.core import QgsRasterLayer

    dataset = gdal.Open(str(scene), gdal.GA_Update)
    for number in range(1, 111):
        dataset.GetRasterBand(number).DeleteNoDataValue()
    gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", "YES")
    dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
    gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", None)
    mask = np.full((31, 24), 255, dtype=np.uint8)
    mask[:, :4] = 0
    mask[3, 4:6] = 0
    dataset.GetRasterBand(1).GetMaskBand().WriteArray(mask)
    dataset = None
    layer = QgsRasterLayer(str(scene), "masked")
    if edited:
        layer.setCustomProperty("QGISPAM/band/5//bbl", 0)

    scores = read_raster(run(INPUT=layer, BANDS="1-6,8-20"))[0]

    np.testing.assert_array_equal(np.isnan(scores), mask == 0)


def test_a_raster_in_an_archive(plugin, scene, tmp_path, read_raster):
    from qgis.core import QgsRasterLayer

    with zipfile.ZipFile(tmp_path / "scenes.zip", "w") as archive:
        archive.write(scene, "inside.tif")

    output = run(INPUT=QgsRasterLayer(f"/vsizip/{tmp_path}/scenes.zip/inside.tif", "zipped"), BANDS="1-20")

    np.testing.assert_array_equal(read_raster(output), read_raster(run(INPUT=str(scene), BANDS="1-20")))


def test_a_raster_in_a_geopackage(plugin, tmp_path, provider):
    from qgis.core import QgsProcessingContext, QgsRasterLayer

    memory = gdal.GetDriverByName("MEM").Create("", 40, 30, 3, gdal.GDT_Byte)
    memory.SetGeoTransform((0, 1, 0, 0, 0, -1))
    for number in range(1, 4):
        memory.GetRasterBand(number).WriteArray(
            np.random.default_rng(number).integers(0, 255, size=(30, 40)).astype(np.uint8)
        )
    path = str(tmp_path / "r.gpkg")
    gdal.GetDriverByName("GPKG").CreateCopy(path, memory, options=["RASTER_TABLE=photo", "TILE_FORMAT=PNG"])
    layer = QgsRasterLayer(f"GPKG:{path}:photo", "photo")
    assert layer.isValid()

    assert gdal.Open(run(INPUT=layer)).RasterCount == 1
    # Three bands are too few for FEN, and that is said before the run.
    fits, reason = provider.algorithm("rxanomalydetection").checkParameterValues(
        {"INPUT": layer, "OUTPUT": "TEMPORARY_OUTPUT"}, QgsProcessingContext()
    )
    assert not fits
    assert "50" in reason


def test_a_temporary_result_is_the_next_input(plugin, scene):
    import processing

    first = processing.run("ferd:fenenhance", {"INPUT": str(scene), "MODEL": "fen-50", "OUTPUT": "TEMPORARY_OUTPUT"})

    assert gdal.Open(run(INPUT=first["OUTPUT"])).RasterCount == 1


def test_a_layer_without_edits_is_its_path(part, layer, scene):
    layer.setCustomProperty("QGISPAM/band/999//bbl", 0)
    layer.setCustomProperty("other", 0)

    assert part("source").gdal_source(layer) == str(scene)


def test_names_that_gdal_alone_knows_are_taken_as_text(provider, scene, tmp_path, read_raster):
    with zipfile.ZipFile(tmp_path / "scenes.zip", "w") as archive:
        archive.write(scene, "inside.tif")
    inside = f"/vsizip/{tmp_path}/scenes.zip/inside.tif"

    output = run(INPUT=inside, BANDS="1-20", MASK=inside)

    np.testing.assert_array_equal(read_raster(output), read_raster(run(INPUT=str(scene), BANDS="1-20")))


@pytest.mark.parametrize("name", ["INPUT", "MASK", "BACKGROUND", "REGION"])
@pytest.mark.parametrize("missing", ["/nowhere/mask.tif", "/vsizip/nowhere.zip/mask.tif", "GPKG:/nowhere.gpkg:mask"])
def test_a_layer_that_is_not_found_is_refused_and_never_passed_over(provider, scene, name, missing):
    from qgis.core import QgsProcessingContext

    given = {"INPUT": str(scene), "ENHANCE": False, "OUTPUT": "TEMPORARY_OUTPUT", name: missing}
    fits, reason = provider.algorithm("rxanomalydetection").checkParameterValues(given, QgsProcessingContext())

    assert not fits
    assert name in reason or missing in reason
