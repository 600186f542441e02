"""From raster to scores: scan, enhance, detect, each pass over blocks within the memory budget."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Callable

import numpy as np

from .accelerator import open_accelerator
from .background import BackgroundCube, background_moments
from .bands import Selection, candidates, pick_bands
from .context import RunContext
from .cube import Cube, Float32Array, MaskedCube, ScoreSink
from .detectors import Detector, Scene, TwoCubeDetector, make_detector, takes_background
from .detectors.distribution import ScoreDistribution
from .errors import InputError, UsageError
from .features import Enhancer, SourceCube
from .fen.backend import Backend, open_backend
from .fen.bundle import Model
from .fen.store import choose_model, find_model
from .mosaic import MosaicBackground, check_detector
from .options import DetectOptions, EnhanceOptions
from .overlap import one_behind
from .parallel import threads
from .raster import Source
from .raster.background import Background, open_background
from .raster.declared import SLACK_BYTES
from .raster.row_order import in_row_order
from .scan import Pass, Scan, scan
from .statistics import Moments
from .windows import Window

# Where each pass ends as a part of the whole time, about: the progress bar's time left comes from them.
_SCAN_PART = 0.1
_SCORE_PART = 0.9
# Lower blocks would keep the threads of FEN waiting for each other.
_LEAST_ROWS = 8
_TWO_CUBES_SCORE_PART = 0.4
# A range of which rare pixels make more than this is worth a warning.
_RARE_RANGE = 0.5


@dataclass(frozen=True)
class Plan:
    """What the first look at a raster settled: its bands, and the model where there is one."""

    selection: Selection
    bad: tuple[int, ...]
    scan: Scan
    model: Model | None


@dataclass(frozen=True)
class Outcome:
    """What a run settled, the backend that ran FEN, and how scores of normal background are distributed, if known.

    `raw_bands` are the bands that the detector saw beside the enhanced ones, where it did.
    """

    plan: Plan
    backend: str | None
    distribution: ScoreDistribution | None = None
    raw_bands: tuple[int, ...] = ()


def select_bands(
    source: Source, usable: Sequence[int], options: EnhanceOptions, *, enhance: bool
) -> tuple[Selection, Model | None]:
    """Return the bands that a run takes out of the usable ones, and the model that wants them."""
    if not enhance:
        return Selection(tuple(usable), "all"), None
    return select_for_model(source, usable, options)


def select_for_model(source: Source, usable: Sequence[int], options: EnhanceOptions) -> tuple[Selection, Model]:
    """Return the model for so many usable bands, and those that it takes."""
    model = choose_model(options.model, len(usable))
    return pick_bands(
        usable,
        model.architecture.n_bands,
        options.band_selection,
        source.bands,
        model.wavelengths,
        model.band_selection,
    ), model


def make_plan(
    source: Source,
    options: EnhanceOptions,
    *,
    enhance: bool,
    context: RunContext,
    take: Pass | None = None,
    mosaic: MosaicBackground | None = None,
) -> Plan:
    """Read the raster once, by `take` where it is given, and settle what the later passes do.

    With the background of a mosaic, its bands, model, scaling and moments are those of the run.
    """
    if mosaic is not None and isinstance(options, DetectOptions):
        return _plan_of_mosaic(source, options, mosaic, context, take)
    usable = candidates(source.bands, options.bands)
    if len(usable) < 2:
        raise InputError(
            f"Only {len(usable)} usable band is left in {source.path or 'the cube'}: anomaly detection needs a "
            "spectrum, give a raster with more bands."
        )
    if not enhance:
        _check_covariance(source, len(usable), context)
    scanned = scan(
        source,
        usable,
        lambda alive: select_bands(source, alive, options, enhance=enhance)[0].numbers,
        scaling=options.scaling if enhance else None,
        with_moments=not enhance,
        context=context,
        take=take,
    )
    if scanned.moments.count:
        _check_spread(source, scanned.moments)
    dead = set(scanned.dead)
    alive = [number for number in usable if number not in dead]
    selection, model = select_bands(source, alive, options, enhance=enhance)
    if scanned.dead:
        context.warn(f"{len(scanned.dead)} bands that are wholly nodata or constant were left out.")
    _warn_of_scaling(scanned, context)
    _warn_of_model(model, options, len(alive), context)
    return Plan(selection, _bad_bands(source), scanned, model)


def _plan_of_mosaic(
    source: Source, options: DetectOptions, mosaic: MosaicBackground, context: RunContext, take: Pass | None
) -> Plan:
    """Settle what the later passes do where most of it was settled for all rasters of a mosaic."""
    options = mosaic.options_for(source, options)
    model = mosaic.model(options)
    usable = candidates(source.bands, options.bands)
    mosaic.check_bands(source, usable)
    scanned = scan(source, usable, tuple, scaling=None, with_moments=False, context=context, take=take)
    mosaic.check_bands(source, scanned.numbers)
    scanned = mosaic.applied(scanned)
    _warn_of_scaling(scanned, context)
    if mosaic.enhancement is not None:
        _warn_of_model(model, options, mosaic.enhancement.n_usable, context)
    return Plan(Selection(mosaic.numbers, mosaic.method), _bad_bands(source), scanned, model)


def _warn_of_scaling(scanned: Scan, context: RunContext) -> None:
    if scanned.rare_range > _RARE_RANGE:
        context.warn(
            f"{scanned.rare_range:.0%} of the range that the scaling maps is set by fewer than 0.01 % of the pixels, "
            "which leaves the others little contrast: look at them, or take --scaling percentile."
        )


def _warn_of_model(model: Model | None, options: EnhanceOptions, n_usable: int, context: RunContext) -> None:
    if model is not None and options.model is not None and find_model(options.model).n_bands > model.n_bands:
        context.warn(
            f"The model {options.model} needs more than the {n_usable} usable bands: {model.name} ran instead."
        )


def _bad_bands(source: Source) -> tuple[int, ...]:
    return tuple(band.number for band in source.bands if not band.good)


def _check_covariance(source: Source, n_bands: int, context: RunContext) -> None:
    """Refuse more bands than the memory has room for their covariance, twice: as it is summed and as it is solved."""
    needed = 2 * 8 * n_bands * n_bands
    if needed > context.budget_bytes + SLACK_BYTES:
        raise InputError(
            f"The covariance of the {n_bands} bands of {source.path or 'the cube'} needs {needed >> 20} MiB: take "
            "fewer bands with --bands, or give a larger --memory."
        )


def _check_spread(source: Source, moments: Moments) -> None:
    """Refuse values whose squares are out of float64's range, beyond some 1e150 or all within some 1e-160."""
    variance = np.diagonal(moments.covariance())
    if not np.isfinite(variance).all() or ((variance == 0) & (moments.minimum < moments.maximum)).any():
        raise InputError(
            f"The values of {source.path or 'the cube'} are so large or so close to each other that their squares are "
            "beyond double precision: bring the bands to another unit, near 1."
        )


