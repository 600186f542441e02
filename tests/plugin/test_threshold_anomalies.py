"""`ferd:thresholdanomalies`: mask and polygons of a score layer, as the engine makes them."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal, ogr

from ferd_engine.threshold_raster import threshold_raster

pytestmark = pytest.mark.qgis

THRESHOLD = "ferd:thresholdanomalies"


def run(feedback=None, **parameters):
    import processing

    return processing.run(THRESHOLD, parameters, feedback=feedback)


def spectra_of(path) -> list[str]:
    dataset = ogr.Open(str(path))
    return [feature.GetField("mean_spectrum") for feature in dataset.GetLayer(0)]


def test_mask_polygons_and_numbers_are_the_engines(provider, scene, scores, tmp_path, read_raster, feedback):
    result = run(
        feedback, INPUT=str(scores), THRESHOLD="percentile:98", MIN_PIXELS=2, SPECTRA=str(scene),
        MASK_OUT=str(tmp_path / "m.tif"), POLYGONS=str(tmp_path / "p.gpkg"),
    )  # fmt: skip
    report = threshold_raster(
        scores, threshold="percentile:98", min_pixels=2, spectra=scene, mask_out=tmp_path / "em.tif",
        polygons=tmp_path / "ep.gpkg",
    )  # fmt: skip

    assert result["THRESHOLD_SCORE"] == report.threshold
    assert (result["N_ANOMALIES"], result["N_OBJECTS"]) == (report.n_anomalies, report.n_objects)
    assert report.n_anomalies == 14
    np.testing.assert_array_equal(read_raster(result["MASK_OUT"]), read_raster(tmp_path / "em.tif"))
    assert spectra_of(result["POLYGONS"]) == spectra_of(tmp_path / "ep.gpkg")
    assert len(spectra_of(result["POLYGONS"])[0].split(",")) == 110
    assert any("percentile:98" in line for line in feedback.infos)


def test_chi2_knows_the_scores_of_a_detection(provider, scores):
    result = run(INPUT=str(scores), THRESHOLD="chi2:0.99", MASK_OUT="TEMPORARY_OUTPUT")

    assert gdal.Open(result["MASK_OUT"]).ReadAsArray().max() in (1, 255)
    assert "POLYGONS" not in result


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"THRESHOLD": "best"}, "best"),
        ({"MASK_OUT": None}, "Nothing"),
        ({"MIN_PIXELS": 4}, "polygons"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(provider, scores, parameters, word):
    from qgis.core import QgsProcessingContext

    values = {"INPUT": str(scores), "THRESHOLD": "count:9", "MASK_OUT": "TEMPORARY_OUTPUT", **parameters}
    fits, reason = provider.algorithm("thresholdanomalies").checkParameterValues(values, QgsProcessingContext())

    assert not fits
    assert word in reason


def test_a_cube_is_no_score_raster(provider, scene):
    from qgis.core import QgsProcessingContext

    values = {"INPUT": str(scene), "THRESHOLD": "count:9", "MASK_OUT": "TEMPORARY_OUTPUT"}
    fits, reason = provider.algorithm("thresholdanomalies").checkParameterValues(values, QgsProcessingContext())

    assert not fits
    assert "110 bands" in reason


def test_chi2_for_foreign_scores_is_one_sentence(provider, tmp_path):
    from qgis.core import QgsProcessingException

    dataset = gdal.GetDriverByName("GTiff").Create(str(tmp_path / "s.tif"), 9, 7, 1, gdal.GDT_Float32)
    dataset.GetRasterBand(1).WriteArray(np.random.default_rng(2).random((7, 9)))
    dataset = None

    with pytest.raises(QgsProcessingException, match="chi2 needs"):
        run(INPUT=str(tmp_path / "s.tif"), THRESHOLD="chi2:0.99", MASK_OUT=str(tmp_path / "m.tif"))
    assert not (tmp_path / "m.tif").exists()
