"""What workers do with a strip once the background is known: its scores, in a scratch file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..cube import FloatArray
from ..detectors import Detector, DistanceDetector
from ..detectors.distribution import ScoreDistribution
from ..detectors.fusion import Plane, smallest_positive, sum_of_logs
from ..detectors.mahalanobis import Mahalanobis
from ..detectors.patches import PatchScene
from ..detectors.slrx import Maps, product, write_maps
from ..parallel import threads
from ..statistics import Float64Array, Moments
from ..windows import Window
from .strips import CoreRows, Rows, StripFiles, Strips, core_of, strip_file
from .tasks import Job, at_work, keep, rows_of


@dataclass(frozen=True)
class Term:
    """A detector on one cube, that of `job`.

    background : the file of what it needs of the whole image, a distance for a `DistanceDetector`, else moments. They
    are read once per worker, since they are too large to travel with each strip. folder : where its scores go, a file
    of float32 (rows, cols) per strip.
    """

    job: Job
    detector: Detector
    background: Path
    folder: Path


class Scored(NamedTuple):
    """What is known of a strip's scores: their distribution, warnings, and the smallest positive one."""

    distribution: ScoreDistribution | None
    warnings: list[str]
    smallest: float


class StoredPlane(NamedTuple):
    """The scores of a component of a fusion: a file per strip of `rows` in `folder`, and the smallest positive one."""

    folder: Path
    rows: Strips
    smallest: float


def score_strip(term: Term, rows: Rows, halo: int) -> Scored:
    """Score a strip, of which the detector sees `halo` rows more on either side."""
    detector = term.detector
    with at_work(term.job) as (source, context):
        start, stop = max(rows[0] - halo, 0), min(rows[1] + halo, source.n_rows)
        core = CoreRows(start, *rows, source.n_cols)
        with rows_of(term.job, source, start, stop) as cube, threads():
            if isinstance(detector, DistanceDetector):
                distribution = detector.score_by(_distance(term.background), cube, core, context)
            else:
                distribution = detector.score(cube, _moments(term.background), core, context)
    keep(term.job, strip_file(term.folder, rows[0]), core.values)
    return Scored(distribution, context.warnings, smallest_positive(core.values))


def map_strip(term: Term, rows: Rows, side: int) -> tuple[Float64Array, Float64Array]:
    """Keep the three maps of SLRX of a strip, whole blocks, in a scratch file; return their extrema."""
    with at_work(term.job) as (source, context):
        start, stop = max(rows[0] - side, 0), min(rows[1] + side, source.n_rows)
        scratch = context.scratch_cube(rows[1] - rows[0], source.n_cols, 6)
        maps = Maps(scratch)
        with rows_of(term.job, source, start, stop) as cube:
            write_maps(
                PatchScene(cube, _moments(term.background), side),
                _CoreMaps(maps, start - rows[0], rows[1] - rows[0]),
                context,
            )
        pairs = scratch.read_values(Window(0, rows[1] - rows[0], 0, source.n_cols))
        keep(term.job, strip_file(_maps(term), rows[0]), pairs)
        return maps.minimum, maps.maximum


def product_strip(term: Term, rows: Rows, minimum: Float64Array, maximum: Float64Array) -> Scored:
    """Write the scores of SLRX of a strip."""
    pairs: FloatArray = np.load(strip_file(_maps(term), rows[0]), allow_pickle=False)
    scores = product(pairs, minimum, maximum)
    keep(term.job, strip_file(term.folder, rows[0]), scores)
    return Scored(None, [], smallest_positive(scores))


def fusion_strip(job: Job, planes: Sequence[StoredPlane], folder: Path, rows: Rows, n_cols: int) -> Scored:
    """Write the sum of the components' log scores of a strip."""
    read = [Plane(StripFiles(plane.folder, plane.rows, n_cols, 1), plane.smallest) for plane in planes]
    scores = sum_of_logs(read, Window(*rows, 0, n_cols))
    keep(job, strip_file(folder, rows[0]), scores)
    return Scored(None, [], smallest_positive(scores))


def _maps(term: Term) -> Path:
    return term.folder / "maps"


class _CoreMaps:
    """The maps of a strip; what is written beyond its rows is dropped."""

    def __init__(self, maps: Maps, down: int, n_rows: int) -> None:
        self._maps, self._down, self._n_rows = maps, down, n_rows

    def write(self, window: Window, distances: Float64Array) -> None:
        core = core_of(window, self._down, self._n_rows)
        if core is not None:
            self._maps.write(core[0], distances[core[1]])


@lru_cache(maxsize=2)
def _distance(path: Path) -> Mahalanobis:
    return Mahalanobis.load(path)


@lru_cache(maxsize=2)
def _moments(path: Path) -> Moments:
    moments = Moments.load(path)
    # The client looked through the whole image for gross pixels; a strip must not do so again for itself.
    moments.settled = True
    return moments
