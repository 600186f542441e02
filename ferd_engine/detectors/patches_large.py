"""Distances of SLRX where blocks hold many pixels: by the moments of each block, merged for its neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..parallel import Threads
from ..statistics import Float64Array, Moments
from ..windows import Window, shifted, tiles
from .metric import Metric
from .patches import WINDOW_BYTES, Distances, PatchScene, Tile

# Moments of three rows of blocks; moments and two metrics with their inverse factors while a row is scored.
_MATRICES_PER_COLUMN = 3 + 6

# Metrics of a block: to its own pixels, to its neighbours'.
_Metrics = tuple[Metric, Metric]


def large_patch_distances(scene: PatchScene, free_bytes: int, pool: Threads) -> Iterator[Distances]:
    """Yield the distances of the whole image, each pixel once.

    Reads each pixel twice, and once more where the image is cut into groups of columns of blocks, because the moments
    of a whole row of blocks do not fit into `free_bytes`.
    """
    blocks, n_bands = scene.grid.blocks, scene.cube.n_bands
    matrix_bytes = 8 * n_bands * n_bands
    group_cols = max(free_bytes // 2 // (_MATRICES_PER_COLUMN * matrix_bytes) - 2, 1)
    # A pixel as float64, as some cubes give it, beside what the cube reads it from, its part in a job, its distances.
    piece_pixels = max(min(free_bytes // 2, WINDOW_BYTES) // (32 * n_bands + 64), 1)
    for columns in tiles(blocks.n_rows, blocks.n_cols, blocks.n_rows, group_cols):
        yield from _column_group(scene, columns, piece_pixels, pool)


def _column_group(scene: PatchScene, columns: Window, piece_pixels: int, pool: Threads) -> Iterator[Distances]:
    n_block_rows = scene.grid.blocks.n_rows
    cols = range(max(columns.col_start - 1, 0), min(columns.col_stop + 1, scene.grid.blocks.n_cols))
    rows: dict[int, dict[int, Moments]] = {}
    for row in range(n_block_rows):
        for wanted in range(row, min(row + 2, n_block_rows)):
            if wanted not in rows:
                rows[wanted] = _row_moments(
                    scene, Window(wanted, wanted + 1, cols.start, cols.stop), piece_pixels, pool
                )
        rows.pop(row - 2, None)
        inner = Window(row, row + 1, columns.col_start, columns.col_stop)
        yield from _row_distances(scene, inner, rows, piece_pixels, pool)


def _pieces(scene: PatchScene, blocks: Window, n_pixels: int) -> Iterator[Tile]:
    """Read a row of blocks in windows of at most `n_pixels` pixels."""
    pixels = scene.grid.pixels(blocks)
    width = min(pixels.n_cols, n_pixels)
    for part in tiles(*pixels.shape, max(n_pixels // width, 1), width):
        window = shifted(part, pixels)
        yield Tile(window, *scene.cube.read(window))


def _parts(scene: PatchScene, tile: Tile) -> list[tuple[int, Tile]]:
    """Return (column of the block, its part of the tile) for each block that a tile within a row of blocks meets."""
    side, window = scene.grid.side, tile.window
    parts = []
    for col in range(window.col_start // side, -(-window.col_stop // side)):
        start, stop = max(col * side, window.col_start), min((col + 1) * side, window.col_stop)
        parts.append((col, tile.cut(Window(window.row_start, window.row_stop, start, stop))))
    return parts


def _row_moments(scene: PatchScene, blocks: Window, piece_pixels: int, pool: Threads) -> dict[int, Moments]:
    """Return the moments of the valid pixels of each block in a row, by column."""
    moments = {
        col: Moments(scene.cube.n_bands, scene.accelerator, extrema=False)
        for col in range(blocks.col_start, blocks.col_stop)
    }

    def add(part: tuple[int, Tile]) -> None:
        col, tile = part
        moments[col].add(tile.values[tile.valid])

    for tile in _pieces(scene, blocks, piece_pixels):
        pool.map(add, _parts(scene, tile))
    return moments


def _row_distances(
    scene: PatchScene, blocks: Window, rows: dict[int, dict[int, Moments]], piece_pixels: int, pool: Threads
) -> Iterator[Distances]:
    """Yield the distances of a row of blocks, from the moments of it and of the rows beside it."""
    row, cols = blocks.row_start, range(blocks.col_start, blocks.col_stop)
    metrics = dict(zip(cols, pool.map(lambda col: _block_metrics(scene, rows, row, col), cols)))
    for tile in _pieces(scene, blocks, piece_pixels):
        values = np.full((*tile.window.shape, 3), np.nan)

        def score(part: tuple[int, Tile], window: Window = tile.window, values: Float64Array = values) -> None:
            col, piece = part
            pixels = scene.scaled(piece.values[piece.valid])
            if len(pixels):
                squared = [metric.squared(pixels) for metric in (*metrics[col], scene.image)]
                values[piece.window.within(window)][piece.valid] = np.sqrt(np.stack(squared, axis=1))

        pool.map(score, _parts(scene, tile))
        yield Distances(tile.window, values)


def _block_metrics(scene: PatchScene, rows: dict[int, dict[int, Moments]], row: int, col: int) -> _Metrics:
    own = rows[row][col]
    others = Moments(scene.cube.n_bands, extrema=False)
    for near in (row - 1, row, row + 1):
        for beside in (col - 1, col, col + 1):
            if (near, beside) != (row, col) and near in rows and beside in rows[near]:
                others.merge(rows[near][beside])
    many = own.count > scene.cube.n_bands
    return scene.metric(own, many=many), scene.metric(others, many=many) if others.count else scene.image
