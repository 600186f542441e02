"""Detectors on two scenes of the ABU benchmark: areas under the ROC curve as published or as fixed by the design."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat
from scipy.stats import rankdata

from ferd_engine.detectors import make_detector

from ..engine.detectors.arrays import run

_SHARED = Path(os.environ.get("FERD_SHARED", Path(__file__).parents[3] / "shared"))
_SCENES = _SHARED / "data" / "abu"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not _SCENES.is_dir(), reason=f"the ABU scenes are not at {_SCENES} (FERD_SHARED names the place)"
    ),
]


def scene(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the first 200 bands (rows, cols, 200) and the truth (rows, cols)."""
    content = loadmat(_SCENES / f"{name}.mat")
    return content["data"][:, :, :200].astype(np.float32), content["map"] > 0


def roc_auc(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the area under the ROC curve as the Mann-Whitney statistic, ties counted half."""
    ranks = rankdata(scores.ravel())[truth.ravel()]
    n_anomalies, n_background = truth.sum(), (~truth).sum()
    return float((ranks.sum() - n_anomalies * (n_anomalies + 1) / 2) / (n_anomalies * n_background))


@pytest.mark.parametrize(("name", "expected"), [("abu-airport-1", 0.8248), ("abu-airport-2", 0.8433)])
def test_grx(name: str, expected: float) -> None:
    cube, truth = scene(name)
    assert roc_auc(run(make_detector("grx"), cube), truth) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(("name", "expected"), [("abu-airport-1", 0.9287), ("abu-airport-2", 0.9176)])
def test_slrx(name: str, expected: float) -> None:
    cube, truth = scene(name)
    assert roc_auc(run(make_detector("slrx"), cube), truth) == pytest.approx(expected, abs=2e-4)
