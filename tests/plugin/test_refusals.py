"""Cancel leaves nothing, and what cannot be used is refused with one sentence."""

from __future__ import annotations

import time

import pytest

from .running import rx_refusal

pytestmark = pytest.mark.qgis

RX = "ferd:rxanomalydetection"


def failure(provider, feedback, **parameters) -> str:
    """Return the one error that a run reports."""
    from qgis.core import QgsProcessingContext

    algorithm = provider.algorithm("rxanomalydetection").create()
    _, done = algorithm.run(parameters, QgsProcessingContext(), feedback)
    assert not done
    assert len(feedback.errors) == 1
    assert "Traceback" not in feedback.errors[0]
    assert "\n" not in feedback.errors[0].strip()
    return feedback.errors[0]


@pytest.mark.parametrize("after", [0, 1, 3])
def test_cancel_leaves_nothing(provider, scene, feedback, after):
    """Cancelled at the first poll and at later ones."""
    from qgis.core import QgsProcessingContext

    polls = []

    class Impatient(type(feedback)):
        def setProgress(self, percent):
            polls.append(percent)
            if len(polls) > after:
                self.cancel()

    # QGIS itself writes statistics beside a raster that it loads.
    own = {scene.with_name(scene.name + ".aux.xml")}
    algorithm = provider.algorithm("rxanomalydetection").create()
    watcher = Impatient()
    result, done = algorithm.run(
        {"INPUT": str(scene), "OUTPUT": str(scene.parent / "scores.tif")}, QgsProcessingContext(), watcher
    )

    assert (result, done) == ({}, True)
    assert set(scene.parent.iterdir()) - own == {scene}
    assert watcher.errors == []
    assert any("nothing was written" in info for info in watcher.infos)


def test_cancel_acts_soon(provider, make_scene, tmp_path, feedback, quickest):
    """On a scene that takes much longer: 1800 x 1700 pixels, made by repeating the small one."""
    import threading

    from osgeo import gdal
    from qgis.core import QgsProcessingContext

    large = str(tmp_path / "large.vrt")
    gdal.Translate(large, str(make_scene()), format="VRT", width=1700, height=1800)

    def seconds_after_cancel() -> float:
        own, pressed = type(feedback)(), []

        def press():
            pressed.append(time.monotonic())
            own.cancel()

        timer = threading.Timer(1.5, press)
        timer.start()
        algorithm = provider.algorithm("rxanomalydetection").create()
        result, _ = algorithm.run({"INPUT": large, "OUTPUT": str(tmp_path / "s.tif")}, QgsProcessingContext(), own)
        stopped = time.monotonic()
        timer.cancel()

        assert result == {}
        assert pressed, "the run ended before it could be cancelled"
        assert not (tmp_path / "s.tif").exists()
        return stopped - pressed[0]

    assert quickest(seconds_after_cancel, 1.0) < 3.0


def test_a_layer_of_a_web_service_is_refused(provider, qgis_app):
    from qgis.core import QgsRasterLayer

    layer = QgsRasterLayer(
        "type=xyz&url=http://127.0.0.1:9/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmax=1&zmin=0", "streets", "wms"
    )
    assert layer.isValid()

    assert "streets" in rx_refusal(provider, INPUT=layer)
    assert "wms" in rx_refusal(provider, INPUT=layer)


def test_a_missing_raster_is_refused(provider, tmp_path):
    assert rx_refusal(provider, INPUT=str(tmp_path / "missing.tif"))


@pytest.mark.parametrize("bands", ["0", "3-1", "5,x", "1-111"])
def test_an_unusable_band_list_is_refused(provider, scene, bands):
    assert bands in rx_refusal(provider, INPUT=str(scene), BANDS=bands)


def test_an_option_of_another_detector_is_refused(provider, scene):
    assert "block" in rx_refusal(provider, INPUT=str(scene), DETECTOR="grx", BLOCK=9)


def test_a_model_without_enhancement_is_refused(provider, scene):
    assert "fen-50" in rx_refusal(provider, INPUT=str(scene), ENHANCE=False, MODEL="fen-50")


def test_unknown_choices_are_refused(provider, scene):
    for name in ("DETECTOR", "BAND_SELECTION", "SCALING"):
        assert name in rx_refusal(provider, INPUT=str(scene), **{name: "other"})


def test_an_unknown_model_is_refused(provider, scene):
    assert "fen-7000" in rx_refusal(provider, INPUT=str(scene), MODEL="fen-7000")


def test_too_few_bands_are_refused(provider, make_scene, scene):
    assert "50" in rx_refusal(provider, INPUT=str(make_scene("few.tif", n_bands=8)))
    assert "50" in rx_refusal(provider, INPUT=str(scene), BANDS="1-49")


def test_too_few_bands_are_one_sentence_in_a_run(provider, make_scene, feedback, tmp_path):
    message = failure(provider, feedback, INPUT=str(make_scene(n_bands=8)), OUTPUT=str(tmp_path / "s.tif"))

    assert "50" in message
    assert not (tmp_path / "s.tif").exists()


def test_bands_that_turn_out_unusable_are_one_sentence(provider, scene, feedback, tmp_path):
    """Band 7 is constant, which only the run sees: 49 of the 50 named bands are left."""
    message = failure(provider, feedback, INPUT=str(scene), BANDS="1-50", OUTPUT=str(tmp_path / "s.tif"))

    assert "49" in message
    assert not (tmp_path / "s.tif").exists()


def test_the_input_is_never_overwritten(provider, scene, feedback):
    content = scene.read_bytes()

    message = failure(provider, feedback, INPUT=str(scene), OUTPUT=str(scene))

    assert "input" in message
    assert scene.read_bytes() == content


def test_an_output_in_a_missing_folder_is_one_sentence(provider, scene, feedback, tmp_path):
    assert "folder" in failure(provider, feedback, INPUT=str(scene), OUTPUT=str(tmp_path / "no" / "such" / "s.tif"))


def test_an_output_format_that_the_engine_cannot_write_is_refused(provider, scene, feedback, tmp_path):
    from qgis.core import QgsProcessingContext

    output = str(tmp_path / "scores.png")
    parameter = provider.algorithm("rxanomalydetection").parameterDefinition("OUTPUT")

    # The dialog asks the provider before it runs; scripts meet the engine's own check.
    assert not provider.isSupportedOutputValue(output, parameter, QgsProcessingContext())[0]
    assert "scores.png" in failure(provider, feedback, INPUT=str(scene), OUTPUT=output)


def test_every_output_format_on_offer_can_be_written(part):
    for extension in part("choices").OUTPUT_EXTENSIONS:
        part("engine").engine("raster.writer").check_output_name(f"scores.{extension}")
