"""The dialog and the window around it: how soon it opens, and whether QGIS goes on answering during a run."""

from __future__ import annotations

import time

import numpy as np
import pytest
from osgeo import gdal

import ferd_engine

pytestmark = pytest.mark.qgis

RX = "ferd:rxanomalydetection"
ENMAP_BANDS = 224


@pytest.fixture
def layer(plugin, make_scene):
    from qgis.core import QgsProject, QgsRasterLayer

    layer = QgsRasterLayer(str(make_scene("enmap.tif", n_bands=ENMAP_BANDS)), "enmap")
    assert layer.bandCount() == ENMAP_BANDS
    QgsProject.instance().addMapLayer(layer)
    yield layer
    QgsProject.instance().removeMapLayer(layer.id())


def test_the_dialog_opens_soon_and_holds_the_layer(qgis_app, provider, layer, quickest):
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    shown = []

    def opened() -> float:
        started = time.perf_counter()
        dialog = AlgorithmDialog(provider.algorithm("rxanomalydetection").create(), False, None)
        dialog.setParameters({"INPUT": layer.id()})
        dialog.show()
        qgis_app.processEvents()
        seconds = time.perf_counter() - started
        shown.append((dialog.isVisible(), dialog.mainWidget().wrappers["INPUT"].parameterValue()))
        dialog.close()
        return seconds

    assert quickest(opened, within=1.0) < 3.0
    assert set(shown) == {(True, layer.id())}


def test_the_window_answers_during_a_run(qgis_app, provider, layer, tmp_path, read_raster, quickest):
    """A timer of the main thread ticks while the dialog's kind of task detects: the longest time without a tick."""
    from qgis.core import QgsProcessingAlgRunnerTask, QgsProcessingContext, QgsProcessingFeedback
    from qgis.PyQt.QtCore import QEventLoop, Qt, QTimer

    large = tmp_path / "large.tif"
    gdal.Translate(str(large), layer.source(), width=160, height=160, resampleAlg="bilinear")
    output = tmp_path / "scores.tif"

    def longest_pause() -> float:
        context, feedback, ends = QgsProcessingContext(), QgsProcessingFeedback(False), []
        parameters = {"INPUT": str(large), "DETECTOR": "slrx", "BACKEND": "numpy", "OUTPUT": str(output)}
        algorithm = provider.algorithm("rxanomalydetection").create()
        task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
        loop, timer, ticks = QEventLoop(), QTimer(), [time.perf_counter()]
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
        task.executed.connect(lambda done, result: (ends.append(done), loop.quit()))
        timer.start(5)
        qgis_app.taskManager().addTask(task)
        loop.exec()
        timer.stop()
        assert ends == [True]
        # A run that is over between two ticks would show nothing.
        assert len(ticks) > 10
        return float(np.diff([*ticks, time.perf_counter()]).max())

    assert quickest(longest_pause, within=0.2) < 1.0
    ferd_engine.detect_raster(str(large), str(tmp_path / "engine.tif"), detector="slrx", backend="numpy")
    np.testing.assert_array_equal(read_raster(output), read_raster(tmp_path / "engine.tif"))


def test_a_result_says_what_it_is_and_how_it_was_made(provider, scene, tmp_path):
    """As the dialog does it after a run: each layer is loaded and handed to its post-processor."""
    from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsProject, QgsRasterLayer

    project = QgsProject()
    context, output = QgsProcessingContext(), str(tmp_path / "scores.tif")
    context.setProject(project)
    details = QgsProcessingContext.LayerDetails("Anomaly score", project, "OUTPUT")
    context.setLayersToLoadOnCompletion({output: details})
    algorithm = provider.algorithm("rxanomalydetection").create()
    _, done = algorithm.run({"INPUT": str(scene), "OUTPUT": output}, context, QgsProcessingFeedback())
    assert done
    loaded = QgsRasterLayer(output, "Anomaly score")
    processor = context.layerToLoadOnCompletionDetails(output).postProcessor()
    processor.postProcessLayer(loaded, context, QgsProcessingFeedback())

    metadata = loaded.metadata()
    assert metadata.title() == "Anomaly score"
    assert metadata.abstract() == algorithm.help().parameters["OUTPUT"]
    assert metadata.history()[0] == f"{RX}, FERD {ferd_engine.__version__}"
    assert any(line.startswith("Model: fen-100") for line in metadata.history())
    assert metadata.crs().authid() == "EPSG:32633"
