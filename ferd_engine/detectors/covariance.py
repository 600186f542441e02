"""The covariance of the whole image as the option `covariance` asks for it, and the distance to it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import chdtr

from ..context import RunContext
from ..errors import UsageError
from ..statistics import Moments
from .distribution import chi_squared_quantile
from .image_passes import ImagePasses
from .mahalanobis import Mahalanobis, tell_uncertain
from .shrinkage import ledoit_wolf, oas

COVARIANCES = "empirical, ledoit-wolf, oas, pca:K or trimmed:P"


class Covariance(NamedTuple):
    """A parsed option: `value` is the K of `pca:K` and the P of `trimmed:P`, 0 for the others."""

    kind: str
    value: float


def parse_covariance(text: str) -> Covariance:
    """Return the parts of `empirical`, `ledoit-wolf`, `oas`, `pca:K` (K >= 1) or `trimmed:P` (0 < P <= 50, per cent).

    >>> parse_covariance("pca:20")
    Covariance(kind='pca', value=20.0)
    """
    kind, _, number = text.partition(":")
    if text in ("empirical", "ledoit-wolf", "oas"):
        return Covariance(text, 0.0)
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if kind == "pca" and value >= 1.0 and value.is_integer():
        return Covariance(kind, value)
    if kind == "trimmed" and 0.0 < value <= 50.0:
        return Covariance(kind, value)
    raise UsageError(
        f"The covariance {text!r} does not exist: give {COVARIANCES}, with K components (1 or more) or the P per cent "
        "(up to 50) of the pixels to leave out."
    )


def passes(option: Covariance) -> int:
    """Return how often the cube is read before the distance is known."""
    return {"ledoit-wolf": 1, "trimmed": 2}.get(option.kind, 0)


def background_distance(option: Covariance, image: ImagePasses, moments: Moments, context: RunContext) -> Mahalanobis:
    """Return the distance to the pixels that `moments` saw, all valid ones of the image.

    empirical : covariance with N - 1. ledoit-wolf, oas : `shrinkage`, on the covariance with N, in the cube's units.
    pca:K : within the K leading principal components of the covariance. trimmed:P : mean and covariance of what
    is left without the P per cent of the pixels that lie farthest, times the factor that makes it consistent for
    normal pixels (Croux and Haesbroeck, Journal of Multivariate Analysis 71, 1999, for the minimum covariance
    determinant). Gross pixels are left out where they would hide the others, `without_gross`; shrunk covariances
    hold all pixels, as their definition has it.
    """
    if option.kind == "empirical":
        return _of_all(image, moments, context)
    if option.kind == "pca":
        return _leading(image, moments, int(option.value), context)
    if option.kind == "trimmed":
        return _trimmed(image, moments, option.value / 100.0, context)
    count, n_bands = moments.count, moments.n_bands
    covariance = moments.covariance() * (max(count - 1, 1) / count)
    trace, squares = float(np.trace(covariance)), float(np.vdot(covariance, covariance))
    if option.kind == "oas":
        shrinkage = float(oas(count, n_bands, trace, squares))
    else:
        fourth = image.fourth_powers(moments.mean) / count
        shrinkage = float(ledoit_wolf(count, n_bands, trace, squares, fourth))
    covariance *= 1.0 - shrinkage
    covariance.flat[:: n_bands + 1] += shrinkage * trace / n_bands
    return Mahalanobis(moments.mean, covariance)


def _of_all(image: ImagePasses, moments: Moments, context: RunContext) -> Mahalanobis:
    """Return the distance to all pixels, or to those that are not gross; tells where it is uncertain."""
    distance = Mahalanobis(moments.mean, moments.covariance())
    if distance.rank < moments.n_bands:
        rest = image.without_gross(moments)
        if rest is not moments:
            return _of_all(image, rest, context)
    tell_uncertain(distance, moments, context)
    return distance


def _leading(image: ImagePasses, moments: Moments, n_components: int, context: RunContext) -> Mahalanobis:
    moments = image.without_gross(moments)
    distance = Mahalanobis.of_components(moments.mean, moments.covariance(), n_components)
    if distance.rank < n_components:
        context.warn(
            f"The covariance of {moments.n_bands} bands and {moments.count} pixels has only rank {distance.rank}: "
            f"so many components were used, not {n_components}."
        )
    return distance


def _trimmed(image: ImagePasses, moments: Moments, left_out: float, context: RunContext) -> Mahalanobis:
    """Return the distance to what is left without the farthest part of the pixels."""
    kept = max(math.ceil((1.0 - left_out) * moments.count), 1)
    first = _of_all(image, moments, context)
    rest = image.nearest(first, kept)
    # Bands that others determine add no degree of freedom.
    rank = max(first.rank, 1)
    consistency = (1.0 - left_out) / chdtr(rank + 2, chi_squared_quantile(1.0 - left_out, rank))
    distance = Mahalanobis(rest.mean, float(consistency) * rest.covariance())
    tell_uncertain(distance, rest, context)
    return distance
