"""What is settled before the first block is enhanced or scored: detector, bands, model, scaling and moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .bands import BandInfo, Selection, candidates, pick_bands
from .context import RunContext
from .detectors import Detector, TwoCubeDetector, make_detector, takes_background, uses_extrema
from .errors import InputError, UsageError
from .fen.bundle import Model
from .fen.store import choose_model, find_model
from .mosaic import MosaicBackground, check_detector
from .options import DetectOptions, EnhanceOptions
from .raster import Source
from .raster.declared import SLACK_BYTES
from .scan import Pass, Scan, scan
from .statistics import Moments
from .threshold import check_threshold

# Warn where the most extreme pixels alone make up more than this part of the range that FEN's scaling maps.
_RARE_RANGE = 0.5


@dataclass(frozen=True)
class Plan:
    """What the first pass over a raster settled.

    `bad` are the numbers of the bands that the metadata mark as bad; `model` is None in a run without enhancement.
    """

    selection: Selection
    bad: tuple[int, ...]
    scan: Scan
    model: Model | None

    def beside(self, raw: Scan) -> Plan:
        """Return the plan of a run that looks at the raw bands too, of which `raw` is the first pass.

        They hold the model's bands, so a pixel that is valid in all of them is valid in both cubes.
        """
        return replace(self, scan=replace(self.scan, n_valid=raw.n_valid))


def detector_of(options: DetectOptions) -> Detector:
    """Return the detector of a run; raises `UsageError` where the detector and other options do not go together.

    Only the options are looked at, so that such a run is refused before anything is opened.
    """
    detector = make_detector(options.detector, **options.detector_options())
    check_threshold(options.threshold, detector)
    if options.background_of is not None:
        check_detector(detector, options)
    if options.background is not None and not takes_background(detector):
        raise UsageError(
            f"The detector {options.detector!r} with these options takes its background from around each pixel, so a "
            "background of the image is of no use to it: drop it, or leave pixels out altogether with --mask."
        )
    if options.enhance and isinstance(detector, TwoCubeDetector) and not detector.reads("fen"):
        raise UsageError("No component of the fusion reads the enhanced cube: switch the enhancement off.")
    return detector


def select_for_model(
    bands: Sequence[BandInfo], usable: Sequence[int], options: EnhanceOptions
) -> tuple[Selection, Model]:
    """Return which of the usable band numbers a run with FEN takes, and the model that takes them.

    bands : all bands of the raster. Raises `InputError` where the usable ones are too few for any model of the family.
    """
    model = choose_model(options.model, len(usable))
    selection = pick_bands(
        usable, model.n_bands, options.band_selection, bands, model.wavelengths, model.band_selection
    )
    return selection, model


def _select(
    source: Source, usable: Sequence[int], options: EnhanceOptions, *, enhance: bool
) -> tuple[Selection, Model | None]:
    """Return which of the usable band numbers a run takes, and the model, where it enhances."""
    if not enhance:
        return Selection(tuple(usable), "all"), None
    return select_for_model(source.bands, usable, options)


def make_plan(
    source: Source,
    options: EnhanceOptions,
    *,
    enhance: bool,
    context: RunContext,
    take: Pass | None = None,
    mosaic: MosaicBackground | None = None,
) -> Plan:
    """Read the raster once and settle what the later passes do.

    enhance : whether FEN follows; without it the pass takes the moments of the raw bands. take : what reads the raster,
    by default `tally_image`. mosaic : its bands, model, scaling and moments then hold for this raster too.
    Raises `InputError` where the bands, values or memory do not suffice.
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
        lambda alive: _select(source, alive, options, enhance=enhance)[0].numbers,
        scaling=options.scaling if enhance else None,
        with_moments=not enhance,
        with_extrema=isinstance(options, DetectOptions) and uses_extrema(detector_of(options)),
        context=context,
        take=take,
    )
    if scanned.moments.count:
        _check_spread(source, scanned.moments)
    dead = set(scanned.dead)
    alive = [number for number in usable if number not in dead]
    selection, model = _select(source, alive, options, enhance=enhance)
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
    if not np.isfinite(variance).all() or ((variance == 0) & moments.varies()).any():
        raise InputError(
            f"The values of {source.path or 'the cube'} are so large or so close to each other that their squares are "
            "beyond double precision: bring the bands to another unit, near 1."
        )
