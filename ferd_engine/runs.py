"""The doors of the engine: detect and enhance, from raster to raster and from array to array."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bands import BandInfo
from .context import RunContext
from .cube import Float32Array, ScoreSink
from .decisions import Decision, DecisionOutputs, KeptScores
from .detectors import detector_info
from .errors import RunError, UsageError
from .fen.bundle import Model
from .fen.store import find_model
from .mosaic import FILE_SUFFIX, MosaicBackground, names_of
from .mosaic_passes import mosaic_background
from .options import DetectOptions, EnhanceOptions, build_options
from .outputs import OutputFolder, commit_all
from .pipeline import Outcome, run_detection, run_enhancement
from .plan import Plan, detector_of
from .progress import Progress, SilentProgress
from .raster import ArraySource, Source, open_mask, open_source
from .raster.declared import SLACK_BYTES
from .raster.gdal_setup import bounded_cache
from .raster.masked_source import with_mask
from .raster.writer import RasterSpec, RasterWriter
from .report import RunReport, output_metadata, run_report
from .threads import limited_threads
from .windows import Window


def detect_raster(
    input: str | Path,
    output: str | Path,
    *,
    options: DetectOptions | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> RunReport:
    """Write an anomaly score raster (Float32, one band, nodata -9999) for a hyperspectral raster; return a report.

    - input: any raster of real numbers that GDAL reads, or a .mat or .npy cube of shape (rows, cols, bands), in any
      unit that all bands share; nodata, NaN and infinities are left out.
    - output: .tif for GeoTIFF, .hdr, .bsq, .bil, .bip, .img or .dat for ENVI; on the input's grid. The higher a score,
      the more anomalous. With a threshold, the files of `mask_out` (Byte: 1 above, 0, nodata 255) and `polygons` come
      with it, all of them or none.
    - options, changes: the fields of `DetectOptions`, as one object or by name.
    - progress: told of the part done, and asked whether to stop, once per block.

    Raises `FerdError` with one sentence; the output is then absent, or the earlier one unchanged.
    """
    settings = build_options(DetectOptions, options, changes)
    detector_of(settings)
    info = detector_info(settings.detector)
    with _run(str(input), str(output), settings, progress) as (source, folder, context):
        started = time.perf_counter()
        bands = (BandInfo(1, f"{info.title} score"),)
        spec = RasterSpec(source.n_rows, source.n_cols, bands, source.georeference, cog=settings.cog)
        writer = RasterWriter(folder.path.name, folder.raster_folder, spec)
        kept = None
        if settings.threshold is not None:
            kept = KeptScores(writer, context.scratch_cube(source.n_rows, source.n_cols, 1))
        try:
            with DecisionOutputs(settings, folder.path, _inputs(source, settings)) as extra:
                outcome = _detected(source, settings, kept or writer, context, folder.path.parent)
                decision = None
                if kept is not None:
                    numbers = outcome.plan.selection.numbers
                    with context.part(1.0, 1.0):
                        decision = extra.decide(kept.plane, outcome.distribution, source, numbers, context)
                return _finish(writer, folder, source, settings, outcome, context, started, decision, extra)
        finally:
            writer.abandon()
            if kept is not None:
                kept.plane.close()


def enhance_raster(
    input: str | Path,
    output: str | Path,
    *,
    options: EnhanceOptions | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> RunReport:
    """Write the FEN-enhanced cube (Float32, as many bands as the model has, nodata -9999) of a hyperspectral raster.

    Its values have no unit: they are the input, scaled to [-0.1, 0.1], plus what FEN adds. Arguments and errors are as
    for `detect_raster`, with the fields of `EnhanceOptions`.
    """
    settings = build_options(EnhanceOptions, options, changes)
    with _run(str(input), str(output), settings, progress) as (source, folder, context):
        started = time.perf_counter()
        writers: list[RasterWriter] = []

        def open_sink(plan: Plan, block_rows: int) -> RasterWriter:
            bands = tuple(source.bands[number - 1] for number in plan.selection.numbers)
            # A tile of the output is never higher than a block, and divides it.
            tile_rows = 64 if block_rows % 64 == 0 else 16
            spec = RasterSpec(
                source.n_rows, source.n_cols, bands, source.georeference, tile_rows=tile_rows, cog=settings.cog
            )
            writers.append(RasterWriter(folder.path.name, folder.raster_folder, spec))
            return writers[0]

        try:
            outcome = _enhanced(source, settings, open_sink, context)
            return _finish(writers[0], folder, source, settings, outcome, context, started)
        finally:
            for writer in writers:
                writer.abandon()


def _detected(
    source: Source, settings: DetectOptions, sink: ScoreSink, context: RunContext, output_folder: Path
) -> Outcome:
    """Score here or on a cluster, after the background of other rasters was taken where there are any."""
    others: list[str] = []
    mosaic = None
    if settings.background_of is not None:
        if settings.background_of.endswith(FILE_SUFFIX):
            mosaic = MosaicBackground.load(settings.background_of)
        else:
            others = names_of(settings.background_of, output_folder)
    if settings.scheduler is None:
        start = 0.0
        if others:
            start = len(others) / (len(others) + 2)
            with context.part(0.0, start):
                mosaic = mosaic_background(others, settings, context)
        with context.part(start, 1.0):
            return run_detection(source, settings, sink, context, mosaic)
    # Loaded with the option alone: it brings dask.
    from .scale.distributed_run import run_distributed_detection

    return run_distributed_detection(source, settings, sink, context, mosaic, others)


def _enhanced(
    source: Source, settings: EnhanceOptions, open_sink: Callable[[Plan, int], ScoreSink], context: RunContext
) -> Outcome:
    if settings.scheduler is None:
        return run_enhancement(source, settings, open_sink, context)
    from .scale.distributed_run import run_distributed_enhancement

    return run_distributed_enhancement(source, settings, open_sink, context)


def detect(cube: ArrayLike, *, progress: Progress | None = None, **changes: Any) -> Float32Array:
    """Return anomaly scores (rows, cols) float32 of a cube (rows, cols, bands); NaN marks invalid pixels in both.

    - cube: any real dtype and unit; a pixel is invalid where one of its bands is NaN, infinite or masked by NumPy. It
      is not changed.
    - changes: the fields of `DetectOptions` (`detector="grx"`, `enhance=True`, `model=None`, `backend="auto"`, ...),
      without those that name outputs or other rasters' backgrounds.

    Raises `FerdError` with one sentence.
    """
    settings = build_options(DetectOptions, None, changes)
    if settings.threshold is not None:
        raise UsageError(
            "The option threshold is for rasters (detect_raster): compare the scores with a number yourself."
        )
    if settings.background_of is not None:
        raise UsageError("The option background_of is for rasters: use detect_raster.")
    with _run_on_array(cube, settings, progress) as (source, context):
        sink = _ArraySink((source.n_rows, source.n_cols))
        run_detection(source, settings, sink, context)
    return sink.values


def enhance(cube: ArrayLike, *, progress: Progress | None = None, **changes: Any) -> Float32Array:
    """Return the FEN-enhanced cube (rows, cols, B) float32 of a cube (rows, cols, bands); NaN marks invalid pixels.

    B is the number of bands of the model. The cube is as for `detect`; changes are the fields of `EnhanceOptions`.
    Raises `FerdError` with one sentence.
    """
    settings = build_options(EnhanceOptions, None, changes)
    sinks: list[_ArraySink] = []

    with _run_on_array(cube, settings, progress) as (source, context):

        def open_sink(plan: Plan, block_rows: int) -> _ArraySink:
            sinks.append(_ArraySink((source.n_rows, source.n_cols, len(plan.selection.numbers))))
            return sinks[0]

        run_enhancement(source, settings, open_sink, context)
    return sinks[0].values


def open_model(name: str | Path) -> Model:
    """Return a model, its weights and its card, by its name (`ferd models list`) or its folder.

    Raises `ModelError` where there is none or it is damaged.
    """
    return find_model(str(name))


class _ArraySink:
    def __init__(self, shape: tuple[int, ...]) -> None:
        self.values: Float32Array = np.full(shape, np.nan, dtype=np.float32)

    def write(self, window: Window, values: Float32Array) -> None:
        self.values[window.row_start : window.row_stop, window.col_start : window.col_stop] = values


@contextmanager
def _run(
    input: str, output: str, settings: EnhanceOptions, progress: Progress | None
) -> Iterator[tuple[Source, OutputFolder, RunContext]]:
    """Open the input and the output's folder, with memory and threads as the options say."""
    source = open_source(input, settings.variable, settings.budget_bytes)
    held_bytes = source.held_bytes if isinstance(source, ArraySource) else 0
    with _closing(source, settings) as source:
        folder = OutputFolder(output, overwrite=settings.overwrite, inputs=_inputs(source, settings))
        context = _context(settings, progress, held_bytes)
        with bounded_cache(settings.cache_bytes), limited_threads(settings.threads), folder:
            context.scratch_folder = folder.folder
            with closing(context):
                yield source, folder, context


