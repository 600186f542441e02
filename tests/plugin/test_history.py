"""Processing's history: what a run from the dialog leaves there can be run again, and gives the same."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

pytestmark = pytest.mark.qgis

RX = "ferd:rxanomalydetection"
# Names that text has to be careful with.
FOLDER = 'Müller\'s "scenes" $1'


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir()
    return folder


def newest_entry() -> dict:
    """Return what the history has of the last run: the command for Python; later QGIS keep more."""
    from qgis.gui import QgsGui

    if hasattr(QgsGui, "historyProviderRegistry"):
        return QgsGui.historyProviderRegistry().queryEntries()[-1].entry
    from processing.core.ProcessingLog import ProcessingLog

    return {"python_command": ProcessingLog.getLogEntries()[-1].text}


@pytest.fixture
def dialog_of(plugin):
    """Return a function that fills an algorithm's dialog with values."""
    from processing.gui.AlgorithmDialog import AlgorithmDialog
    from qgis.PyQt import sip

    made = []

    def dialog_of(algorithm, values: dict):
        dialog = AlgorithmDialog(algorithm.create(), False, None)
        made.append(dialog)
        dialog.setParameters(values)
        return dialog

    yield dialog_of
    # Ahead of the program, whose timers a dialog has.
    for dialog in made:
        dialog.close()
        sip.delete(dialog)


def values_of(dialog) -> dict:
    """Return what the dialog hands to a run; the method's name changed after QGIS 3.22."""
    read = getattr(dialog, "createProcessingParameters", None) or dialog.getParameterValues
    return read()


def arguments_of(command: str) -> dict:
    """Return the parameters in a `processing.run(...)`."""
    from qgis.core import QgsProcessingFeatureSourceDefinition, QgsProcessingOutputLayerDefinition

    taken: list = []

    class processing:  # noqa: N801 - the module's name in the command
        @staticmethod
        def run(algorithm, parameters):
            taken.append(parameters)

    classes = (QgsProcessingFeatureSourceDefinition, QgsProcessingOutputLayerDefinition)
    names = {known.__name__: known for known in classes}
    exec(command, {"processing": processing, **names})  # noqa: S102 - what QGIS itself wrote
    return taken[0]


@pytest.fixture
def history(plugin, qgis_app):
    """Have a history as a QGIS with a window has."""
    from qgis.gui import QgsGui

    if hasattr(QgsGui, "historyProviderRegistry"):
        registry = QgsGui.historyProviderRegistry()
        if registry.providerById("processing") is None:
            registry.addDefaultProviders()
    return newest_entry


def run_from(dialog, app) -> None:
    """Press Run and wait until the dialog has shown the results."""
    from qgis.PyQt.QtCore import QEventLoop, QTimer

    loop, ends = QEventLoop(), []
    dialog.algorithmFinished.connect(lambda done, results: (ends.append(done), loop.quit()))
    QTimer.singleShot(60_000, loop.quit)
    dialog.runAlgorithm()
    if not ends:
        loop.exec()
    assert ends == [True]


@pytest.fixture
def first_run(qgis_app, history, provider, dialog_of, folder, make_scene, read_raster):
    """Run the detection from its dialog; return its entry in the history, its file and its scores."""
    from qgis.core import QgsProject

    scores = folder / "scores.tif"
    values = {
        "INPUT": str(make_scene(f"{FOLDER}/scene.tif")),
        "DETECTOR": "slrx", "BANDS": "420-1500nm", "BLOCK": 9, "SCALING": "percentile", "OUTPUT": str(scores),
    }  # fmt: skip
    dialog = dialog_of(provider.algorithm("rxanomalydetection"), values)
    run_from(dialog, qgis_app)
    # What the dialog put on the map is not for the tests that follow.
    QgsProject.instance().clear()
    return history(), scores, read_raster(scores)


def test_the_command_in_the_history_gives_the_same_scores(first_run, read_raster):
    import processing

    entry, scores, expected = first_run
    command = entry["python_command"]
    assert command.startswith(f'processing.run("{RX}", {{')
    scores.unlink()

    exec(command, {"processing": processing})  # noqa: S102 - what QGIS itself wrote

    np.testing.assert_array_equal(read_raster(scores), expected)


