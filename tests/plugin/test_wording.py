"""Sentences of the engine name the command's options; the dialogs say them in their own words."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.qgis

RX = "ferd:rxanomalydetection"


def labels(provider, name="rxanomalydetection") -> dict[str, str]:
    return {entry.name(): entry.description() for entry in provider.algorithm(name).parameterDefinitions()}


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("Leave them out with --mask.", "Leave them out with 'Mask'."),
        ("use another model, or no enhancement (--no-enhance).", "use another model, or no enhancement "
         "('Enhance with FEN first' switched off)."),
        ("or take --scaling percentile.", "or take 'Scaling' percentile."),
        ("a smaller --memory, or", "a smaller 'Memory budget', or"),
        ("give a larger --outer.", "give a larger 'Outer window'."),
        ("it; `ferd models import` adds one.", "it; 'Import FEN Model' adds one."),
        ("choose --precision bf16.", "choose --precision bf16."),
        ("FEN-2 -- or not - of 10--20", "FEN-2 -- or not - of 10--20"),
    ],
)  # fmt: skip
def test_options_become_labels(provider, part, sentence, said):
    assert part("wording").in_dialog_words(sentence, labels(provider)) == said


def test_refusals_and_warnings_are_in_the_dialogs_words(provider, make_scene, tmp_path, feedback):
    import processing
    from qgis.core import QgsProcessingContext, QgsProcessingException

    few = make_scene("few.tif", n_bands=20)
    values = {"INPUT": str(few), "OUTPUT": str(tmp_path / "s.tif")}
    fits, reason = provider.algorithm("rxanomalydetection").checkParameterValues(values, QgsProcessingContext())
    assert not fits
    assert "'Enhance with FEN first' switched off" in reason
    # All but one of the bands that the raster has turn out empty in the run.
    with pytest.raises(QgsProcessingException) as caught:
        processing.run(RX, {**values, "INPUT": str(make_scene("b.tif")), "BANDS": "7-56"}, feedback=feedback)
    assert "'Enhance with FEN first' switched off" in str(caught.value)
    assert not re.search(r"--[a-z]", str(caught.value))


def test_the_import_speaks_of_replacing(provider, part):
    said = part("wording").in_dialog_words("allow replacing it with --overwrite.", labels(provider, "importmodel"))

    assert said == "allow replacing it with 'Replace a model of this name'."
