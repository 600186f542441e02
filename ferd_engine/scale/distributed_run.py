"""Detection and enhancement on a cluster: the passes of `pipeline`, strip by strip on workers.

The order in which statistics are merged follows from the raster alone, so that scores do not depend on the number of
workers, on their speed, or on strips that were computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Callable
from uuid import uuid4

import numpy as np

from .._version import __version__
from ..background import enough
from ..context import RunContext
from ..cube import Float32Array, ScoreSink
from ..detectors import Detector, make_detector
from ..detectors.distribution import ScoreDistribution
from ..detectors.gross import without_gross
from ..detectors.slrx import Slrx
from ..errors import InputError, RunError
from ..fen.backend import torch_installed
from ..mosaic import MosaicBackground
from ..mosaic_passes import mosaic_background
from ..options import DetectOptions, EnhanceOptions
from ..pipeline import Outcome, Plan, make_plan
from ..raster import Source, open_masked
from ..raster.background import open_background
from ..scan import Wanted
from ..statistics import Moments
from ..tally import Tally
from ..windows import Window
from . import tasks
from .cluster import Cluster
from .mosaic_strips import MosaicStrips
from .passes import Calls, Passes
from .reach import halo_of, leaves_out_gross
from .start import open_cluster, task_options
from .strips import Rows, absolute, row_step, score_file, strip_file, strips
from .tasks import Job, with_model

_SCAN_PART = 0.1
_ENHANCED_PART = 0.8
# What goes into the output at once: whole tiles of it.
_PLACED_BYTES = 64 << 20
_TILE_ROWS = 64


def run_distributed_detection(
    source: Source,
    options: DetectOptions,
    sink: ScoreSink,
    context: RunContext,
    mosaic: MosaicBackground | None = None,
    others: Sequence[str] = (),
) -> Outcome:
    """Score every valid pixel of the source into the sink, as `pipeline.run_detection` does, on a cluster.

    others : the rasters of a mosaic, whose background is taken on the cluster first.
    Raises `UsageError` for detectors and options that need the whole image in one place, `RunError` where the cluster
    fails.
    """
    detector = make_detector(options.detector, **options.detector_options())
    halo_of(detector, len(source.bands), options)
    if options.background is not None:
        # What is wrong with it is said here, and not by a worker.
        open_background(options.background, source).close()
    with _opened(source, options, context) as (run, job):
        start = len(others) / (len(others) + 2)
        if others:
            with context.part(0.0, start):
                mosaic = mosaic_background(others, options, context, MosaicStrips(run, job))
        with context.part(start, 1.0):
            return _detected(run, job, source, options, detector, mosaic, sink, context)


def distributed_mosaic(paths: Sequence[str], options: DetectOptions, context: RunContext) -> MosaicBackground:
    """Return the common background of rasters, taken on a cluster."""
    first = open_masked(paths[0], options.variable, options.mask)
    with closing(first), _opened(first, options, context) as (run, job):
        return mosaic_background(paths, options, context, MosaicStrips(run, job))


def _detected(
    run: _Run,
    job: Job,
    source: Source,
    options: DetectOptions,
    detector: Detector,
    mosaic: MosaicBackground | None,
    sink: ScoreSink,
    context: RunContext,
) -> Outcome:
    scan_part = _SCAN_PART if options.enhance else 0.5
    with context.part(0.0, scan_part):
        plan = make_plan(source, options, enhance=options.enhance, context=context, take=run.tally(job), mosaic=mosaic)
    job, backend, moments, scored = _planned(job, plan), None, plan.scan.moments, scan_part
    if options.enhance:
        scored = _ENHANCED_PART
        run.cluster.check_workers(tasks.check_model, job)
        rows = strips(source.n_rows, 4 * source.n_cols * len(job.numbers))
        calls = Calls(rows, partial(_enhancing, job, mosaic is None))
        with context.part(scan_part, scored):
            if mosaic is None:
                moments = run.reduced(tasks.enhance_strip, calls, "FEN")
            else:
                for _ in run.each(tasks.enhance_strip, calls, "FEN"):
                    pass
        job, backend = replace(job, enhanced=rows), f"{job.options.backend} on the workers of {options.scheduler}"
    if moments.count == 0:
        raise InputError("No pixel is valid in all used bands, so there is no background: check nodata and mask.")
    if options.background is not None:
        with context.part(scored, scored):
            moments = enough(run.background(job), options.background)
    with context.part(scored, 1.0):
        distribution = run.score(job, detector, moments, sink)
    return Outcome(plan, backend, distribution)


def run_distributed_enhancement(
    source: Source, options: EnhanceOptions, open_sink: Callable[[Plan, int], ScoreSink], context: RunContext
) -> Outcome:
    """Enhance every valid pixel of the source, as `pipeline.run_enhancement` does, on a cluster."""
    with _opened(source, options, context) as (run, job):
        with context.part(0.0, _SCAN_PART):
            plan = make_plan(source, options, enhance=True, context=context, take=run.tally(job))
        job = _planned(job, plan)
        run.cluster.check_workers(tasks.check_model, job)
        rows = strips(source.n_rows, 4 * source.n_cols * len(job.numbers))
        sink = open_sink(plan, rows[0][1])
        with context.part(_SCAN_PART, 1.0):
            calls = Calls(rows, partial(_enhancing, job, False))
            for _, part in zip(run.each(tasks.enhance_strip, calls, "FEN"), rows):
                run.place(strip_file(job.scratch, part[0]), part, sink)
        return Outcome(plan, f"{job.options.backend} on the workers of {options.scheduler}")


class _Run(Passes):
    """The passes of one run on a cluster, and what goes into its output."""

    def __init__(self, cluster: Cluster, source: Source, context: RunContext, scratch: Path) -> None:
        super().__init__(cluster, context)
        self._source, self._scratch = source, scratch

    def tally(self, job: Job) -> Callable[[Source, Wanted, RunContext], Tally]:
        """Return the first pass, for `make_plan`."""

        def take(source: Source, wanted: Wanted, context: RunContext) -> Tally:
            n_read = len(wanted.numbers) + len(wanted.suspects)
            rows = strips(source.n_rows, 4 * source.n_cols * n_read, step=row_step(source))
            found: Tally = self.reduced(tasks.tally_strip, Calls(rows, lambda part: (job, wanted, part)), "Reading")
            return found

        return take

    def background(self, job: Job) -> Moments:
        """Return the moments of the background that a file names."""
        rows = strips(self._source.n_rows, 4 * self._source.n_cols * len(job.numbers), step=row_step(self._source))
        found: Moments = self.reduced(tasks.background_strip, Calls(rows, lambda part: (job, part)), "Background")
        return found

    def score(self, job: Job, detector: Detector, moments: Moments, sink: ScoreSink) -> ScoreDistribution | None:
        """Write the scores of the image to the sink."""
        if leaves_out_gross(detector) and not moments.settled:
            # Seldom: only where the rank is short. It looks at the whole image, which no strip does.
            with self._context.part(0.0, 0.0), ExitStack() as opened:
                cube = tasks.cube_of(job, self._source)
                if isinstance(job.options, DetectOptions) and job.options.background is not None:
                    cube = opened.enter_context(tasks.flagged(job, self._source))
                moments = without_gross(cube, moments, self._context)
        path = self._scratch / "moments.npz"
        moments.save(path)
        row_bytes = 4 * self._source.n_cols * len(job.numbers)
        if isinstance(detector, Slrx):
            side = detector.side(self._source.n_rows)
            rows = strips(self._source.n_rows, row_bytes, step=side)
            (self._scratch / "maps").mkdir()
            minimum, maximum = np.full(3, np.inf), np.full(3, -np.inf)
            calls = Calls(rows, lambda part: (job, path, part, side))
            for low, high in self.each(tasks.map_strip, calls, "SLRX distances"):
                minimum, maximum = np.fmin(minimum, low), np.fmax(maximum, high)
            calls = Calls(rows, lambda part: (job, part, minimum, maximum))
            scored = self.each(tasks.product_strip, calls, "SLRX scores")
        else:
            halo = halo_of(detector, len(job.numbers))
            rows = strips(self._source.n_rows, row_bytes, step=row_step(self._source), least=4 * halo)
            scored = self.each(tasks.score_strip, Calls(rows, lambda part: (job, path, part, halo)), "Scores")
        distribution = None
        for (found, warnings), part in zip(scored, rows):
            distribution = found
            for warning in warnings:
                self._context.warn(warning)
            self.place(score_file(self._scratch, part[0]), part, sink)
        return distribution

    def place(self, path: Path, rows: Rows, sink: ScoreSink) -> None:
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


@contextmanager
def _opened(source: Source, options: EnhanceOptions, context: RunContext) -> Iterator[tuple[_Run, Job]]:
    if options.scheduler is None or context.scratch_folder is None:
        raise RunError("A distributed run needs a scheduler and a folder for its strips; please report this.")
    scratch = context.scratch_folder / "strips"
    scratch.mkdir()
    backend = options.backend
    if backend == "auto":
        # One for all workers: the two agree to 1e-4, and not to the last digit.
        backend = "torch" if torch_installed() else "numpy"
    mask = None if options.mask is None else absolute(options.mask)
    settings = replace(task_options(options), backend=backend, mask=mask)
    if isinstance(settings, DetectOptions) and settings.background is not None:
        settings = replace(settings, background=absolute(settings.background))
    job = Job(uuid4().hex, absolute(source.path), settings, scratch.absolute())
    with open_cluster(options.scheduler, options.threads) as cluster:
        cluster.check_workers(tasks.check_worker, job, __version__)
        yield _Run(cluster, source, context, scratch.absolute()), job


def _enhancing(job: Job, with_moments: bool, rows: Rows) -> tuple[Job, Rows, bool]:
    return job, rows, with_moments


def _planned(job: Job, plan: Plan) -> Job:
    job = replace(job, numbers=plan.selection.numbers)
    if plan.model is None:
        return job
    return replace(with_model(job, plan.model), scaling=plan.scan.scaling, mean=plan.scan.mean)
