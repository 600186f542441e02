"""How a block is cut into jobs for the threads that work on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Pixels per strip row: with six rows about fifteen hundred pixels per product, so that a layer's input and output stay
# in a core's cache.
STRIP_COLS = 256
# A strip is cut further only while its parts keep this many rows: each cut recomputes the halo's rows.
MIN_JOB_ROWS = 24
# Strips that carry their state are cut into narrower ones instead, down to this width: each cut recomputes the columns
# of the halo.
MIN_STRIP_COLS = 24


@dataclass(frozen=True)
class Job:
    """Core rows [row, row + n_rows) and columns [col, col + n_cols) of a block."""

    row: int
    col: int
    n_rows: int
    n_cols: int


def jobs_of_parts(rows: int, cols: int, workers: int) -> list[Job]:
    """Cut a block into strips of at most `STRIP_COLS` columns, and the strips until every worker has its share."""
    n_strips = math.ceil(cols / STRIP_COLS)
    n_parts = 1
    while (n_strips * n_parts) % workers and rows // (n_parts + 1) >= MIN_JOB_ROWS:
        n_parts += 1
    col_cuts = [cols * index // n_strips for index in range(n_strips + 1)]
    row_cuts = [rows * index // n_parts for index in range(n_parts + 1)]
    return [
        Job(top, left, bottom - top, right - left)
        for top, bottom in zip(row_cuts, row_cuts[1:])
        for left, right in zip(col_cuts, col_cuts[1:])
    ]


def jobs_of_strips(rows: int, cols: int, workers: int) -> list[Job]:
    """Cut a block into strips of all its rows, as many for each worker where they do not get too narrow."""
    fewest = math.ceil(cols / STRIP_COLS)
    shared = math.ceil(fewest / workers) * workers
    n_strips = max(fewest, min(shared, cols // MIN_STRIP_COLS))
    cuts = [cols * index // n_strips for index in range(n_strips + 1)]
    return [Job(0, left, rows, right - left) for left, right in zip(cuts, cuts[1:])]
