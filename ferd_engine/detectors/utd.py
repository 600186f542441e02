"""UTD and RXD-UTD: the two relatives of RX that ENVI offers beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..context import RunContext
from ..cube import Cube, FloatArray, ScoreSink, background_of
from ..progress import ProgressSpan
from ..statistics import Float64Array, Moments
from .blocks import blocks, score_valid
from .covariance import background_distance, parse_covariance, passes
from .distribution import ScoreDistribution
from .image_passes import CubePasses
from .mahalanobis import Mahalanobis
from .registry import DetectorInfo, require_pixels


@dataclass(frozen=True)
class Utd:
    """Matched filter of each pixel for a spectrum of ones: (1 - mean)^T covariance^-1 (x - mean).

    The uniform target detector as ENVI's RX Anomaly Detection has it, with 1 a one in every band, in the raster's own
    units; Chang and Chiang, "Anomaly detection and classification for hyperspectral imagery", IEEE TGRS 40 (2002). Weak
    as an anomaly detector: it knows one direction, so that an object that differs from the background in another one
    is not seen, or has a negative score. Other units of the raster, or a scaling, may give another ranking. Here for
    comparison with ENVI.

    Mean and covariance are those of all valid pixels, or of the background given; without full rank the pseudo-inverse
    of `Mahalanobis` is taken. Arithmetic is float64, the scores are float32; they do not depend on the block size.

    Parameters
    ----------
    covariance
        empirical (N - 1 in the denominator), ledoit-wolf, oas, pca:K or trimmed:P, as for `grx`.
    """

    takes_background: ClassVar[bool] = True
    # Whether the filter is taken away from RX, in place of being the score.
    minus: ClassVar[bool] = False
    covariance: str = "empirical"

    def __post_init__(self) -> None:
        parse_covariance(self.covariance)

    def score(self, cube: Cube, moments: Moments, sink: ScoreSink, context: RunContext) -> ScoreDistribution | None:
        """Write the scores, as `Detector.score` says; reads the cube once, and before that as often as `grx`."""
        require_pixels(moments)
        option = parse_covariance(self.covariance)
        start = passes(option) / (passes(option) + 1)
        with context.part(0.0, start):
            distance = background_distance(option, CubePasses(background_of(cube), context), moments, context)
        with context.part(start, 1.0):
            self.score_by(distance, cube, sink, context)
        return None

    def score_by(self, distance: Mahalanobis, cube: Cube, sink: ScoreSink, context: RunContext) -> None:
        """Write the scores, as `DistanceDetector.score_by` says."""
        weights, accelerator = distance.weights(np.ones(cube.n_bands)), context.accelerator

        def scores(pixels: FloatArray) -> Float64Array:
            if accelerator is not None:
                filtered = accelerator.whiten(pixels, distance.mean, weights[:, None])[:, 0]
            else:
                filtered = np.einsum("ij,j->i", pixels - distance.mean, weights)
            return distance.distances(pixels, accelerator) - filtered if self.minus else filtered

        progress = ProgressSpan(context.progress, 0.0, 1.0)
        # A block, its valid pixels, and these centred in float64.
        for window in blocks(cube, 16 * cube.n_bands + 32, context.free_bytes // 2):
            progress.step(window.row_start / cube.n_rows, "UTD")
            sink.write(window, score_valid(*cube.read(window), scores))
        progress.step(1.0, "UTD")


@dataclass(frozen=True)
class RxdUtd(Utd):
    """RX with the distance from a spectrum of ones on one side: (x - 1)^T covariance^-1 (x - mean).

    ENVI's hybrid of RXD and UTD; since x - 1 = (x - mean) - (1 - mean), it is the score of `grx` less that of `utd`.
    Weak as an anomaly detector for the same reasons: it adds to RX a term that is linear in the pixel, whose size and
    sign hang on the raster's units. Here for comparison with ENVI. All else is as for `utd`.
    """

    minus: ClassVar[bool] = True


_REFERENCE = "Chang and Chiang, IEEE Transactions on Geoscience and Remote Sensing 40 (2002), 1314-1325; ENVI's manual"

INFO = DetectorInfo(
    name="utd",
    title="Uniform target detector",
    formula="(1 - mean)^T covariance^-1 (x - mean), 1 a spectrum of ones, mean and covariance of all valid pixels",
    reference=_REFERENCE,
    cost="B^2 flops per pixel for the covariance, 2 B for the score",
    when=(
        "To compare with ENVI. Weak: it sees one direction only, and its ranking depends on the raster's units; take "
        "grx."
    ),
    factory=Utd,
)

RXD_UTD_INFO = DetectorInfo(
    name="rxd-utd",
    title="RXD minus UTD",
    formula="(x - 1)^T covariance^-1 (x - mean), 1 a spectrum of ones: the score of grx less that of utd",
    reference=_REFERENCE,
    cost="2 B^2 flops per pixel: half for the covariance, half for the distance",
    when=(
        "To compare with ENVI. Weak: a term that depends on the raster's units is taken away from the distance; take "
        "grx."
    ),
    factory=RxdUtd,
)
