"""The passes that score an image on a cluster, and what goes from them into the output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..context import RunContext
from ..cube import Float32Array, ScoreSink
from ..detectors import Detector, DistanceDetector
from ..detectors.covariance import background_distance, parse_covariance, passes
from ..detectors.distribution import ScoreDistribution
from ..detectors.fusion import COMBINED_PIXEL_BYTES, COMPONENTS_PART, Fusion
from ..detectors.lrx import Lrx
from ..detectors.qlrx import Qlrx
from ..detectors.slrx import Slrx
from ..raster import Source
from ..statistics import Moments
from ..windows import Window
from . import score_tasks
from .image_strips import ImageStrips
from .passes import Calls, Passes
from .reach import halo_of
from .score_tasks import Scored, StoredPlane, Term
from .strips import Rows, Strips, row_step, strip_file, strips
from .tasks import Job

# What goes into the output at once: whole tiles of it.
_PLACED_BYTES = 64 << 20
_TILE_ROWS = 64


class StripScene(NamedTuple):
    """A cube that lies in strips, that of a job, and the moments of its background."""

    job: Job
    moments: Moments


class Scoring:
    """Scores the image of a run."""

    def __init__(self, run: Passes, source: Source, scratch: Path, context: RunContext) -> None:
        self._run, self._source, self._scratch, self._context = run, source, scratch, context

    def score(self, detector: Detector, scene: StripScene, sink: ScoreSink) -> ScoreDistribution | None:
        """Write the scores to the sink, as `Detector.score` does."""
        rows, scored = self._scored(detector, scene, self._folder("scores"))
        distribution = None
        for strip, part in zip(scored, rows):
            distribution = strip.distribution
            place(strip_file(self._scratch / "scores", part[0]), part, sink)
        return distribution

    def score_fusion(self, fusion: Fusion, scenes: Mapping[str, StripScene], sink: ScoreSink) -> None:
        """Write the scores of a fusion to the sink; `scenes` are the cubes that there are, by their names in it."""
        planes = []
        for index, (component, (start, stop)) in enumerate(fusion.shares(scenes)):
            folder = self._folder(f"component{index}")
            with self._context.part(start, stop):
                rows, scored = self._scored(component.detector, scenes[component.cube], folder)
                planes.append(StoredPlane(folder, rows, min(strip.smallest for strip in scored)))
        # The job of any of the cubes: only the run's scratch folder is taken from it.
        n_cols, job = self._source.n_cols, scenes[component.cube].job
        rows, folder = strips(self._source.n_rows, COMBINED_PIXEL_BYTES * n_cols), self._folder("scores")
        with self._context.part(COMPONENTS_PART, 1.0):
            calls = Calls(rows, lambda part: (job, planes, folder, part, n_cols))
            for _, part in zip(self._run.each(score_tasks.fusion_strip, calls, "Fusion"), rows):
                place(strip_file(folder, part[0]), part, sink)

    def _scored(self, detector: Detector, scene: StripScene, folder: Path) -> tuple[Strips, Iterator[Scored]]:
        """Return the strips of a detector, and what becomes known of each once its scores are in a file."""
        term = Term(scene.job, detector, folder / "background.npz", folder)
        start = 0.0
        if isinstance(detector, DistanceDetector):
            n_passes = passes(parse_covariance(detector.covariance))
            start = n_passes / (n_passes + 1)
        with self._context.part(0.0, start):
            self._settle(term, scene.moments)
        with self._context.part(start, 1.0):
            if isinstance(detector, Slrx):
                rows, scored = self._slrx(term, detector.side(self._source.n_rows))
            else:
                halo = halo_of(detector, len(term.job.numbers))
                rows = self._strips(term, row_step(self._source), 4 * halo)
                calls = Calls(rows, lambda part: (term, part, halo))
                scored = self._run.each(score_tasks.score_strip, calls, "Scores")
        return rows, self._warned(scored)

    def _settle(self, term: Term, moments: Moments) -> None:
        """Write what the detector needs of the whole image."""
        image = ImageStrips(self._run, term.job, self._source, self._context, term.folder)
        if isinstance(term.detector, DistanceDetector):
            option = parse_covariance(term.detector.covariance)
            background_distance(option, image, moments, self._context).save(term.background)
            return
        if isinstance(term.detector, (Lrx, Qlrx)):
            moments = image.without_gross(moments)
        moments.save(term.background)

    def _slrx(self, term: Term, side: int) -> tuple[Strips, Iterator[Scored]]:
        rows = self._strips(term, side, 1)
        (term.folder / "maps").mkdir()
        minimum, maximum = np.full(3, np.inf), np.full(3, -np.inf)
        calls = Calls(rows, lambda part: (term, part, side))
        for low, high in self._run.each(score_tasks.map_strip, calls, "SLRX distances"):
            minimum, maximum = np.fmin(minimum, low), np.fmax(maximum, high)
        calls = Calls(rows, lambda part: (term, part, minimum, maximum))
        return rows, self._run.each(score_tasks.product_strip, calls, "SLRX scores")

    def _strips(self, term: Term, step: int, least: int) -> Strips:
        return strips(self._source.n_rows, 4 * self._source.n_cols * len(term.job.numbers), step=step, least=least)

    def _warned(self, scored: Iterator[Scored]) -> Iterator[Scored]:
        for strip in scored:
            for warning in strip.warnings:
                self._context.warn(warning)
            yield strip

    def _folder(self, name: str) -> Path:
        folder = self._scratch / name
        folder.mkdir()
        return folder


def place(path: Path, rows: Rows, sink: ScoreSink) -> None:
    """Move the content of a strip into the output; its file is gone afterwards, so that scratch stays small."""
    values: Float32Array = np.load(path, mmap_mode="r", allow_pickle=False)
    n_cols = values.shape[1]
    # A cube's strip is much larger than a part that the output's driver takes at once.
    step = max(_PLACED_BYTES // values[:1].nbytes // _TILE_ROWS, 1) * _TILE_ROWS
    for start in range(0, len(values), step):
        part = values[start : start + step]
        sink.write(Window(rows[0] + start, rows[0] + start + len(part), 0, n_cols), part)
    del values, part
    path.unlink()