def test_later_qgis_keep_what_qgis_process_takes(request, first_run, read_raster):
    """The command for a shell, and the parameters as JSON."""
    entry, scores, expected = first_run
    if set(entry) == {"python_command"}:
        pytest.skip("this QGIS keeps the command for Python alone, as all before 3.24 do")
    environment = request.getfixturevalue("process_environment")
    scores.unlink()

    typed = subprocess.run(
        ["sh", "-c", entry["process_command"]],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert typed.returncode == 0, typed.stderr
    np.testing.assert_array_equal(read_raster(scores), expected)
    scores.unlink()

    piped = request.getfixturevalue("qgis_process")("run", RX, "-", stdin=json.dumps(entry["parameters"]))
    assert piped.returncode == 0, piped.stderr
    np.testing.assert_array_equal(read_raster(scores), expected)


ALL_VALUES = {
    "fenenhance": {
        "MODEL": "fen-50", "BANDS": "1-50, 60", "BAND_SELECTION": "spread", "SCALING": "percentile", "MEMORY": 512,
        "BACKEND": "numpy", "DEVICE": "cpu", "OUTPUT": "{folder}/cube.bsq",
    },
    "rxanomalydetection": {
        "DETECTOR": "fusion", "PRESET": "best", "ENHANCE": False, "MODEL": "{folder}/model", "BANDS": "0.4-1.3um",
        "THRESHOLD": "chi2:0.9999", "MIN_PIXELS": 3, "CONNECTEDNESS": "4", "COVARIANCE": "pca:20",
        "COMPONENTS": "raw:grx:oas,fen:grx", "MEAN": "local", "INNER": 5, "OUTER": 11, "BLOCK": 30, "DEVICE": "cuda",
        "BACKEND": "torch", "OUTPUT": "{folder}/s.tif", "MASK_OUT": "{folder}/m.tif", "POLYGONS": "{folder}/p.gpkg",
    },
    "thresholdanomalies": {
        "THRESHOLD": "value:-3.25", "MIN_PIXELS": 2, "CONNECTEDNESS": "4",
        "MASK_OUT": "{folder}/m.tif", "POLYGONS": "{folder}/p.geojson",
    },
    "evaluatescores": {"REPORT": "{folder}/report.html"},
    "importmodel": {
        "NAME": "mine", "REPLACE": True, "LICENCE": "CC BY 4.0, Müller's", "SENSOR": 'the "old" one',
        "WAVELENGTHS": "450.5, 460", "SOURCE": "{folder}",
    },
    "scenetopolygons": {
        "MODEL": "fen-50", "DETECTOR": "slrx", "PRESET": "fast", "THRESHOLD": "count:9",
        "detect:SCORES": "{folder}/s.tif", "threshold:POLYGONS": "{folder}/p.gpkg",
    },
}  # fmt: skip
RASTERS = ("INPUT", "MASK", "BACKGROUND", "SPECTRA", "TRUTH")


@pytest.mark.parametrize("name", ALL_VALUES)
def test_a_dialog_filled_from_the_history_has_all_values_again(provider, dialog_of, scene, folder, name):
    """As the history does it upon a double click: from a dialog to text, and from the text to another dialog."""
    from qgis.core import QgsProcessingContext, QgsProject, QgsRasterLayer

    algorithm = provider.algorithm(name)
    values = {
        key: value.format(folder=folder) if isinstance(value, str) else value for key, value in ALL_VALUES[name].items()
    }
    layer = QgsProject.instance().addMapLayer(QgsRasterLayer(str(scene), "scene"))
    try:
        wanted = {definition.name() for definition in algorithm.parameterDefinitions()} & set(RASTERS)
        values.update(dict.fromkeys(wanted, layer.id()))
        context, filled = QgsProcessingContext(), values_of(dialog_of(algorithm, values))
        context.setProject(QgsProject.instance())
        command = algorithm.asPythonCommand(filled, context)
        again = values_of(dialog_of(algorithm, arguments_of(command)))
        command_again = algorithm.asPythonCommand(again, context)
    finally:
        QgsProject.instance().removeMapLayer(layer.id())

    assert command_again == command
    kept = arguments_of(command)
    assert set(values) <= set(kept)
    for key, value in values.items():
        assert kept[key] == (str(scene) if key in wanted else value), key


def test_no_algorithm_is_left_out(provider):
    assert {algorithm.name() for algorithm in provider.algorithms()} == set(ALL_VALUES)
