"""The FEN by definition, in float64: reflection padding 4, zero-padded convolutions, batch norm, crop 4."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ferd_engine.fen.network import Architecture, untrained_weights
from ferd_engine.windows import reflected

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]


def mirrored(image: NDArray[np.generic], halo_px: int) -> NDArray[np.generic]:
    """Return the image (rows, cols, bands) with a mirrored surround."""
    n_rows, n_cols = image.shape[:2]
    rows = reflected(-halo_px, n_rows + halo_px, n_rows)
    cols = reflected(-halo_px, n_cols + halo_px, n_cols)
    return np.ascontiguousarray(image[np.ix_(rows, cols)])


def convolution(x: Float64Array, kernel: Float32Array) -> Float64Array:
    """Return the cross-correlation, zero-padded to the same size; kernel (out, in, k, k)."""
    side = kernel.shape[2]
    n_rows, n_cols = x.shape[:2]
    padded = np.pad(x, ((side // 2, side // 2), (side // 2, side // 2), (0, 0)))
    result = np.zeros((n_rows, n_cols, kernel.shape[0]))
    for dy in range(side):
        for dx in range(side):
            result += padded[dy : dy + n_rows, dx : dx + n_cols] @ kernel[:, :, dy, dx].T.astype(np.float64)
    return result


def batch_norm(x: Float64Array, weights: Mapping[str, Float32Array], name: str) -> Float64Array:
    """Return x normalised by the stored statistics, eps 1e-5."""
    gamma, beta, mean, variance = (
        weights[f"{name}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def enhanced(image: Float32Array, weights: Mapping[str, Float32Array], bottlenecks: int) -> Float64Array:
    """Return the enhanced image (rows, cols, bands)."""
    x = convolution(mirrored(image.astype(np.float64), 4), weights["convh.weight"])
    for block in range(bottlenecks):
        p = f"layer1.{block}."
        y = np.maximum(batch_norm(convolution(x, weights[p + "conv1.weight"]), weights, p + "bn1"), 0)
        y = np.maximum(batch_norm(convolution(y, weights[p + "conv2.weight"]), weights, p + "bn2"), 0)
        y = batch_norm(convolution(y, weights[p + "conv3.weight"]), weights, p + "bn3")
        if block == 0:
            x = batch_norm(convolution(x, weights[p + "downsample.0.weight"]), weights, p + "downsample.1")
        x = np.maximum(x + y, 0)
    x = x[4:-4, 4:-4]
    x = np.maximum(convolution(x, weights["conv1.weight"]) + weights["conv1.bias"], 0)
    return np.maximum(convolution(x, weights["conv2.weight"]) + weights["conv2.bias"], 0) + image


def random_weights(architecture: Architecture, seed: int) -> dict[str, Float32Array]:
    """Return random weights whose batch norm does something, so that folding is tested too."""
    random = np.random.RandomState(seed)
    weights = untrained_weights(architecture, seed)
    for name, values in weights.items():
        if name.endswith("running_var"):
            weights[name] = random.uniform(0.5, 2.0, values.shape).astype(np.float32)
        elif ".bn" in name or ".downsample.1" in name:
            weights[name] = (values + random.normal(0.0, 0.2, values.shape)).astype(np.float32)
    return weights


def random_image(n_rows: int, n_cols: int, n_bands: int, seed: int = 0) -> Float32Array:
    """Return a scaled image, values in [-0.1, 0.1]."""
    return np.random.RandomState(seed).uniform(-0.1, 0.1, (n_rows, n_cols, n_bands)).astype(np.float32)


def relative_difference(found: NDArray[np.generic], expected: NDArray[np.generic]) -> float:
    """Return the largest difference relative to the largest expected magnitude."""
    assert found.shape == expected.shape
    return float(np.abs(found.astype(np.float64) - expected).max() / np.abs(expected).max())
