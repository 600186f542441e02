"""Distances of SLRX where eight blocks hold no more pixels than there are bands: by the pixels' inner products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..parallel import Threads
from ..statistics import Float64Array
from ..windows import Window, tiles, whole
from .metric import own_squared
from .near_blocks import PADDING, NearBlocks
from .patches import RIDGE, Distances, PatchScene, Tile

# Many blocks for one call of numpy: short calls make the threads wait for the interpreter lock longer than they work.
_JOB_BYTES = 8 << 20
# Each tile makes the products with the blocks around it again; progress and cancel are polled once per tile.
_TILE_BYTES = 96 << 20


def small_patch_distances(scene: PatchScene, free_bytes: int, pool: Threads) -> Iterator[Distances]:
    """Yield the distances of the whole image, each pixel once; reads it once, and a border of one block."""
    grid, n_bands, n_pixels = scene.grid, scene.cube.n_bands, scene.grid.side**2
    jobs = _Jobs.within(min(_JOB_BYTES, free_bytes // 2 // pool.count), n_pixels, n_bands)
    jobs_bytes = pool.count * max(jobs.bytes(n_pixels, n_bands))
    # A pixel as float64, as some cubes give it, beside what the cube reads it from; its distances.
    block_bytes = n_pixels * (16 * n_bands + 64) + NearBlocks.block_bytes(n_pixels, n_bands)
    border = 2 + 2 * PADDING
    n_blocks = min(free_bytes - jobs_bytes, _TILE_BYTES) // block_bytes
    tile_cols = max(min(n_blocks // 3 - border, grid.blocks.n_cols), 1)
    tile_rows = max(n_blocks // (tile_cols + border) - 2, 1)
    for blocks in tiles(*grid.blocks.shape, tile_rows, tile_cols):
        yield Distances(grid.pixels(blocks), _tile_distances(scene, blocks, jobs, pool))


class _Jobs(NamedTuple):
    """How many blocks a job takes that finds distances to the blocks around, and one that finds the other two."""

    near: int
    own: int

    @classmethod
    def within(cls, free_bytes: int, n_pixels: int, n_bands: int) -> _Jobs:
        near, own = cls(1, 1).bytes(n_pixels, n_bands)
        return cls(max(free_bytes // near, 1), max(free_bytes // own, 1))

    def bytes(self, n_pixels: int, n_bands: int) -> tuple[int, int]:
        """Return what a job of each kind takes."""
        # Centred pixels twice; Gram matrices, with their inverses, and a step of the elimination.
        own = 8 * n_pixels * (2 * n_bands + 4 * n_pixels)
        return self.near * NearBlocks.job_bytes(n_pixels, n_bands), self.own * own


def _tile_distances(scene: PatchScene, blocks: Window, jobs: _Jobs, pool: Threads) -> Float64Array:
    """Return the distances (rows, cols, 3) of the pixels of some blocks, NaN where invalid."""
    side, pixels = scene.grid.side, scene.grid.pixels(blocks)
    around = scene.grid.pixels(_grown(blocks))
    tile = Tile(around, *scene.cube.read(around))
    near = NearBlocks(*blocks.shape, side**2, scene.cube.n_bands)
    rows = range(blocks.n_rows + 2)
    pool.map(lambda row: _fill(scene, tile, blocks, near, row), rows)
    if scene.accelerator is None:
        pool.map(near.multiply, rows)
    squared = np.empty((*blocks.shape, side**2, 3))
    distances = np.empty((blocks.n_rows * side, blocks.n_cols * side, 3))
    tile_blocks = whole(*blocks.shape)

    def to_others(part: Window) -> None:
        squared[part.within(tile_blocks)][0, :, :, 1] = _others_squared(scene, near, part)

    def to_own_and_image(part: Window) -> None:
        target = squared[part.within(tile_blocks)]
        target[..., 0] = _own_squared(scene, near, part)
        target[..., 2] = scene.image.squared(near.blocks(part)[0])

    def finish(row: int) -> None:
        line, valid = squared[row], near.valid[row + 1, 1:-1]
        lonely = ~near.others_valid(row, slice(0, blocks.n_cols)).any(axis=1)
        line[lonely, :, 1] = line[lonely, :, 2]
        line[~valid] = np.nan
        np.sqrt(line, out=line)
        strip = line.reshape(blocks.n_cols, side, side, 3).swapaxes(0, 1).reshape(side, -1, 3)
        distances[row * side : (row + 1) * side] = strip

    own_rows = max(jobs.own // blocks.n_cols, 1)
    parts = [(to_others, part) for part in tiles(*blocks.shape, 1, jobs.near)]
    parts += [(to_own_and_image, part) for part in tiles(*blocks.shape, own_rows, jobs.own)]
    pool.map(lambda job: job[0](job[1]), parts)
    pool.map(finish, range(blocks.n_rows))
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


def _others_squared(scene: PatchScene, near: NearBlocks, part: Window) -> Float64Array:
    """Return squared distances (n, m) of the pixels of some blocks of a row to the blocks around."""
    row, cols = part.row_start, slice(part.col_start, part.col_stop)
    if scene.accelerator is None:
        return near.others_squared(row, cols, RIDGE)
    (values,), _ = near.blocks(part)
    return scene.accelerator.others_squared(values, near.others(row, cols), near.others_valid(row, cols), RIDGE)


def _own_squared(scene: PatchScene, near: NearBlocks, part: Window) -> Float64Array:
    """Return squared distances (rows, cols, m) of the pixels of some blocks to their own block."""
    values, valid = near.blocks(part)
    if scene.accelerator is None:
        return own_squared(values, valid, RIDGE)
    flat = valid.reshape(-1, valid.shape[2])
    return scene.accelerator.own_squared(values.reshape(*flat.shape, -1), flat, RIDGE).reshape(valid.shape)
