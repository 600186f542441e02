"""One background for many rasters: the mean and covariance of the valid pixels of all flight lines of a mosaic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

import numpy as np

from .bands import candidates
from .context import RunContext
from .detectors import Detector
from .detectors.covariance import parse_covariance, passes
from .detectors.grx import Grx
from .errors import InputError, UsageError
from .options import DetectOptions
from .raster import Source, open_source
from .raster.masked_source import with_mask
from .scan import Wanted, probe, tally_image
from .statistics import Moments
from .tally import Tally

FILE_SUFFIX = ".npz"
_FORMAT = "ferd-background"

TakeAll = Callable[[Sequence[str], Sequence[Wanted]], Iterator[Tally]]
"""Reads each of these rasters once and yields, in their order, what was counted of it."""


@dataclass(frozen=True)
class MosaicBackground:
    """Moments of the bands `numbers` of the valid pixels of `n_rasters` rasters, each of `n_bands` bands."""

    numbers: tuple[int, ...]
    n_bands: int
    n_rasters: int
    moments: Moments

    def save(self, path: Path) -> None:
        """Write all of it to an .npz file, whole or not at all."""
        facts = np.array([self.n_bands, self.n_rasters, *self.numbers])
        partial = path.with_name(path.name + ".tmp")
        with open(partial, "wb") as file:
            np.savez(file, format=_FORMAT, facts=facts, **self.moments.as_arrays())
        partial.replace(path)

    @classmethod
    def load(cls, path: str) -> MosaicBackground:
        """Return the background of a file that `save` wrote; `InputError` for any other file."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                if str(stored["format"]) != _FORMAT:
                    raise ValueError("another format")
                n_bands, n_rasters, *numbers = (int(fact) for fact in stored["facts"])
                moments = Moments.from_arrays(stored)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise InputError(f"The file {path} is no background of several rasters ({error}): name them.") from error
        moments.settled = True
        return cls(tuple(numbers), n_bands, n_rasters, moments)

    def options_for(self, source: Source, options: DetectOptions) -> DetectOptions:
        """Return the options of a run on one raster, with the background's bands; `InputError` where it has others."""
        if len(source.bands) != self.n_bands:
            raise InputError(
                f"The raster {source.path} has {len(source.bands)} bands and the background's rasters have "
                f"{self.n_bands}: give rasters of one sensor."
            )
        return replace(options, bands=",".join(map(str, self.numbers)))

    def check_bands(self, source: Source, numbers: Sequence[int]) -> None:
        """Refuse a raster that lacks one of the bands."""
        missing = sorted(set(self.numbers) - set(numbers))
        if missing:
            raise InputError(
                f"The band {missing[0]} of {source.path} is bad, constant or wholly nodata, and takes part in the "
                "background of the other rasters: leave it out with --bands, or add this raster to --background-of."
            )


def check_detector(detector: Detector, options: DetectOptions) -> None:
    """Raise `UsageError` for what does not score by a mean and a covariance alone."""
    if isinstance(detector, Grx) and detector.mean == "global" and not passes(parse_covariance(detector.covariance)):
        return
    raise UsageError(
        f"The detector {options.detector!r} with these options does not score by one mean and covariance alone, as a "
        "background of several rasters gives them: use grx with the covariance empirical, oas or pca:K, or drop "
        "--background-of."
    )


def mosaic_background(
    paths: Sequence[str], options: DetectOptions, context: RunContext, take: TakeAll | None = None
) -> MosaicBackground:
    """Read rasters, each once, and return their common background.

    A band that is bad, constant or wholly nodata in one of them is left out of all. Moments are merged in the order of
    the paths. `take` reads, by default on this machine. Raises `InputError` where the rasters do not go together, or
    have no more valid pixels than bands.
    """
    usable, suspects, n_bands, sizes = _looked_through(paths, options)
    for last_look in (False, True):
        numbers = tuple(number for number in usable if number not in suspects)
        wanted = [Wanted(numbers, suspects, None, with_moments=True, n_pixels=size) for size in sizes]
        dead: set[int] = set()
        moments = Moments(len(numbers))
        for tally in (take or _taker(options, context))(paths, wanted):
            dead.update(number for number, is_dead in zip(suspects, tally.extrema.dead()) if is_dead)
            if tally.moments is not None:
                moments.merge(tally.moments)
        if dead == set(suspects) or last_look:
            break
        suspects = tuple(sorted(dead))
    if moments.count <= len(numbers):
        raise InputError(
            f"The {len(paths)} rasters of the background hold {moments.count} valid pixels, and {len(numbers)} bands "
            "need more than so many: name more rasters, or use fewer --bands."
        )
    moments.settled = True
    return MosaicBackground(numbers, n_bands, len(paths), moments)


def opened(path: str, options: DetectOptions) -> Source:
    """Open a raster as a run on it does."""
    source = open_source(path, options.variable)
    return source if options.mask is None else with_mask(source, open_source(options.mask))


def _looked_through(
    paths: Sequence[str], options: DetectOptions
) -> tuple[tuple[int, ...], tuple[int, ...], int, list[int]]:
    """Return the bands that are good in all rasters, those that may be dead in one, all bands, and pixels of each."""
    usable: tuple[int, ...] = ()
    suspects: set[int] = set()
    sizes: list[int] = []
    n_bands = 0
    for path in paths:
        source = opened(path, options)
        try:
            good = candidates(source.bands, options.bands)
            if not sizes:
                usable, n_bands = good, len(source.bands)
            elif len(source.bands) != n_bands:
                raise InputError(
                    f"The raster {path} has {len(source.bands)} bands and {paths[0]} has {n_bands}: a background of "
                    "several rasters needs rasters of one sensor."
                )
            usable = tuple(number for number in usable if number in good)
            suspects.update(probe(source, usable))
            sizes.append(source.n_rows * source.n_cols)
        finally:
            source.close()
    if len(usable) - len(suspects) < 2:
        raise InputError(
            f"Fewer than 2 bands are good in all {len(paths)} rasters of the background: name rasters of one sensor, "
            "or leave out the ones that lack bands."
        )
    return usable, tuple(sorted(suspects.intersection(usable))), n_bands, sizes


def _taker(options: DetectOptions, context: RunContext) -> TakeAll:
    def take(paths: Sequence[str], wanted: Sequence[Wanted]) -> Iterator[Tally]:
        for index, (path, what) in enumerate(zip(paths, wanted)):
            source = opened(path, options)
            try:
                with context.part(index / len(paths), (index + 1) / len(paths)):
                    yield tally_image(source, what, context)
            finally:
                source.close()

    return take


def names_of(source: str, output_folder: Path, left_out: Iterable[str] = ()) -> list[str]:
    """Return the rasters of a folder or of a list, as a batch takes them."""
    # The batch stands above the runs that use this.
    from .batch.inputs import find_inputs

    return [one.path for one in find_inputs(source, output_folder, left_out=left_out)]
