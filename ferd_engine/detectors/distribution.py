"""How the scores of background pixels are distributed where these are normal."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import chi2, f


@dataclass(frozen=True)
class ScoreDistribution:
    """Squared Mahalanobis distances of normal pixels of `n_dims` dimensions.

    To a known mean and covariance, or to ones estimated from very many pixels, they follow the chi-squared
    distribution. To the mean and covariance (n - 1) of n other pixels, (n - p) n / (p (n - 1) (n + 1)) times the
    distance follows F with p and n - p degrees of freedom (Anderson, "An Introduction to Multivariate Statistical
    Analysis", 3rd edition, theorem 5.2.2 with the factor 1 + 1 / n for a pixel beside a mean).
    """

    n_dims: int
    n_pixels: int | None = None

    def quantile(self, probability: float) -> float:
        """Return the score that a background pixel stays below with this probability."""
        p, n = self.n_dims, self.n_pixels
        if n is None:
            return float(chi2.ppf(probability, p))
        return float(f.ppf(probability, p, n - p) * p * (n - 1) * (n + 1) / (n * (n - p)))
