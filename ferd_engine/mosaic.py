"""One background for many rasters: the mean and covariance of the valid pixels of all flight lines of a mosaic."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .detectors import Detector
from .detectors.covariance import parse_covariance, passes
from .detectors.grx import Grx
from .errors import InputError, UsageError
from .fen.bundle import Model
from .fen.store import choose_model
from .options import DetectOptions
from .raster import Source
from .scaling import Scaling
from .scan import Scan
from .statistics import Float64Array, Moments

FILE_SUFFIX = ".npz"
_FORMAT = "ferd-background"


@dataclass(frozen=True)
class SharedEnhancement:
    """How FEN is run on all rasters of a mosaic, so that a material comes out the same in each.

    `n_usable` bands are good in all of them, out of which `method` picked the model's. `scaling` and the `mean`
    spectrum (bands,), which stands in for holes, are over the valid pixels of all; `rare_range` as in `Scan`.
    """

    model_sha256: str
    n_usable: int
    method: str
    scaling: Scaling
    mean: Float64Array
    rare_range: float = 0.0


@dataclass(frozen=True)
class MosaicBackground:
    """Moments of the bands `numbers` of the valid pixels of `n_rasters` rasters, each of `n_bands` bands.

    With an `enhancement`, of the pixels that FEN made of these bands.
    """

    numbers: tuple[int, ...]
    n_bands: int
    n_rasters: int
    moments: Moments
    enhancement: SharedEnhancement | None = None

    def save(self, path: Path) -> None:
        """Write all of it to an .npz file, whole or not at all."""
        facts = np.array([self.n_bands, self.n_rasters, *self.numbers])
        arrays = self.moments.as_arrays()
        shared = self.enhancement
        if shared is not None:
            words = json.dumps({"model_sha256": shared.model_sha256, "method": shared.method})
            numbers = [shared.scaling.low, shared.scaling.high, shared.rare_range, shared.n_usable]
            arrays.update(fen=np.array(words), fen_numbers=np.array(numbers, dtype=np.float64), fen_mean=shared.mean)
        partial = path.with_name(path.name + ".tmp")
        with open(partial, "wb") as file:
            np.savez(file, format=_FORMAT, facts=facts, **arrays)
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
                shared = None
                if "fen" in stored:
                    low, high, rare, n_usable = (float(number) for number in stored["fen_numbers"])
                    words = json.loads(str(stored["fen"]))
                    shared = SharedEnhancement(
                        words["model_sha256"],
                        int(n_usable),
                        words["method"],
                        Scaling(low, high),
                        stored["fen_mean"],
                        rare,
                    )
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise InputError(
                f"The file {path} is no background of several rasters as a batch keeps it ({error}): name the rasters "
                "themselves."
            ) from error
        moments.settled = True
        return cls(tuple(numbers), n_bands, n_rasters, moments, shared)

    @property
    def method(self) -> str:
        """How the bands were picked."""
        return "all" if self.enhancement is None else self.enhancement.method

    def options_for(self, source: Source, options: DetectOptions) -> DetectOptions:
        """Return the options of a run on one raster, with the background's bands; `InputError` where it has others."""
        if len(source.bands) != self.n_bands:
            raise InputError(
                f"The raster {source.path} has {len(source.bands)} bands and the background's rasters have "
                f"{self.n_bands}: give rasters of one sensor."
            )
        if options.enhance != (self.enhancement is not None):
            raise InputError(
                f"The background {options.background_of} was taken {'with' if self.enhancement else 'without'} "
                "enhancement and this run goes the other way: name the rasters that it is of, and it is taken anew."
            )
        return replace(options, bands=",".join(map(str, self.numbers)))

    def model(self, options: DetectOptions) -> Model | None:
        """Return the model of a run, None without enhancement; `InputError` where it is not the background's."""
        if self.enhancement is None:
            return None
        model = choose_model(options.model, self.enhancement.n_usable)
        if model.sha256 != self.enhancement.model_sha256:
            raise InputError(
                f"The background was taken with other weights than those of the model {model.name}: name the model "
                "that it was taken with, or the rasters that it is of."
            )
        return model

    def check_bands(self, source: Source, numbers: Sequence[int]) -> None:
        """Refuse a raster that lacks one of the bands."""
        missing = sorted(set(self.numbers) - set(numbers))
        if missing:
            raise InputError(
                f"The band {missing[0]} of {source.path} is bad, constant or wholly nodata, and takes part in the "
                "background of the other rasters: leave it out with --bands, or add this raster to --background-of."
            )

    def applied(self, scanned: Scan) -> Scan:
        """Return what the first look at one raster found, with what is common to all in its place."""
        scanned = replace(scanned, moments=self.moments)
        shared = self.enhancement
        if shared is None:
            return scanned
        return replace(scanned, scaling=shared.scaling, mean=shared.mean, rare_range=shared.rare_range)


def check_detector(detector: Detector, options: DetectOptions) -> None:
    """Raise `UsageError` for what does not score by a mean and a covariance alone."""
    if isinstance(detector, Grx) and detector.mean == "global" and not passes(parse_covariance(detector.covariance)):
        return
    raise UsageError(
        f"The detector {options.detector!r} with these options does not score by one mean and covariance alone, as a "
        "background of several rasters gives them: use grx with the covariance empirical, oas or pca:K, or drop "
        "--background-of."
    )


def names_of(source: str, output_folder: Path, left_out: Iterable[str] = ()) -> list[str]:
    """Return the paths of the rasters of a folder or of a list, as `ferd batch` takes them."""
    # Imported late: the batch stands above the runs that use this.
    from .batch.inputs import find_inputs

    return [one.path for one in find_inputs(source, output_folder, left_out=left_out)]
