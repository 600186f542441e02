"""GRX: the global RX detector of Reed and Yu."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from ..context import RunContext
from ..cube import Cube, ScoreSink, background_of, last_reader
from ..errors import UsageError
from ..overlap import one_ahead
from ..parallel import threads
from ..progress import ProgressSpan
from ..statistics import Moments
from .blocks import blocks, score_each
from .covariance import background_distance, parse_covariance, passes
from .distribution import ScoreDistribution
from .image_passes import CubePasses
from .local_mean import OUTER_PX, score_local_mean
from .mahalanobis import Mahalanobis
from .registry import DetectorInfo, require_pixels
from .rings import DualWindow

MEANS = ("global", "local")


@dataclass(frozen=True)
class Grx:
    """Squared Mahalanobis distance of each pixel to the mean and covariance of all valid pixels.

    Reed and Yu, "Adaptive multiple-band CFAR detection of an optical pattern with unknown spectral distribution", IEEE
    TASSP 38 (1990). Arithmetic is float64, the scores are float32. Scores do not depend on the block size. With the
    empirical covariance they do not depend on an affine scaling of each band either, and their mean over N pixels is
    rank * (N - 1) / N. With a background given, mean and covariance are those of its pixels; a local mean is still
    that of all valid pixels in the window.

    Parameters
    ----------
    covariance
        empirical (N - 1 in the denominator), ledoit-wolf, oas, pca:K or trimmed:P, see `background_distance`.
    mean
        global, or local: the mean of the window around the pixel, `local_mean`, in place of the whole image's.
    outer
        Odd side of that window in pixels, by default 15; with mean local alone.
    """

    takes_background: ClassVar[bool] = True

    covariance: str = "empirical"
    mean: str = "global"
    outer: int | None = None

    def __post_init__(self) -> None:
        parse_covariance(self.covariance)
        if self.mean not in MEANS:
            raise UsageError(f"The mean {self.mean!r} does not exist: choose one of {', '.join(MEANS)}.")
        if self.mean == "local":
            DualWindow(1, self._side).check()
        elif self.outer is not None:
            raise UsageError("The outer window of grx is that of its local mean: give mean local with it, or drop it.")

    @property
    def knows_distribution(self) -> bool:
        """Whether scores are squared distances to the mean of the image, by a covariance that is not shrunk."""
        return self.mean == "global" and parse_covariance(self.covariance).kind not in ("ledoit-wolf", "oas")

    @property
    def _side(self) -> int:
        return OUTER_PX if self.outer is None else self.outer

    def score(self, cube: Cube, moments: Moments, sink: ScoreSink, context: RunContext) -> ScoreDistribution | None:
        """Write the scores, as `Detector.score` says; reads the cube once, and before that `passes` times."""
        require_pixels(moments)
        option = parse_covariance(self.covariance)
        start = passes(option) / (passes(option) + 1)
        with context.part(0.0, start):
            distance = background_distance(option, CubePasses(background_of(cube), context), moments, context)
        with context.part(start, 1.0):
            return self.score_by(distance, cube, sink, context)

    def score_by(
        self, distance: Mahalanobis, cube: Cube, sink: ScoreSink, context: RunContext
    ) -> ScoreDistribution | None:
        """Write the scores, as `DistanceDetector.score_by` says."""
        progress = ProgressSpan(context.progress, 0.0, 1.0)
        if self.mean == "local":
            score_local_mean(cube, distance, self._side, sink, context, progress)
            progress.step(1.0, "GRX")
            return None
        # The valid pixels of two blocks, the later block and the one that is read, and the scores; half of the memory,
        # since other passes hold buffers.
        bytes_per_pixel = 16 * cube.n_bands + 32
        begin = partial(distance.begin_distances, accelerator=context.accelerator)
        with (
            threads(),
            closing(one_ahead(last_reader(cube), blocks(cube, bytes_per_pixel, context.free_bytes // 2))) as read,
        ):
            for window, scores in score_each(read, begin):
                progress.step(window.row_start / cube.n_rows, "GRX")
                sink.write(window, scores)
        progress.step(1.0, "GRX")
        return ScoreDistribution(max(distance.rank, 1)) if self.knows_distribution else None


INFO = DetectorInfo(
    name="grx",
    title="Global RX",
    formula="(x - mean)^T covariance^-1 (x - mean), mean and covariance of all valid pixels; or the mean of a window",
    reference="Reed and Yu, IEEE Transactions on Acoustics, Speech and Signal Processing 38 (1990), 1760-1770",
    cost=(
        "2 B^2 flops per pixel: half for the covariance, half for the distance; ledoit-wolf reads the cube once more, "
        "trimmed:P twice more with another 2 B^2"
    ),
    when=(
        "The first choice: few assumptions, fast. Weak where the background has several materials. Covariance "
        "ledoit-wolf or oas where pixels are few for the bands, or bands noisy; pca:K against noise; trimmed:P where "
        "many anomalies take part in the background; mean local where brightness drifts over the image."
    ),
    factory=Grx,
)
