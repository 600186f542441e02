"""Blocks of whole rows, as large as the memory allows, and scores that stay NaN where a pixel is invalid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from ..cube import BoolArray, Cube, Float32Array, FloatArray
from ..overlap import one_begun
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


def score_valid(values: FloatArray, valid: BoolArray, score: Callable[[FloatArray], Float64Array]) -> Float32Array:
    """Return scores (rows, cols) of values (rows, cols, bands), NaN where invalid; `score` maps (n, bands) to (n,)."""
    return _begun(values, valid, lambda pixels: partial(score, pixels))()


def score_each(
    read: Iterable[tuple[Window, tuple[FloatArray, BoolArray]]],
    begin: Callable[[FloatArray], Callable[[], Float64Array]],
) -> Iterator[tuple[Window, Float32Array]]:
    """Yield the scores (rows, cols) of blocks, NaN where invalid.

    read : window, values (rows, cols, bands) and validity of each block. begin : begins to score pixels (n, bands), and
    returns what waits for their scores (n,). The next block is begun before a block is waited for, so that no thread is
    idle where blocks end.
    """
    return one_begun((window, _begun(*block, begin)) for window, block in read)


def _begun(
    values: FloatArray, valid: BoolArray, begin: Callable[[FloatArray], Callable[[], Float64Array]]
) -> Callable[[], Float32Array]:
    """Begin to score the valid pixels of a block, and return what waits for its scores."""
    if valid.all():
        all_scores = begin(values.reshape(-1, values.shape[2]))
        return lambda: all_scores().reshape(valid.shape).astype(np.float32)
    valid_scores = begin(values[valid])

    def scores() -> Float32Array:
        scores = np.full(valid.shape, np.nan, dtype=np.float32)
        scores[valid] = valid_scores()
        return scores

    return scores
