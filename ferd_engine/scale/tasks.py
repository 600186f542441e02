"""What workers do with a strip. Each task may run twice: it writes under a name of its own and renames at the end."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..background import BackgroundCube
from ..context import RunContext
from ..cube import Cube, FloatArray, MaskedCube
from ..errors import InputError, ModelError
from ..features import Enhancer, SourceCube
from ..fen.backend import open_backend
from ..fen.bundle import Model
from ..fen.store import find_model
from ..options import DetectOptions, EnhanceOptions
from ..raster import Source, open_masked
from ..raster.background import open_background
from ..scaling import Scaling
from ..scan import Wanted, tally_rows
from ..statistics import Moments
from ..tally import Tally
from ..threads import limited_threads
from ..windows import Window
from .strips import FlagsOf, Rows, RowsOf, StripFiles, Strips, absolute, strip_file


@dataclass(frozen=True)
class Job:
    """What all strips of a run share: small, since it travels with each of them. Paths are those of the workers too."""

    run: str
    path: str
    options: EnhanceOptions
    scratch: Path
    numbers: tuple[int, ...] = ()
    model: str = ""
    model_sha256: str = ""
    scaling: Scaling | None = None
    mean: NDArray[np.float64] | None = None
    # Of the enhanced cube; none where the detector reads the raster's own bands.
    enhanced: Strips | None = None


_kept = threading.local()


def with_model(job: Job, model: Model) -> Job:
    """Return the job with a model, by the folder that was named, unless another of its family ran in its place."""
    asked = None if job.options.model is None else find_model(job.options.model)
    name = model.name
    if asked is not None and job.options.model is not None and asked.sha256 == model.sha256:
        name = absolute(job.options.model)
    return replace(job, model=name, model_sha256=model.sha256)


def check_worker(job: Job, version: str) -> str:
    """Say what keeps this worker from taking part; nothing where it can."""
    if __version__ != version:
        return f"it has FERD {__version__} and not {version}"
    if not job.scratch.is_dir():
        return f"it does not see the output's folder {job.scratch.parent}, which all workers must share"
    try:
        source = _source(job)
        if isinstance(job.options, DetectOptions) and job.options.background is not None:
            open_background(job.options.background, source).close()
    except InputError as error:
        return f"it cannot open the input: {error}"
    return ""


def check_model(job: Job) -> str:
    """Say that this worker lacks the run's model; nothing where it has it."""
    try:
        _model(job)
    except ModelError as error:
        return str(error)
    return ""


def tally_strip(job: Job, wanted: Wanted, rows: Rows) -> Tally:
    """Count what is wanted of a strip."""
    with at_work(job) as (source, context):
        return tally_rows(source, wanted, rows, context)


def merged(tallies: list[Any]) -> Any:
    """Return tallies or moments merged in their order; they stay as they are, since they may be asked for again."""
    first = copy.deepcopy(tallies[0])
    for other in tallies[1:]:
        first.merge(other)
    return first


def enhance_strip(job: Job, rows: Rows, with_moments: bool) -> Moments | None:
    """Enhance a strip into a scratch file, NaN where invalid; return the moments of its valid pixels where wanted."""
    start, stop = rows
    n_bands = len(job.numbers)
    moments = Moments(n_bands) if with_moments else None
    with at_work(job) as (source, context):
        attempt = job.scratch / f"{uuid4().hex}.npy"
        shape = (stop - start, source.n_cols, n_bands)
        stored: Any = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
            attempt, mode="w+", dtype=np.float32, shape=shape
        )
        for window, values in _enhanced(job, source, rows, context):
            if moments is not None:
                _count(moments, values)
            stored[window.row_start - start : window.row_stop - start, window.col_start : window.col_stop] = values
        stored.flush()
        del stored
        attempt.replace(strip_file(job.scratch, start))
    return moments


def enhanced_moments(job: Job, rows: Rows) -> Moments:
    """Return the moments of the valid pixels of a strip as FEN enhances them, which are not kept."""
    moments = Moments(len(job.numbers))
    with at_work(job) as (source, context):
        for _, values in _enhanced(job, source, rows, context):
            _count(moments, values)
    return moments


def _count(moments: Moments, values: FloatArray) -> None:
    """Add the pixels of enhanced values (rows, cols, bands), NaN where invalid."""
    valid = ~np.isnan(values[:, :, 0])
    moments.add(values.reshape(-1, values.shape[2]) if valid.all() else values[valid])


@contextmanager
def at_work(job: Job) -> Iterator[tuple[Source, RunContext]]:
    """Give the raster, and what the passes of a task need."""
    # A fixed number of threads, since the order of sums follows from it.
    with limited_threads(job.options.threads or 1), closing(RunContext(job.options.array_bytes)) as context:
        yield _source(job), context


def _source(job: Job) -> Source:
    """Return the raster, open once per thread and run."""
    if getattr(_kept, "run", None) != job.run:
        before = getattr(_kept, "source", None)
        if before is not None:
            before.close()
        _kept.run = _kept.source = None
        _kept.source = open_masked(job.path, job.options.variable, job.options.mask)
        _kept.run = job.run
    found: Source = _kept.source
    return found


def _model(job: Job) -> Model:
    """Return the run's model; raise `ModelError` where this worker has none or another one of its name."""
    model = find_model(job.model)
    if model.sha256 != job.model_sha256:
        raise ModelError(
            f"The model {job.model} has other weights on a worker than here: import the same model on all machines."
        )
    return model


def _enhanced(job: Job, source: Source, rows: Rows, context: RunContext) -> Iterator[tuple[Window, Any]]:
    """Yield (window, enhanced values, NaN where invalid) of a strip."""
    model = _model(job)
    options = job.options
    wanted = (job.model_sha256, options.backend, options.device, options.threads, options.precision)
    # Kept across runs, since each raster of a mosaic is a run of its own.
    if getattr(_kept, "backend_of", None) != wanted:
        backend = open_backend(model, options.backend, options.device, options.threads or 1, options.precision)
        _kept.backend, _kept.backend_of = backend, wanted
    if job.scaling is None or job.mean is None:
        raise ValueError("This job was made without a model, so there is nothing to enhance with.")
    enhancer = Enhancer(source, job.numbers, job.scaling, job.mean, _kept.backend, model.architecture.halo_px)
    with closing(enhancer.run(context, bytes_per_value=8, rows=rows)) as blocks:
        for window, values, valid in blocks:
            if not valid.all():
                values[~valid] = np.nan
            yield window, values


@contextmanager
def rows_of(job: Job, source: Source, start: int, stop: int) -> Iterator[Cube]:
    """Give the rows [start, stop) of the cube that the detector reads, and which of them a file names as background.

    The cube is that of the raster's own bands, or the strips of the enhanced ones.
    """
    cube: Cube = SourceCube(source, job.numbers)
    if job.enhanced is not None:
        cube = MaskedCube(StripFiles(job.scratch, job.enhanced, source.n_cols, len(job.numbers)))
    cube = RowsOf(cube, start, stop)
    if not isinstance(job.options, DetectOptions) or job.options.background is None:
        yield cube
        return
    with closing(open_background(job.options.background, source)) as flags:
        yield BackgroundCube(cube, FlagsOf(flags, start))


def keep(job: Job, place: Path, values: FloatArray) -> None:
    """Write values under a name of their own, and rename the whole file; compressing it would cost more than it saves.

    The client takes it out of the scratch folder soon.
    """
    attempt = job.scratch / f"{uuid4().hex}.npy"
    np.save(attempt, values)
    attempt.replace(place)
