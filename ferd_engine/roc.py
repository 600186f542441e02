"""ROC figures of scores from two sorted arrays: exact with ties, 2D, partial and 3D."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .statistics import Float64Array

FloatArray = NDArray[np.floating[Any]]

# Of the boxes: extrema, whiskers, quartiles and median.
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


class Quantiles(NamedTuple):
    """Order statistics of scores, in their own units."""

    minimum: float
    q10: float
    q25: float
    median: float
    q75: float
    q90: float
    maximum: float


class ThreeD(NamedTuple):
    """Areas under the three projections of the 3D ROC curve, as `Roc.three_d` has them, and what is made of them."""

    auc_d_tau: float
    auc_f_tau: float
    auc_td: float
    auc_bs: float
    auc_tdbs: float
    auc_od: float
    auc_odp: float
    snpr: float | None


@dataclass(frozen=True)
class Roc:
    """Scores of anomalies and of background, finite, each (n,) in rising order, of one type; neither is empty.

    A threshold marks what is at least as high, so equal scores are marked together. Detection changes at the scores of
    anomalies alone: with k different ones the curve has 2 k + 2 corners, whatever the number of background pixels.
    """

    anomalies: FloatArray
    background: FloatArray
    _false_rates: Float64Array = field(init=False, repr=False)
    _hit_rates: Float64Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        values = np.unique(self.anomalies)[::-1]
        above, from_here = self._rates(values, "right"), self._rates(values, "left")
        # Above the highest score, then for each score: above it, and from it on; at last all pixels.
        for name, index in (("_false_rates", 0), ("_hit_rates", 1)):
            corners = np.stack([above[index], from_here[index]], axis=1).reshape(-1)
            object.__setattr__(self, name, np.concatenate([[0.0], corners, [1.0]]))

    def _rates(self, thresholds: FloatArray, side: Literal["left", "right"]) -> tuple[Float64Array, Float64Array]:
        """Return the parts of background and of anomalies from thresholds on (left), or above them (right)."""
        n_background, n_anomalies = len(self.background), len(self.anomalies)
        return (
            (n_background - np.searchsorted(self.background, thresholds, side)) / n_background,
            (n_anomalies - np.searchsorted(self.anomalies, thresholds, side)) / n_anomalies,
        )

    @property
    def curve(self) -> tuple[Float64Array, Float64Array]:
        """False-alarm rates and detection probabilities (m,) of the corners, from (0, 0) to (1, 1)."""
        return self._false_rates, self._hit_rates

    def auc(self) -> float:
        """Return the area under the curve: the share of pairs in the right order, ties counted half (Mann-Whitney)."""
        below = np.searchsorted(self.background, self.anomalies, "left")
        not_above = np.searchsorted(self.background, self.anomalies, "right")
        # In whole numbers until the last step.
        doubled = int(below.sum(dtype=np.int64)) + int(not_above.sum(dtype=np.int64))
        return doubled / (2 * len(self.anomalies) * len(self.background))

    def average_precision(self) -> float:
        """Return the mean precision over the anomalies: a step function without interpolation."""
        values, counts = np.unique(self.anomalies, return_counts=True)
        hits = np.cumsum(counts[::-1])
        false_alarms = len(self.background) - np.searchsorted(self.background, values[::-1], "left")
        return float(np.sum(counts[::-1] * (hits / (hits + false_alarms)))) / len(self.anomalies)

    def detection_at(self, rate: float) -> float:
        """Return the largest detection probability of a threshold whose false-alarm rate is at most `rate`."""
        return float(np.count_nonzero(self.anomalies > self.cutoff(rate))) / len(self.anomalies)

    def cutoff(self, rate: float) -> float:
        """Return the lowest score above which at most a part `rate` of the background lies; -inf if all may."""
        n_background = len(self.background)
        allowed = int(rate * n_background) + 1
        # The quotient is compared as it is reported: the product may round to the other side.
        while allowed / n_background > rate:
            allowed -= 1
        return float(self.background[n_background - 1 - allowed]) if allowed < n_background else -np.inf

    def partial_auc(self, rate: float) -> float:
        """Return the area below the false-alarm rate `rate`, scaled so that chance gives 0.5 and the best curve 1.

        McClish, "Analyzing a portion of the ROC curve", Medical Decision Making 9 (1989), as scikit-learn's
        `roc_auc_score(max_fpr=rate)` has it: (1 + (area - rate^2 / 2) / (rate - rate^2 / 2)) / 2.
        """
        false_rates, hit_rates = self.curve
        stop = int(np.searchsorted(false_rates, rate, "right"))
        if stop < len(false_rates):
            last = np.interp(rate, false_rates[stop - 1 : stop + 1], hit_rates[stop - 1 : stop + 1])
            false_rates, hit_rates = np.append(false_rates[:stop], rate), np.append(hit_rates[:stop], last)
        area = float(np.sum(np.diff(false_rates) * (hit_rates[1:] + hit_rates[:-1]))) / 2.0
        chance = rate * rate / 2.0
        return (1.0 + (area - chance) / (rate - chance)) / 2.0

    def three_d(self) -> ThreeD:
        """Return the figures of Chang's 3D ROC curve.

        C.-I Chang, "An effective evaluation tool for hyperspectral target detection: 3D receiver operating
        characteristic curve analysis", IEEE TGRS 59 (2021), 5131-5153. With scores scaled to [0, 1] by their extrema,
        the threshold tau runs from 0 to 1 and the curve through (P_D, P_F, tau). The area under P_D over tau is the
        mean scaled score of the anomalies, as the integral of P(s >= tau) over tau is the mean of s; likewise for P_F.
        They depend on the scores' spacing, not on their order alone: a single very high score lowers both.
        """
        low, spread = self.extent
        d_tau, f_tau = (
            (float(values.mean(dtype=np.float64)) - low) / spread if spread > 0.0 else 0.0
            for values in (self.anomalies, self.background)
        )
        area = self.auc()
        return ThreeD(
            auc_d_tau=d_tau,
            auc_f_tau=f_tau,
            auc_td=area + d_tau,
            auc_bs=area - f_tau,
            auc_tdbs=d_tau - f_tau,
            auc_od=area + d_tau - f_tau,
            auc_odp=d_tau + 1.0 - f_tau,
            snpr=d_tau / f_tau if f_tau > 0.0 else None,
        )

    @property
    def extent(self) -> tuple[float, float]:
        """The smallest score, and how far the largest lies above it."""
        low = min(float(self.anomalies[0]), float(self.background[0]))
        return low, max(float(self.anomalies[-1]), float(self.background[-1])) - low

    def rates_over_tau(self, taus: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Return false-alarm rates and detection probabilities (n,) for thresholds on the scores scaled to [0, 1].

        Thresholds are rounded to the scores' type, so that these are not copied.
        """
        low, spread = self.extent
        return self._rates((low + taus * spread).astype(self.background.dtype), "left")

    def false_rates(self, scores: FloatArray) -> Float64Array:
        """Return the false-alarm rates of thresholds at scores (n,), of the same type."""
        return self._rates(scores, "left")[0]


def quantiles(values: FloatArray) -> Quantiles:
    """Return the order statistics of values (n,) in rising order, between two of them by linear interpolation."""
    places = np.array(QUANTILES) * (len(values) - 1)
    lower = np.floor(places).astype(np.intp)
    upper = np.minimum(lower + 1, len(values) - 1)
    below, above = values[lower].astype(np.float64), values[upper].astype(np.float64)
    return Quantiles(*(below + (places - lower) * (above - below)).tolist())
