"""`ferd:evaluatescores` and `ferd:importmodel`: the engine's numbers and checks, with and without a worker."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

import ferd_engine
from ferd_engine.evaluate import evaluate_files
from ferd_engine.fen.bundle import Model, save_model
from ferd_engine.fen.network import Architecture, untrained_weights

from .running import refusal, run

pytestmark = pytest.mark.qgis

EVALUATE = "ferd:evaluatescores"
IMPORT = "ferd:importmodel"
ARCHITECTURE = Architecture(n_bands=12, bottlenecks=1, entry=8, inner=6, outer=10, hidden=9)


@pytest.fixture
def truth(scores, tmp_path) -> Path:
    """Return a truth raster: rows 11 and 12, columns 5 and 6."""
    like = gdal.Open(str(scores))
    dataset = gdal.GetDriverByName("GTiff").Create(str(tmp_path / "truth.tif"), 24, 31, 1, gdal.GDT_Byte)
    dataset.SetGeoTransform(like.GetGeoTransform())
    values = np.zeros((31, 24), dtype=np.uint8)
    values[11:13, 5:7] = 1
    dataset.GetRasterBand(1).WriteArray(values)
    return tmp_path / "truth.tif"


def test_the_numbers_are_the_engines(provider, scores, truth, feedback):
    result = run(EVALUATE, feedback, INPUT=str(scores), TRUTH=str(truth))

    expected = asdict(evaluate_files(str(scores), str(truth)))
    assert {"AUC", "AVERAGE_PRECISION", "PARTIAL_AUC_1E_2", "N_ANOMALIES"} < set(result)
    assert result == {name: expected[name.lower()] for name in result}
    assert result["AUC"] > 0.95
    assert any(f"{result['AUC']:.4f}" in line for line in feedback.infos)


def test_the_report_is_a_page_in_one_file(provider, scores, truth, tmp_path):
    result = run(EVALUATE, INPUT=str(scores), TRUTH=str(truth), REPORT=str(tmp_path / "report.html"))
    temporary = run(EVALUATE, INPUT=str(scores), TRUTH=str(truth), REPORT="TEMPORARY_OUTPUT")

    page = Path(result["REPORT"]).read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html")
    assert f"{result['AUC']:.4f}" in page
    assert temporary["REPORT"].endswith(".html")
    assert Path(temporary["REPORT"]).is_file()


def test_a_cancelled_evaluation_leaves_no_page(provider, scores, truth, feedback, tmp_path):
    feedback.cancel()
    result = run(EVALUATE, feedback, INPUT=str(scores), TRUTH=str(truth), REPORT=str(tmp_path / "report.html"))

    assert "AUC" not in result
    assert not (tmp_path / "report.html").exists()
    assert any("nothing was written" in info for info in feedback.infos)


def test_polygons_as_truth(provider, scores, truth):
    """The same four pixels, by a polygon in another projection whose edges lie a third of a pixel outside."""
    from qgis.core import (
        QgsCoordinateReferenceSystem,
        QgsCoordinateTransform,
        QgsFeature,
        QgsGeometry,
        QgsProject,
        QgsRectangle,
        QgsVectorLayer,
    )

    utm, degrees = QgsCoordinateReferenceSystem("EPSG:32633"), QgsCoordinateReferenceSystem("EPSG:4326")
    box = QgsRectangle(365000 + 30 * 4.7, 5812000 - 25 * 13.3, 365000 + 30 * 7.3, 5812000 - 25 * 10.7)
    geometry = QgsGeometry.fromRect(box)
    geometry.transform(QgsCoordinateTransform(utm, degrees, QgsProject.instance()))
    layer = QgsVectorLayer("Polygon?crs=EPSG:4326", "targets", "memory")
    feature = QgsFeature()
    feature.setGeometry(geometry)
    layer.dataProvider().addFeature(feature)

    assert run(EVALUATE, INPUT=str(scores), TARGETS=layer) == run(EVALUATE, INPUT=str(scores), TRUTH=str(truth))


def test_unusable_truths_are_refused(provider, scene, scores, truth):
    assert "one of the two" in refusal(provider, "evaluatescores", INPUT=str(scores))
    assert "110 bands" in refusal(provider, "evaluatescores", INPUT=str(scene), TRUTH=str(truth))
    assert "110 bands" in refusal(provider, "evaluatescores", INPUT=str(scores), TRUTH=str(scene))


def test_a_truth_without_anomalies_is_one_sentence(provider, scores):
    from qgis.core import QgsProcessingException

    with pytest.raises(QgsProcessingException, match="no background"):
        run(EVALUATE, INPUT=str(scores), TRUTH=str(scores))


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FERD_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def bundle(tmp_path) -> Path:
    save_model(Model("theirs", ARCHITECTURE, untrained_weights(ARCHITECTURE, 3), description="a test"), tmp_path / "b")
    return tmp_path / "b"


def test_an_imported_bundle_is_offered_and_used(provider, part, scene, store, bundle, tmp_path, feedback):
    result = run(IMPORT, feedback, SOURCE=str(bundle), NAME="mine-12")

    assert result == {"MODEL": "mine-12", "FOLDER": str(store / "mine-12"), "N_BANDS": 12}
    assert "mine-12" in part("model_widget").known_models()
    enhanced = run("ferd:fenenhance", INPUT=str(scene), MODEL="mine-12", OUTPUT=str(tmp_path / "e.tif"))
    assert gdal.Open(enhanced["OUTPUT"]).RasterCount == 12


def test_a_name_that_is_taken_needs_replace(provider, store, bundle):
    from qgis.core import QgsProcessingException

    run(IMPORT, SOURCE=str(bundle), NAME="mine")
    with pytest.raises(QgsProcessingException, match="mine"):
        run(IMPORT, SOURCE=str(bundle), NAME="mine")
    run(IMPORT, SOURCE=str(bundle), NAME="mine", REPLACE=True)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"NAME": "a/b"}, "a/b"),
        ({"SOURCE": "/no/such/folder"}, "/no/such/folder"),
        ({"WAVELENGTHS": "red, green"}, "red, green"),
    ],
)
def test_what_cannot_be_imported_is_refused_before_the_run(provider, store, bundle, parameters, words):
    assert words in refusal(provider, "importmodel", **{"SOURCE": str(bundle), "NAME": "mine", **parameters})


def test_torch_files_need_a_worker_and_come_through_it(provider, part, store, tmp_path):
    torch = pytest.importorskip("torch")
    folder = tmp_path / "published"
    folder.mkdir()
    weights = {name: torch.from_numpy(values) for name, values in untrained_weights(ARCHITECTURE, 3).items()}
    for file, prefixes in (("convh", ("convh.",)), ("enc", ("layer1.",)), ("pc", ("conv1.", "conv2."))):
        state = {name: value for name, value in weights.items() if name.startswith(prefixes)}
        torch.save({"state_dict": state}, folder / f"{file}.pt")
    wavelengths = ",".join(str(400.5 + 10 * index) for index in range(12))
    values = {"SOURCE": str(folder), "NAME": "theirs", "LICENCE": "CC0-1.0", "WAVELENGTHS": wavelengths}

    assert "Options, FERD" in refusal(provider, "importmodel", **values)
    part("runtime.settings").set_named_python(sys.executable)
    try:
        result = run(IMPORT, **values)
    finally:
        part("runtime.settings").set_named_python("")

    card = json.loads((Path(result["FOLDER"]) / "model.json").read_text())
    assert (card["licence"], card["wavelengths_nm"][1]) == ("CC0-1.0", 410.5)
    loaded = ferd_engine.open_model("theirs")
    np.testing.assert_array_equal(loaded.weights["convh.weight"], untrained_weights(ARCHITECTURE, 3)["convh.weight"])
