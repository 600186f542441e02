"""What the figures were measured on, and how fast its matrix products are."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import scipy
from scipy.linalg import blas

from ferd_engine.doctor import examine_blas
from ferd_engine.fen.bundle import Model, save_model
from ferd_engine.fen.network import Architecture, untrained_weights

# Large square products, and the tall ones that a network of 128 channels is made of.
SHAPES = ((2048, 2048, 2048), (65536, 128, 128), (65536, 1152, 128))


def best_of(action: Callable[[], object], repeats: int) -> float:
    """Return the shortest of several wall times in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def gemm_peaks(repeats: int = 5) -> dict[str, float]:
    """Return the best float32 GFLOP/s of each BLAS over the shapes: numpy's, scipy's and torch's."""
    import torch

    peaks: dict[str, float] = {"numpy": 0.0, "scipy": 0.0, "torch": 0.0}
    for rows, inner, cols in SHAPES:
        a = np.random.default_rng(0).standard_normal((rows, inner), dtype=np.float32)
        b = np.random.default_rng(1).standard_normal((inner, cols), dtype=np.float32)
        out = np.empty((rows, cols), np.float32)
        ta, tb, tout = torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(np.empty_like(out))
        products: dict[str, Callable[[], object]] = {
            "numpy": lambda a=a, b=b, out=out: np.matmul(a, b, out=out),
            "scipy": lambda a=a, b=b, out=out: blas.sgemm(1.0, b.T, a.T, beta=0.0, c=out.T, overwrite_c=1),
            "torch": lambda a=ta, b=tb, out=tout: torch.mm(a, b, out=out),
        }
        for name, product in products.items():
            product()
            gflops = 2.0 * rows * inner * cols / best_of(product, repeats) / 1e9
            peaks[name] = max(peaks[name], gflops)
    return peaks


def published_shape(folder: Path, n_bands: int = 200) -> str:
    """Write a FEN of the published shape with random weights into the folder, and return its path.

    Speed does not depend on the weights, but on the shape: the embedded fen-200 needs 44 % of its multiply-adds.
    """
    architecture = Architecture(n_bands)
    model = Model("published-shape", architecture, untrained_weights(architecture, 0))
    return str(save_model(model, folder / model.name, overwrite=True).folder)


def describe() -> str:
    """Return one line: cores, processor, BLAS and versions."""
    from osgeo import gdal

    blas_names = " and ".join(examine_blas()["names"])
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            processor = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    versions = {
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "GDAL": gdal.__version__,
    }
    # Some benchmarks run without PyTorch.
    with suppress(ImportError):
        import torch

        versions["torch"] = torch.__version__
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {processor}; BLAS {blas_names}; {listed}, Python {platform.python_version()}"
