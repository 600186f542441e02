"""The one list of detectors: what each is called, computes, costs and accepts."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ..context import RunContext
from ..cube import Cube, ScoreSink
from ..errors import InputError, UsageError
from ..statistics import Moments
from .distribution import ScoreDistribution
from .mahalanobis import Mahalanobis


class Detector(Protocol):
    """Gives each valid pixel of a cube an anomaly score: the higher, the less it belongs there."""

    def score(self, cube: Cube, moments: Moments, sink: ScoreSink, context: RunContext) -> ScoreDistribution | None:
        """Write the scores of all pixels to `sink`, NaN where a pixel is invalid.

        `moments` are those of all valid pixels of `cube`, with extrema where it `UsesExtrema`. The cube may be read as
        often as needed, by windows that fit into `context.free_bytes`. Raises `InputError` where no pixel is valid and
        `Cancelled` where the user stopped the run. Returns how scores of normal background are distributed, None where
        that is not known.
        """


def require_pixels(moments: Moments) -> None:
    """Raise `InputError` where there is no background pixel, as `Detector.score` promises."""
    if moments.count == 0:
        raise InputError("No pixel is valid in all used bands, so there is no background: check nodata and mask.")


class Scene(NamedTuple):
    """A cube, and the moments of its background pixels: all valid ones, unless the user named others."""

    cube: Cube
    moments: Moments


@runtime_checkable
class TakesBackground(Protocol):
    """A detector that can be told which pixels are background.

    Its cube is then a `CubeWithBackground`, and the moments are those of the background pixels alone.
    """

    @property
    def takes_background(self) -> bool:
        """Whether it does, with the options that it has."""


def takes_background(detector: Detector) -> bool:
    """Say whether a detector can be told which pixels are background."""
    return isinstance(detector, TakesBackground) and detector.takes_background


@runtime_checkable
class UsesExtrema(Protocol):
    """A detector that asks its moments for the smallest and the largest values."""

    @property
    def uses_extrema(self) -> bool:
        """Whether it does, with the options that it has."""


def uses_extrema(detector: Detector) -> bool:
    """Say whether a detector will ask its moments for the smallest and the largest values, which cost time to keep."""
    return isinstance(detector, UsesExtrema) and detector.uses_extrema


@runtime_checkable
class KnowsDistribution(Protocol):
    """A detector that can tell how scores of normal background are distributed."""

    @property
    def knows_distribution(self) -> bool:
        """Whether it does, with the options that it has."""


def knows_distribution(detector: Detector) -> bool:
    """Say whether `score` will return how scores of normal background are distributed."""
    return isinstance(detector, KnowsDistribution) and detector.knows_distribution


@runtime_checkable
class TwoCubeDetector(Detector, Protocol):
    """A detector that can look at the raw bands and at the enhanced ones in one run."""

    def reads(self, cube: str) -> bool:
        """Say whether it looks at this cube, `raw` or `fen`."""

    def score_both(self, raw: Scene | None, enhanced: Scene, sink: ScoreSink, context: RunContext) -> None:
        """Write the scores, as `score` does with the raw cube alone; `raw` is None where it does not read that one."""


@runtime_checkable
class DistanceDetector(Detector, Protocol):
    """A detector whose score of a pixel follows from the distance to the image's background."""

    @property
    def covariance(self) -> str:
        """The option that says which distance, for `parse_covariance`."""

    def score_by(
        self, distance: Mahalanobis, cube: Cube, sink: ScoreSink, context: RunContext
    ) -> ScoreDistribution | None:
        """Write the scores and return what `score` does, with the distance that is known; reads the cube once."""


@dataclass(frozen=True)
class DetectorInfo:
    """A detector as `ferd detectors` lists it; `factory` is a dataclass whose fields are the detector's options."""

    name: str
    title: str
    formula: str
    reference: str
    cost: str
    when: str
    factory: type[Any]

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that the detector accepts."""
        return tuple(field.name for field in dataclasses.fields(self.factory))

    def make(self, **options: Any) -> Detector:
        """Return the detector; options that are None count as not given, an unknown one raises `UsageError`."""
        given = {key: value for key, value in options.items() if value is not None}
        for key in given:
            if key not in self.options:
                known = f"it takes {', '.join(self.options)}" if self.options else "it takes none"
                raise UsageError(f"The detector {self.name!r} has no option {key!r} ({known}): leave it out.")
        detector: Detector = self.factory(**given)
        return detector


DETECTORS: dict[str, DetectorInfo] = {}


def register(info: DetectorInfo) -> None:
    """Add a detector to the list, and add to its docstring the cost and use that only its entry states."""
    DETECTORS[info.name] = info
    stated = inspect.cleandoc(info.factory.__doc__ or "")
    info.factory.__doc__ = f"{stated}\n\nCost per pixel: {info.cost}.\nWhen to take it: {info.when}\n"


def detector_info(name: str) -> DetectorInfo:
    """Return the entry of a detector; an unknown name raises `UsageError` that names the known ones."""
    if name not in DETECTORS:
        raise UsageError(f"There is no detector {name!r}: choose one of {', '.join(DETECTORS)}.")
    return DETECTORS[name]


def make_detector(name: str, **options: Any) -> Detector:
    """Return a detector with its options, as `DetectorInfo.make` does."""
    return detector_info(name).make(**options)
