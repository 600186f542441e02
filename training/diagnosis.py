"""Does enhancement help on this scene? Answered without any truth, by targets implanted into the scene itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import ferd_engine
from ferd_engine.evaluate import evaluate_scores

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
        return self.enhanced - self.plain


def diagnose(scene: Scene, model: str | None, detector: str = "grx", draws: int = 8) -> Diagnosis:
    """Return what targets implanted into the scene say of a model (None: the default one)."""
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
