"""The option `threshold`, as words: which scores count as anomalies."""

from __future__ import annotations

import math
from typing import NamedTuple

from .errors import UsageError

_RANGES = {
    "chi2": (0.0, 1.0, "a probability between 0 and 1"),
    "percentile": (0.0, 100.0, "a number between 0 and 100"),
    "count": (1.0, math.inf, "a whole number of pixels, 1 or more"),
    "value": (-math.inf, math.inf, "a score"),
    "pareto": (0.0, 1.0, "a false-alarm rate between 0 and 1"),
}
_OPEN = ("chi2", "pareto")


class ThresholdRule(NamedTuple):
    """A parsed option: pixels whose score is above what `kind` and `value` lead to are anomalies."""

    kind: str
    value: float


def parse_threshold(text: str) -> ThresholdRule:
    """Return the parts of `chi2:P`, `percentile:P`, `count:N`, `value:V` or `pareto:R`; else raise `UsageError`.

    >>> parse_threshold("percentile:99.5")
    ThresholdRule(kind='percentile', value=99.5)
    """
    kind, _, number = text.partition(":")
    if kind not in _RANGES:
        raise UsageError(
            f"The threshold {text!r} is not a rule: write it like percentile:99.9 or count:100; the rules are chi2:P, "
            "percentile:P, count:N, value:V and pareto:R."
        )
    low, high, words = _RANGES[kind]
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    usable = low <= value <= high and math.isfinite(value) and not (kind in _OPEN and value in (low, high))
    if not usable or (kind == "count" and not value.is_integer()):
        raise UsageError(f"The threshold {text!r} is not usable: {kind} takes {words}.")
    return ThresholdRule(kind, value)
