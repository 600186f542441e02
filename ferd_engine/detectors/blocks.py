"""Blocks of whole rows, as large as the memory allows, and scores that stay NaN where a pixel is invalid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable

import numpy as np

from ..cube import BoolArray, Cube, Float32Array
from ..statistics import Float64Array
from ..windows import Window, tiles

# Larger blocks are not faster, and progress and cancel are polled once per block.
_BLOCK_BYTES = 32 << 20


def blocks(cube: Cube, bytes_per_pixel: int, free_bytes: int) -> Iterator[Window]:
    """Yield windows that cover the cube once, each within `free_bytes`: of full rows, or of parts of one row."""
    n_pixels = max(min(free_bytes, _BLOCK_BYTES) // bytes_per_pixel, 1)
    if n_pixels >= cube.n_cols:
        return tiles(cube.n_rows, cube.n_cols, n_pixels // cube.n_cols, cube.n_cols)
    return tiles(cube.n_rows, cube.n_cols, 1, n_pixels)


def score_valid(values: Float32Array, valid: BoolArray, score: Callable[[Float32Array], Float64Array]) -> Float32Array:
    """Return scores (rows, cols) of values (rows, cols, bands), NaN where invalid; `score` maps (n, bands) to (n,)."""
    if valid.all():
        return score(values.reshape(-1, values.shape[2])).reshape(valid.shape).astype(np.float32)
    scores = np.full(valid.shape, np.nan, dtype=np.float32)
    scores[valid] = score(values[valid])
    return scores
