"""Distances of SLRX where eight blocks hold no more pixels than there are bands: by the pixels' inner products."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..parallel import Threads
from ..statistics import Float64Array
from ..windows import Window, tiles
from .metric import own_squared
from .near_blocks import PADDING, NearBlocks
from .patches import RIDGE, Distances, PatchScene, Tile

# Enough blocks for one call of each routine, few enough that their matrices stay in a cache.
_JOB_BYTES = 2 << 20
# Each tile makes the products with the blocks around it again; progress and cancel are polled once per tile.
_TILE_BYTES = 96 << 20


def small_patch_distances(scene: PatchScene, free_bytes: int, pool: Threads) -> Iterator[Distances]:
    """Yield the distances of the whole image, each pixel once; reads it once, and a border of one block."""
    grid, n_bands, n_pixels = scene.grid, scene.cube.n_bands, scene.grid.side**2
    job_block_bytes = NearBlocks.job_bytes(n_pixels, n_bands)
    job_cols = max(min(_JOB_BYTES, free_bytes // 2 // pool.count) // job_block_bytes, 1)
    jobs_bytes = pool.count * job_cols * job_block_bytes
    # A pixel as float64, as some cubes give it, beside what the cube reads it from; its distances.
    block_bytes = n_pixels * (16 * n_bands + 64) + NearBlocks.block_bytes(n_pixels, n_bands)
    border = 2 + 2 * PADDING
    n_blocks = min(free_bytes - jobs_bytes, _TILE_BYTES) // block_bytes
    tile_cols = max(min(n_blocks // 3 - border, grid.blocks.n_cols), 1)
    tile_rows = max(n_blocks // (tile_cols + border) - 2, 1)
    for blocks in tiles(*grid.blocks.shape, tile_rows, tile_cols):
        yield Distances(grid.pixels(blocks), _tile_distances(scene, blocks, job_cols, pool))


def _tile_distances(scene: PatchScene, blocks: Window, job_cols: int, pool: Threads) -> Float64Array:
    """Return the distances (rows, cols, 3) of the pixels of some blocks, NaN where invalid."""
    side, pixels = scene.grid.side, scene.grid.pixels(blocks)
    around = scene.grid.pixels(_grown(blocks))
    tile = Tile(around, *scene.cube.read(around))
    near = NearBlocks(*blocks.shape, side**2, scene.cube.n_bands)
    rows = range(blocks.n_rows + 2)
    pool.map(lambda row: _fill(scene, tile, blocks, near, row), rows)
    if scene.accelerator is None:
        pool.map(near.multiply, rows)
    distances = np.empty((blocks.n_rows * side, blocks.n_cols * side, 3))

    def score(job: Window) -> None:
        cols = slice(job.col_start, job.col_stop)
        squared = _job_squared(scene, near, job.row_start, cols)
        squared[~near.valid[job.row_start + 1, 1:-1][cols]] = np.nan
        np.sqrt(squared, out=squared)
        strip = squared.reshape(job.n_cols, side, side, 3).swapaxes(0, 1).reshape(side, -1, 3)
        distances[job.row_start * side : job.row_stop * side, cols.start * side : cols.stop * side] = strip

    pool.map(score, tiles(*blocks.shape, 1, job_cols))
    return distances[: pixels.n_rows, : pixels.n_cols]


def _grown(blocks: Window) -> Window:
    return Window(blocks.row_start - 1, blocks.row_stop + 1, blocks.col_start - 1, blocks.col_stop + 1)


def _fill(scene: PatchScene, tile: Tile, blocks: Window, near: NearBlocks, row: int) -> None:
    """Store scaled values and validity of a row of blocks; what lies beyond the image stays 0 and invalid."""
    side = scene.grid.side
    line = Window(blocks.row_start - 1 + row, blocks.row_start + row, blocks.col_start - 1, blocks.col_stop + 1)
    inside = scene.grid.pixels(line)
    if inside.n_rows <= 0:
        return
    first, n_blocks = max(-line.col_start, 0), -(-inside.n_cols // side)
    part, whole_cols = tile.cut(inside), inside.n_cols // side * side
    pixels = near.pixels[row, PADDING + first : PADDING + first + n_blocks]
    valid = near.valid[row, first : first + n_blocks]
    for source, target in ((part.values, pixels), (part.valid, valid)):
        # One row of pixels after the other; the last block may be cut off.
        lines = target.reshape(n_blocks, side, side, *source.shape[2:])
        whole = source[:, :whole_cols].reshape(len(source), -1, side, *source.shape[2:])
        lines[: whole.shape[1], : len(source)] = whole.swapaxes(0, 1)
        if whole_cols < inside.n_cols:
            lines[-1, : len(source), : inside.n_cols - whole_cols] = source[:, whole_cols:]
    scene.scale(pixels)
    if not valid.all():
        pixels[~valid] = 0.0


def _job_squared(scene: PatchScene, near: NearBlocks, row: int, cols: slice) -> Float64Array:
    """Return squared distances (n, m, 3) of the pixels of some blocks of a row; of invalid ones they mean nothing."""
    place = slice(PADDING + 1 + cols.start, PADDING + 1 + cols.stop)
    blocks, valid = near.pixels[row + 1, place], near.valid[row + 1, 1 + cols.start : 1 + cols.stop]
    squared = np.empty((*valid.shape, 3))
    squared[:, :, 2] = scene.image.squared(blocks.reshape(-1, blocks.shape[2])).reshape(valid.shape)
    others_valid = near.others_valid(row, cols)
    to_own = scene.accelerator.own_squared if scene.accelerator else own_squared
    squared[:, :, 0] = to_own(blocks, valid, RIDGE)
    if scene.accelerator is None:
        squared[:, :, 1] = near.others_squared(row, cols, RIDGE)
    else:
        squared[:, :, 1] = scene.accelerator.others_squared(blocks, near.others(row, cols), others_valid, RIDGE)
    lonely = ~others_valid.any(axis=1)
    squared[lonely, :, 1] = squared[lonely, :, 2]
    return squared
