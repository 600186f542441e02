"""How far an estimated covariance is drawn towards a multiple of the identity: two rules without a parameter.

Both give the s of (1 - s) E + s mu I, for the covariance E (n in the denominator) of n pixels of p bands and
mu = trace(E) / p, and need only three sums: trace(E), the sum of squares of E's elements |E|^2, and for Ledoit-Wolf the
mean fourth power m4 of the pixels' distances to their mean. They depend on the bands' units. Numbers or arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..statistics import Float64Array


def ledoit_wolf(
    count: ArrayLike, n_bands: int, trace: ArrayLike, squares: ArrayLike, fourth: ArrayLike
) -> Float64Array:
    """Return s = min(b, d) / d with d = |E|^2 - trace(E)^2 / p and b = (m4 - |E|^2) / n; 0 where b is 0.

    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of Multivariate
    Analysis 88 (2004), lemmas 3.2 to 3.5; scikit-learn's `ledoit_wolf` computes the same.
    """
    count, trace, squares, fourth = (np.asarray(value, dtype=np.float64) for value in (count, trace, squares, fourth))
    spread = np.maximum(squares - trace**2 / n_bands, 0.0)
    error = np.minimum(np.maximum(fourth - squares, 0.0) / np.maximum(count, 1.0), spread)
    shrinkage: Float64Array = np.divide(error, spread, out=np.zeros_like(error), where=error > 0.0)
    return shrinkage


def oas(count: ArrayLike, n_bands: int, trace: ArrayLike, squares: ArrayLike) -> Float64Array:
    """Return s = min((|E|^2 + trace(E)^2) / ((n + 1) (|E|^2 - trace(E)^2 / p)), 1); 1 where the divisor is 0.

    Chen, Wiesel, Eldar and Hero, "Shrinkage algorithms for MMSE covariance estimation", IEEE Transactions on Signal
    Processing 58 (2010), eq. 23 without its terms in 2 / p, as scikit-learn's `oas` has it; with one band it is 0.
    """
    count, trace, squares = (np.asarray(value, dtype=np.float64) for value in (count, trace, squares))
    if n_bands == 1:
        return np.zeros_like(squares)
    divisor = (count + 1.0) * np.maximum(squares - trace**2 / n_bands, 0.0)
    shrinkage = np.divide(squares + trace**2, divisor, out=np.ones_like(divisor), where=divisor > 0.0)
    return np.minimum(shrinkage, 1.0)