def _inputs(source: Source, settings: EnhanceOptions) -> tuple[str, ...]:
    """Return the files that no output may replace."""
    background = settings.background if isinstance(settings, DetectOptions) else None
    return source.files if background is None else (*source.files, background)


@contextmanager
def _run_on_array(
    cube: ArrayLike, settings: EnhanceOptions, progress: Progress | None
) -> Iterator[tuple[Source, RunContext]]:
    """Open the array as a source, with memory and threads as the options say."""
    array, context = _array_source(cube, settings), _context(settings, progress)
    with _closing(array, settings) as source, limited_threads(settings.threads), closing(context):
        yield source, context


@contextmanager
def _closing(source: Source, settings: EnhanceOptions) -> Iterator[Source]:
    """Give the source behind the mask of the options, close both at the end, and say where memory ran out."""
    try:
        if settings.mask is not None:
            source = with_mask(source, open_mask(settings.mask, settings.budget_bytes))
        yield source
    except MemoryError as error:
        raise RunError(
            f"Memory ran out within a budget of {settings.memory}: give a smaller --memory, or close other programs."
        ) from error
    finally:
        source.close()


def _context(settings: EnhanceOptions, progress: Progress | None, held_bytes: int = 0) -> RunContext:
    """Return the context of a run; `held_bytes` is what an input takes that is in memory as a whole."""
    # `SLACK_BYTES` of such an input may come on top of the budget, see `declared`.
    beyond_slack = max(held_bytes - SLACK_BYTES, 0)
    return RunContext(settings.array_bytes, progress or SilentProgress(), held_bytes=beyond_slack)


