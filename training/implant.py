"""Targets implanted into a background: the truth for choosing between models without any labelled scene.

A target is a small convex blob whose light is the background's own illumination times a smooth reflectance unlike it,
so that absorption by the air, units and sensor are the scene's. Sub-pixel and full-pixel targets both occur.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
FloatArray = NDArray[np.float64]

_MOST_PIXELS_PART = 0.015
_LEAST_SHARE = 0.15


def implant(values: Float32Array, random: Generator, n_targets: int = 12) -> tuple[Float32Array, NDArray[np.bool_]]:
    """Return a copy of a scene (rows, cols, bands) with targets, and where they cover 15 % of a pixel or more.

    Invalid pixels (NaN) are left as they are. At most 1.5 % of the pixels become targets.
    """
    n_rows, n_cols, n_bands = values.shape
    result = values.copy()
    truth = np.zeros((n_rows, n_cols), dtype=bool)
    valid = np.isfinite(values).all(axis=2)
    places = np.argwhere(valid)
    sample = values[valid][:: max(1, len(places) // 4000)].astype(np.float64)
    light = np.percentile(sample, 90.0, axis=0)
    dark = sample.min(axis=0)
    for _ in range(n_targets):
        row, col = places[random.integers(len(places))]
        share = _blob(random, n_rows, n_cols, float(row), float(col))
        share[~valid | truth] = 0.0
        where = share >= _LEAST_SHARE
        if truth.sum() + where.sum() > _MOST_PIXELS_PART * len(places):
            continue
        spectrum = (light - dark) * _reflectance(random, n_bands)
        part = share[where][:, np.newaxis]
        shade = 1.0 + 0.05 * random.standard_normal((len(part), 1))
        target = dark + shade * spectrum + _grain(values, places, random, len(part))
        result[where] = (1.0 - part) * result[where] + part * target
        truth |= where
    return result, truth


def _blob(random: Generator, n_rows: int, n_cols: int, row: float, col: float) -> FloatArray:
    """Return how much of each pixel a turned ellipse covers, times an opacity that leaves some targets sub-pixel."""
    y, x = np.mgrid[0:n_rows, 0:n_cols].astype(np.float64)
    turn = random.uniform(0.0, np.pi)
    across = (x - col) * np.cos(turn) + (y - row) * np.sin(turn)
    along = (y - row) * np.cos(turn) - (x - col) * np.sin(turn)
    width = np.exp(random.uniform(np.log(0.4), np.log(2.0)))
    length = width * random.uniform(1.0, 3.0)
    distance = np.hypot(across / width, along / length)
    opacity = random.uniform(0.3, 1.0)
    return np.asarray(opacity * np.clip((1.0 - distance) * width + 0.5, 0.0, 1.0))


def _grain(values: Float32Array, places: NDArray[np.intp], random: Generator, count: int) -> FloatArray:
    """Return noise and texture (count, bands) as the scene has them: differences of neighbours, over the root of 2.

    Without it a target would be smoother than any pixel of the scene, and a detector would rank it last.
    """
    chosen = places[random.integers(len(places), size=count)]
    beside = chosen + np.where(chosen[:, 1:] + 1 < values.shape[1], [[0, 1]], [[0, -1]])
    difference = values[tuple(chosen.T)].astype(np.float64) - values[tuple(beside.T)]
    return np.asarray(np.where(np.isfinite(difference), difference, 0.0) / np.sqrt(2.0))


def _reflectance(random: Generator, n_bands: int) -> FloatArray:
    """Return a smooth reflectance (bands,) between 0.02 and 1.5 of the light: a level, steps and bands."""
    x = np.linspace(0.0, 1.0, n_bands)
    curve = np.full(n_bands, random.uniform(0.1, 0.9))
    for _ in range(int(random.integers(1, 5))):
        curve += random.normal(0.0, 0.4) / (1.0 + np.exp(-(x - random.uniform(0.0, 1.0)) / random.uniform(0.01, 0.15)))
    for _ in range(int(random.integers(0, 9))):
        width = random.uniform(0.005, 0.08)
        curve += random.normal(0.0, 0.2) * np.exp(-0.5 * ((x - random.uniform(0.0, 1.0)) / width) ** 2)
    return np.clip(curve, 0.02, 1.5)
