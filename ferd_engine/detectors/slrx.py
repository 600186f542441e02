"""SLRX: the fixed-patch local RX of the FERD paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from ..context import RunContext
from ..cube import Cube, Float32Array, FloatArray, ScoreSink, ScratchCube
from ..errors import UsageError
from ..parallel import threads
from ..progress import ProgressSpan
from ..statistics import Float64Array, Moments
from ..windows import Window
from .blocks import blocks
from .distribution import ScoreDistribution
from .patches import PatchScene
from .patches_large import large_patch_distances
from .patches_small import small_patch_distances
from .registry import DetectorInfo, require_pixels

BLOCKS_PER_COLUMN = 25
SMALLEST_SIDE = 2

_N_MAPS = 3
# A map that varies by no more than this part of its values is constant; the ridge alone moves distances by 1e-8.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Slrx:
    """Product of three distances of each pixel: to its block, to the blocks around it, and to the whole image.

    Jin, Dang and Zhu, "Feature Enhancement with Reverse Distillation for Hyperspectral Anomaly Detection", IEEE GRSL
    2024, as the design of this project fixes it: the cube is scaled to [0, 1] by its smallest and largest valid value;
    square blocks of side `block`, by default a 25th of the rows, lie from the top left, cut off at the right and bottom
    edge. The three Mahalanobis distances (not squared) of a pixel are those to the pixels of its own block, to those of
    the up to eight neighbouring blocks without it, and to the whole image, each with covariance (N - 1) + 1e-6 I. Each
    of the three maps is scaled to [0, 1] by its own extrema over the valid pixels, and the score is their product.

    Borders: a map that is constant is 0; where no neighbouring block holds a valid pixel, the whole image takes their
    place. Arithmetic is float64, the scores are float32; they do not depend on the memory budget. With blocks of one
    size the image may be flipped or transposed if its sides are multiples of the block.

    Parameters
    ----------
    block
        Side of a block in pixels, at least 2; by default rows // 25.
    """

    uses_extrema: ClassVar[bool] = True

    block: int | None = None

    def __post_init__(self) -> None:
        if self.block is not None and self.block < SMALLEST_SIDE:
            raise UsageError(
                f"The block of SLRX is {self.block} pixels: give {SMALLEST_SIDE} or more, one pixel has no spread."
            )

    def side(self, n_rows: int) -> int:
        """Return the side of a block in an image of so many rows."""
        return self.block or max(n_rows // BLOCKS_PER_COLUMN, SMALLEST_SIDE)

    def score(self, cube: Cube, moments: Moments, sink: ScoreSink, context: RunContext) -> ScoreDistribution | None:
        """Write the scores, as `Detector.score` says; reads the cube two to three times."""
        require_pixels(moments)
        side = self.side(cube.n_rows)
        maps = Maps(context.scratch_cube(cube.n_rows, cube.n_cols, 2 * _N_MAPS))
        try:
            write_maps(PatchScene(cube, moments, side, context.accelerator), maps, context)
            progress = ProgressSpan(context.progress, 0.95, 1.0)
            # The maps of a block and their sums in float64.
            for window in blocks(cube, 4 * 2 * _N_MAPS + 8 * _N_MAPS + 16, context.free_bytes // 2):
                progress.step(window.row_start / cube.n_rows, "SLRX scores")
                sink.write(window, maps.product(window))
            progress.step(1.0, "SLRX scores")
        finally:
            maps.close()
        return None


class MapSink(Protocol):
    """Where the distances go."""

    def write(self, window: Window, distances: Float64Array) -> None:
        """Take distances (rows, cols, 3), NaN where invalid."""


def write_maps(scene: PatchScene, maps: MapSink, context: RunContext) -> None:
    """Write the three distances of each pixel."""
    # Where the neighbours have more pixels than bands, their covariance is smaller than their Gram matrix.
    small = 8 * scene.grid.side**2 <= scene.cube.n_bands
    distances_of = small_patch_distances if small else large_patch_distances
    progress = ProgressSpan(context.progress, 0.0, 0.95)
    done, total = 0, scene.cube.n_rows * scene.cube.n_cols
    with threads() as pool:
        progress.step(0.0, "SLRX distances")
        for window, distances in distances_of(scene, context.free_bytes // 2, pool):
            maps.write(window, distances)
            done += window.n_pixels
            progress.step(done / total, "SLRX distances")


class Maps:
    """Three maps of distances on scratch, each as a float32 and the float32 remainder, and their extrema.

    The pair carries 48 bits: with few pixels in a block the distances to it differ little from each other, and their
    scaling to [0, 1] magnifies a rounding error.
    """

    def __init__(self, scratch: ScratchCube) -> None:
        self._scratch = scratch
        self.minimum = np.full(_N_MAPS, np.inf)
        self.maximum = np.full(_N_MAPS, -np.inf)

    def write(self, window: Window, distances: Float64Array) -> None:
        """Keep distances (rows, cols, 3), NaN where invalid."""
        np.fmin(self.minimum, np.fmin.reduce(distances, axis=(0, 1)), out=self.minimum)
        np.fmax(self.maximum, np.fmax.reduce(distances, axis=(0, 1)), out=self.maximum)
        pairs = np.empty((*window.shape, 2 * _N_MAPS), dtype=np.float32)
        pairs[:, :, :_N_MAPS] = distances
        pairs[:, :, _N_MAPS:] = distances - pairs[:, :, :_N_MAPS]
        self._scratch.write(window, pairs)

    def product(self, window: Window) -> Float32Array:
        """Return scores (rows, cols), NaN where invalid."""
        return product(self._scratch.read_values(window), self.minimum, self.maximum)

    def close(self) -> None:
        """Release the scratch."""
        self._scratch.close()


def product(pairs: FloatArray, minimum: Float64Array, maximum: Float64Array) -> Float32Array:
    """Return scores (rows, cols) of kept maps (rows, cols, 6) and the extrema (3,) of each over the image."""
    scaled = pairs[:, :, :_N_MAPS].astype(np.float64)
    scaled += pairs[:, :, _N_MAPS:]
    spread = maximum - minimum
    scaled -= minimum
    varies = spread > _ROUNDING * maximum
    scaled *= np.divide(1.0, spread, out=np.zeros(_N_MAPS), where=varies)
    scores: Float32Array = scaled.prod(axis=2).astype(np.float32)
    return scores


INFO = DetectorInfo(
    name="slrx",
    title="Fixed-patch local RX",
    formula=(
        "product of three distances, each sqrt((x - mean)^T (covariance + 1e-6 I)^-1 (x - mean)) scaled to [0, 1] over "
        "the image: to the own block, to its up to eight neighbouring blocks, to the whole image"
    ),
    reference="Jin, Dang and Zhu, IEEE Geoscience and Remote Sensing Letters 2024, doi 10.1109/LGRS.2024.3456178",
    cost=(
        "with blocks of m pixels: 27 m B + 245 m^2 flops per pixel while 8 m <= B, else 5 B^2 + B^3 / m; the global "
        "part adds 2 B^2"
    ),
    when="Backgrounds of several materials; best on enhanced cubes. Objects larger than a block are lost in it.",
    factory=Slrx,
)
