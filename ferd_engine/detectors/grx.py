"""GRX: the global RX detector of Reed and Yu."""

from __future__ import annotations

from dataclasses import dataclass

from ..context import RunContext
from ..cube import Cube, ScoreSink
from ..errors import InputError
from ..progress import ProgressSpan
from ..statistics import Moments
from .blocks import blocks, score_valid
from .mahalanobis import mahalanobis
from .registry import DetectorInfo


@dataclass(frozen=True)
class Grx:
    """Squared Mahalanobis distance of each pixel to the mean and covariance (N - 1) of all valid pixels.

    Reed and Yu, "Adaptive multiple-band CFAR detection of an optical pattern with unknown spectral distribution", IEEE
    TASSP 38 (1990). Arithmetic is float64, the scores are float32. Scores do not depend on the block size, nor on an
    affine scaling of each band; their mean over N pixels is rank * (N - 1) / N.
    """

    def score(self, cube: Cube, moments: Moments, sink: ScoreSink, context: RunContext) -> None:
        """Write the scores, as `Detector.score` says; reads the cube once."""
        if moments.count == 0:
            raise InputError("No pixel is valid in all used bands, so there is no background: check nodata and mask.")
        background = mahalanobis(moments, context)
        progress = ProgressSpan(context.progress, 0.0, 1.0)
        # A block, its valid pixels and their scores; half of the memory, since other passes hold buffers of their own.
        bytes_per_pixel = 8 * cube.n_bands + 16
        for window in blocks(cube, bytes_per_pixel, context.free_bytes // 2):
            progress.step(window.row_start / cube.n_rows, "GRX")
            sink.write(window, score_valid(*cube.read(window), background.distances))
        progress.step(1.0, "GRX")


INFO = DetectorInfo(
    name="grx",
    title="Global RX",
    formula="(x - mean)^T covariance^-1 (x - mean), mean and covariance (N - 1) of all valid pixels",
    reference="Reed and Yu, IEEE Transactions on Acoustics, Speech and Signal Processing 38 (1990), 1760-1770",
    cost="2 B^2 flops per pixel: half for the covariance, half for the distance",
    when="The first choice: few assumptions, no parameter, fast. Weak where the background has several materials.",
    factory=Grx,
)
