"""ROC AUC and seconds of each detector on scenes with truth, on the raw bands and on those that FEN enhanced.

    python benchmarks/accuracy.py SCENES [--model NAME|FOLDER] [--settings grx lrx] [--presets best]

SCENES is a folder of .mat files with `data` (rows, cols, bands) and `map` (rows, cols), above 0 where there is an
anomaly, such as the ABU benchmark. All scenes get the same settings. Raw means all bands of the file; seconds are those
of the detector, its statistics and the AUC, and for presets those of the whole run and the AUC. Prints a table in
Markdown.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from machine import describe
from scipy.io import loadmat

from ferd_engine import detect, enhance
from ferd_engine.evaluate import evaluate_scores
from ferd_engine.parallel import thread_count
from ferd_engine.presets import PRESETS

SETTINGS: dict[str, dict[str, object]] = {
    "grx": {},
    "grx, ledoit-wolf": {"detector": "grx", "covariance": "ledoit-wolf"},
    "grx, oas": {"detector": "grx", "covariance": "oas"},
    "grx, pca:20": {"detector": "grx", "covariance": "pca:20"},
    "grx, trimmed:2": {"detector": "grx", "covariance": "trimmed:2"},
    "slrx": {"detector": "slrx"},
    "lrx": {"detector": "lrx"},
    "lrx, oas": {"detector": "lrx", "covariance": "oas"},
    "lrx, pca:20": {"detector": "lrx", "covariance": "pca:20", "outer": 21},
    "crd": {"detector": "crd"},
    "qlrx": {"detector": "qlrx"},
    "utd": {"detector": "utd"},
    "rxd-utd": {"detector": "rxd-utd"},
    "aed": {"detector": "aed"},
}


def measure(cubes: list[np.ndarray], truths: list[np.ndarray], **options: object) -> tuple[list[float], float]:
    """Return the AUC on each scene, and the mean seconds per scene of the detection and its AUC."""
    aucs = []
    started = time.perf_counter()
    for cube, truth in zip(cubes, truths):
        aucs.append(evaluate_scores(detect(cube, **options), truth).auc)
    return aucs, (time.perf_counter() - started) / len(cubes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--model", help="the model for FEN; without it only the raw bands are measured")
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--presets", nargs="*", default=list(PRESETS), choices=list(PRESETS), help="with a model")
    options = parser.parse_args()
    paths = sorted(options.scenes.glob("*.mat"))
    if not paths:
        parser.error(f"there are no .mat files in {options.scenes}")
    contents = [loadmat(path) for path in paths]
    truths = [content["map"] > 0 for content in contents]
    inputs = {"raw": [content["data"].astype(np.float32) for content in contents]}
    if options.model is not None:
        inputs["FEN"] = [enhance(cube, model=options.model) for cube in inputs["raw"]]
    print(f"{describe()}; {thread_count()} threads; model {options.model or 'none'}\n")
    names = [path.stem.replace("abu-", "") for path in paths]
    print(f"| Detector | Input | {' | '.join(names)} | Mean | Seconds |")
    print(f"|---|---|{'---:|' * (len(names) + 2)}")
    for name in options.settings:
        for what, cubes in inputs.items():
            print_line(name, what, *measure(cubes, truths, enhance=False, **SETTINGS[name]))
    if options.model is not None:
        for name in options.presets:
            print_line(f"preset {name}", "both", *measure(inputs["raw"], truths, preset=name, model=options.model))


def print_line(name: str, what: str, aucs: list[float], seconds: float) -> None:
    """Print a line of the table."""
    values = " | ".join(f"{auc:.4f}" for auc in [*aucs, float(np.mean(aucs))])
    print(f"| {name} | {what} | {values} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
