"""Recipes side by side: each trained from several seeds and scored on held-out scenes with implanted targets.

A file of recipes names a configuration to begin with and what each recipe changes in it:

    base = "configs/fen-100.toml"
    seeds = [0, 1]

    [recipes.wide]
    network = { hidden = 512 }

No scene with a truth of anomalies takes part: the choice between recipes, and between seeds, is made here.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import ferd_engine
from ferd_engine.errors import InputError, UsageError
from ferd_engine.evaluate import evaluate_scores
from ferd_engine.fen.bundle import Model, save_model
from ferd_engine.fen.network import Architecture, untrained_weights

from .config import Config
from .config_file import config_of, read_table
from .objectives import with_entry_mean, with_gain
from .scenes import load_scenes
from .selection import Case, cases_with_things
from .train import train

logger = logging.getLogger("ferd")
# More draws than within a run: here models are compared, there epochs of one.
VARIANTS = 8


@dataclass(frozen=True)
class Outcome:
    """Mean AUC of one model over the draws of targets in each held-out scene, NaN where it takes too many bands."""

    name: str
    by_scene: dict[str, float]
    seconds: float = 0.0
    folder: str = ""

    @property
    def mean(self) -> float:
        """The mean over the scenes that the model can take."""
        return float(np.nanmean(list(self.by_scene.values())))


def load_recipes(path: Path) -> tuple[dict[str, Config], tuple[int, ...]]:
    """Return each recipe's configuration, and the seeds; `UsageError` names what is wrong in the file."""
    table = read_table(path)
    unknown = sorted(set(table) - {"base", "seeds", "recipes"})
    if unknown:
        raise UsageError(f"The recipes {path} have the unknown key {unknown[0]}: known are base, seeds and recipes.")
    if "base" not in table:
        raise UsageError(f"The recipes {path} name no base: add the configuration that all of them begin with.")
    base = path.parent / str(table["base"])
    recipes = table.get("recipes", {})
    seeds = table.get("seeds", [0])
    if not isinstance(recipes, dict) or not all(isinstance(changes, dict) for changes in recipes.values()):
        raise UsageError(f"Each recipe in {path} must be a table of its own, such as [recipes.wide]: correct it.")
    if not recipes:
        raise UsageError(f"There is no recipe in {path}: add at least one table, such as [recipes.wide].")
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds):
        raise UsageError(f"The seeds in {path} are {seeds!r}: give a list of one whole number or more.")
    configs = {}
    for name, changes in recipes.items():
        # What a recipe changes is relative to the base, as the paths in it are.
        config = config_of(_merged(read_table(base), changes), base.parent)
        output = Path(config.output).parent / "explore" / path.stem / name
        configs[name] = replace(config, output=str(output), training=replace(config.training, selection="last"))
    return configs, tuple(seeds)


def explore(path: Path, only: list[str]) -> list[Outcome]:
    """Train what is not there yet and return all outcomes: GRX and untrained FENs first, then recipes by seed.

    Finished runs are read and not trained again. Results are also written beside the runs, as outcomes.json.
    """
    recipes, seeds = load_recipes(path)
    unknown = sorted(set(only) - set(recipes))
    if unknown:
        raise UsageError(f"There is no recipe {unknown[0]} in {path}: there are {', '.join(recipes)}.")
    first = next(iter(recipes.values()))
    scenes = load_scenes(first.data.held_out)
    if not scenes:
        raise InputError(f"The base of {path} has no held-out scenes: name them under data.held_out.")
    cases = cases_with_things(scenes, VARIANTS)
    folder = Path(first.output).parent
    outcomes = [score_cases("GRX", None, cases)]
    # The published shape, and the one that the base trains, as drawn and as its training begins.
    own = first.network.architecture(first.data.bands)
    gain, mean = first.network.gain, first.network.entry_mean
    controls = [("published shape", Architecture(first.data.bands), 1.0, 1.0), ("same shape", own, 1.0, 1.0)]
    begun = f"same shape, gain {gain:g}" + (f", entry mean {mean:g}" if mean != 1.0 else "")
    controls += [(begun, own, gain, mean)] if (gain, mean) != (1.0, 1.0) else []
    for what, architecture, factor, entry_factor in controls:
        for seed in seeds:
            drawn = untrained_weights(architecture, seed)
            weights = with_gain(with_entry_mean(drawn, entry_factor), factor)
            place = folder / f"untrained-{what.replace(' ', '-').replace(',', '')}-{seed}"
            save_model(Model("untrained", architecture, weights, band_selection="spread"), place, overwrite=True)
            outcomes.append(score_cases(f"untrained, {what}, seed {seed}", place, cases))
    for name, config in recipes.items():
        for seed in seeds if not only or name in only else ():
            run = replace(config, seed=seed, output=f"{config.output}-{seed}")
            model = train(run)
            outcome = score_cases(f"{name}, seed {seed}", Path(run.output) / "model", cases)
            outcomes.append(replace(outcome, seconds=float(model.training["seconds"])))
            logger.info("%s: %.4f", outcome.name, outcome.mean)
            _write(folder, outcomes)
    return outcomes


def score_cases(name: str, folder: Path | None, cases: list[Case]) -> Outcome:
    """Return the outcome of a model, or of plain GRX, over held-out cases through the engine."""
    aucs: dict[str, list[float]] = {}
    for case in cases:
        scores = ferd_engine.detect(case.values, enhance=folder is not None, model=str(folder) if folder else None)
        aucs.setdefault(case.scene, []).append(evaluate_scores(scores, case.truth).auc)
    return Outcome(name, {scene: float(np.mean(values)) for scene, values in aucs.items()}, folder=str(folder or ""))


def _merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(dict(table))
    for key, value in changes.items():
        there = merged.get(key)
        merged[key] = _merged(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return merged


def _write(folder: Path, outcomes: list[Outcome]) -> None:
    values = [{"name": o.name, "mean": o.mean, "seconds": o.seconds, **o.by_scene} for o in outcomes]
    (folder / "outcomes.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
