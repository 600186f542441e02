"""Threshold, mask and polygons of a detection, region and bands by wavelength: what the engine gives, styled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, ogr

import ferd_engine

from .running import RX, polygons, run_rx, rx_refusal

pytestmark = pytest.mark.qgis


def test_mask_and_polygons_are_the_engines(provider, scene, tmp_path, read_raster, feedback):
    result = run_rx(
        feedback=feedback, INPUT=str(scene), ENHANCE=False, THRESHOLD="count:20", CONNECTEDNESS="4", MIN_PIXELS=2,
        OUTPUT=str(tmp_path / "s.tif"), MASK_OUT=str(tmp_path / "m.tif"), POLYGONS=str(tmp_path / "p.gpkg"),
    )  # fmt: skip
    ferd_engine.detect_raster(
        str(scene), str(tmp_path / "es.tif"), enhance=False, threshold="count:20", connectedness=4, min_pixels=2,
        mask_out=str(tmp_path / "em.tif"), polygons=str(tmp_path / "ep.gpkg"),
    )  # fmt: skip

    assert result == {name: str(tmp_path / file) for name, file in
                      (("OUTPUT", "s.tif"), ("MASK_OUT", "m.tif"), ("POLYGONS", "p.gpkg"))}  # fmt: skip
    np.testing.assert_array_equal(read_raster(result["OUTPUT"]), read_raster(tmp_path / "es.tif"))
    np.testing.assert_array_equal(read_raster(result["MASK_OUT"]), read_raster(tmp_path / "em.tif"))
    assert np.nansum(read_raster(result["MASK_OUT"])) == 20
    assert polygons(result["POLYGONS"]) == polygons(tmp_path / "ep.gpkg")
    assert 0 < len(polygons(result["POLYGONS"])) < 20
    assert any("20 pixels above it" in line for line in feedback.infos)


def test_every_detector_option_reaches_the_engine(provider, scene, tmp_path, read_raster):
    given = {"INPUT": str(scene), "ENHANCE": False, "BANDS": "1-40"}
    runs = {
        "pca": {"DETECTOR": "grx", "COVARIANCE": "pca:5", "MEAN": "local", "OUTER": 7},
        "lrx": {"DETECTOR": "lrx", "COVARIANCE": "oas", "INNER": 3, "OUTER": 9},
        "crd": {"DETECTOR": "crd", "INNER": 5, "OUTER": 9},
        "aed": {"DETECTOR": "aed", "COVARIANCE": "pca:2", "INNER": 4},
    }
    for name, options in runs.items():
        result = run_rx(**given, **options, OUTPUT=str(tmp_path / f"{name}.tif"))
        ferd_engine.detect_raster(
            str(scene), str(tmp_path / f"{name}-engine.tif"), enhance=False, bands="1-40",
            **{key.lower(): value for key, value in options.items()},
        )  # fmt: skip
        np.testing.assert_array_equal(read_raster(result["OUTPUT"]), read_raster(tmp_path / f"{name}-engine.tif"))


def test_a_preset_stands_for_its_detector(provider, scene, tmp_path, read_raster, feedback):
    result = run_rx(feedback=feedback, INPUT=str(scene), MODEL="fen-50", PRESET="best", OUTPUT=str(tmp_path / "s.tif"))
    ferd_engine.detect_raster(str(scene), str(tmp_path / "e.tif"), model="fen-50", preset="best", backend="numpy")

    np.testing.assert_array_equal(read_raster(result["OUTPUT"]), read_raster(tmp_path / "e.tif"))
    assert any("fusion" in line for line in feedback.infos)
    told = next(line for line in feedback.infos if line.startswith("Options of the detector: "))
    assert told.startswith("Options of the detector: preset best, ")
    assert "components raw:grx:trimmed:5," in told
    assert "outer 21" in told


def test_components_of_a_fusion(provider, scene, tmp_path, read_raster):
    chosen = "raw:grx:oas,raw:grx"
    result = run_rx(
        INPUT=str(scene), ENHANCE=False, DETECTOR="fusion", COMPONENTS=chosen, OUTPUT=str(tmp_path / "s.tif")
    )
    ferd_engine.detect_raster(str(scene), str(tmp_path / "e.tif"), enhance=False, detector="fusion", components=chosen)

    np.testing.assert_array_equal(read_raster(result["OUTPUT"]), read_raster(tmp_path / "e.tif"))


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"DETECTOR": "crd", "COVARIANCE": "oas"}, "covariance"),
        ({"DETECTOR": "slrx", "INNER": 5}, "inner"),
        ({"DETECTOR": "aed", "COVARIANCE": "oas"}, "pca:K"),
        ({"DETECTOR": "lrx", "MEAN": "local"}, "mean"),
        ({"DETECTOR": "lrx", "INNER": 4}, "odd"),
        ({"COVARIANCE": "best"}, "best"),
        ({"PRESET": "fast", "COVARIANCE": "oas"}, "preset"),
        ({"PRESET": "fast", "DETECTOR": "crd"}, "preset"),
        ({"COMPONENTS": "raw:grx"}, "components"),
        ({"BACKGROUND": "nowhere.gpkg"}, "BACKGROUND"),
        ({"BACKGROUND": __file__.replace(".py", ".tif"), "DETECTOR": "crd"}, "BACKGROUND"),
        ({"THRESHOLD": "percentile:101"}, "percentile:101"),
        ({"THRESHOLD": "99"}, "99"),
        ({"MIN_PIXELS": 3}, "polygons"),
        ({"BANDS": "3000-4000nm"}, "3000-4000nm"),
        ({"REGION": "nowhere.gpkg"}, "REGION"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(provider, scene, parameters, word):
    assert word in rx_refusal(provider, INPUT=str(scene), ENHANCE=False, **parameters)


@pytest.mark.parametrize(
    ("detector", "options"),
    [
        ("grx", {}), ("grx", {"COVARIANCE": "oas"}), ("grx", {"COVARIANCE": "ledoit-wolf"}), ("grx", {"MEAN": "local"}),
        ("grx", {"COVARIANCE": "pca:5"}), ("grx", {"COVARIANCE": "trimmed:3"}), ("lrx", {}), ("slrx", {}), ("crd", {}),
        ("lrx", {"COVARIANCE": "pca:5"}), ("lrx", {"COVARIANCE": "empirical", "INNER": 3, "OUTER": 13}), ("qlrx", {}),
        ("utd", {}), ("rxd-utd", {}), ("aed", {}), ("fusion", {"COMPONENTS": "raw:grx,raw:grx:oas"}),
    ],
)  # fmt: skip
def test_chi2_is_refused_before_the_run_where_the_engine_refuses_it(provider, scene, tmp_path, detector, options):
    from qgis.core import QgsProcessingContext

    parameters = {
        "INPUT": str(scene), "ENHANCE": False, "DETECTOR": detector, "BANDS": "1-20", "THRESHOLD": "chi2:0.99",
        "OUTPUT": "TEMPORARY_OUTPUT", "MASK_OUT": "TEMPORARY_OUTPUT", **options,
    }  # fmt: skip
    fits, reason = provider.algorithm("rxanomalydetection").checkParameterValues(parameters, QgsProcessingContext())
    chosen = {name.lower(): value for name, value in options.items()}
    said = ""
    try:
        ferd_engine.detect_raster(
            str(scene), str(tmp_path / "s.tif"), enhance=False, detector=detector, bands="1-20", threshold="chi2:0.99",
            mask_out=str(tmp_path / "m.tif"), **chosen,
        )  # fmt: skip
    except ferd_engine.FerdError as error:
        said = str(error)

    assert reason == said
    assert fits == (not said)


@pytest.mark.parametrize("detector", ["grx", "slrx", "lrx", "crd", "qlrx", "utd", "aed"])
def test_a_background_is_refused_before_the_run_where_the_detector_takes_none(provider, scene, make_scene, detector):
    from qgis.core import QgsProcessingContext

    parameters = {"INPUT": str(scene), "ENHANCE": False, "DETECTOR": detector, "OUTPUT": "TEMPORARY_OUTPUT"}
    background = make_scene("background.tif", seed=3, n_bands=1)
    fits, reason = provider.algorithm("rxanomalydetection").checkParameterValues(
        {**parameters, "BACKGROUND": str(background)}, QgsProcessingContext()
    )

    assert fits == (detector not in ("slrx", "crd"))
    assert fits or detector in reason


@pytest.mark.parametrize("name", ["MASK", "BACKGROUND"])
def test_a_raster_on_another_grid_is_refused_before_the_run(provider, scene, tmp_path, name):
    other = tmp_path / "other.tif"
    gdal.Translate(str(other), str(scene), bandList=[1], srcWin=[0, 0, 20, 31])

    assert "20 columns" in rx_refusal(provider, INPUT=str(scene), ENHANCE=False, **{name: str(other)})


def test_without_a_threshold_outputs_take_the_stated_one(provider, scene, tmp_path, part):
    result = run_rx(INPUT=str(scene), ENHANCE=False, OUTPUT="TEMPORARY_OUTPUT", MASK_OUT="TEMPORARY_OUTPUT")

    stated = gdal.Open(result["MASK_OUT"]).GetMetadataItem("FERD_THRESHOLD")
    assert stated == part("choices").DEFAULT_THRESHOLD == "percentile:99.5"
    assert "POLYGONS" not in result


@pytest.mark.parametrize("destination", ["TEMPORARY_OUTPUT", "memory:"])
def test_temporary_polygons_are_a_layer(provider, scene, destination):
    from qgis.core import QgsVectorLayer

    result = run_rx(
        INPUT=str(scene), ENHANCE=False, THRESHOLD="count:9", OUTPUT="TEMPORARY_OUTPUT", POLYGONS=destination
    )

    layer = result["POLYGONS"]
    layer = layer if isinstance(layer, QgsVectorLayer) else QgsVectorLayer(layer, "p")
    assert layer.isValid()
    assert layer.featureCount() > 0
    assert layer.crs().authid() == "EPSG:32633"


def test_a_run_cancelled_or_failed_leaves_none_of_the_outputs(provider, scene, tmp_path):
    from qgis.core import QgsProcessingException

    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(QgsProcessingException, match="the name"):
        run_rx(INPUT=str(scene), ENHANCE=False, OUTPUT=str(folder / "a.tif"), MASK_OUT=str(folder / "a.tif"))

    assert list(folder.iterdir()) == []


def test_geojson_polygons(provider, scene, tmp_path):
    result = run_rx(
        INPUT=str(scene), ENHANCE=False, THRESHOLD="count:9", OUTPUT="TEMPORARY_OUTPUT",
        POLYGONS=str(tmp_path / "p.geojson"),
    )  # fmt: skip

    assert ogr.Open(result["POLYGONS"]).GetDriver().GetName() == "GeoJSON"


def test_bands_by_wavelength(provider, scene, tmp_path, read_raster):
    """Bands lie every 12.5 nm from 420 nm on: 500-1000 nm are the bands 8 to 47."""
    by_wavelength = run_rx(INPUT=str(scene), ENHANCE=False, BANDS="0.5-1um, 1, 1500nm", OUTPUT=str(tmp_path / "w.tif"))
    by_number = run_rx(INPUT=str(scene), ENHANCE=False, BANDS="8-47,1,87", OUTPUT=str(tmp_path / "n.tif"))

    assert gdal.Open(by_wavelength["OUTPUT"]).GetMetadataItem("FERD_BANDS") == "8-47,1,87"
    np.testing.assert_array_equal(read_raster(by_wavelength["OUTPUT"]), read_raster(by_number["OUTPUT"]))


@pytest.fixture
def region_layer(plugin):
    """Return a function that makes a polygon layer in memory, in longitude and latitude, from corners in UTM 33N."""
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

    def make(*boxes) -> QgsVectorLayer:
        layer = QgsVectorLayer("MultiPolygon?crs=EPSG:4326", "my region", "memory")
        for box in boxes:
            geometry = QgsGeometry.fromRect(QgsRectangle(*box)).densifyByCount(20)
            geometry.transform(QgsCoordinateTransform(utm, degrees, QgsProject.instance()))
            feature = QgsFeature()
            feature.setGeometry(geometry)
            layer.dataProvider().addFeature(feature)
        return layer

    return make


def write_mask(path: Path, scene: Path, values: np.ndarray) -> Path:
    like = gdal.Open(str(scene))
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), like.RasterXSize, like.RasterYSize, 1, gdal.GDT_Byte)
    dataset.SetGeoTransform(like.GetGeoTransform())
    dataset.SetProjection(like.GetProjection())
    dataset.GetRasterBand(1).WriteArray(values.astype(np.uint8))
    return path


def test_a_region_in_memory_and_another_projection(provider, scene, tmp_path, read_raster, region_layer):
    """Columns 4 to 19 and rows 6 to 27, whose edges the box passes at a third of a pixel."""
    layer = region_layer((365000 + 30 * 3.7, 5812000 - 25 * 28.3, 365000 + 30 * 20.3, 5812000 - 25 * 5.7))
    inside = np.zeros((31, 24), dtype=bool)
    inside[6:28, 4:20] = True

    result = run_rx(INPUT=str(scene), ENHANCE=False, BANDS="1-30", REGION=layer, OUTPUT=str(tmp_path / "r.tif"))

    mask = write_mask(tmp_path / "mask.tif", scene, inside)
    ferd_engine.detect_raster(str(scene), str(tmp_path / "m.tif"), enhance=False, bands="1-30", mask=str(mask))
    scores = read_raster(result["OUTPUT"])
    np.testing.assert_array_equal(np.isfinite(scores[0]), inside)
    np.testing.assert_array_equal(scores, read_raster(tmp_path / "m.tif"))


def test_region_and_mask_hold_together(provider, scene, tmp_path, read_raster, region_layer):
    layer = region_layer((365000, 5812000 - 25 * 20, 365000 + 30 * 24, 5812000))
    half = np.ones((31, 24))
    half[:, :9] = 0

    result = run_rx(
        INPUT=str(scene), ENHANCE=False, BANDS="1-30", REGION=layer, OUTPUT=str(tmp_path / "r.tif"),
        MASK=str(write_mask(tmp_path / "mask.tif", scene, half)),
    )  # fmt: skip

    expected = half.astype(bool)
    expected[20:] = False
    expected[3, 4:6] = False
    np.testing.assert_array_equal(np.isfinite(read_raster(result["OUTPUT"])[0]), expected)


def test_statistics_from_a_background_of_polygons_or_a_raster(provider, scene, tmp_path, read_raster, region_layer):
    layer = region_layer((365000, 5812000 - 25 * 20.3, 365000 + 30 * 24, 5812000))
    inside = np.zeros((31, 24))
    inside[:20] = 1
    raster = write_mask(tmp_path / "b.tif", scene, inside)
    given = {"INPUT": str(scene), "ENHANCE": False, "BANDS": "1-30"}

    polygons = run_rx(**given, BACKGROUND=layer, OUTPUT=str(tmp_path / "p.tif"))
    by_raster = run_rx(**given, BACKGROUND=str(raster), OUTPUT=str(tmp_path / "r.tif"))
    ferd_engine.detect_raster(str(scene), str(tmp_path / "e.tif"), enhance=False, bands="1-30", background=str(raster))

    expected = read_raster(tmp_path / "e.tif")
    np.testing.assert_array_equal(read_raster(polygons["OUTPUT"]), expected)
    np.testing.assert_array_equal(read_raster(by_raster["OUTPUT"]), expected)
    assert np.isnan(expected).sum() == 2


def test_a_region_elsewhere_is_refused(provider, scene, tmp_path, region_layer):
    from qgis.core import QgsProcessingException

    layer = region_layer((465000, 5912000, 465300, 5912300))
    with pytest.raises(QgsProcessingException, match="my region"):
        run_rx(INPUT=str(scene), ENHANCE=False, REGION=layer, OUTPUT=str(tmp_path / "r.tif"))
    assert not (tmp_path / "r.tif").exists()


def test_loaded_results_are_styled(provider, scene, tmp_path):
    from processing.tools.general import runAndLoadResults
    from qgis.core import QgsProject

    names = {"OUTPUT": "s.tif", "MASK_OUT": "m.tif", "POLYGONS": "p.gpkg"}
    outputs = {name: str(tmp_path / file) for name, file in names.items()}
    runAndLoadResults(RX, {"INPUT": str(scene), "ENHANCE": False, "THRESHOLD": "count:12", **outputs})

    layers = {layer.source().split("|")[0]: layer for layer in QgsProject.instance().mapLayers().values()}
    mask, polygons = layers[outputs["MASK_OUT"]], layers[outputs["POLYGONS"]]
    assert mask.renderer().type() == "paletted"
    image = mask.renderer().block(1, mask.extent(), 24, 31).image()
    alphas = {image.pixelColor(col, row).alpha() for col in range(24) for row in range(31)}
    assert alphas == {0, 255}
    assert polygons.labelsEnabled()
    assert polygons.renderer().symbol().symbolLayer(0).brushStyle() == 0
    QgsProject.instance().clear()


@pytest.fixture
def project(plugin):
    """Return QGIS's project with one layer of the user's in it."""
    from qgis.core import QgsProject, QgsVectorLayer

    project = QgsProject.instance()
    project.clear()
    project.addMapLayer(QgsVectorLayer("Point", "mine", "memory"))
    yield project
    project.clear()


def order_of(group) -> list[str]:
    return [node.name() for node in group.findLayers()]


READ_FROM_ABOVE = ["Anomaly polygons", "Anomaly mask", "Anomaly score"]


# QGIS 3.22 loads in the order of the files' names.
@pytest.mark.parametrize("order", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_polygons_lie_over_the_mask_over_the_scores(provider, project, scene, tmp_path, order):
    from processing.tools.general import runAndLoadResults

    suffixes = {"OUTPUT": ".tif", "MASK_OUT": ".tif", "POLYGONS": ".gpkg"}
    outputs = {name: str(tmp_path / f"{order[i]}{suffix}") for i, (name, suffix) in enumerate(suffixes.items())}
    for _ in range(2):
        runAndLoadResults(RX, {"INPUT": str(scene), "ENHANCE": False, "THRESHOLD": "count:12", **outputs})
        assert order_of(project.layerTreeRoot())[:3] == READ_FROM_ABOVE
        outputs = {name: path.replace(order, "").replace(".", "2.") for name, path in outputs.items()}

    assert order_of(project.layerTreeRoot()) == [*READ_FROM_ABOVE, *READ_FROM_ABOVE, "mine"]
    assert len(project.mapLayers()) == 7
    assert all(layer.isValid() for layer in project.mapLayers().values())


@pytest.fixture
def results_group(plugin):
    """Set Processing's option that gathers results in a group, and return the group's name."""
    from processing.core.ProcessingConfig import ProcessingConfig

    name = ProcessingConfig.RESULTS_GROUP_NAME
    before = ProcessingConfig.getSetting(name)
    ProcessingConfig.setSettingValue(name, "found")
    yield "found"
    ProcessingConfig.setSettingValue(name, before)


def test_temporary_results_in_a_group_are_in_order_too(provider, project, scene, results_group):
    from processing.tools.general import runAndLoadResults

    outputs = dict.fromkeys(("OUTPUT", "MASK_OUT", "POLYGONS"), "TEMPORARY_OUTPUT")
    runAndLoadResults(RX, {"INPUT": str(scene), "ENHANCE": False, "THRESHOLD": "count:12", **outputs})

    assert order_of(project.layerTreeRoot().findGroup(results_group)) == READ_FROM_ABOVE
    assert len(project.mapLayers()) == 4


@pytest.mark.parametrize(("score", "label"), [(1234.56, "1235"), (12.345, "12.3"), (0.012345, "0.0123"), (0, "0")])
def test_labels_have_three_digits_that_count(part, score, label):
    from qgis.core import QgsExpression, QgsExpressionContext, QgsFeature, QgsField, QgsFields
    from qgis.PyQt.QtCore import QMetaType, QVariant

    fields = QgsFields()
    try:
        fields.append(QgsField("max_score", QMetaType.Type.Double))
    except TypeError:  # before QGIS 3.38
        fields.append(QgsField("max_score", QVariant.Double))
    feature = QgsFeature(fields)
    feature["max_score"] = float(score)
    context = QgsExpressionContext()
    context.setFields(fields)
    context.setFeature(feature)

    assert QgsExpression(part("styles.decisions").SCORE_LABEL).evaluate(context) == label


@pytest.mark.parametrize(
    ("wavelengths", "bands"),
    [
        ([420.0 + 12.5 * index for index in range(110)], (19, 11, 4)),
        ([None] * 60, (51, 31, 11)),
        ([2000.0, 2100.0, 2200.0], (3, 2, 1)),
        ([None, 655.0, 545.0, None, 470.0], (2, 3, 5)),
        ([550.0, 555.0, 560.0, 565.0], (4, 3, 1)),
    ],
)
def test_the_picture_of_a_cube(part, wavelengths, bands):
    assert part("styles.rgb").picture_bands(wavelengths) == bands


def test_enhanced_bands_are_loaded_in_natural_colours(provider, scene, tmp_path):
    from processing.tools.general import runAndLoadResults
    from qgis.core import QgsProject

    output = str(tmp_path / "enhanced.tif")
    runAndLoadResults("ferd:fenenhance", {"INPUT": str(scene), "MODEL": "fen-50", "OUTPUT": output})

    layer = next(layer for layer in QgsProject.instance().mapLayers().values() if layer.source() == output)
    numbers = layer.renderer().usesBands()
    dataset = gdal.Open(output)
    centres = [float(dataset.GetRasterBand(n).GetMetadataItem("wavelength")) for n in numbers]
    assert [round(abs(c - w)) <= 15 for c, w in zip(centres, (650, 550, 460))] == [True] * 3
    assert layer.renderer().redContrastEnhancement() is not None
    QgsProject.instance().clear()
