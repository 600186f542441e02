"""Which epoch's weights are kept: mean AUC of FEN + GRX on held-out scenes, through the engine."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import ferd_engine
from ferd_engine.errors import InputError
from ferd_engine.evaluate import evaluate_scores
from ferd_engine.fen.bundle import Model, save_model

from .config import Config
from .implant import donor, implant
from .scenes import Scene, load_scenes
from .things import with_things

Float32Array = NDArray[np.float32]

_VARIANTS = 3
# Apart from the seeds of the training, so that no held-out target is one that was trained on.
_SEED = 7


@dataclass(frozen=True)
class Case:
    """A cube (rows, cols, bands) with a truth (rows, cols); `scene` names the scene that it is a draw of."""

    name: str
    scene: str
    values: Float32Array
    truth: NDArray[np.bool_]


def held_out_cases(config: Config) -> list[Case]:
    """Return what the configuration selects by: nothing, held-out scenes with targets, or labelled test scenes."""
    if config.training.selection == "last":
        return []
    labelled = config.training.selection == "test-labels"
    scenes = load_scenes(config.data.held_out, with_truth=labelled)
    cases = [_labelled(scene) for scene in scenes] if labelled else cases_with_things(scenes)
    for case in cases:
        if case.values.shape[2] < config.data.bands:
            raise InputError(
                f"The held-out scene {case.name} has {case.values.shape[2]} usable bands and the model takes "
                f"{config.data.bands}: leave it out."
            )
    return cases


def implanted_cases(scenes: list[Scene], variants: int = _VARIANTS) -> list[Case]:
    """Return each scene with `variants` draws of targets, half of them pieces of the other scenes.

    Raises `InputError` where a scene has no pixel that is valid in all bands.
    """
    _check_valid_pixels(scenes)
    donors = [donor(scene.values) for scene in scenes]
    cases = []
    for index, scene in enumerate(scenes):
        others = donors[:index] + donors[index + 1 :]
        for variant in range(variants):
            values, truth = implant(scene.values, np.random.default_rng([_SEED, index, variant]), others)
            cases.append(Case(f"{scene.name} {variant + 1}", scene.name, values, truth))
    return cases


def cases_with_things(scenes: list[Scene], variants: int = _VARIANTS) -> list[Case]:
    """Return each scene with `variants` draws of man-made things (`training.things`); raises as `implanted_cases`."""
    _check_valid_pixels(scenes)
    cases = []
    for index, scene in enumerate(scenes):
        for variant in range(variants):
            values, truth = with_things(scene.values, np.random.default_rng([_SEED, index, variant]))
            cases.append(Case(f"{scene.name} {variant + 1}", scene.name, values, truth))
    return cases


def _check_valid_pixels(scenes: list[Scene]) -> None:
    for scene in scenes:
        if not np.isfinite(scene.values).all(axis=2).any():
            raise InputError(f"The scene {scene.name} has no pixel that is valid in all bands: leave it out.")


def _labelled(scene: Scene) -> Case:
    if scene.truth is None:
        raise InputError(f"The scene {scene.name} has no truth to select by: leave it out.")
    return Case(scene.name, scene.name, scene.values, scene.truth)


def mean_auc(model: Model, cases: list[Case]) -> float:
    """Return the mean AUC over the cases, scored by the engine with this model and GRX."""
    with tempfile.TemporaryDirectory(prefix="ferd-selection-") as scratch:
        folder = Path(scratch) / "model"
        save_model(model, folder)
        aucs = [evaluate_scores(ferd_engine.detect(case.values, model=str(folder)), case.truth).auc for case in cases]
    return float(np.mean(aucs))
