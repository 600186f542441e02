"""LRX: the local RX with a dual window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, ClassVar, NamedTuple

import numpy as np

from ..accelerator import Accelerator
from ..context import RunContext
from ..cube import BoolArray, Cube, CubeWithBackground, Float32Array, ScoreSink, background_of
from ..errors import InputError, UsageError
from ..overlap import one_begun
from ..parallel import Threads, threads
from ..progress import ProgressSpan
from ..statistics import Float64Array, Moments
from ..windows import Window, shifted, tiles
from .covariance import Covariance, parse_covariance
from .distribution import ScoreDistribution
from .gross import without_gross
from .mahalanobis import Mahalanobis
from .registry import DetectorInfo, require_pixels
from .ring_rows import RingTile, ring_distances
from .ring_tiles import ring_tiles, tile_pixel_bytes
from .rings import DualWindow, outer_for_rank

INNER_PX = 11
_SHRUNK_RING_PX = 5
# Sums start afresh after so many columns, so that rounding errors do not grow with the image.
_RESTART_PX = 64
# Rows whose sums are moved together: each further one costs little, as long as the matrices stay in a cache, and small
# matrices need many to be worth a call of each routine.
_LEAST_COLS = 16
_MOVED_BYTES = 5 << 20
_MOST_ROWS = 32


@dataclass(frozen=True)
class Lrx:
    """Squared Mahalanobis distance of each pixel to mean and covariance of the ring around it.

    Reed and Yu (1990) with a guard window. The ring is the outer window without the inner one; both are shifted inside
    at the image's edge, so that every ring has the same number of pixels, as in Spectral Python's `rx(window=...)`.
    Invalid pixels take part in no ring; with a background given, its pixels alone take part in rings and in the whole
    image's mean and covariance, from which gross pixels are left out where they hide the others (`without_gross`).
    Except with pca:K the scores do not depend on an affine scaling of each band. A ring of fewer than two pixels, or
    without variance, gives its place to the whole image. Arithmetic is float64, the scores are float32; they do not
    depend on the memory budget.

    Parameters
    ----------
    inner, outer
        Odd sides of the windows in pixels, inner < outer. The inner one, by default 11, should hold the objects sought.
        The outer one is by default inner + 10; with empirical or pca:K the smallest that gives two pixels per
        dimension.
    covariance
        ledoit-wolf or oas (`shrinkage`), for rings of any number of pixels: the ring's covariance (n in the
        denominator) drawn towards a multiple of the whole image's; empirical (n - 1), which needs more pixels than
        bands in each ring; pca:K, empirical within the K leading principal components of the whole image.
    """

    takes_background: ClassVar[bool] = True

    inner: int = INNER_PX
    outer: int | None = None
    covariance: str = "ledoit-wolf"

    def __post_init__(self) -> None:
        option = parse_covariance(self.covariance)
        if option.kind == "trimmed":
            raise UsageError(
                f"The covariance {self.covariance!r} is for the whole image, not for the rings of lrx: give empirical, "
                "ledoit-wolf, oas or pca:K."
            )
        DualWindow(self.inner, self.inner + 2 if self.outer is None else self.outer).check()

    @property
    def knows_distribution(self) -> bool:
        """Whether the covariances of the rings are not shrunk."""
        return parse_covariance(self.covariance).kind in ("empirical", "pca")

    def score(self, cube: Cube, moments: Moments, sink: ScoreSink, context: RunContext) -> ScoreDistribution | None:
        """Write the scores, as `Detector.score` says; reads the cube once, and the border of each tile again."""
        require_pixels(moments)
        option = parse_covariance(self.covariance)
        scene = _RingScene(cube, without_gross(background_of(cube), moments, context), option, context.accelerator)
        rings = self._rings(scene)
        progress = ProgressSpan(context.progress, 0.0, 1.0)
        done, total = 0, cube.n_rows * cube.n_cols
        with threads() as pool:
            cut = _cut(scene, rings, context.free_bytes // 2, pool.count)
            for core in ring_tiles(cube, rings, scene.n_dims, cut.tile_bytes):
                for window, scores in scene.scores(core, rings, cut, pool, progress.check):
                    progress.step(done / total, "LRX")
                    sink.write(window, scores)
                    done += window.n_pixels
        progress.step(1.0, "LRX")
        scene.warn(context)
        n_pixels = rings.n_pixels(cube.n_rows, cube.n_cols)
        return ScoreDistribution(scene.n_dims, n_pixels) if self.knows_distribution else None

    def _rings(self, scene: _RingScene) -> DualWindow:
        """Return the windows for a scene; `InputError` where its rings cannot have an inverse covariance."""
        outer = self.outer
        if outer is None:
            empirical = scene.kind == "empirical"
            outer = outer_for_rank(self.inner, scene.n_dims) if empirical else self.inner + 2 * _SHRUNK_RING_PX
        rings = DualWindow(self.inner, outer)
        image = (scene.cube.n_rows, scene.cube.n_cols)
        rings.check_image(*image)
        n_pixels = rings.n_pixels(*image)
        if scene.kind == "empirical" and n_pixels <= scene.n_dims:
            raise InputError(
                f"A ring of {n_pixels} pixels is too small for the empirical covariance of {scene.n_dims} dimensions: "
                "give a larger --outer, or the covariance ledoit-wolf or oas."
            )
        return rings


class _Cut(NamedTuple):
    """How a tile is cut: rows and columns of a part, how many are done at once, and what is left for the tile."""

    n_rows: int
    n_cols: int
    n_jobs: int
    tile_bytes: int


def _cut(scene: _RingScene, rings: DualWindow, free_bytes: int, n_threads: int) -> _Cut:
    """Return how tiles are cut into parts: into the largest ones that still leave a tile room for twice its border.

    Smaller parts would start their sums afresh more often. Where even the smallest leave less room, the tile gets what
    is left: it is then small, and its border is read again for every tile.
    """
    pixel_bytes = tile_pixel_bytes(scene.cube.n_bands, scene.n_dims)
    enough = pixel_bytes * min((3 * rings.outer) ** 2, scene.cube.n_rows * scene.cube.n_cols)
    n_rows, n_cols, n_jobs = scene.n_rows, _RESTART_PX, n_threads
    while True:
        # The rows of a part's reach and a gathered copy; the sums of its first row, their steps, and both together.
        reach_px = (n_cols + rings.outer) * (n_rows + rings.outer)
        job_bytes = 8 * (scene.n_dims + 2) * (2 * reach_px + 2 * n_rows * (scene.n_dims + 2))
        cut = _Cut(n_rows, n_cols, n_jobs, free_bytes - n_jobs * job_bytes)
        if cut.tile_bytes >= enough or (n_rows, n_jobs) == (1, 1):
            return cut
        if n_rows > 1:
            n_rows, n_cols = max(n_rows // 2, 1), max(n_cols // 2, _LEAST_COLS)
        else:
            n_jobs = 1


class _Job(NamedTuple):
    """Squared distances (rows, cols) of a part, how many rings were useless, and how many were short of rank."""

    squared: Float64Array
    n_lonely: int
    n_deficient: int


@dataclass
class _RingScene:
    """A cube, the coordinates in which its rings are compared, and what was noticed on the way.

    The coordinates are those in which the whole image's covariance is the identity: distances do not depend on them,
    shrinkage goes towards that covariance, and all sums are of the order of the number of pixels, so that adding and
    taking away leaves the digits that the factorisation needs.
    """

    cube: Cube
    moments: Moments
    option: Covariance
    accelerator: Accelerator | None = None
    n_lonely: int = 0
    n_deficient: int = 0
    image: Mahalanobis = field(init=False)

    def __post_init__(self) -> None:
        covariance = self.moments.covariance()
        self.kind = "empirical" if self.option.kind == "pca" else self.option.kind
        if self.option.kind == "pca":
            self.image = Mahalanobis.of_components(self.moments.mean, covariance, int(self.option.value))
        else:
            self.image = Mahalanobis(self.moments.mean, covariance)
        # An image without any variance has rank 0: one coordinate, 0 everywhere, serves.
        self.n_dims = max(self.image.rank, 1)
        self.n_rows = min(max(_MOVED_BYTES // (2 * 8 * (self.n_dims + 2) ** 2), 1), _MOST_ROWS)

    def coordinates(self, values: Float32Array) -> Float64Array:
        """Return coordinates (rows, cols, n_dims) of values (rows, cols, bands)."""
        if self.image.rank == 0:
            return np.zeros((*values.shape[:2], 1))
        pixels = self.image.whiten(values.reshape(-1, values.shape[2]), self.accelerator)
        return pixels.reshape(*values.shape[:2], -1)

    def scores(
        self, core: Window, rings: DualWindow, cut: _Cut, pool: Threads, check: Callable[[], None]
    ) -> Iterator[tuple[Window, Float32Array]]:
        """Yield the scores of a tile, some rows at a time.

        `check` is called before each part of the rows, since a row can take seconds; what it raises ends the run.
        """
        image = (self.cube.n_rows, self.cube.n_cols)
        window = rings.reach(core, *image)
        values, valid = self.cube.read(window)
        coordinates = self.coordinates(values)
        if not valid.all():
            coordinates[~valid] = 0.0
        background = valid & self.cube.flags(window) if isinstance(self.cube, CubeWithBackground) else valid
        tile = RingTile(window, coordinates, background, image, rings)
        # Beside narrow images every thread still has a part.
        n_parts = max(-(-core.n_cols // cut.n_cols), min(cut.n_jobs, core.n_cols))

        def begin(part: Window) -> Callable[[], list[_Job]]:
            parts = [shifted(one, part) for one in tiles(*part.shape, cut.n_rows, -(-part.n_cols // n_parts))]
            job = partial(self._part, tile, values=values, valid=valid)
            if cut.n_jobs == pool.count:
                return pool.begin(job, parts, check)
            starts = range(0, len(parts), cut.n_jobs)
            jobs = [done for start in starts for done in pool.map(job, parts[start : start + cut.n_jobs], check)]
            return lambda: jobs

        strips = (shifted(rows, core) for rows in tiles(core.n_rows, core.n_cols, cut.n_rows, core.n_cols))
        for part, jobs in one_begun((strip, begin(strip)) for strip in strips):
            self.n_lonely += sum(job.n_lonely for job in jobs)
            self.n_deficient += sum(job.n_deficient for job in jobs)
            scores = np.concatenate([job.squared for job in jobs], axis=1).astype(np.float32)
            scores[~valid[part.within(window)]] = np.nan
            yield part, scores

    def _part(self, tile: RingTile, part: Window, values: Float32Array, valid: BoolArray) -> _Job:
        """Return the distances of a part of the tile; what they are at invalid pixels means nothing."""
        place = part.within(tile.window)
        known = valid[place]
        if not known.any():
            return _Job(np.zeros(known.shape), 0, 0)
        squared, ranks = ring_distances(self.kind, tile, part, self.accelerator)
        short = [pixel for pixel in ranks if known[pixel]]
        lonely = [pixel for pixel in short if ranks[pixel] == 0]
        if lonely:
            rows, cols = np.array(lonely).T
            squared[rows, cols] = self.image.distances(values[place][rows, cols])
        return _Job(squared, len(lonely), len(short) - len(lonely))

    def warn(self, context: RunContext) -> None:
        """Tell what was noticed."""
        if self.n_lonely:
            context.warn(
                f"{self.n_lonely} pixels have a ring of fewer than two valid pixels or without variance: they were "
                "compared with the whole image."
            )
        if self.n_deficient:
            context.warn(
                f"{self.n_deficient} pixels have a ring whose covariance is short of rank: its pseudo-inverse was "
                "used; give a larger --outer, or the covariance ledoit-wolf or oas."
            )


INFO = DetectorInfo(
    name="lrx",
    title="Dual-window local RX",
    formula=(
        "(x - mean)^T covariance^-1 (x - mean), mean and covariance of the outer window without the inner one, both "
        "shifted inside at the edge; ledoit-wolf and oas draw the covariance towards the whole image's"
    ),
    reference="Reed and Yu, IEEE Transactions on Acoustics, Speech and Signal Processing 38 (1990), 1760-1770",
    cost=(
        "B^3 / 3 + (2 (inner + outer) / r + 8) B^2 flops per pixel, whatever the number of pixels in the ring; r rows "
        "are moved together, 8 for 200 bands and 31 for 100, fewer in a small memory budget"
    ),
    when=(
        "Small objects on backgrounds that change over the image. The inner window must hold the object, the outer one "
        "only its surroundings."
    ),
    factory=Lrx,
)