def _array_source(cube: ArrayLike, settings: EnhanceOptions) -> Source:
    if settings.scheduler is not None:
        raise UsageError("The option scheduler is for rasters, which workers open by path: use detect_raster.")
    if settings.variable is not None:
        raise UsageError("The option variable names an array of a .mat file, but an array was given: drop it.")
    if isinstance(cube, (str, Path)):
        raise UsageError(f"The cube is the path {cube}: give an array, or use detect_raster or enhance_raster.")
    array: NDArray[Any] = np.asarray(cube)
    if isinstance(cube, np.ma.MaskedArray):
        array = np.where(cube.mask, np.nan, cube.data)
    return ArraySource(array)


def _finish(
    writer: RasterWriter,
    folder: OutputFolder,
    source: Source,
    settings: EnhanceOptions,
    outcome: Outcome,
    context: RunContext,
    started: float,
    decision: Decision | None = None,
    extra: DecisionOutputs | None = None,
) -> RunReport:
    """Describe the run in the output, put all outputs in their places and report."""
    writer.add_metadata(output_metadata(source, settings, outcome, context.warnings, decision))
    finished = writer.finish()
    files = commit_all([*(() if extra is None else extra.finished), (folder, finished)])
    seconds = round(time.perf_counter() - started, 3)
    return run_report(str(folder.path), files, seconds, source, settings, outcome, context.warnings, decision)
