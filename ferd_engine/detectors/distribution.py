"""How the scores of background pixels are distributed where these are normal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

# Not scipy.stats: loading it would take as long as all else that a command loads.
from scipy.special import fdtri, gammaincinv


@dataclass(frozen=True)
class ScoreDistribution:
    """Squared Mahalanobis distances of normal pixels of `n_dims` dimensions.

    To a known mean and covariance, or to ones estimated from very many pixels, they follow the chi-squared
    distribution. To the mean and covariance (n - 1) of n other pixels, (n - p) n / (p (n - 1) (n + 1)) times the
    distance follows F with p and n - p degrees of freedom (Anderson, "An Introduction to Multivariate Statistical
    Analysis", 3rd edition, theorem 5.2.2 with the factor 1 + 1 / n for a pixel beside a mean).
    """

    # Where a score raster keeps `to_text`, so that a chi2 threshold can be found for it later.
    METADATA_KEY: ClassVar[str] = "FERD_SCORE_DISTRIBUTION"

    n_dims: int
    n_pixels: int | None = None

    def to_text(self) -> str:
        """Return it as text, for `from_text`."""
        return json.dumps([self.n_dims, self.n_pixels])

    @classmethod
    def from_text(cls, text: str) -> ScoreDistribution | None:
        """Return the distribution that `to_text` wrote; None for any other text."""
        try:
            n_dims, n_pixels = json.loads(text)
            return cls(int(n_dims), None if n_pixels is None else int(n_pixels))
        except (TypeError, ValueError):
            return None

    def quantile(self, probability: float) -> float:
        """Return the score that a background pixel stays below with this probability."""
        p, n = self.n_dims, self.n_pixels
        if n is None:
            return chi_squared_quantile(probability, p)
        return float(fdtri(p, n - p, probability) * p * (n - 1) * (n + 1) / (n * (n - p)))


def chi_squared_quantile(probability: float, degrees: int) -> float:
    """Return the value that a chi-squared variable stays below with this probability."""
    return float(2.0 * gammaincinv(degrees / 2.0, probability))
