"""How the settings of `--preset` were chosen: AUC of sums of log scores on backgrounds with implanted targets.

    python benchmarks/presets.py CONFIG --models fen-100 aviris-ng-100

CONFIG is a training configuration: its scenes, those to train on and the held-out ones, and two synthetic ones get many
and few targets (`training.implant`). No scene with a truth of its own takes part, and both a trained and an untrained
model should, so that the choice does not lean on either. Every sum of at most one detector of each of the groups below
is ranked by its mean AUC over all cases and models. Prints each detector alone, the best sums of global detectors (the
candidates for `balanced`), the best of all (those for `best`), and the present `best`.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferd_engine import detect, enhance
from ferd_engine.evaluate import evaluate_scores
from ferd_engine.presets import PRESETS
from training.config import SceneConfig
from training.config_file import load_config
from training.implant import donor, implant
from training.scenes import Scene, load_scenes
from training.selection import Case

# One or none of each: global and local, raw and enhanced, and small objects. Windows are the defaults of `fusion`.
GROUPS = (
    ("raw:grx", "raw:grx:oas", "raw:grx:ledoit-wolf", "raw:grx:trimmed:2", "raw:grx:trimmed:5", "raw:grx:trimmed:10"),
    ("fen:grx", "fen:grx:oas", "fen:grx:trimmed:2", "fen:grx:trimmed:5", "fen:grx:trimmed:10"),
    ("raw:lrx:oas", "raw:lrx:pca:20", "raw:lrx:pca:40", "raw:crd"),
    ("fen:lrx:oas", "fen:lrx:pca:20"),
    ("raw:aed",),
)
N_GLOBAL = 2
WINDOWS = {"inner": 11, "outer": 21}
SYNTHETIC = SceneConfig(kind="synthetic", rows=80, cols=70, count=2, seed=900)
TARGETS = (12, 4)
SEED = 11
_SHOWN = 12

LogScores = dict[str, NDArray[np.float64]]


def implanted(scenes: list[Scene], seed: int = SEED) -> list[Case]:
    """Return each scene with many and with few targets, half of them pieces of the other scenes."""
    donors = [donor(scene.values) for scene in scenes]
    cases = []
    for (index, scene), count in itertools.product(enumerate(scenes), TARGETS):
        others = donors[:index] + donors[index + 1 :]
        random = np.random.default_rng([seed, index, count])
        values, truth = implant(scene.values, random, others, n_targets=count)
        if truth.any():
            cases.append(Case(f"{scene.name}, {count} targets", scene.name, values, truth))
    return cases


def log_scores(values: NDArray[np.float32], cube: str) -> LogScores:
    """Return the logs of the scores (rows, cols) of the detectors of one cube, `raw` or `fen`, by component."""
    logs = {}
    for text in itertools.chain(*GROUPS):
        what, name, covariance = (*text.split(":", 2), None)[:3]
        if what == cube:
            windows = {"crd": {}, "lrx": WINDOWS}.get(str(name), {})
            scores = detect(values, enhance=False, detector=name, covariance=covariance, **windows).astype(np.float64)
            logs[text] = np.log(np.maximum(scores, scores[scores > 0].min()))
    return logs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--seed", type=int, default=SEED, help="of the targets")
    options = parser.parse_args()
    data = load_config(options.config).data
    sums = [tuple(filter(None, chosen)) for chosen in itertools.product(*((None, *group) for group in GROUPS))][1:]
    # One row per case and model, one column per sum.
    aucs: list[list[float]] = []
    for case in implanted(load_scenes((*data.train, *data.held_out, SYNTHETIC)), options.seed):
        raw = log_scores(case.values, "raw")
        for model in options.models:
            logs = raw | log_scores(enhance(case.values, model=model), "fen")
            aucs.append([evaluate_scores(sum(logs[name] for name in chosen), case.truth).auc for chosen in sums])
        print(case.name, file=sys.stderr, flush=True)
    means, worst = np.mean(aucs, axis=0), np.min(aucs, axis=0)
    ranked = sorted(range(len(sums)), key=lambda index: -means[index])
    n_global = sum(len(group) for group in GROUPS[:N_GLOBAL])
    globals_ = set(list(itertools.chain(*GROUPS))[:n_global])
    print(f"{len(aucs)} rows (cases times models), {len(sums)} sums; mean AUC, worst AUC")
    shipped = {frozenset(str(preset.settings.get("components", "")).split(",")) for preset in PRESETS.values()}
    for title, keep, shown in (
        ("The preset best", lambda chosen: frozenset(chosen) in shipped, 1),
        ("Alone", lambda chosen: len(chosen) == 1, len(sums)),
        ("Global detectors", globals_.issuperset, _SHOWN),
        ("All", lambda chosen: True, _SHOWN),
    ):
        print(title)
        for index in [index for index in ranked if keep(sums[index])][:shown]:
            print(f"  {means[index]:.4f}  {worst[index]:.4f}  {','.join(sums[index])}")


if __name__ == "__main__":
    main()
