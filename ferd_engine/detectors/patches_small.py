"""Distances of SLRX where eight blocks hold no more pixels than there are bands: by the pixels' Gram matrices."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cube import BoolArray
from ..lapack import column_means
from ..parallel import Threads
from ..statistics import Float64Array
from ..windows import Window, tiles
from .metric import other_squared, own_squared
from .patches import RIDGE, WINDOW_BYTES, Distances, PatchScene, Tile

# Blocks of one job, with their neighbours, stay in the second-level cache.
_STRIP_BYTES = 3 << 19


def small_patch_distances(scene: PatchScene, free_bytes: int, pool: Threads) -> Iterator[Distances]:
    """Yield the distances of the whole image, each pixel once; reads it once, and a border of one block."""
    grid, n_bands = scene.grid, scene.cube.n_bands
    strip_block_bytes = 3 * grid.side**2 * 8 * n_bands
    job_cols = max(_STRIP_BYTES // strip_block_bytes - 2, 1)
    strips_bytes = pool.count * (job_cols + 2) * strip_block_bytes
    # A pixel as float64, as some cubes give it, beside what the cube reads it from; its distances.
    block_bytes = grid.side**2 * (16 * n_bands + 64)
    n_blocks = max(min(free_bytes - strips_bytes, WINDOW_BYTES) // block_bytes, 9)
    tile_cols = min(n_blocks // 3 - 2, grid.blocks.n_cols)
    tile_rows = n_blocks // (tile_cols + 2) - 2
    for blocks in tiles(*grid.blocks.shape, tile_rows, tile_cols):
        core = grid.pixels(blocks)
        around = grid.pixels(_grown(blocks))
        tile = Tile(around, *scene.cube.read(around))
        values = np.empty((*core.shape, 3))
        jobs = [_shifted(part, blocks) for part in tiles(*blocks.shape, 1, job_cols)]
        for job, result in zip(jobs, pool.map(partial(_job_distances, scene, tile), jobs)):
            values[grid.pixels(job).within(core)] = result
        yield Distances(core, values)


def _grown(blocks: Window) -> Window:
    return Window(blocks.row_start - 1, blocks.row_stop + 1, blocks.col_start - 1, blocks.col_stop + 1)


def _shifted(part: Window, origin: Window) -> Window:
    """Return a window counted from the corner of `origin`, counted from the image's."""
    row, col = origin.row_start, origin.col_start
    return Window(part.row_start + row, part.row_stop + row, part.col_start + col, part.col_stop + col)


def _job_distances(scene: PatchScene, tile: Tile, job: Window) -> Float64Array:
    """Return the distances (rows, cols, 3) of the blocks of a job: a few in one row of blocks."""
    side = scene.grid.side
    strip, valid = _strip(scene, tile, _grown(job))
    own, own_valid = strip[side : 2 * side, side:-side], valid[side : 2 * side, side:-side]
    squared = np.full((*own_valid.shape, 3), np.nan)
    squared[own_valid, 2] = scene.image.squared(own[own_valid])
    blocks, block_valid = _as_blocks(own, side), _as_blocks(own_valid, side)
    to_own = own_squared(blocks, block_valid, RIDGE)
    for index, kept in enumerate(block_valid):
        # Views of this block in each of the maps, (side, side).
        place = (slice(None), slice(index * side, (index + 1) * side))
        kept = kept.reshape(side, side)
        squared[place][kept, 0] = to_own[index].reshape(side, side)[kept]
        around = (slice(None), slice(index * side, (index + 3) * side))
        to_others = _distances_to_others(strip[around], valid[around], kept)
        squared[place][kept, 1] = squared[place][kept, 2] if to_others is None else to_others
    pixels = scene.grid.pixels(job)
    inside: Float64Array = np.sqrt(squared[: pixels.n_rows, : pixels.n_cols])
    return inside


def _as_blocks(strip: NDArray[Any], side: int) -> NDArray[Any]:
    """Return a copy (n, side * side, ...) of the n blocks of a strip (side, n * side, ...)."""
    n = strip.shape[1] // side
    parts = strip.reshape(side, n, side, *strip.shape[2:]).swapaxes(0, 1)
    return np.ascontiguousarray(parts).reshape(n, side * side, *strip.shape[2:])


def _strip(scene: PatchScene, tile: Tile, blocks: Window) -> tuple[Float64Array, BoolArray]:
    """Return scaled values and validity of whole blocks; what lies beyond the image is invalid."""
    side = scene.grid.side
    strip = np.empty((blocks.n_rows * side, blocks.n_cols * side, scene.cube.n_bands))
    valid = np.zeros(strip.shape[:2], dtype=bool)
    full = Window(blocks.row_start * side, blocks.row_stop * side, blocks.col_start * side, blocks.col_stop * side)
    inside = tile.cut(scene.grid.pixels(blocks))
    place = inside.window.within(full)
    strip[place] = scene.scaled(inside.values)
    valid[place] = inside.valid
    return strip, valid


def _distances_to_others(patch: Float64Array, valid: BoolArray, kept: BoolArray) -> Float64Array | None:
    """Return squared distances (n,) of the `kept` pixels in the middle of a patch to the other valid ones, if any.

    `patch` (3 side, 3 side, bands) is a block with those around it; `kept` (side, side) says what is valid in it.
    """
    side = len(kept)
    middle = (slice(side, 2 * side), slice(side, 2 * side))
    around = valid.copy()
    around[middle] = False
    others = patch[around]
    if len(others) == 0:
        return None
    mean = column_means(others)
    others -= mean
    return other_squared(patch[middle][kept] - mean, others, RIDGE)
