"""GRX, SLRX, LRX, CRD and AED beside the GEMM bound, Spectral Python, Orfeo and others, in one run.

    python benchmarks/rx.py [SCENE.mat] [--rows 100 --cols 100 --bands 200] [--only grx slrx lrx crd aed orfeo]

The cube is seeded, or the array `data` of SCENE.mat. Slow peers are measured on a part of it (--peer-rows; 40 columns
for Orfeo), against ours on the same part. Spectral Python's figures contain its statistics, as ours do; both may use
all threads. Its version matters: 0.24 inverts each ring's covariance, 0.25 takes the far slower pseudo-inverse. Each
peer's answer is compared with ours; a peer that is not installed is left out. The SLRX loop does what the published
FERD code does, in PyTorch; the CRD loop inverts a matrix a pixel. Of AED, the area filters are compared with those of
scikit-image, both on one thread.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import scipy.ndimage
from machine import best_of, describe
from osgeo import gdal

from ferd_engine.context import RunContext
from ferd_engine.cube import MaskedCube, ScratchCube
from ferd_engine.detectors import make_detector, uses_extrema
from ferd_engine.detectors.area_filter import area_opening
from ferd_engine.detectors.mahalanobis import Mahalanobis
from ferd_engine.detectors.rings import outer_for_rank, shifted_interval
from ferd_engine.parallel import thread_count, threads
from ferd_engine.raster.array_source import load_mat
from ferd_engine.statistics import Moments
from ferd_engine.windows import Window, whole

PARTS = ("grx", "slrx", "lrx", "crd", "aed", "orfeo")
INNER = 11
ORFEO_COLS = 40


class ArraySink:
    """Scores (rows, cols) in memory."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.scores = np.full(shape, np.nan, dtype=np.float32)

    def write(self, window: Window, scores: np.ndarray) -> None:
        """Keep the scores of a window."""
        self.scores[window.row_start : window.row_stop, window.col_start : window.col_stop] = scores


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
    sink = ArraySink(array.shape[:2])
    with threads():
        detector = make_detector(name, **options)
        moments = Moments(array.shape[2], extrema=uses_extrema(detector))
        moments.add(array.reshape(-1, array.shape[2]))
        detector.score(cube, moments, sink, RunContext(budget_bytes=8 << 30))
    return sink.scores


