"""From raster to scores: scan, enhance, detect, each pass over blocks within the memory budget."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Callable

import numpy as np

from .accelerator import open_accelerator
from .background import BackgroundCube, background_moments
from .bands import candidates
from .blocking import TILE_STEP
from .context import RunContext
from .cube import Cube, Float32Array, MaskedCube, ScoreSink
from .detectors import Detector, Scene, TwoCubeDetector, uses_extrema
from .detectors.distribution import ScoreDistribution
from .features import Enhancer, SourceCube
from .fen.backend import Backend, open_backend
from .mosaic import MosaicBackground
from .options import DetectOptions, EnhanceOptions
from .overlap import one_behind
from .parallel import threads
from .plan import Plan, detector_of, make_plan
from .raster import Source
from .raster.background import Background, open_background
from .raster.row_order import in_row_order
from .scan import Pass, Scan, scan
from .statistics import Moments
from .windows import Window

# Where each pass ends, roughly, as a part of the whole run: the time left that a progress bar shows follows from these.
_SCAN_PART = 0.1
_SCORE_PART = 0.9
# In a fusion the detectors on both cubes take more of the run than FEN.
_TWO_CUBES_SCORE_PART = 0.4


@dataclass(frozen=True)
class Outcome:
    """What a run was, once it is over.

    `backend` describes what ran FEN, None in a run without it. `distribution` is that of the scores of normal
    background, None where it is not known. `raw_bands` are the numbers of the raw bands that a fusion read beside the
    enhanced ones.
    """

    plan: Plan
    backend: str | None
    distribution: ScoreDistribution | None = None
    raw_bands: tuple[int, ...] = ()


def _prepared(source: Source, options: EnhanceOptions, context: RunContext) -> Source:
    """Return the source, or a copy of it that the passes can read in full rows within the memory budget."""
    # A copy is rare, so that no part of the progress is kept for it.
    with context.part(0.0, 0.0):
        return in_row_order(source, candidates(source.bands, options.bands), context)


def open_enhancer(source: Source, plan: Plan, options: EnhanceOptions) -> tuple[Enhancer, Backend]:
    """Return FEN over the source, ready to run, and the backend that runs it."""
    if plan.model is None or plan.scan.scaling is None:
        raise ValueError("This plan was made without a model, so there is nothing to enhance with.")
    backend = open_backend(plan.model, options.backend, options.device, options.threads, options.precision)
    halo_px = plan.model.architecture.halo_px
    return Enhancer(source, plan.scan.numbers, plan.scan.scaling, plan.scan.mean, backend, halo_px), backend


def run_detection(
    source: Source,
    options: DetectOptions,
    sink: ScoreSink,
    context: RunContext,
    mosaic: MosaicBackground | None = None,
) -> Outcome:
    """Score every valid pixel of the source into the sink.

    mosaic : the background of several rasters, which then takes the place of the source's own. Raises `FerdError`.
    """
    detector = detector_of(options)
    context.accelerator = context.accelerator or open_accelerator(options.backend, options.device)
    with ExitStack() as opened:
        flags = None
        if options.background is not None:
            flags = opened.enter_context(closing(open_background(options.background, source)))
        source = _prepared(source, options, context)
        if options.enhance:
            return _detect_enhanced(source, options, detector, sink, flags, context, mosaic)
        with context.part(0.0, 0.5):
            plan = make_plan(source, options, enhance=False, context=context, mosaic=mosaic)
        with context.part(0.5, 1.0), threads():
            raw = _scene(SourceCube(source, plan.selection.numbers), plan.scan.moments, flags, context)
            return Outcome(plan, None, detector.score(*raw, sink, context))


def _detect_enhanced(
    source: Source,
    options: DetectOptions,
    detector: Detector,
    sink: ScoreSink,
    flags: Background | None,
    context: RunContext,
    mosaic: MosaicBackground | None,
) -> Outcome:
    both = detector if isinstance(detector, TwoCubeDetector) else None
    reads_raw = both is not None and both.reads("raw")
    with context.part(0.0, _SCAN_PART / 2 if reads_raw else _SCAN_PART):
        plan = make_plan(source, options, enhance=True, context=context, mosaic=mosaic)
    raw: Scene | None = None
    raw_bands: tuple[int, ...] = ()
    if reads_raw:
        with context.part(_SCAN_PART / 2, _SCAN_PART):
            found = scan_raw(source, options, context)
        raw_bands = found.numbers
        with context.part(_SCAN_PART, _SCAN_PART):
            raw = _scene(SourceCube(source, raw_bands), found.moments, flags, context)
        plan = plan.beside(found)
    enhancer, backend = open_enhancer(source, plan, options)
    n_bands = len(plan.selection.numbers)
    enhanced = context.scratch_cube(source.n_rows, source.n_cols, n_bands)
    score_part = _TWO_CUBES_SCORE_PART if reads_raw else _SCORE_PART
    try:
        with context.part(_SCAN_PART, score_part):
            moments = (
                plan.scan.moments
                if mosaic is not None
                else Moments(n_bands, context.accelerator, extrema=uses_extrema(detector))
            )
            store_enhanced(enhancer, enhanced.write, moments if mosaic is None else None, context)
        with context.part(score_part, 1.0), threads():
            # Of several detectors each reads the cube.
            cube = MaskedCube(enhanced, enhanced.release if both is None else None)
            scene = _scene(cube, moments, flags, context)
            distribution = None
            if both is None:
                distribution = detector.score(*scene, sink, context)
            else:
                both.score_both(raw, scene, sink, context)
        return Outcome(plan, backend.describe(), distribution, raw_bands)
    finally:
        enhanced.close()


def _scene(cube: Cube, moments: Moments, flags: Background | None, context: RunContext) -> Scene:
    """Return a cube with the moments of its background: those of all valid pixels, where none was named."""
    if flags is None:
        return Scene(cube, moments)
    flagged = BackgroundCube(cube, flags)
    with context.part(0.0, 0.0):
        return Scene(flagged, background_moments(flagged, context))


def scan_raw(source: Source, options: EnhanceOptions, context: RunContext, take: Pass | None = None) -> Scan:
    """Return the bands that a run without a model would take, and the moments of their valid pixels.

    take : what reads the raster, by default `tally_image`.
    """
    usable = candidates(source.bands, options.bands)
    return scan(source, usable, tuple, scaling=None, with_moments=True, context=context, take=take)


def store_enhanced(
    enhancer: Enhancer, store: Callable[[Window, Float32Array], None], moments: Moments | None, context: RunContext
) -> None:
    """Run FEN once over the image, and give each enhanced block to `store`, NaN where a pixel is invalid.

    store : takes a window and values (rows, cols, bands) float32, in a thread of its own. moments : the valid enhanced
    pixels are added to them, where they are given.
    """
    # Nothing is needed beside a block: the scratch cube stores its rows as they are.
    with (
        threads(),
        closing(enhancer.run(context, bytes_per_value=0)) as blocks,
        one_behind(store) as write,
    ):
        for window, values, valid in blocks:
            whole = bool(valid.all())
            if moments is not None and whole:
                moments.add(values.reshape(-1, values.shape[2]))
            elif not whole:
                # Row by row, since a copy of the valid pixels of a block is as large as the block.
                for row, is_valid in zip(values, valid):
                    if moments is not None:
                        moments.add(row[is_valid])
                    row[~is_valid] = np.nan
            write(window, values)


def run_enhancement(
    source: Source, options: EnhanceOptions, open_sink: Callable[[Plan, int], ScoreSink], context: RunContext
) -> Outcome:
    """Enhance every valid pixel of the source into a sink.

    open_sink : called once, with the plan and the height of the blocks, when both are known; the sink that it returns
    takes values (rows, cols, bands) float32, NaN where a pixel is invalid. Raises `FerdError`.
    """
    source = _prepared(source, options, context)
    with context.part(0.0, _SCAN_PART):
        plan = make_plan(source, options, enhance=True, context=context)
    enhancer, backend = open_enhancer(source, plan, options)
    # The writer makes two float32 copies of a block: one in the order of the bands, one with nodata for NaN.
    bytes_per_value = 8
    sink = open_sink(plan, enhancer.shape(context, bytes_per_value, TILE_STEP)[0])
    with (
        context.part(_SCAN_PART, 1.0),
        closing(enhancer.run(context, bytes_per_value, TILE_STEP)) as blocks,
        one_behind(sink.write) as write,
    ):
        for window, values, valid in blocks:
            if not valid.all():
                values[~valid] = np.nan
            write(window, values)
    return Outcome(plan, backend.describe())
