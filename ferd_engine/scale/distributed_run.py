"""Detection and enhancement on a cluster: the passes of `pipeline`, strip by strip on workers.

The order in which statistics are merged follows from the raster alone, so that scores do not depend on the number of
workers, on their speed, or on strips that were computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Callable
from uuid import uuid4

from .._version import __version__
from ..background import enough
from ..context import RunContext
from ..cube import ScoreSink
from ..detectors import Detector, require_pixels
from ..detectors.fusion import ENHANCED, RAW, Fusion
from ..errors import RunError
from ..fen.backend import torch_installed
from ..mosaic import MosaicBackground
from ..mosaic_passes import mosaic_background
from ..options import DetectOptions, EnhanceOptions
from ..pipeline import Outcome, scan_raw
from ..plan import Plan, detector_of, make_plan
from ..raster import Source, open_masked
from ..raster.background import open_background
from ..scan import Wanted
from ..tally import Tally
from . import tasks
from .image_strips import ImageStrips
from .mosaic_strips import MosaicStrips
from .passes import Calls, Passes, tally_calls
from .scoring import Scoring, StripScene, place
from .start import open_cluster, task_options
from .strips import Rows, absolute, strip_file, strips
from .tasks import Job, with_model

_SCAN_PART = 0.1
_ENHANCED_PART = 0.8
_TWO_CUBES_ENHANCED_PART = 0.4


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
    Raises `RunError` where the cluster fails, and what `pipeline.run_detection` raises.
    """
    detector = detector_of(options)
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
    run: Passes,
    job: Job,
    source: Source,
    options: DetectOptions,
    detector: Detector,
    mosaic: MosaicBackground | None,
    sink: ScoreSink,
    context: RunContext,
) -> Outcome:
    fusion = detector if isinstance(detector, Fusion) else None
    reads_raw = options.enhance and fusion is not None and fusion.reads(RAW)
    scan_part = _SCAN_PART if options.enhance else 0.5
    with context.part(0.0, scan_part / 2 if reads_raw else scan_part):
        plan = make_plan(
            source, options, enhance=options.enhance, context=context, take=tally_by(run, job), mosaic=mosaic
        )
    scenes: dict[str, StripScene] = {}
    raw_bands: tuple[int, ...] = ()
    backend, scored = None, scan_part
    if reads_raw:
        with context.part(scan_part / 2, scan_part):
            found = scan_raw(source, options, context, tally_by(run, job))
        raw_bands = found.numbers
        scenes[RAW] = StripScene(replace(job, numbers=raw_bands), found.moments)
        plan = plan.beside(found)
    job = _planned(job, plan)
    if options.enhance:
        scored = _TWO_CUBES_ENHANCED_PART if reads_raw else _ENHANCED_PART
        with context.part(scan_part, scored):
            scenes[ENHANCED] = _enhanced(run, job, source, plan, mosaic)
        backend = f"{job.options.backend} on the workers of {options.scheduler}"
    else:
        scenes[RAW] = StripScene(job, plan.scan.moments)
    for name, scene in scenes.items():
        require_pixels(scene.moments)
        if options.background is not None:
            with context.part(scored, scored):
                image = ImageStrips(run, scene.job, source, context, job.scratch)
                scenes[name] = scene._replace(moments=enough(image.moments(), options.background))
    distribution = None
    with context.part(scored, 1.0):
        scoring = Scoring(run, source, job.scratch, context)
        if fusion is None:
            (scene,) = scenes.values()
            distribution = scoring.score(detector, scene, sink)
        else:
            scoring.score_fusion(fusion, scenes, sink)
    return Outcome(plan, backend, distribution, raw_bands)


def _enhanced(run: Passes, job: Job, source: Source, plan: Plan, mosaic: MosaicBackground | None) -> StripScene:
    """Have the workers enhance the image into strips, and return these with the moments of the background."""
    run.cluster.check_workers(tasks.check_model, job)
    rows = strips(source.n_rows, 4 * source.n_cols * len(job.numbers))
    calls = Calls(rows, partial(_enhancing, job, mosaic is None))
    moments = plan.scan.moments
    if mosaic is None:
        moments = run.reduced(tasks.enhance_strip, calls, "FEN")
    else:
        for _ in run.each(tasks.enhance_strip, calls, "FEN"):
            pass
    return StripScene(replace(job, enhanced=rows), moments)


def run_distributed_enhancement(
    source: Source, options: EnhanceOptions, open_sink: Callable[[Plan, int], ScoreSink], context: RunContext
) -> Outcome:
    """Enhance every valid pixel of the source, as `pipeline.run_enhancement` does, on a cluster."""
    with _opened(source, options, context) as (run, job):
        with context.part(0.0, _SCAN_PART):
            plan = make_plan(source, options, enhance=True, context=context, take=tally_by(run, job))
        job = _planned(job, plan)
        run.cluster.check_workers(tasks.check_model, job)
        rows = strips(source.n_rows, 4 * source.n_cols * len(job.numbers))
        sink = open_sink(plan, rows[0][1])
        with context.part(_SCAN_PART, 1.0):
            calls = Calls(rows, partial(_enhancing, job, False))
            for _, part in zip(run.each(tasks.enhance_strip, calls, "FEN"), rows):
                place(strip_file(job.scratch, part[0]), part, sink)
        return Outcome(plan, f"{job.options.backend} on the workers of {options.scheduler}")


def tally_by(run: Passes, job: Job) -> Callable[[Source, Wanted, RunContext], Tally]:
    """Return the first pass by strips on workers, for `make_plan`."""

    def take(source: Source, wanted: Wanted, context: RunContext) -> Tally:
        found: Tally = run.reduced(tasks.tally_strip, tally_calls(job, source, wanted), "Reading")
        return found

    return take


@contextmanager
def _opened(source: Source, options: EnhanceOptions, context: RunContext) -> Iterator[tuple[Passes, Job]]:
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
        yield Passes(cluster, context), job


def _enhancing(job: Job, with_moments: bool, rows: Rows) -> tuple[Job, Rows, bool]:
    return job, rows, with_moments


def _planned(job: Job, plan: Plan) -> Job:
    job = replace(job, numbers=plan.selection.numbers)
    if plan.model is None:
        return job
    return replace(with_model(job, plan.model), scaling=plan.scan.scaling, mean=plan.scan.mean)