def _prepared(source: Source, options: EnhanceOptions, context: RunContext) -> Source:
    """Return the source in an order that the passes can read within the memory budget."""
    with context.part(0.0, 0.0):
        return in_row_order(source, candidates(source.bands, options.bands), context)


def open_enhancer(source: Source, plan: Plan, options: EnhanceOptions) -> tuple[Enhancer, Backend]:
    """Return FEN over the source, ready to run."""
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
    """Score every valid pixel of the source into the sink, by the background of a mosaic where there is one."""
    detector = make_detector(options.detector, **options.detector_options())
    if mosaic is not None:
        check_detector(detector, options)
    if options.background is not None and not takes_background(detector):
        raise UsageError(
            f"The detector {options.detector!r} with these options takes its background from around each pixel, so a "
            "background of the image is of no use to it: drop it, or leave pixels out altogether with --mask."
        )
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
    beside = both is not None and _reads_raw(both)
    with context.part(0.0, _SCAN_PART / 2 if beside else _SCAN_PART):
        plan = make_plan(source, options, enhance=True, context=context, mosaic=mosaic)
    raw: Scene | None = None
    raw_bands: tuple[int, ...] = ()
    if beside:
        with context.part(_SCAN_PART / 2, _SCAN_PART):
            found = _scan_raw(source, options, context)
        raw_bands = found.numbers
        with context.part(_SCAN_PART, _SCAN_PART):
            raw = _scene(SourceCube(source, raw_bands), found.moments, flags, context)
        # The raw bands hold the model's, so a pixel that is valid in all of them is valid in both cubes.
        plan = replace(plan, scan=replace(plan.scan, n_valid=found.n_valid))
    enhancer, backend = open_enhancer(source, plan, options)
    n_bands = len(plan.selection.numbers)
    enhanced = context.scratch_cube(source.n_rows, source.n_cols, n_bands)
    score_part = _TWO_CUBES_SCORE_PART if beside else _SCORE_PART
    try:
        with context.part(_SCAN_PART, score_part):
            moments = plan.scan.moments if mosaic is not None else Moments(n_bands, context.accelerator)
            store_enhanced(enhancer, enhanced.write, moments if mosaic is None else None, context)
        with context.part(score_part, 1.0), threads():
            scene = _scene(MaskedCube(enhanced), moments, flags, context)
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


def _reads_raw(detector: TwoCubeDetector) -> bool:
    """Say whether the detector looks at the raw bands beside the enhanced ones; refuse one that needs no FEN at all."""
    if not detector.reads("fen"):
        raise UsageError("No component of the fusion reads the enhanced cube: switch the enhancement off.")
    return detector.reads("raw")


def _scan_raw(source: Source, options: EnhanceOptions, context: RunContext) -> Scan:
    """Return the bands that a run without a model would take, and the moments of their valid pixels."""
    usable = candidates(source.bands, options.bands)
    return scan(source, usable, tuple, scaling=None, with_moments=True, context=context)


def store_enhanced(
    enhancer: Enhancer, store: Callable[[Window, Float32Array], None], moments: Moments | None, context: RunContext
) -> None:
    """Run FEN once over the image into `store`, NaN where invalid; add the enhanced pixels to the moments, if any."""
    # The scratch cube takes rows as they come.
    with (
        threads(),
        closing(enhancer.run(context, bytes_per_value=0, least_rows=_LEAST_ROWS)) as blocks,
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
    """Enhance every valid pixel of the source; `open_sink(plan, block_rows)` is asked for the sink once both are known.

    The sink takes values (rows, cols, bands), NaN where invalid.
    """
    source = _prepared(source, options, context)
    with context.part(0.0, _SCAN_PART):
        plan = make_plan(source, options, enhance=True, context=context)
    enhancer, backend = open_enhancer(source, plan, options)
    # Beside each value of a block: its copies in the order of the output.
    bytes_per_value = 8
    sink = open_sink(plan, enhancer.shape(context, bytes_per_value)[0])
    with (
        context.part(_SCAN_PART, 1.0),
        closing(enhancer.run(context, bytes_per_value)) as blocks,
        one_behind(sink.write) as write,
    ):
        for window, values, valid in blocks:
            if not valid.all():
                values[~valid] = np.nan
            write(window, values)
    return Outcome(plan, backend.describe())
