"""What workers do with a strip before the background is known: parts of sums and moments, merged afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..background import moments_of
from ..context import RunContext
from ..cube import Cube, Float32Array, background_of
from ..detectors.image_passes import fourth_powers, near_moments, store_distances
from ..detectors.mahalanobis import Mahalanobis
from ..order_statistics import counts_of
from ..statistics import Float64Array, Moments
from ..windows import Window
from .strips import Rows, strip_file
from .tasks import Job, at_work, keep, rows_of


@dataclass
class Total:
    """A number, or an array of numbers, to which those of other strips are added."""

    value: Any

    def merge(self, other: Total) -> None:
        """Add what another one holds."""
        self.value = self.value + other.value


def moments_strip(job: Job, rows: Rows) -> Moments:
    """Return the moments of the background pixels of a strip."""
    with _background(job, rows) as (cube, context):
        return moments_of(cube, context)


def fourth_powers_strip(job: Job, mean: Float64Array, rows: Rows) -> Total:
    """Return the sum of |x - mean|^4 over the background pixels of a strip."""
    with _background(job, rows) as (cube, context):
        return Total(fourth_powers(cube, mean, context))


def distances_strip(job: Job, distance: Path, folder: Path, rows: Rows) -> Total:
    """Keep the distances of the background pixels of a strip in a file; return the counts of their high halves."""
    with _background(job, rows) as (cube, context):
        plane = _Plane(np.empty((cube.n_rows, cube.n_cols, 1), dtype=np.float32))
        store_distances(cube, Mahalanobis.load(distance), plane.write, context)
    keep(job, strip_file(folder, rows[0]), plane.values)
    return Total(counts_of(plane.parts()))


def counts_strip(folder: Path, high: int, rows: Rows) -> Total:
    """Return the counts of the low halves of a strip's distances that have this high half."""
    return Total(counts_of(_Plane.load(folder, rows).parts(), high))


def near_strip(job: Job, folder: Path, cutoff: float, rows: Rows) -> Moments:
    """Return the moments of the background pixels of a strip whose distance is at most the cutoff."""
    with _background(job, rows) as (cube, context):
        return near_moments(cube, _Plane.load(folder, rows), cutoff, context)


@contextmanager
def _background(job: Job, rows: Rows) -> Iterator[tuple[Cube, RunContext]]:
    """Give a strip in which background pixels alone are valid."""
    with at_work(job) as (source, context), rows_of(job, source, *rows) as cube:
        yield background_of(cube), context


class _Plane:
    """The distances (rows, cols, 1) of a strip, NaN where there is none."""

    def __init__(self, values: Float32Array) -> None:
        self.values = values
        self.n_rows, self.n_cols, self.n_bands = values.shape

    @classmethod
    def load(cls, folder: Path, rows: Rows) -> _Plane:
        return cls(np.load(strip_file(folder, rows[0]), allow_pickle=False))

    def parts(self) -> list[Float32Array]:
        """Return the distances in arrays of about a million: counting takes several times their memory."""
        return np.array_split(self.values, max(self.values.size >> 20, 1))

    def write(self, window: Window, distances: Float32Array) -> None:
        self.values[window.row_start : window.row_stop, window.col_start : window.col_stop] = distances

    def read_values(self, window: Window) -> Float32Array:
        return self.values[window.row_start : window.row_stop, window.col_start : window.col_stop]
