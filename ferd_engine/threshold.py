"""From scores to a threshold: the number that the option `threshold` stands for, given all scores of an image."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Callable

import numpy as np

from .cube import Float32Array
from .detectors import Detector, knows_distribution
from .detectors.distribution import ScoreDistribution
from .errors import InputError, UsageError
from .order_statistics import kth_smallest
from .statistics import Float64Array
from .threshold_rule import ThresholdRule, parse_threshold

Planes = Callable[[], Iterable[Float32Array]]

# The upper part of the scores that a Pareto tail is fitted to, and the fewest scores that make a fit.
TAIL_PART = 0.05
_FEWEST_EXCESSES = 30

_NO_DISTRIBUTION = (
    "The threshold chi2 needs squared distances to an unshrunk covariance (grx with global mean and empirical, pca or "
    "trimmed; lrx with empirical or pca): give percentile, count, value or pareto."
)


def check_threshold(text: str | None, detector: Detector) -> None:
    """Raise `UsageError` where the option `threshold` asks for what the scores of the detector cannot give.

    For use before a run: `find_threshold` refuses the same, but only once the scores are there.
    """
    if text is not None and parse_threshold(text).kind == "chi2" and not knows_distribution(detector):
        raise UsageError(_NO_DISTRIBUTION)


def find_threshold(rule: ThresholdRule, planes: Planes, distribution: ScoreDistribution | None) -> float:
    """Return the score above which a pixel is an anomaly.

    planes : gives the scores in arrays, NaN where there is none, as often as it is called.
    distribution : that of the detector's scores over normal background, None where it has none.

    chi2:P : the quantile P of `distribution`. percentile:P : the smallest score that at least P per cent of the scores
    do not exceed. count:N : such that N scores lie above it, or fewer where the next ones are equal. value:V : V.
    pareto:R : the score exceeded at the rate R by the generalised Pareto distribution fitted to the excesses over the
    95th percentile, `pareto_threshold`. Raises `UsageError` for chi2 without a distribution.
    """
    if rule.kind == "value":
        return rule.value
    if rule.kind == "chi2":
        if distribution is None:
            raise UsageError(_NO_DISTRIBUTION)
        return distribution.quantile(rule.value)
    n_scores = sum(int(np.count_nonzero(~np.isnan(part))) for part in planes())
    if rule.kind == "count":
        return _kth(planes, n_scores - int(rule.value))
    if rule.kind == "percentile":
        return _kth(planes, math.ceil(rule.value / 100.0 * n_scores))
    start = _kth(planes, math.ceil((1.0 - TAIL_PART) * n_scores))
    excesses = np.concatenate([part[part > start].astype(np.float64) - start for part in planes()])
    return pareto_threshold(start, excesses, len(excesses) / n_scores, rule.value)


def _kth(planes: Planes, k: int) -> float:
    """Return the k-th smallest score, or for k < 1 what is just below all of them."""
    if k >= 1:
        return kth_smallest(planes, k)
    return float(np.nextafter(np.float32(kth_smallest(planes, 1)), np.float32(-np.inf)))


def pareto_threshold(start: float, excesses: Float64Array, tail: float, rate: float) -> float:
    """Return what scores exceed at `rate`, from the excesses (n,) over `start`, which the part `tail` exceeds.

    The generalised Pareto distribution is fitted by probability-weighted moments: with the mean excess a0 and a1 the
    mean of the excesses weighted by the part of them that is larger, shape k = a0 / (a0 - 2 a1) - 2 and scale
    s = 2 a0 a1 / (a0 - 2 a1) (Hosking and Wallis, "Parameter and quantile estimation for the generalized Pareto
    distribution", Technometrics 29, 1987, section 4); threshold = start + s (1 - (rate / tail)^k) / k. Anomalies in the
    tail make it heavier and the threshold higher, so the rate is an upper bound rather than a promise. Raises
    `UsageError` for a rate above the tail and `InputError` for fewer than 30 excesses.
    """
    if rate >= tail:
        raise UsageError(f"The false-alarm rate {rate:g} lies outside the fitted tail: give less than {tail:g}.")
    if len(excesses) < _FEWEST_EXCESSES:
        raise InputError(
            f"Only {len(excesses)} scores lie in the upper {100 * TAIL_PART:g} per cent, too few to fit their tail: "
            "give the threshold as percentile or count."
        )
    ordered = np.sort(excesses)
    larger = (len(ordered) - 0.65 - np.arange(len(ordered))) / len(ordered)
    a0, a1 = float(ordered.mean()), float((larger * ordered).mean())
    shape, scale = a0 / (a0 - 2.0 * a1) - 2.0, 2.0 * a0 * a1 / (a0 - 2.0 * a1)
    if abs(shape) < 1e-9:
        return start - scale * math.log(rate / tail)
    threshold: float = start + scale * (1.0 - (rate / tail) ** shape) / shape
    return threshold
