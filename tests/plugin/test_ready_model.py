"""The model that the plugin brings: valid, there again after a refresh, and its run that of its three steps."""

from __future__ import annotations

import numpy as np
import pytest

import ferd_engine
from ferd_engine.threshold_raster import threshold_raster

from .running import polygons

pytestmark = pytest.mark.qgis

MODEL = "ferd:scenetopolygons"


@pytest.fixture
def expected(scene, tmp_path):
    """Return the paths of what the three steps give, one after the other."""
    enhanced, scores, polygons = (str(tmp_path / name) for name in ("e.tif", "es.tif", "ep.gpkg"))
    ferd_engine.enhance_raster(str(scene), enhanced, model="fen-50", backend="numpy")
    ferd_engine.detect_raster(enhanced, scores, enhance=False)
    threshold_raster(scores, threshold="count:9", spectra=str(scene), polygons=polygons)
    return scores, polygons


def test_the_model_is_valid_and_explains_itself(provider):
    model = provider.algorithm("scenetopolygons")

    assert model.validate() == (True, [])
    assert model.canExecute() == (True, "")
    assert model.displayName() == "From Scene to Anomaly Polygons"
    shown = model.shortHelpString()
    for definition in model.parameterDefinitions():
        assert definition.description()
        assert definition.description() in shown


def test_it_is_there_again_after_a_refresh(provider):
    provider.refreshAlgorithms()

    assert provider.algorithm("scenetopolygons").validate() == (True, [])
    assert len(provider.algorithms()) == len({algorithm.id() for algorithm in provider.algorithms()})


def test_the_toolbox_hears_of_it(plugin):
    """The Toolbox lists what a provider has when it is added, and again when its algorithms were loaded."""
    from qgis.core import QgsApplication
    from qgis.gui import QgsProcessingToolboxModel

    plugin.unload()
    toolbox = QgsProcessingToolboxModel()
    plugin.initGui()

    provider = QgsApplication.processingRegistry().providerById("ferd")
    shown = toolbox.indexForProvider(provider.id())
    groups = [toolbox.index(row, 0, shown) for row in range(toolbox.rowCount(shown))]
    titles = {toolbox.index(row, 0, group).data() for group in groups for row in range(toolbox.rowCount(group))}
    assert "From Scene to Anomaly Polygons" in titles
    assert len(titles) == 6


def test_a_run_is_that_of_the_three_steps(provider, scene, tmp_path, read_raster, expected):
    import processing

    result = processing.run(
        MODEL,
        {
            "INPUT": str(scene), "MODEL": "fen-50", "THRESHOLD": "count:9",
            "detect:SCORES": str(tmp_path / "s.tif"), "threshold:POLYGONS": str(tmp_path / "p.gpkg"),
        },
    )  # fmt: skip

    np.testing.assert_array_equal(read_raster(result["detect:SCORES"]), read_raster(expected[0]))
    assert polygons(result["threshold:POLYGONS"]) == polygons(expected[1])
    assert len(polygons(expected[1])) > 0


@pytest.mark.parametrize(
    ("chosen", "options"),
    [({"DETECTOR": "qlrx"}, {"detector": "qlrx"}), ({"PRESET": "balanced"}, {"preset": "balanced"})],
    ids=["detector", "preset"],
)
def test_a_choice_reaches_the_detection(provider, scene, tmp_path, read_raster, expected, chosen, options):
    import processing

    ferd_engine.detect_raster(str(tmp_path / "e.tif"), str(tmp_path / "own.tif"), enhance=False, **options)

    result = processing.run(
        MODEL,
        {
            "INPUT": str(scene), "MODEL": "fen-50", **chosen,
            "detect:SCORES": str(tmp_path / "s.tif"), "threshold:POLYGONS": str(tmp_path / "p.gpkg"),
        },
    )  # fmt: skip

    np.testing.assert_array_equal(read_raster(result["detect:SCORES"]), read_raster(tmp_path / "own.tif"))


def test_every_choice_that_looks_at_one_cube_is_offered(provider, part):
    model, choices = provider.algorithm("scenetopolygons"), part("choices")

    assert tuple(model.parameterDefinition("DETECTOR").options()) == choices.ONE_CUBE_DETECTORS
    assert tuple(model.parameterDefinition("PRESET").options()) == choices.ONE_CUBE_PRESETS
    assert set(choices.DETECTORS) - set(choices.ONE_CUBE_DETECTORS) == {"fusion"}
    assert model.parameterDefinition("MODEL").metadata()["widget_wrapper"]


def test_loaded_results_are_styled(provider, scene, tmp_path):
    from processing.tools.general import runAndLoadResults
    from qgis.core import QgsProject

    outputs = {"detect:SCORES": str(tmp_path / "s.tif"), "threshold:POLYGONS": str(tmp_path / "p.gpkg")}
    runAndLoadResults(MODEL, {"INPUT": str(scene), "MODEL": "fen-50", "THRESHOLD": "count:9", **outputs})

    layers = {layer.source().split("|")[0]: layer for layer in QgsProject.instance().mapLayers().values()}
    assert layers[outputs["detect:SCORES"]].renderer().type() == "singlebandpseudocolor"
    assert layers[outputs["threshold:POLYGONS"]].labelsEnabled()
    order = [node.name() for node in QgsProject.instance().layerTreeRoot().findLayers()]
    assert order == ["Anomaly polygons", "Anomaly score"]
    QgsProject.instance().clear()
