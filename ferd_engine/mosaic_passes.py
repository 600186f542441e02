"""The passes over all rasters of a mosaic that give their common background: one over raw bands, one of FEN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from .bands import BandInfo, Selection, candidates
from .context import RunContext
from .errors import InputError
from .features import Enhancer
from .fen.backend import open_backend
from .fen.bundle import Model
from .fen.store import choose_model
from .mosaic import MosaicBackground, SharedEnhancement
from .options import DetectOptions
from .pipeline import store_enhanced
from .plan import select_for_model
from .raster import Source, open_masked
from .raster.row_order import in_row_order
from .scaling import ValueRange
from .scan import Wanted, probe, tally_image
from .statistics import Moments
from .tally import Tally

# Where the pass over raw bands ends as a part of the whole time, about, where FEN follows.
_TALLY_PART = 0.1


class Passes(Protocol):
    """Reads each raster of a mosaic once; what was counted of each comes in their order."""

    def tallies(self, paths: Sequence[str], wanted: Sequence[Wanted]) -> Iterator[Tally]:
        """Count what is wanted of each."""

    def enhanced(
        self, paths: Sequence[str], numbers: tuple[int, ...], model: Model, shared: SharedEnhancement
    ) -> Iterator[Moments]:
        """Run FEN over each, and yield the moments of its enhanced pixels."""


@dataclass(frozen=True)
class _Rasters:
    """What the headers and a probe of all rasters say.

    `usable` are the numbers of the bands that are good in all of them, `suspects` those of these that may be dead in
    one; `bands` describe the bands of the first raster, `sizes` are the numbers of pixels of each.
    """

    usable: tuple[int, ...]
    suspects: tuple[int, ...]
    bands: tuple[BandInfo, ...]
    sizes: tuple[int, ...]


def mosaic_background(
    paths: Sequence[str], options: DetectOptions, context: RunContext, passes: Passes | None = None
) -> MosaicBackground:
    """Read rasters, each once, and once more with FEN where the options enhance; return their common background.

    A band that is bad, constant or wholly nodata in one of them is left out of all. One model, one selection of bands
    and one scaling are for all. Statistics are merged in the order of the paths. `passes` reads, by default on this
    machine. Raises `InputError` where the rasters do not go together, or have no more valid pixels than bands.
    """
    passes = passes or LocalPasses(options, context)
    rasters = _looked_through(paths, options)
    part = _TALLY_PART if options.enhance else 1.0
    with context.part(0.0, part):
        selection, n_usable, total = _tallied(paths, rasters, options, passes)
    numbers = selection.numbers
    if total.n_valid <= len(numbers):
        raise InputError(
            f"The {len(paths)} rasters of the background hold {total.n_valid} valid pixels, and {len(numbers)} bands "
            "need more than so many: name more rasters, or use fewer --bands."
        )
    if not options.enhance or total.value_range is None:
        moments = total.moments or Moments(len(numbers))
        moments.settled = True
        return MosaicBackground(numbers, len(rasters.bands), len(paths), moments)
    model = choose_model(options.model, n_usable)
    ranged = total.value_range
    rare = ranged.rare_range() if isinstance(ranged, ValueRange) else 0.0
    mean = total.total / total.n_valid
    shared = SharedEnhancement(model.sha256, n_usable, selection.method, ranged.scaling(), mean, rare)
    moments = Moments(len(numbers))
    with context.part(part, 1.0):
        for found in passes.enhanced(paths, numbers, model, shared):
            moments.merge(found)
    moments.settled = True
    return MosaicBackground(numbers, len(rasters.bands), len(paths), moments, shared)


def _looked_through(paths: Sequence[str], options: DetectOptions) -> _Rasters:
    usable: tuple[int, ...] = ()
    bands: tuple[BandInfo, ...] = ()
    suspects: set[int] = set()
    sizes: list[int] = []
    for path in paths:
        with closing(open_masked(path, options.variable, options.mask)) as source:
            good = candidates(source.bands, options.bands)
            if not sizes:
                usable, bands = good, source.bands
            elif len(source.bands) != len(bands):
                raise InputError(
                    f"The raster {path} has {len(source.bands)} bands and {paths[0]} has {len(bands)}: a background "
                    "of several rasters needs rasters of one sensor."
                )
            usable = tuple(number for number in usable if number in good)
            suspects.update(probe(source, usable))
            sizes.append(source.n_rows * source.n_cols)
    return _Rasters(usable, tuple(sorted(suspects.intersection(usable))), bands, tuple(sizes))


def _tallied(
    paths: Sequence[str], rasters: _Rasters, options: DetectOptions, passes: Passes
) -> tuple[Selection, int, Tally]:
    """Return the bands of the run, how many they were picked from, and what was counted of them in all rasters.

    Bands that a probe suspects to be dead are watched; only where one of them turns out alive in all rasters are these
    read a second time.
    """
    suspects = rasters.suspects
    for last_look in (False, True):
        alive = tuple(number for number in rasters.usable if number not in suspects)
        sure = last_look or not suspects
        try:
            selection = _selected(alive, rasters.bands, options, len(paths))
        except InputError:
            if sure:
                raise
            selection = Selection((), "none")
        dead: set[int] = set()
        total: Tally | None = None
        for tally in passes.tallies(paths, _wanted(selection.numbers, suspects, rasters.sizes, options)):
            dead.update(number for number, is_dead in zip(suspects, tally.extrema.dead()) if is_dead)
            if total is None:
                total = tally
            else:
                total.merge(tally)
        if total is not None and selection.numbers and (sure or dead == set(suspects)):
            return selection, len(alive), total
        suspects = tuple(sorted(dead))
    raise AssertionError("the second look knows which bands are dead")


def _wanted(
    numbers: tuple[int, ...], suspects: tuple[int, ...], sizes: Sequence[int], options: DetectOptions
) -> list[Wanted]:
    scaling = options.scaling if options.enhance else None
    moments = not options.enhance
    # The tails of the range have to hold what is rare among the pixels of all.
    return [Wanted(numbers, suspects, scaling, moments, size, n_ranged=sum(sizes)) for size in sizes]


def _selected(alive: tuple[int, ...], bands: Sequence[BandInfo], options: DetectOptions, n_rasters: int) -> Selection:
    if len(alive) < 2:
        raise InputError(
            f"Fewer than 2 bands are good in all {n_rasters} rasters of the background: name rasters of one sensor, "
            "or leave out the ones that lack bands."
        )
    if not options.enhance:
        return Selection(alive, "all")
    return select_for_model(bands, alive, options)[0]


class LocalPasses:
    """The passes on this machine, one raster after the other."""

    def __init__(self, options: DetectOptions, context: RunContext) -> None:
        self._options, self._context = options, context

    def tallies(self, paths: Sequence[str], wanted: Sequence[Wanted]) -> Iterator[Tally]:
        """Count what is wanted of each."""
        for source, what in zip(self._each(paths), wanted):
            yield tally_image(source, what, self._context)

    def enhanced(
        self, paths: Sequence[str], numbers: tuple[int, ...], model: Model, shared: SharedEnhancement
    ) -> Iterator[Moments]:
        """Run FEN over each, and yield the moments of its enhanced pixels, which are not kept."""
        options, context = self._options, self._context
        backend = open_backend(model, options.backend, options.device, options.threads, options.precision)
        for source in self._each(paths):
            with TemporaryDirectory(prefix="background-", dir=context.scratch_folder) as folder:
                own = RunContext(context.free_bytes, context.progress, Path(folder))
                with closing(own):
                    ordered = in_row_order(source, numbers, own)
                    halo_px = model.architecture.halo_px
                    enhancer = Enhancer(ordered, numbers, shared.scaling, shared.mean, backend, halo_px)
                    moments = Moments(len(numbers))
                    store_enhanced(enhancer, lambda window, values: None, moments, own)
                    yield moments

    def _each(self, paths: Sequence[str]) -> Iterator[Source]:
        for index, path in enumerate(paths):
            with (
                closing(open_masked(path, self._options.variable, self._options.mask)) as source,
                self._context.part(index / len(paths), (index + 1) / len(paths)),
            ):
                yield source
