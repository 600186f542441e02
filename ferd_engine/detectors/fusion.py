"""Fusion: the sum of the log scores of several detectors, on the raw and on the enhanced cube."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..context import RunContext
from ..cube import Cube, Float32Array, ScoreSink, ScratchCube, StoredValues
from ..errors import UsageError
from ..progress import ProgressSpan
from ..statistics import Float64Array, Moments
from ..windows import Window
from .blocks import blocks
from .distribution import ScoreDistribution
from .registry import Detector, DetectorInfo, Scene, detector_info, takes_background, uses_extrema

RAW, ENHANCED = "raw", "fen"
COMPONENTS = "raw:grx:trimmed:5,raw:lrx:pca:40,fen:grx:trimmed:5,fen:lrx:oas,raw:aed"
INNER_PX, OUTER_PX = 11, 21

# Detectors that look at a neighbourhood take about so much longer than a global one; for the progress alone.
_LOCAL_WEIGHT = 10.0
COMPONENTS_PART = 0.98
# The scores of one component, their logarithms and the sum.
COMBINED_PIXEL_BYTES = 32


class Component(NamedTuple):
    """One term of the sum: a detector, and which cube it reads, `raw` or `fen`."""

    cube: str
    detector: Detector
    weight: float


@dataclass(frozen=True)
class Fusion:
    """Sum over some detectors of the natural logarithms of their scores.

    With scores s_i of the components, the score is the sum of log(max(s_i, f_i)), f_i the smallest positive score of
    the component in the image: a score of 0 has no logarithm. A component without any positive score adds nothing. The
    sum of logs is the log of a product: no component's unit or range matters, and a pixel is far up where all agree
    that it is odd. A pixel without a score of some component has none.

    Without enhancement the components that read the raw cube are used alone. Each component is the detector of its
    name with that one's defaults; FEN runs once, whatever the number of components. Scores do not depend on the memory
    budget beyond what the components' own do, which is rounding.

    Parameters
    ----------
    components
        A list such as `raw:grx:ledoit-wolf,fen:grx`: each CUBE:DETECTOR or CUBE:DETECTOR:COVARIANCE, CUBE `raw` for
        all usable bands as they are or `fen` for the bands that FEN enhanced.
    inner, outer
        Odd sides of the windows of those components that have both, such as `lrx`; by default 11 and 21.
    """

    components: str = COMPONENTS
    inner: int = INNER_PX
    outer: int = OUTER_PX

    def __post_init__(self) -> None:
        self.parsed()

    def parsed(self) -> list[Component]:
        """Return the components; raises `UsageError` with one sentence where the list is not one."""
        return [self._component(text.strip()) for text in self.components.split(",")]

    def _component(self, text: str) -> Component:
        cube, _, rest = text.partition(":")
        name, _, covariance = rest.partition(":")
        if cube not in (RAW, ENHANCED) or not name:
            raise UsageError(
                f"The component {text!r} is not one: write raw:DETECTOR or fen:DETECTOR, with :COVARIANCE behind it "
                f"where wanted, separated by commas, as in {COMPONENTS}."
            )
        info = detector_info(name)
        if info.factory is Fusion:
            raise UsageError("A fusion cannot be a component of a fusion: name the detectors themselves.")
        has_ring = {"inner", "outer"} <= set(info.options)
        windows = {"inner": self.inner, "outer": self.outer} if has_ring else {}
        return Component(cube, info.make(covariance=covariance or None, **windows), _LOCAL_WEIGHT if has_ring else 1.0)

    @property
    def takes_background(self) -> bool:
        """Whether all components can be told which pixels are background."""
        return all(takes_background(component.detector) for component in self.parsed())

    @property
    def uses_extrema(self) -> bool:
        """Whether some component asks its moments for the smallest and the largest values."""
        return any(uses_extrema(component.detector) for component in self.parsed())

    def reads(self, cube: str) -> bool:
        """Say whether some component reads this cube, `raw` or `fen`."""
        return any(component.cube == cube for component in self.parsed())

    def score(self, cube: Cube, moments: Moments, sink: ScoreSink, context: RunContext) -> ScoreDistribution | None:
        """Write the scores of the raw components alone, as `Detector.score` says."""
        self._score({RAW: Scene(cube, moments)}, sink, context)
        return None

    def score_both(self, raw: Scene | None, enhanced: Scene, sink: ScoreSink, context: RunContext) -> None:
        """Write the scores of all components; both cubes cover the same pixels. None: no component reads it."""
        scenes = {ENHANCED: enhanced} if raw is None else {RAW: raw, ENHANCED: enhanced}
        self._score(scenes, sink, context)

    def shares(self, cubes: Container[str]) -> Iterator[tuple[Component, tuple[float, float]]]:
        """Yield the components that read one of these cubes, and each one's part of the run, start and stop.

        Raises `UsageError` where there is none.
        """
        chosen = [component for component in self.parsed() if component.cube in cubes]
        if not chosen:
            raise UsageError(
                f"None of the components {self.components} reads the raw cube: add one, or leave the enhancement on."
            )
        total, done = sum(component.weight for component in chosen), 0.0
        for component in chosen:
            start, done = done, done + component.weight * COMPONENTS_PART / total
            yield component, (start, done)

    def _score(self, scenes: dict[str, Scene], sink: ScoreSink, context: RunContext) -> None:
        planes: list[_ScratchPlane] = []
        try:
            for component, (start, stop) in self.shares(scenes):
                cube, moments = scenes[component.cube]
                planes.append(_ScratchPlane(context.scratch_cube(cube.n_rows, cube.n_cols, 1)))
                with context.part(start, stop):
                    component.detector.score(cube, moments, planes[-1], context)
            progress = ProgressSpan(context.progress, COMPONENTS_PART, 1.0)
            for window in blocks(cube, COMBINED_PIXEL_BYTES, context.free_bytes // 2):
                progress.step(window.row_start / cube.n_rows, "Fusion")
                sink.write(window, sum_of_logs(planes, window))
            progress.step(1.0, "Fusion")
        finally:
            for plane in planes:
                plane.close()


class Plane:
    """The scores of one component, stored before, and the smallest positive one, inf where there is none."""

    def __init__(self, stored: StoredValues, floor: float) -> None:
        self._stored, self._floor = stored, floor

    def logs(self, window: Window) -> Float64Array:
        """Return the logarithms (rows, cols) of scores raised to the floor; 0 where no score is positive."""
        scores = self._stored.read_values(window)[:, :, 0].astype(np.float64)
        logs: Float64Array = np.log(np.maximum(scores, self._floor)) if math.isfinite(self._floor) else 0.0 * scores
        return logs


def sum_of_logs(planes: Sequence[Plane], window: Window) -> Float32Array:
    """Return the scores of the fusion (rows, cols) in a window, NaN where a component has none."""
    logs = np.zeros(window.shape)
    for plane in planes:
        logs += plane.logs(window)
    return logs.astype(np.float32)


def smallest_positive(scores: Float32Array, before: float = math.inf) -> float:
    """Return the smallest of the positive scores and of `before`; NaN are passed over."""
    return float(np.min(scores, where=scores > 0.0, initial=before))


class _ScratchPlane(Plane):
    def __init__(self, scratch: ScratchCube) -> None:
        super().__init__(scratch, math.inf)
        self._scratch = scratch

    def write(self, window: Window, scores: Float32Array) -> None:
        """Keep scores (rows, cols), NaN where there is none."""
        self._floor = smallest_positive(scores, self._floor)
        self._scratch.write(window, scores[:, :, np.newaxis])

    def close(self) -> None:
        """Release the scratch."""
        self._scratch.close()


INFO = DetectorInfo(
    name="fusion",
    title="Fusion of log scores",
    formula=(
        "sum over the components of log(score), 0 taken as the smallest positive score; by default "
        f"{COMPONENTS}: global and local, raw and enhanced"
    ),
    reference=(
        "The product rule of Kittler, Hatef, Duin and Matas, IEEE Transactions on Pattern Analysis and Machine "
        "Intelligence 20 (1998), 226-239, on the scores of this project's detectors"
    ),
    cost="that of the components; 4 bytes of scratch per pixel and component, FEN once",
    when=(
        "The most reliable ranking where no single detector is known to suit the scene; the preset best "
        "is one. Its scores have no known distribution: take percentile, count or pareto as the threshold."
    ),
    factory=Fusion,
)
