"""Variety that a few scenes do not have: other light, and two kinds of ground in one patch."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

# Standard deviations of the gain's logarithm: of its slope over the range, and of the height of each of its bumps.
_SLOPE = 0.5
_BUMP = 0.3
_BUMPS = 3
# What the engine scales a scene's least value to, negated.
_LIMIT = np.float32(0.1)
_LEAST_LEVEL = 0.4


def smooth_gain(n_bands: int, random: Generator) -> Float32Array:
    """Return a positive gain (bands,), smooth along the spectrum: another light, another air, other units."""
    x = np.linspace(0.0, 1.0, n_bands)
    curve = random.normal(0.0, _SLOPE) * (x - 0.5)
    for _ in range(_BUMPS):
        width = np.exp(random.uniform(np.log(0.05), np.log(0.5)))
        curve += random.normal(0.0, _BUMP) * np.exp(-0.5 * ((x - random.uniform(0.0, 1.0)) / width) ** 2)
    return np.asarray(np.exp(curve), dtype=np.float32)


def mosaic(patch: Float32Array, other: Float32Array, random: Generator) -> Float32Array:
    """Return the scaled patch (bands, side, side) with the other one beyond a curved border, at a tenth of it or more.

    The other's values are drawn towards the darkest one, so that one ground is darker and flatter than the other.
    """
    side = patch.shape[1]
    level = np.float32(random.uniform(_LEAST_LEVEL, 1.0))
    y, x = np.mgrid[0:side, 0:side] / side
    turn, wave = random.uniform(0.0, 2.0 * np.pi), random.uniform(0.0, 0.15)
    border = x * np.cos(turn) + y * np.sin(turn) + wave * np.sin(2.0 * np.pi * (x + y + random.uniform()))
    beyond = border > np.quantile(border, random.uniform(0.1, 0.9))
    return np.where(beyond, (other + _LIMIT) * level - _LIMIT, patch)
