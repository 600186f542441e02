"""Scenes with a truth, scored by the engine as a user would: from file to score raster to AUC."""

from __future__ import annotations

import itertools
import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferd_engine import detect_raster
from ferd_engine.errors import InputError, ModelError
from ferd_engine.evaluate import evaluate_files, evaluate_scores
from ferd_engine.fen.bundle import CARD_FILE, Model, load_model, save_model
from ferd_engine.fen.network import Architecture, untrained_weights
from ferd_engine.fen.store import find_model
from ferd_engine.raster import open_source
from ferd_engine.windows import whole

from . import had100

logger = logging.getLogger("ferd")
_MOST_FLIPS = 1 << 16
# What the controls of the published shape, and those of the models' own shape, are called.
UNTRAINED = ("untrained", "untrained, own shape,")


@dataclass(frozen=True)
class Method:
    """One column of a table: a detector, and the models before it, of which the largest that fits a scene is taken."""

    name: str
    detector: str
    models: tuple[Path, ...] = ()


@dataclass(frozen=True)
class LabelledScene:
    """A raster, what to compare its scores with, and the bands to use (all where empty)."""

    name: str
    path: Path
    truth: Path | None = None
    mask: NDArray[np.bool_] | None = field(default=None, repr=False)
    bands: str = ""
    n_bands: int = 0


@dataclass(frozen=True)
class Result:
    """AUC and seconds of one method on one scene; NaN where no model of the method is small enough."""

    auc: float
    seconds: float


Table = dict[str, dict[str, Result]]


def run_table(scenes: Sequence[LabelledScene], methods: Sequence[Method]) -> Table:
    """Return results by scene and method, each computed from file to score raster in a process warmed up once."""
    table: Table = {}
    with tempfile.TemporaryDirectory(prefix="ferd-evaluate-") as scratch:
        output = Path(scratch) / "scores.tif"
        for scene in scenes:
            table[scene.name] = {method.name: _run(scene, method, output) for method in methods}
            logger.info("%s done.", scene.name)
    return table


def _run(scene: LabelledScene, method: Method, output: Path) -> Result:
    fitting = [path for path in method.models if load_model(path).n_bands <= scene.n_bands]
    if method.models and not fitting:
        return Result(float("nan"), float("nan"))
    model = str(max(fitting, key=lambda path: load_model(path).n_bands)) if fitting else None
    report = detect_raster(
        scene.path,
        output,
        detector=method.detector,
        enhance=model is not None,
        model=model,
        bands=scene.bands or None,
        overwrite=True,
    )
    if scene.mask is None:
        evaluation = evaluate_files(str(output), str(scene.truth))
    else:
        source = open_source(str(output))
        try:
            scores = source.read(whole(source.n_rows, source.n_cols), [1]).values[:, :, 0]
        finally:
            source.close()
        evaluation = evaluate_scores(scores, scene.mask)
    return Result(evaluation.auc, report.seconds)


def scenes_of_folder(folder: Path) -> list[LabelledScene]:
    """Return the .mat scenes of a folder, each with its cube and its truth `map` in one file, as ABU comes."""
    scenes = []
    for path in sorted(folder.glob("*.mat")):
        source = open_source(str(path))
        scenes.append(LabelledScene(path.stem, path, truth=path, n_bands=len(source.bands)))
        source.close()
    if not scenes:
        raise InputError(f"There are no .mat scenes in {folder}: give the folder that holds them.")
    return scenes


def scenes_of_had100(folder: Path, n_bands: int) -> list[LabelledScene]:
    """Return HAD100's test images with their truth, the first `n_bands` bands of each."""
    return [
        LabelledScene(
            path.stem,
            path,
            mask=had100.truth(folder, path.stem, "aviris_ng"),
            bands=f"1-{n_bands}",
            n_bands=n_bands,
        )
        for path in had100.images(folder, "test", "aviris_ng")
    ]


def family(name: str) -> tuple[Path, ...]:
    """Return bundle folders: of a model by name with its smaller siblings, of one bundle, or of all in a folder.

    The siblings take the scenes that have too few bands for the model itself.
    """
    path = Path(name)
    if path.is_dir() and not (path / CARD_FILE).is_file():
        found = tuple(sorted(card.parent for card in path.glob(f"*/{CARD_FILE}")))
        if not found:
            raise ModelError(
                f"The folder {path} holds no model: give a bundle, a folder of bundles, or a model's name."
            )
        return found
    model = find_model(name)
    if model.folder is None or path.is_dir():
        return (path,)
    stem = re.sub(r"\d+$", "", model.name)
    beside = [card.parent for card in sorted(model.folder.parent.glob(f"{stem}*/{CARD_FILE}"))]
    return tuple(folder for folder in beside if load_model(folder).n_bands <= model.n_bands)


@contextmanager
def untrained(likes: Sequence[Path], seeds: Sequence[int]) -> Iterator[list[Method]]:
    """Yield one method per seed and shape: untrained FENs for the same numbers of bands as the given models.

    Shapes are the published one and, where it is another, the models' own. Bands are picked as the models pick them.
    """
    models = [load_model(like) for like in likes]
    with tempfile.TemporaryDirectory(prefix="ferd-untrained-") as scratch:
        methods = []
        for own in (False, True):
            if own and all(model.architecture == Architecture(model.n_bands) for model in models):
                continue
            for seed in seeds:
                folders = []
                for like in models:
                    folder = Path(scratch) / f"{own}-{seed}" / like.name
                    folders.append(folder)
                    save_model(_control(like, seed, own), folder)
                methods.append(Method(f"{UNTRAINED[own]} {seed} + GRX", "grx", tuple(folders)))
        yield methods


def _control(like: Model, seed: int, own: bool) -> Model:
    architecture = like.architecture if own else Architecture(like.n_bands)
    return Model(
        name=f"untrained-{like.n_bands}",
        architecture=architecture,
        weights=untrained_weights(architecture, seed),
        trained=False,
        band_selection=like.band_selection if like.band_selection != "wavelength" else "spread",
    )


def sign_flip_test(differences: Sequence[float]) -> float:
    """Return the two-sided p of a mean difference over scenes: the share of sign patterns with a mean as far from 0.

    Exact up to 16 scenes, else by 65,536 seeded random patterns. With n scenes it is at least 2 / 2^n.

    >>> sign_flip_test([0.01, 0.02, 0.03])
    0.25
    """
    values = np.asarray(differences, dtype=np.float64)
    if 1 << len(values) <= _MOST_FLIPS:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(values))))
    else:
        signs = np.random.default_rng(0).choice((-1.0, 1.0), (_MOST_FLIPS, len(values)))
    means = np.abs(signs @ values)
    return float(np.mean(means >= abs(values.sum()) * (1 - 1e-12)))
