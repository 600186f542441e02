"""Runs through Processing: the engine's result to the last bit, in batch, in a model, to temporary outputs."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

import ferd_engine

from .running import run

pytestmark = pytest.mark.qgis

RX = "ferd:rxanomalydetection"
FEN = "ferd:fenenhance"


@pytest.mark.parametrize("detector", ["grx", "slrx"])
@pytest.mark.parametrize("enhance", [True, False])
def test_scores_are_the_engines_to_the_last_bit(provider, scene, tmp_path, read_raster, detector, enhance):
    result = run(RX, INPUT=str(scene), DETECTOR=detector, ENHANCE=enhance, OUTPUT=str(tmp_path / "qgis.tif"))
    ferd_engine.detect_raster(
        str(scene), str(tmp_path / "engine.tif"), detector=detector, enhance=enhance, backend="numpy"
    )

    scores = read_raster(result["OUTPUT"])
    np.testing.assert_array_equal(scores, read_raster(tmp_path / "engine.tif"))
    assert np.isnan(scores[0, 3, 4:6]).all()
    assert np.isnan(scores).sum() == 2
    assert np.nanstd(scores) > 0


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TypeError("a thing of the wrong kind"), "The run stopped (TypeError: a thing of the wrong kind)"),
        (RuntimeError("can't start new thread"), "Memory ran out: give a smaller 'Memory budget', or"),
        (MemoryError(), "Memory ran out: give a smaller 'Memory budget', or"),
    ],
)
def test_an_error_that_nobody_foresaw_is_a_sentence(provider, scene, tmp_path, monkeypatch, error, sentence):
    from qgis.core import QgsProcessingException

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(importlib.import_module("ferd_qgis_plugin.ferd_engine"), "detect_raster", fail)
    with pytest.raises(QgsProcessingException, match=re.escape(sentence)):
        run(RX, INPUT=str(scene), OUTPUT=str(tmp_path / "scores.tif"))


def test_enhanced_bands_are_the_engines_to_the_last_bit(provider, scene, tmp_path, read_raster):
    result = run(FEN, INPUT=str(scene), MODEL="auto", OUTPUT=str(tmp_path / "qgis.tif"))
    ferd_engine.enhance_raster(str(scene), str(tmp_path / "engine.tif"), backend="numpy")

    enhanced = read_raster(result["OUTPUT"])
    np.testing.assert_array_equal(enhanced, read_raster(tmp_path / "engine.tif"))
    assert enhanced.shape == (100, 31, 24)


def test_every_option_reaches_the_engine(provider, scene, tmp_path, read_raster):
    mask = tmp_path / "mask.tif"
    dataset = gdal.GetDriverByName("GTiff").Create(str(mask), 24, 31, 1, gdal.GDT_Byte)
    dataset.SetGeoTransform(gdal.Open(str(scene)).GetGeoTransform())
    dataset.SetProjection(gdal.Open(str(scene)).GetProjection())
    values = np.ones((31, 24), dtype=np.uint8)
    values[:5] = 0
    dataset.GetRasterBand(1).WriteArray(values)
    dataset = None
    chosen = {"model": None, "bands": "1-80,90", "band_selection": "spread", "scaling": "percentile"}

    result = run(
        RX, INPUT=str(scene), DETECTOR="slrx", BANDS=chosen["bands"], BAND_SELECTION="spread", SCALING="percentile",
        MASK=str(mask), MEMORY=128, BLOCK=12, OUTPUT=str(tmp_path / "qgis.tif"),
    )  # fmt: skip
    ferd_engine.detect_raster(
        str(scene), str(tmp_path / "engine.tif"), detector="slrx", mask=str(mask), memory="128MiB", block=12,
        backend="numpy", **chosen,
    )  # fmt: skip

    scores = read_raster(result["OUTPUT"])
    np.testing.assert_array_equal(scores, read_raster(tmp_path / "engine.tif"))
    assert np.isnan(scores[0, :5]).all()


def test_the_output_lies_on_the_inputs_grid(provider, scene, tmp_path):
    result = run(RX, INPUT=str(scene), ENHANCE=False, OUTPUT=str(tmp_path / "scores.tif"))

    source, scores = gdal.Open(str(scene)), gdal.Open(result["OUTPUT"])
    assert scores.GetGeoTransform() == source.GetGeoTransform()
    assert scores.GetSpatialRef().IsSame(source.GetSpatialRef())
    assert (scores.RasterXSize, scores.RasterYSize) == (source.RasterXSize, source.RasterYSize)


def test_a_temporary_output_is_a_raster_in_processings_folder(provider, scene):
    from qgis.core import QgsProcessingUtils

    result = run(RX, INPUT=str(scene), ENHANCE=False, OUTPUT="TEMPORARY_OUTPUT")

    assert Path(result["OUTPUT"]).is_relative_to(QgsProcessingUtils.tempFolder())
    assert gdal.Open(result["OUTPUT"]).RasterCount == 1


def test_an_existing_output_is_replaced(provider, scene, tmp_path, read_raster):
    output = tmp_path / "scores.tif"
    run(RX, INPUT=str(scene), ENHANCE=False, BANDS="1-20", OUTPUT=str(output))
    first = read_raster(output)

    run(RX, INPUT=str(scene), ENHANCE=False, OUTPUT=str(output))

    assert not np.array_equal(first, read_raster(output), equal_nan=True)


def test_envi_output(provider, scene, tmp_path, read_raster):
    tiff = run(RX, INPUT=str(scene), ENHANCE=False, OUTPUT=str(tmp_path / "scores.tif"))
    envi = run(RX, INPUT=str(scene), ENHANCE=False, OUTPUT=str(tmp_path / "scores.bsq"))

    assert gdal.Open(envi["OUTPUT"]).GetDriver().ShortName == "ENVI"
    np.testing.assert_array_equal(read_raster(envi["OUTPUT"]), read_raster(tiff["OUTPUT"]))


def test_the_log_says_what_ran(provider, scene, tmp_path, feedback):
    run(RX, feedback, INPUT=str(scene), MEMORY=256, OUTPUT=str(tmp_path / "scores.tif"))
    report = ferd_engine.detect_raster(str(scene), str(tmp_path / "engine.tif"), memory="256MiB", backend="numpy")

    said = [line for line in report.lines() if not line.startswith(("Memory", "Done"))]
    assert set(said) <= set(feedback.infos)
    log = "\n".join(feedback.infos)
    for fact in ("fen-100", "105-110", "constant: 7", "scaled", "spread", "numpy", "grx", "256 MiB", " s: "):
        assert fact in log
    assert feedback.steps
    assert feedback.progress() == 100.0
    assert feedback.errors == []


def test_warnings_of_the_engine_are_shown(provider, scene, tmp_path, feedback):
    run(RX, feedback, INPUT=str(scene), ENHANCE=False, OUTPUT=str(tmp_path / "scores.tif"))

    assert any("constant were left out" in warning for warning in feedback.warnings)


def test_no_data_ranges_of_the_layer_are_warned_of(provider, scene, tmp_path, feedback):
    from qgis.core import QgsRasterLayer, QgsRasterRange

    layer = QgsRasterLayer(str(scene), "my scene")
    run(RX, feedback, INPUT=layer, ENHANCE=False, OUTPUT=str(tmp_path / "first.tif"))
    assert not any("my scene" in warning for warning in feedback.warnings)

    layer.dataProvider().setUserNoDataValue(3, [QgsRasterRange(0, 100)])
    run(RX, feedback, INPUT=layer, ENHANCE=False, OUTPUT=str(tmp_path / "second.tif"))
    assert any("my scene" in warning for warning in feedback.warnings)


def test_batch_of_three(provider, make_scene, tmp_path, read_raster):
    """The batch dialog runs one instance after the other with one context, as here."""
    from qgis.core import QgsProcessingContext, QgsProcessingFeedback

    scenes = [make_scene(f"scene {seed} é.tif", seed=seed) for seed in (1, 2, 3)]
    context, outputs = QgsProcessingContext(), []
    for scene in scenes:
        output = tmp_path / f"{scene.stem} scores.tif"
        algorithm = provider.algorithm("rxanomalydetection").create()
        parameters = {"INPUT": str(scene), "ENHANCE": False, "OUTPUT": str(output)}
        result, done = algorithm.run(parameters, context, QgsProcessingFeedback())
        assert done
        outputs.append(result["OUTPUT"])

    scores = [read_raster(output) for output in outputs]
    assert all(not np.array_equal(scores[0], other, equal_nan=True) for other in scores[1:])


def test_enhance_then_detect_in_a_model(provider, scene, tmp_path, read_raster):
    from qgis.core import (
        QgsProcessingContext,
        QgsProcessingFeedback,
        QgsProcessingModelAlgorithm,
        QgsProcessingModelChildAlgorithm,
        QgsProcessingModelChildParameterSource,
        QgsProcessingModelOutput,
        QgsProcessingModelParameter,
        QgsProcessingParameterRasterLayer,
    )

    source = QgsProcessingModelChildParameterSource

    def child(name, algorithm, input_source, **values):
        """Return a step with all parameters set, as the model designer does."""
        step = QgsProcessingModelChildAlgorithm(f"ferd:{algorithm}")
        step.setChildId(name)
        for definition in provider.algorithm(algorithm).parameterDefinitions():
            if not definition.isDestination():
                value = values.get(definition.name(), definition.defaultValue())
                step.addParameterSources(definition.name(), [source.fromStaticValue(value)])
        step.addParameterSources("INPUT", [input_source])
        return step

    model = QgsProcessingModelAlgorithm("enhance and detect")
    model.addModelParameter(QgsProcessingParameterRasterLayer("SCENE"), QgsProcessingModelParameter("SCENE"))
    model.addChildAlgorithm(child("enhance", "fenenhance", source.fromModelParameter("SCENE")))
    enhanced = source.fromChildOutput("enhance", "OUTPUT")
    detect = child("detect", "rxanomalydetection", enhanced, ENHANCE=False)
    scores = QgsProcessingModelOutput("SCORES")
    scores.setChildId("detect")
    scores.setChildOutputName("OUTPUT")
    detect.setModelOutputs({"SCORES": scores})
    model.addChildAlgorithm(detect)
    model.initAlgorithm()
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
    parameters = {"SCENE": str(scene), "detect:SCORES": str(tmp_path / "scores.tif")}

    assert model.validate() == (True, [])
    result, done = model.create().run(parameters, context, feedback)

    assert done
    ferd_engine.enhance_raster(str(scene), str(tmp_path / "enhanced.tif"), backend="numpy")
    ferd_engine.detect_raster(str(tmp_path / "enhanced.tif"), str(tmp_path / "engine.tif"), enhance=False)
    np.testing.assert_array_equal(read_raster(result["detect:SCORES"]), read_raster(tmp_path / "engine.tif"))


def test_a_run_in_the_background_thread(provider, scene, tmp_path):
    """As the dialog does it: prepared here, run in a task, results taken over here."""
    from qgis.core import QgsApplication, QgsProcessingAlgRunnerTask, QgsProcessingContext, QgsProcessingFeedback
    from qgis.PyQt.QtCore import QEventLoop, QTimer

    context, feedback, outcomes = QgsProcessingContext(), QgsProcessingFeedback(), []
    algorithm = provider.algorithm("rxanomalydetection").create()
    parameters = {"INPUT": str(scene), "ENHANCE": False, "OUTPUT": str(tmp_path / "scores.tif")}
    task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
    loop = QEventLoop()
    task.executed.connect(lambda done, result: (outcomes.append((done, dict(result))), loop.quit()))
    QTimer.singleShot(30_000, loop.quit)
    QgsApplication.taskManager().addTask(task)
    loop.exec()

    assert outcomes == [(True, {"OUTPUT": str(tmp_path / "scores.tif")})]
    assert (tmp_path / "scores.tif").is_file()
