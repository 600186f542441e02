"""A batch from its inputs to its report."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..errors import UsageError
from ..options import DetectOptions, EnhanceOptions, build_options
from ..plan import detector_of
from ..progress import Progress, SilentProgress
from ..raster.source import check_raster
from ..scale.start import check_packages
from .background import with_background
from .inputs import find_inputs
from .isolated import Worker
from .jobs import TASKS, JobRunner, run_job
from .names import Namer
from .order import Listener, one_by_one, several_at_once, work
from .records import RecordFolder
from .report import BatchReport
from .signature import fingerprint


def run_batch(
    source: str | Path,
    output_folder: str | Path,
    *,
    task: str = "detect",
    options: EnhanceOptions | None = None,
    resume: bool = False,
    name: str | None = None,
    patterns: Iterable[str] = (),
    recursive: bool = False,
    isolate: bool = False,
    progress: Progress | None = None,
    on_result: Listener | None = None,
    **changes: Any,
) -> BatchReport:
    """Detect anomalies in many rasters, or enhance them, and report on each; one that fails does not stop the rest.

    source, patterns, recursive : as for `find_inputs`. output_folder : made where it is missing.
    task : detect or enhance; options, changes : as for `detect_raster` and `enhance_raster`, with `mask_out` and
        `polygons` as file names in which {name} stands for the raster's. name : likewise for the raster that is written
        (default {name}_score.tif or {name}_enhanced.tif).
    resume : leave alone what is whole and current: the content of the files that were read, options, models and engine
        are those of the result there. What a batch wrote and is not current is replaced then; other files never are
        without `overwrite`.
    isolate : work in another process, so that a raster that crashes a library takes nothing with it; the next one then
        gets a fresh process. With a scheduler one cluster does all rasters, whole ones side by side where they are as
        many as its workers.
    Several batches may work on one folder at a time, in as many processes: none waits, each takes what is free. What
    another one holds is tried again after the rest, and left to it if it is still at work.
    Raises `FerdError` where nothing can be begun: no raster, options that do not fit, a missing model. A cancel is no
    error: what was not done is reported as stopped.
    """
    if task not in TASKS:
        raise UsageError(f"The task {task!r} does not exist: choose one of {', '.join(TASKS)}.")
    settings = build_options(TASKS[task], options, changes)
    _check(settings)
    folder = Path(output_folder).absolute()
    namer = Namer(task, settings, folder, name)
    inputs = find_inputs(source, folder, patterns=patterns, recursive=recursive, left_out=_other_inputs(settings))
    # Before anything is written: a model that is not there is refused.
    fingerprint(task, settings)
    progress = progress or SilentProgress()
    records = RecordFolder(folder)
    records.create()
    jobs = namer.jobs(inputs, records)
    started = time.perf_counter()
    with ExitStack() as stack:
        function = stack.enter_context(Worker()).run_job if isolate else run_job
        settle, strips = one_by_one, settings
        if settings.scheduler is not None:
            # Loaded with the option alone: it brings dask.
            from ..scale.scenes import shared_cluster

            share = stack.enter_context(shared_cluster(settings, len(jobs), records.state_folder))
            jobs = [replace(job, options=_shared(job.options, share.options)) for job in jobs]
            strips = share.strips
            if share.scenes is not None:
                function, settle = share.scenes.run_job, partial(several_at_once, share.at_a_time)
        settings = with_background(settings, strips, records, progress)
        jobs = [replace(job, options=_placed(job.options, settings)) for job in jobs]
        mark = fingerprint(task, settings)
        runner = JobRunner(records, mark, uuid4().hex, jobs, resume=resume, function=function)
        results = work(settle, runner, jobs, progress, on_result)
    return BatchReport(task, str(folder), round(time.perf_counter() - started, 3), tuple(results))


def _check(settings: EnhanceOptions) -> None:
    """Refuse at once what would make every raster fail."""
    if isinstance(settings, DetectOptions):
        detector_of(settings)
    if settings.scheduler is not None:
        check_packages()
    for path in _other_inputs(settings):
        check_raster(path)


def _other_inputs(settings: EnhanceOptions) -> list[str]:
    background = settings.background if isinstance(settings, DetectOptions) else None
    return [path for path in (settings.mask, background) if path is not None]


def _placed(options: EnhanceOptions, of_all: EnhanceOptions) -> EnhanceOptions:
    """Return a job's options with the background's file that was found for all."""
    if not isinstance(options, DetectOptions) or not isinstance(of_all, DetectOptions):
        return options
    return replace(options, background_of=of_all.background_of)


def _shared(options: EnhanceOptions, of_all: EnhanceOptions) -> EnhanceOptions:
    return replace(options, scheduler=of_all.scheduler, threads=of_all.threads, memory=of_all.memory)
