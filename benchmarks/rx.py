"""GRX, SLRX, LRX and CRD beside the GEMM bound, Spectral Python's RX and a per-pixel loop, in one run on a seeded cube.

    python benchmarks/rx.py [--rows 100 --cols 100 --bands 200]

Spectral Python is measured where it is installed; its local RX on the first rows alone (--peer-rows), against LRX on
the same rows. The loop inverts the covariances of each block once and then goes
through the pixels one by one. Each peer's answer is compared with ours.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import platform
import time
from typing import Callable

import numpy as np
import scipy.linalg
import scipy.ndimage

from ferd_engine.context import RunContext
from ferd_engine.cube import MaskedCube, ScratchCube
from ferd_engine.detectors import make_detector
from ferd_engine.detectors.rings import outer_for_rank, shifted_interval
from ferd_engine.parallel import thread_count
from ferd_engine.statistics import Moments
from ferd_engine.windows import Window, whole


class ArraySink:
    """Scores (rows, cols) in memory."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.scores = np.full(shape, np.nan, dtype=np.float32)

    def write(self, window: Window, scores: np.ndarray) -> None:
        """Keep the scores of a window."""
        self.scores[window.row_start : window.row_stop, window.col_start : window.col_stop] = scores


def best_seconds(run: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def seeded_cube(n_rows: int, n_cols: int, n_bands: int) -> np.ndarray:
    """Return a float32 cube (rows, cols, bands) of correlated bands, smooth in space, with noise."""
    rng = np.random.default_rng(0)
    spectra = rng.standard_normal((12, n_bands)).cumsum(axis=1)
    abundance = scipy.ndimage.gaussian_filter(rng.standard_normal((n_rows, n_cols, 12)), (3, 3, 0))
    noise = rng.standard_normal((n_rows, n_cols, n_bands)) * 0.05
    return (100.0 + 20.0 * abundance @ spectra + noise).astype(np.float32)


def as_cube(array: np.ndarray) -> MaskedCube:
    scratch = ScratchCube(*array.shape)
    scratch.write(whole(*array.shape[:2]), array)
    return MaskedCube(scratch)


def detect(name: str, cube: MaskedCube, array: np.ndarray, **options: object) -> np.ndarray:
    """Return the scores of a detector, statistics included."""
    moments = Moments(array.shape[2])
    moments.add(array.reshape(-1, array.shape[2]))
    sink = ArraySink(array.shape[:2])
    make_detector(name, **options).score(cube, moments, sink, RunContext(budget_bytes=8 << 30))
    return sink.scores


def loop_slrx(array: np.ndarray, side: int) -> np.ndarray:
    """Return SLRX scores by a loop over blocks and their pixels."""
    values = array.astype(np.float64)
    values = (values - values.min()) / (values.max() - values.min())
    n_rows, n_cols, n_bands = values.shape

    def background(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return pixels.mean(axis=0), np.linalg.inv(np.cov(pixels.T) + 1e-6 * np.eye(n_bands))

    image = background(values.reshape(-1, n_bands))
    maps = np.empty((n_rows, n_cols, 3))
    for top in range(0, n_rows, side):
        for left in range(0, n_cols, side):
            patch = np.s_[max(top - side, 0) : top + 2 * side, max(left - side, 0) : left + 2 * side]
            around = np.ones((n_rows, n_cols), dtype=bool)
            around[top : top + side, left : left + side] = False
            own = background(values[top : top + side, left : left + side].reshape(-1, n_bands))
            others = background(values[patch][around[patch]])
            for row in range(top, min(top + side, n_rows)):
                for col in range(left, min(left + side, n_cols)):
                    for index, (mean, inverse) in enumerate((own, others, image)):
                        difference = values[row, col] - mean
                        maps[row, col, index] = np.sqrt(difference @ inverse @ difference)
    low, high = maps.min(axis=(0, 1)), maps.max(axis=(0, 1))
    return ((maps - low) / (high - low)).prod(axis=2)


def loop_crd(array: np.ndarray, inner: int, outer: int) -> np.ndarray:
    """Return CRD scores by the augmented matrices of each pixel and an explicit inverse."""
    values = array.astype(np.float64)
    values = (values - values.min()) / (values.max() - values.min())
    n_rows, n_cols = values.shape[:2]
    scores = np.empty((n_rows, n_cols))
    for row in range(n_rows):
        for col in range(n_cols):
            taken = np.zeros((n_rows, n_cols), dtype=bool)
            for side, value in ((outer, True), (inner, False)):
                rows, cols = shifted_interval(row, side, n_rows), shifted_interval(col, side, n_cols)
                taken[slice(*rows), slice(*cols)] = value
            ring = values[taken]
            augmented = np.vstack([ring.T, np.ones(len(ring))])
            distances = np.diag(np.linalg.norm(ring - values[row, col], axis=1))
            matrix = augmented.T @ augmented + 1e-6 * distances @ distances
            weights = np.linalg.inv(matrix) @ augmented.T @ np.append(values[row, col], 1.0)
            scores[row, col] = np.linalg.norm(values[row, col] - ring.T @ weights)
    return scores


def gemm_flops_per_second() -> float:
    matrix = np.random.default_rng(0).standard_normal((2000, 2000))
    return 2.0 * 2000**3 / best_seconds(lambda: scipy.linalg.blas.dgemm(1.0, matrix, matrix), 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--cols", type=int, default=100)
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--peer-rows", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    array = seeded_cube(options.rows, options.cols, options.bands)
    n_pixels, n_bands = options.rows * options.cols, options.bands
    print(f"{platform.processor() or platform.machine()}, {thread_count()} threads, numpy {np.__version__}, ", end="")
    print(f"scipy {scipy.__version__}; cube {options.rows} x {options.cols} x {n_bands} float32")

    cube = as_cube(array)
    flops = gemm_flops_per_second()
    grx = best_seconds(lambda: detect("grx", cube, array), options.repeats)
    bound = (2.0 * n_pixels * n_bands**2 + n_bands**3 / 3.0) / flops
    print(f"float64 GEMM   {flops / 1e9:9.1f} GFLOP/s")
    print(f"grx            {grx * 1e3:9.1f} ms   {grx / bound:6.2f} x the GEMM bound of {bound * 1e3:.1f} ms")
    try:
        import spectral
    except ImportError:
        print("Spectral Python is not installed: not measured")
    else:
        peer = best_seconds(lambda: spectral.rx(array), options.repeats)
        np.testing.assert_allclose(detect("grx", cube, array), spectral.rx(array.astype(np.float64)), rtol=1e-5)
        print(f"spectral.rx    {peer * 1e3:9.1f} ms   {peer / grx:6.2f} x grx")

    slrx = best_seconds(lambda: detect("slrx", cube, array), options.repeats)
    print(f"slrx           {slrx * 1e3:9.1f} ms")
    start = time.perf_counter()
    reference = loop_slrx(array, max(options.rows // 25, 2))
    loop = time.perf_counter() - start
    np.testing.assert_allclose(detect("slrx", cube, array), reference, rtol=1e-5, atol=1e-6 * reference.max())
    print(f"loop over pixels {loop * 1e3:7.1f} ms   {loop / slrx:6.2f} x slrx")
    measure_lrx(cube, array, options.peer_rows, min(options.repeats, 3))
    measure_crd(np.ascontiguousarray(array[:64, :64]), min(options.repeats, 3))


def measure_crd(array: np.ndarray, repeats: int) -> None:
    """Print the seconds of CRD and of a direct implementation."""
    cube = as_cube(array)
    ours = best_seconds(lambda: detect("crd", cube, array), repeats)
    start = time.perf_counter()
    expected = loop_crd(array, 11, 15)
    peer = time.perf_counter() - start
    # The explicit inverse of the peer loses digits.
    np.testing.assert_allclose(detect("crd", cube, array), expected, rtol=1e-3)
    size = " x ".join(map(str, array.shape))
    print(f"crd 11/15, {size}: {ours * 1e3:.1f} ms, direct {peer * 1e3:.1f} ms, {peer / ours:.1f} x crd")


def measure_lrx(cube: MaskedCube, array: np.ndarray, peer_rows: int, repeats: int) -> None:
    """Print the seconds of LRX with windows that Spectral Python can use too, and its own on the first rows."""
    inner, outer = 11, outer_for_rank(11, array.shape[2])
    for covariance in ("empirical", "ledoit-wolf", "oas", "pca:20"):
        windows = {"inner": inner, "outer": outer, "covariance": covariance}
        seconds = best_seconds(lambda windows=windows: detect("lrx", cube, array, **windows), repeats)
        print(f"lrx {inner}/{outer} {covariance:<12}{seconds * 1e3:9.1f} ms")
    try:
        import spectral
    except ImportError:
        return
    part = np.ascontiguousarray(array[: max(peer_rows, outer)])
    windows = {"inner": inner, "outer": outer, "covariance": "empirical"}
    ours = best_seconds(lambda: detect("lrx", as_cube(part), part, **windows), repeats)
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        expected = spectral.rx(part.astype(np.float64), window=(inner, outer))
    peer = time.perf_counter() - start
    np.testing.assert_allclose(detect("lrx", as_cube(part), part, **windows), expected, rtol=1e-4)
    print(
        f"the first {len(part)} rows: lrx {ours * 1e3:.1f} ms, spectral.rx {peer * 1e3:.1f} ms, {peer / ours:.1f} x lrx"
    )


if __name__ == "__main__":
    main()
