"""Does enhancement help on this scene? Answered without any truth, by targets implanted into the scene itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import ferd_engine
from ferd_engine.evaluate import evaluate_scores

from .config import at_least
from .scenes import Scene
from .selection import implanted_cases


@dataclass(frozen=True)
class Diagnosis:
    """Mean AUC of implanted targets with and without FEN, and over how many of the draws FEN was better."""

    plain: float
    enhanced: float
    better: int
    draws: int

    @property
    def gain(self) -> float:
        """What FEN adds to the mean AUC."""
        return self.enhanced - self.plain


def diagnose(scene: Scene, model: str | None, detector: str = "grx", draws: int = 8) -> Diagnosis:
    """Return what `draws` sets of targets, implanted into the scene, say of a model (None: the engine's default).

    Raises `UsageError` for less than one draw, `InputError` where no pixel of the scene is valid in all bands.
    """
    at_least("The number of draws", draws, 1)
    plain: list[float] = []
    enhanced: list[float] = []
    for case in implanted_cases([scene], draws):
        for aucs, enhance in ((plain, False), (enhanced, True)):
            scores = ferd_engine.detect(
                case.values, detector=detector, enhance=enhance, model=model if enhance else None
            )
            aucs.append(evaluate_scores(scores, case.truth).auc)
    gains = np.array(enhanced) - np.array(plain)
    return Diagnosis(float(np.mean(plain)), float(np.mean(enhanced)), int((gains > 0).sum()), draws)