def loop_slrx(array: np.ndarray, side: int, dtype: Any) -> np.ndarray:
    """Return SLRX scores the published way: eager torch, two inverses a block, three distances a pixel in a loop."""
    import torch

    values = torch.from_numpy(array.astype(np.float64))
    values = ((values - values.min()) / (values.max() - values.min())).to(dtype)
    n_rows, n_cols, n_bands = values.shape

    def background(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        regularised = torch.cov(pixels.T) + 1e-6 * torch.eye(n_bands, dtype=dtype)
        return pixels.mean(dim=0), torch.linalg.inv(regularised)

    image = background(values.reshape(-1, n_bands))
    maps = torch.empty((n_rows, n_cols, 3), dtype=dtype)
    for top in range(0, n_rows, side):
        for left in range(0, n_cols, side):
            patch = np.s_[max(top - side, 0) : top + 2 * side, max(left - side, 0) : left + 2 * side]
            around = torch.ones((n_rows, n_cols), dtype=torch.bool)
            around[top : top + side, left : left + side] = False
            own = background(values[top : top + side, left : left + side].reshape(-1, n_bands))
            others = background(values[patch][around[patch]])
            for row in range(top, min(top + side, n_rows)):
                for col in range(left, min(left + side, n_cols)):
                    for index, (mean, inverse) in enumerate((own, others, image)):
                        difference = values[row, col] - mean
                        maps[row, col, index] = torch.sqrt(torch.dot(difference, torch.mv(inverse, difference)))
    low, high = maps.amin(dim=(0, 1)), maps.amax(dim=(0, 1))
    scores: np.ndarray = ((maps - low) / (high - low)).prod(dim=2).numpy()
    return scores


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
    return 2.0 * 2000**3 / best_of(lambda: scipy.linalg.blas.dgemm(1.0, matrix, matrix), 5)


def line(what: str, seconds: float, remark: str = "") -> None:
    print(f"{what:<36}{seconds * 1e3:11.1f} ms   {remark}".rstrip())


def measure_grx(cube: MaskedCube, array: np.ndarray, repeats: int) -> None:
    """Print the seconds of GRX, of Spectral Python's, and of 2 N B^2 + B^3 / 3 operations at GEMM's rate."""
    n_pixels, n_bands = array.shape[0] * array.shape[1], array.shape[2]
    flops = gemm_flops_per_second()
    bound = (2.0 * n_pixels * n_bands**2 + n_bands**3 / 3.0) / flops
    ours = best_of(lambda: detect("grx", cube, array), repeats)
    line(f"GEMM bound at {flops / 1e9:.1f} GFLOP/s", bound)
    line("grx", ours, f"{ours / bound:.2f} x the bound")
    with contextlib.suppress(ImportError):
        import spectral

        peer = best_of(lambda: spectral.rx(array), repeats)
        np.testing.assert_allclose(detect("grx", cube, array), spectral.rx(array.astype(np.float64)), rtol=1e-5)
        line(f"spectral.rx {spectral.__version__}", peer, f"{peer / ours:.2f} x grx")


def measure_slrx(cube: MaskedCube, array: np.ndarray, part: np.ndarray, repeats: int) -> None:
    """Print the seconds of SLRX, and on a part of a loop over pixels."""
    side = max(array.shape[0] // 25, 2)
    line(f"slrx, blocks of {side}", best_of(lambda: detect("slrx", cube, array), repeats))
    small = as_cube(part)
    ours = best_of(lambda: detect("slrx", small, part, block=side), repeats)
    line(f"slrx, {size(part)}", ours)
    with contextlib.suppress(ImportError):
        import torch

        # The published code computes in float32, which leaves some scores no right digit: float64 is compared.
        peer = best_of(lambda: loop_slrx(part, side, torch.float32), 1)
        expected = loop_slrx(part, side, torch.float64)
        found = detect("slrx", small, part, block=side)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * expected.max())
        line("published loop over pixels", peer, f"{peer / ours:.1f} x slrx")


def measure_lrx(cube: MaskedCube, array: np.ndarray, part: np.ndarray, repeats: int) -> None:
    """Print the seconds of LRX, and on a part of Spectral Python's."""
    for covariance in ("empirical", "ledoit-wolf", "oas", "pca:20"):
        options = windows(array) | {"covariance": covariance}
        seconds = best_of(lambda options=options: detect("lrx", cube, array, **options), repeats)
        line(f"lrx {INNER}/{options['outer']} {covariance}", seconds)
    with contextlib.suppress(ImportError):
        import spectral

        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            expected = spectral.rx(part.astype(np.float64), window=(INNER, windows(part)["outer"]))
        peer = time.perf_counter() - start
        compare_lrx(f"spectral.rx {spectral.__version__}", part, expected, peer, repeats, np.s_[:, :])


def compare_lrx(
    name: str, part: np.ndarray, expected: np.ndarray, peer: float, repeats: int, place: tuple[slice, slice]
) -> None:
    """Compare LRX with a peer's scores of a part of the cube, where they mean the same, and print both times."""
    small, options = as_cube(part), windows(part) | {"covariance": "empirical"}
    ours = best_of(lambda: detect("lrx", small, part, **options), repeats)
    np.testing.assert_allclose(detect("lrx", small, part, **options)[place], expected[place], rtol=1e-4)
    line(f"lrx empirical, {size(part)}", ours)
    line(name, peer, f"{peer / ours:.1f} x lrx")


def measure_orfeo(part: np.ndarray, repeats: int) -> None:
    """Print the seconds of `otbcli_LocalRxDetection` from file to file, beside LRX in memory.

    At the image's edge Orfeo repeats the outermost pixels, so only pixels whose windows fit are compared.
    """
    if shutil.which("otbcli_LocalRxDetection") is None:
        print("Orfeo (package otb-bin) is not installed: not measured")
        return
    inner, outer = INNER, windows(part)["outer"]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "cube.tif"), Path(folder, "scores.tif")
        raster = gdal.GetDriverByName("GTiff").Create(str(source), *part.shape[1::-1], part.shape[2], gdal.GDT_Float32)
        raster.WriteArray(np.ascontiguousarray(part.transpose(2, 0, 1)))
        # Closes the file, so that Orfeo finds all of it.
        raster = None
        radii = ["-ir", str(inner // 2), "-er", str(outer // 2)]
        start = time.perf_counter()
        subprocess.run(
            ["otbcli_LocalRxDetection", "-in", source, "-out", target, "float", *radii], check=True, capture_output=True
        )
        seconds = time.perf_counter() - start
        scores = gdal.Open(str(target)).ReadAsArray()
    edge = outer // 2
    compare_lrx("otbcli_LocalRxDetection", part, scores, seconds, repeats, np.s_[edge:-edge, edge:-edge])


def windows(array: np.ndarray) -> dict[str, int]:
    return {"inner": INNER, "outer": outer_for_rank(INNER, array.shape[2])}


def size(array: np.ndarray) -> str:
    return " x ".join(map(str, array.shape))


def measure_crd(array: np.ndarray, repeats: int) -> None:
    """Print the seconds of CRD and of a direct implementation."""
    cube = as_cube(array)
    ours = best_of(lambda: detect("crd", cube, array), repeats)
    start = time.perf_counter()
    expected = loop_crd(array, 11, 15)
    peer = time.perf_counter() - start
    # The explicit inverse of the peer loses digits.
    np.testing.assert_allclose(detect("crd", cube, array), expected, rtol=1e-3)
    line(f"crd 11/15, {size(array)}", ours)
    line("direct", peer, f"{peer / ours:.1f} x crd")


def measure_aed(cube: MaskedCube, array: np.ndarray, repeats: int) -> None:
    """Print the seconds of AED, and of the area filters in it beside scikit-image's."""
    line("aed", best_of(lambda: detect("aed", cube, array), repeats))
    with contextlib.suppress(ImportError):
        import skimage.morphology

        area, moments = make_detector("aed").inner ** 2, Moments(array.shape[2])
        moments.add(array.reshape(-1, array.shape[2]))
        directions = Mahalanobis.of_components(moments.mean, moments.covariance(), 3)
        components = directions.whiten(array.reshape(-1, array.shape[2])).reshape(*array.shape[:2], -1)
        images = [sign * component for component in np.moveaxis(components, 2, 0) for sign in (1.0, -1.0)]
        valid = np.ones(array.shape[:2], dtype=bool)
        ours = best_of(lambda: [area_opening(image, valid, area) for image in images], repeats)
        peer = best_of(lambda: [skimage.morphology.area_opening(image, area, 1) for image in images], repeats)
        for image in images:
            expected = skimage.morphology.area_opening(image, area, 1)
            np.testing.assert_array_equal(area_opening(image, valid, area), expected)
        line("area filters of aed, one thread", ours)
        line(f"scikit-image {skimage.__version__}", peer, f"{peer / ours:.1f} x ours")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", nargs="?", help="a .mat file with a cube `data`")
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--cols", type=int, default=100)
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--peer-rows", type=int, default=25, help="rows for Spectral Python's local RX and Orfeo")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    gdal.UseExceptions()
    if options.scene:
        array = np.ascontiguousarray(load_mat(options.scene, "data", n_dims=3), dtype=np.float32)
    else:
        array = seeded_cube(options.rows, options.cols, options.bands)
    print(f"{describe()}; {thread_count()} threads; cube {size(array)} float32")
    cube, few = as_cube(array), min(options.repeats, 3)
    part = np.ascontiguousarray(array[: max(options.peer_rows, windows(array)["outer"] + 2)])
    if "grx" in options.only:
        measure_grx(cube, array, options.repeats)
    if "slrx" in options.only:
        measure_slrx(cube, array, np.ascontiguousarray(array[:100, :100]), options.repeats)
    if "lrx" in options.only:
        measure_lrx(cube, array, np.ascontiguousarray(part[:, :100]), few)
    if "crd" in options.only:
        measure_crd(np.ascontiguousarray(array[:64, :64]), few)
    if "aed" in options.only:
        measure_aed(cube, array, options.repeats)
    if "orfeo" in options.only:
        measure_orfeo(np.ascontiguousarray(part[:, :ORFEO_COLS]), few)


if __name__ == "__main__":
    main()
