"""Pixels so far from all others that float64 cannot hold both in one covariance: found, and left out of it.

A hot pixel a million times as bright as the scene adds 1e12 times a pixel's squares to the covariance: what all others
say lies below its last digits, and the whole image would be judged by one direction.
"""

from __future__ import annotations

import numpy as np

from ..context import RunContext
from ..cube import Cube
from ..progress import ProgressSpan
from ..statistics import Float64Array, Moments
from ..windows import Window
from .blocks import blocks
from .mahalanobis import Mahalanobis

# A pixel farther from a band's median than so many of its robust standard deviations is gross.
GROSS_DEVIATIONS = 1e3
# Medians come from a grid of about so many pixels.
_SAMPLE_PX = 1 << 13
# Where pixels outweigh the others, and are not most of all, one lies at least this many standard deviations out.
_SUSPECT_DEVIATIONS = 4.0
# Of a normal distribution the median of the absolute deviations is this part of the standard deviation.
_MEDIAN_DEVIATION = 0.6745


def without_gross(cube: Cube, moments: Moments, context: RunContext) -> Moments:
    """Return the moments of a cube's pixels without the gross ones, where these hide the others; else `moments`.

    They hide them where the covariance of all pixels is short of rank and that of the others is less so. Then the run
    is told how many were left out. Reads a sample, and the cube once, where the rank is short, unless the moments know
    that no pixel is far out.
    Moments that are settled stay as they are.
    """
    if moments.settled:
        return moments
    rank = Mahalanobis(moments.mean, moments.covariance()).rank
    if rank == moments.n_bands or (
        moments.knows_extrema and not _suspicious(moments, moments.minimum, moments.maximum)
    ):
        return moments
    low, high = _limits(cube, context)
    rest = Moments(cube.n_bands)
    minimum, maximum = np.full(cube.n_bands, np.inf), np.full(cube.n_bands, -np.inf)
    progress = ProgressSpan(context.progress, 0.0, 0.0)
    # A block, its valid pixels and those that are kept.
    for window in blocks(cube, 24 * cube.n_bands + 16, context.free_bytes // 2):
        progress.step(0.0, "Gross pixels")
        values, valid = cube.read(window)
        pixels = values[valid]
        minimum = np.minimum(minimum, pixels.min(axis=0, initial=np.inf))
        maximum = np.maximum(maximum, pixels.max(axis=0, initial=-np.inf))
        rest.add(pixels[((pixels >= low) & (pixels <= high)).all(axis=1)])
    left_out = moments.count - rest.count
    if left_out == 0 or not _suspicious(moments, minimum, maximum):
        return moments
    if rest.count < 2 or Mahalanobis(rest.mean, rest.covariance()).rank <= rank:
        return moments
    context.warn(
        f"Pixels more than {GROSS_DEVIATIONS:g} standard deviations from all others would hide them in the covariance; "
        f"the whole image's mean and covariance were taken without them ({left_out}). Leave them out with --mask."
    )
    return rest


def _suspicious(moments: Moments, minimum: Float64Array, maximum: Float64Array) -> bool:
    """Say whether a few pixels may outweigh the others in some band."""
    if moments.count < 2:
        return False
    farthest = np.maximum(maximum - moments.mean, moments.mean - minimum)
    return bool((farthest > _SUSPECT_DEVIATIONS * np.sqrt(moments.variances())).any())


def _limits(cube: Cube, context: RunContext) -> tuple[Float64Array, Float64Array]:
    """Return the smallest and the largest value (n_bands,) that are not gross, from a grid of pixels."""
    step = max(int(np.sqrt(cube.n_rows * cube.n_cols / _SAMPLE_PX)), 1)
    memory_px = max(context.free_bytes // 2 // (40 * cube.n_bands), 1)
    while (cube.n_rows // step + 1) * (cube.n_cols // step + 1) > memory_px:
        step += 1
    parts = []
    for row in range(0, cube.n_rows, step):
        for col in range(0, cube.n_cols, max(memory_px, step)):
            stop = min(col + max(memory_px, step), cube.n_cols)
            values, valid = cube.read(Window(row, row + 1, col, stop))
            parts.append(values[0, ::step][valid[0, ::step]].astype(np.float64))
    sample = np.concatenate(parts)
    if len(sample) == 0:
        return np.full(cube.n_bands, -np.inf), np.full(cube.n_bands, np.inf)
    median = np.median(sample, axis=0)
    deviation = np.median(np.abs(sample - median), axis=0) / _MEDIAN_DEVIATION
    # A band in which most pixels are the same tells nothing of how far out is far.
    reach = np.where(deviation > 0.0, GROSS_DEVIATIONS * deviation, np.inf)
    return median - reach, median + reach
