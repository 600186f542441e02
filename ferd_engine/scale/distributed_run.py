"""Detection and enhancement on a cluster: the passes of `pipeline`, strip by strip on workers.

The order in which statistics are merged follows from the raster alone, so that scores do not depend on the number of
workers, on their speed, or on strips that were computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable
from uuid import uuid4

import numpy as np

from .._version import __version__
from ..context import RunContext
from ..cube import Float32Array, ScoreSink
from ..detectors import Detector, make_detector
from ..detectors.distribution import ScoreDistribution
from ..detectors.gross import without_gross
from ..detectors.slrx import Slrx
from ..errors import InputError, RunError
from ..fen.backend import torch_installed
from ..fen.store import find_model
from ..mosaic import MosaicBackground, TakeAll, mosaic_background, opened
from ..options import DetectOptions, EnhanceOptions
from ..pipeline import Outcome, Plan, make_plan
from ..progress import ProgressSpan
from ..raster import Source, open_source
from ..raster.source import path_exists
from ..scan import Wanted
from ..statistics import Moments
from ..tally import Tally
from ..windows import Window
from . import tasks
from .cluster import Cluster
from .reach import halo_of, leaves_out_gross
from .start import open_cluster, task_options
from .strips import score_file, strip_file, strips
from .tasks import Job, Rows

# Partial results that a worker merges before one of them goes to the client.
_FAN_IN = 8
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
    with _opened(source, options, context) as (run, job):
        start = len(others) / (len(others) + 2)
        if others:
            with context.part(0.0, start):
                mosaic = mosaic_background(others, options, context, run.tallies(job))
        with context.part(start, 1.0):
            return _detected(run, job, source, options, detector, mosaic, sink, context)


def distributed_mosaic(paths: Sequence[str], options: DetectOptions, context: RunContext) -> MosaicBackground:
    """Return the common background of rasters, taken on a cluster."""
    with closing(opened(paths[0], options)) as source, _opened(source, options, context) as (run, job):
        return mosaic_background(paths, options, context, run.tallies(job))


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
    job, backend, moments, scored = _planned(job, plan, options), None, plan.scan.moments, scan_part
    if options.enhance:
        scored = _ENHANCED_PART
        run.cluster.check_workers(tasks.check_model, job)
        rows = tuple(strips(source.n_rows, 4 * source.n_cols * len(job.numbers)))
        with context.part(scan_part, scored):
            moments = run.reduced(tasks.enhance_strip, [(job, part, True) for part in rows], "FEN")
        job, backend = replace(job, enhanced=rows), f"{job.options.backend} on the workers of {options.scheduler}"
    if moments.count == 0:
        raise InputError("No pixel is valid in all used bands, so there is no background: check nodata and mask.")
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
        job = _planned(job, plan, options)
        run.cluster.check_workers(tasks.check_model, job)
        rows = strips(source.n_rows, 4 * source.n_cols * len(job.numbers))
        sink = open_sink(plan, rows[0][1])
        with context.part(_SCAN_PART, 1.0):
            calls = [(job, part, False) for part in rows]
            for part, _ in zip(rows, run.each(tasks.enhance_strip, calls, "FEN")):
                run.place(strip_file(job.scratch, part[0]), part, sink)
        return Outcome(plan, f"{job.options.backend} on the workers of {options.scheduler}")


class _Run:
    """The passes of one run on a cluster."""

    def __init__(self, cluster: Cluster, source: Source, context: RunContext, scratch: Path) -> None:
        self.cluster, self._source, self._context, self._scratch = cluster, source, context, scratch
        self._n_passes = 0

    def tally(self, job: Job) -> Callable[[Source, Wanted, RunContext], Tally]:
        """Return the first pass, for `make_plan`."""

        def take(source: Source, wanted: Wanted, context: RunContext) -> Tally:
            n_read = len(wanted.numbers) + len(wanted.suspects)
            rows = strips(source.n_rows, 4 * source.n_cols * n_read, step=_step(source))
            found: Tally = self.reduced(tasks.tally_strip, [(job, wanted, part) for part in rows], "Reading")
            return found

        return take

    def tallies(self, job: Job) -> TakeAll:
        """Return the pass over the rasters of a mosaic, for `mosaic_background`; strips of many are under way."""

        def take(paths: Sequence[str], wanted: Sequence[Wanted]) -> Iterator[Tally]:
            calls: list[tuple[Any, ...]] = []
            groups: list[tuple[int, range]] = []
            for index, (path, what) in enumerate(zip(paths, wanted)):
                one = replace(job, run=uuid4().hex, path=absolute(path))
                source = open_source(path, job.options.variable)
                try:
                    n_read = len(what.numbers) + len(what.suspects)
                    rows = strips(source.n_rows, 4 * source.n_cols * n_read, step=_step(source))
                finally:
                    source.close()
                first = len(calls)
                calls += [(one, what, part) for part in rows]
                groups += [
                    (index, range(start, min(start + _FAN_IN, len(calls))))
                    for start in range(first, len(calls), _FAN_IN)
                ]
            found = self._merged(tasks.tally_strip, calls, [numbers for _, numbers in groups], "Background")
            total: Tally | None = None
            for (index, _), following, part in zip(groups, [*(index for index, _ in groups[1:]), -1], found):
                if total is None:
                    total = part
                else:
                    total.merge(part)
                if following != index:
                    yield total
                    total = None

        return take

    def each(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], message: str) -> Iterator[Any]:
        """Yield the results of calls in their order."""
        name = self._name(function)

        def submit(client: Any, index: int) -> Any:
            return client.submit(function, *calls[index], key=f"{name}-{index}", fifo_timeout=0)

        return self.cluster.results(submit, len(calls), self._span(), message)

    def reduced(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], message: str) -> Any:
        """Return the merged results of calls: by eights on the workers, these one after the other here."""
        groups = [range(start, min(start + _FAN_IN, len(calls))) for start in range(0, len(calls), _FAN_IN)]
        total = None
        for part in self._merged(function, calls, groups, message):
            if total is None:
                total = part
            else:
                total.merge(part)
        return total

    def _merged(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], groups: Sequence[range], message: str
    ) -> Iterator[Any]:
        """Yield the merged results of each group of calls, in order."""
        name = self._name(function)

        def submit(client: Any, group: int) -> Any:
            leaves = [client.submit(function, *calls[i], key=f"{name}-{i}", fifo_timeout=0) for i in groups[group]]
            return client.submit(tasks.merged, leaves, key=f"{name}-merged-{group}", fifo_timeout=0)

        return self.cluster.results(submit, len(groups), self._span(), message)

    def score(self, job: Job, detector: Detector, moments: Moments, sink: ScoreSink) -> ScoreDistribution | None:
        """Write the scores of the image to the sink."""
        if leaves_out_gross(detector) and not moments.settled:
            # Seldom: only where the rank is short. It looks at the whole image, which no strip does.
            with self._context.part(0.0, 0.0):
                moments = without_gross(tasks.cube_of(job, self._source), moments, self._context)
        path = self._scratch / "moments.npz"
        moments.save(path)
        row_bytes = 4 * self._source.n_cols * len(job.numbers)
        if isinstance(detector, Slrx):
            side = detector.side(self._source.n_rows)
            rows = strips(self._source.n_rows, row_bytes, step=side)
            (self._scratch / "maps").mkdir()
            minimum, maximum = np.full(3, np.inf), np.full(3, -np.inf)
            for low, high in self.each(tasks.map_strip, [(job, path, part, side) for part in rows], "SLRX distances"):
                minimum, maximum = np.fmin(minimum, low), np.fmax(maximum, high)
            scored = self.each(tasks.product_strip, [(job, part, minimum, maximum) for part in rows], "SLRX scores")
        else:
            halo = halo_of(detector, len(job.numbers))
            rows = strips(self._source.n_rows, row_bytes, step=_step(self._source), least=4 * halo)
            scored = self.each(tasks.score_strip, [(job, path, part, halo) for part in rows], "Scores")
        distribution = None
        for part, (found, warnings) in zip(rows, scored):
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

    def _name(self, function: Callable[..., Any]) -> str:
        # The same strip is looked at in several passes, and two runs may share a cluster.
        self._n_passes += 1
        return f"ferd-{self._scratch.name}-{self._n_passes}-{function.__name__}"

    def _span(self) -> ProgressSpan:
        return ProgressSpan(self._context.progress, 0.0, 1.0)


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
    job = Job(uuid4().hex, absolute(source.path), settings, scratch.absolute())
    with open_cluster(options.scheduler, options.threads) as cluster:
        cluster.check_workers(tasks.check_worker, job, __version__)
        yield _Run(cluster, source, context, scratch.absolute()), job


def _planned(job: Job, plan: Plan, options: EnhanceOptions) -> Job:
    numbers = plan.selection.numbers
    if plan.model is None:
        return replace(job, numbers=numbers)
    model = plan.model
    asked = None if options.model is None else find_model(options.model)
    # The folder that was named, unless another model of its family ran in its place.
    name = model.name
    if asked is not None and options.model is not None and asked.sha256 == model.sha256:
        name = absolute(options.model)
    return replace(
        job, numbers=numbers, model=name, model_sha256=model.sha256, scaling=plan.scan.scaling, mean=plan.scan.mean
    )


def absolute(path: str) -> str:
    """Return the path of a file for workers in another folder; names that are not files stay as they are."""
    return str(Path(path).absolute()) if path_exists(path) and not path.startswith("/vsi") else path


def _step(source: Source) -> int:
    """Return what heights of strips are multiples of: the file's own blocks, so that none is read twice, or 64."""
    return source.block_rows if 64 < source.block_rows <= 1024 else 64
