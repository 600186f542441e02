"""Distances of SLRX where eight blocks hold no more pixels than there are bands: by the pixels' Gram matrices."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cube import BoolArray
from ..parallel import Threads
from ..statistics import Float64Array
from ..windows import Window, shifted, tiles
from .metric import others_squared, own_squared
from .patches import RIDGE, WINDOW_BYTES, Distances, PatchScene, Tile

# Enough blocks for one call of each routine, few enough that their pixels are soon used again.
_JOB_BYTES = 8 << 20
# Copies of a block's pixels that a job holds at once: in the strip with what is above and below, in the block, as its
# neighbours, and the neighbours' Gram matrix, which is no larger than they.
_COPIES = 3 + 3 + 8 + 8


def small_patch_distances(scene: PatchScene, free_bytes: int, pool: Threads) -> Iterator[Distances]:
    """Yield the distances of the whole image, each pixel once; reads it once, and a border of one block."""
    grid, n_bands = scene.grid, scene.cube.n_bands
    job_block_bytes = _COPIES * grid.side**2 * 8 * n_bands
    job_cols = max(min(_JOB_BYTES, free_bytes // 2 // pool.count) // job_block_bytes, 1)
    jobs_bytes = pool.count * (job_cols + 1) * job_block_bytes
    # A pixel as float64, as some cubes give it, beside what the cube reads it from; its distances.
    block_bytes = grid.side**2 * (16 * n_bands + 64)
    n_blocks = max(min(free_bytes - jobs_bytes, WINDOW_BYTES) // block_bytes, 9)
    tile_cols = min(n_blocks // 3 - 2, grid.blocks.n_cols)
    tile_rows = n_blocks // (tile_cols + 2) - 2
    for blocks in tiles(*grid.blocks.shape, tile_rows, tile_cols):
        core = grid.pixels(blocks)
        around = grid.pixels(_grown(blocks))
        tile = Tile(around, *scene.cube.read(around))
        values = np.empty((*core.shape, 3))
        jobs = [shifted(part, blocks) for part in tiles(*blocks.shape, 1, job_cols)]
        for job, result in zip(jobs, pool.map(partial(_job_distances, scene, tile), jobs)):
            values[grid.pixels(job).within(core)] = result
        yield Distances(core, values)


def _grown(blocks: Window) -> Window:
    return Window(blocks.row_start - 1, blocks.row_stop + 1, blocks.col_start - 1, blocks.col_stop + 1)


def _job_distances(scene: PatchScene, tile: Tile, job: Window) -> Float64Array:
    """Return the distances (rows, cols, 3) of the blocks of a job: a few in one row of blocks."""
    side = scene.grid.side
    strip, valid = _strip(scene, tile, _grown(job))
    own, own_valid = strip[side : 2 * side, side:-side], valid[side : 2 * side, side:-side]
    squared = np.full((*own_valid.shape, 3), np.nan)
    squared[own_valid, 2] = scene.image.squared(own[own_valid])
    blocks = _as_blocks(own, side)
    to_own = scene.accelerator.own_squared if scene.accelerator else own_squared
    squared[:, :, 0] = _as_strip(to_own(blocks, _as_blocks(own_valid, side), RIDGE), side)
    others, others_valid = _neighbours(strip, side), _neighbours(valid, side)
    lonely = ~others_valid.any(axis=1)
    squared_of = scene.accelerator.others_squared if scene.accelerator else others_squared
    to_others = squared_of(blocks, others, others_valid, RIDGE)
    squared[:, :, 1] = _as_strip(to_others, side)
    alone = np.repeat(lonely, side)
    squared[:, alone, 1] = squared[:, alone, 2]
    squared[~own_valid] = np.nan
    pixels = scene.grid.pixels(job)
    inside: Float64Array = np.sqrt(squared[: pixels.n_rows, : pixels.n_cols])
    return inside


def _as_blocks(strip: NDArray[Any], side: int) -> NDArray[Any]:
    """Return a copy (n, side * side, ...) of the n blocks of a strip (side, n * side, ...)."""
    n = strip.shape[1] // side
    parts = strip.reshape(side, n, side, *strip.shape[2:]).swapaxes(0, 1)
    return np.ascontiguousarray(parts).reshape(n, side * side, *strip.shape[2:])


def _as_strip(values: Float64Array, side: int) -> Float64Array:
    """Return a strip (side, n * side) from values (n, side * side) of its n blocks."""
    return values.reshape(-1, side, side).swapaxes(0, 1).reshape(side, -1)


def _neighbours(strip: NDArray[Any], side: int) -> NDArray[Any]:
    """Return a copy (n, 8 * side * side, ...) of what lies around each of n blocks in a strip of three rows of blocks.

    The strip is (3 * side, (n + 2) * side, ...): there is one block before the first and one after the last.
    """
    n_cols = strip.shape[1]
    patch = np.arange(3 * side)[:, None] * n_cols + np.arange(3 * side)
    middle = np.zeros(patch.shape, dtype=bool)
    middle[side : 2 * side, side : 2 * side] = True
    places = np.arange(0, n_cols - 2 * side, side)[:, None] + patch[~middle]
    neighbours: NDArray[Any] = strip.reshape(-1, *strip.shape[2:])[places]
    return neighbours


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
