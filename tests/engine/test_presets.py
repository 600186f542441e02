"""Presets: complete settings that are taken as they are, and never mixed with others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ferd_engine import detect
from ferd_engine.detectors import make_detector
from ferd_engine.errors import UsageError
from ferd_engine.fen.bundle import Model
from ferd_engine.options import DetectOptions, build_options
from ferd_engine.presets import PRESETS

from .detectors.arrays import scene


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_its_settings(name: str, small_model: Model) -> None:
    options = DetectOptions(preset=name)
    settings = PRESETS[name].settings
    assert {key: getattr(options, key) for key in settings} == settings
    make_detector(options.detector, **options.detector_options())
    array = scene(33, 35, 8)
    found = detect(array, preset=name, model=small_model.folder)
    np.testing.assert_array_equal(found, detect(array, model=small_model.folder, **settings))
    assert options.as_metadata()["FERD_PRESET"] == name
    assert options.as_metadata()["FERD_DETECTOR"] == settings["detector"]


def test_there_are_three() -> None:
    assert list(PRESETS) == ["fast", "balanced", "best"]


@pytest.mark.parametrize(
    "changes",
    [
        {"detector": "slrx"},
        {"detector": "grx"},
        {"covariance": "oas"},
        {"inner": 5},
        {"block": 4},
        {"components": "raw:grx"},
    ],
)
def test_options_of_the_detector_beside_a_preset_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="has no place beside it: drop one of the two"):
        build_options(DetectOptions, None, {"preset": "best", **changes})


def test_other_options_beside_a_preset_are_taken() -> None:
    options = build_options(DetectOptions, None, {"preset": "best", "enhance": False, "threshold": "count:9"})
    assert (options.detector, options.enhance, options.threshold) == ("fusion", False, "count:9")
    # Options made of these keep the preset.
    assert build_options(DetectOptions, options, {"bands": "1-9"}).preset == "best"


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(UsageError, match="preset 'slow' does not exist: choose one of fast, balanced, best"):
        build_options(DetectOptions, None, {"preset": "slow", "detector": "grx"})
