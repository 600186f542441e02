"""The score layer on the map: stops at percentiles, also for odd score rasters."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal

pytestmark = pytest.mark.qgis


def layer_of(path, scores):
    from qgis.core import QgsRasterLayer

    dataset = gdal.GetDriverByName("GTiff").Create(str(path), scores.shape[1], scores.shape[0], 1, gdal.GDT_Float32)
    dataset.GetRasterBand(1).SetNoDataValue(-9999)
    dataset.GetRasterBand(1).WriteArray(np.where(np.isnan(scores), -9999, scores))
    dataset = None
    return QgsRasterLayer(str(path), "scores")


def stops(layer) -> list[float]:
    function = layer.renderer().shader().rasterShaderFunction()
    return [item.value for item in function.colorRampItemList()]


def test_stops_are_percentiles_of_the_valid_scores(part, tmp_path):
    scores = np.random.default_rng(3).chisquare(40, size=(70, 53))
    scores[5:9] = np.nan
    layer = layer_of(tmp_path / "s.tif", scores)

    part("styles.scores").style_scores(layer)

    expected = np.nanpercentile(scores.astype(np.float32), [2, 50, 90, 98, 99.5, 99.9])
    np.testing.assert_allclose(stops(layer), expected, rtol=1e-6)
    assert layer.renderer().type() == "singlebandpseudocolor"


def test_nodata_stays_transparent_and_the_highest_score_is_bright(part, tmp_path):
    scores = np.arange(300.0).reshape(15, 20)
    scores[0, 0] = np.nan
    layer = layer_of(tmp_path / "s.tif", scores)

    part("styles.scores").style_scores(layer)

    image = layer.renderer().block(1, layer.extent(), 20, 15).image()
    assert image.pixelColor(0, 0).alpha() == 0
    assert image.pixelColor(19, 14).lightness() > 200
    assert image.pixelColor(1, 0).lightness() < 60


@pytest.mark.parametrize("scores", [np.full((4, 6), 2.5), np.full((4, 6), np.nan)])
def test_a_raster_without_contrast_keeps_its_style(part, tmp_path, scores):
    layer = layer_of(tmp_path / "s.tif", scores)
    before = layer.renderer().type()

    part("styles.scores").style_scores(layer)

    assert layer.renderer().type() == before


def test_scores_that_are_mostly_equal_get_rising_stops(part, tmp_path):
    scores = np.zeros((40, 50))
    scores[20, 10:15] = [1, 2, 3, 4, 5]
    layer = layer_of(tmp_path / "s.tif", scores)

    part("styles.scores").style_scores(layer)

    assert (np.diff(stops(layer)) > 0).all()


def test_a_large_raster_is_sampled(part, tmp_path, monkeypatch):
    monkeypatch.setattr(part("styles.scores"), "_SAMPLE_PIXELS", 500)
    scores = np.random.default_rng(4).normal(size=(200, 130))
    layer = layer_of(tmp_path / "s.tif", scores)

    assert 300 < part("styles.scores")._sample(layer).size <= 500


@pytest.mark.parametrize("again", [False, True])
def test_a_loaded_result_gets_the_style(provider, scene, tmp_path, again):
    """As after a dialog: the layer is loaded into the project, then styled; in each run of a session."""
    from processing.tools.general import runAndLoadResults
    from qgis.core import QgsProject

    output = str(tmp_path / "scores.tif")
    runAndLoadResults("ferd:rxanomalydetection", {"INPUT": str(scene), "ENHANCE": False, "OUTPUT": output})

    layers = [layer for layer in QgsProject.instance().mapLayers().values() if layer.source() == output]
    assert len(layers) == 1
    assert layers[0].renderer().type() == "singlebandpseudocolor"
    assert len(stops(layers[0])) == 6
    QgsProject.instance().clear()
