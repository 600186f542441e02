"""Architecture, weights and folded form of the Feature Enhancement Network (FEN).

Source: Jin, Dang, Zhu, "Feature Enhancement with Reverse Distillation for Hyperspectral Anomaly Detection",
IEEE GRSL 2024, doi 10.1109/LGRS.2024.3456178. The residual part is `layer1` of wide_resnet101_2.

For an image of B scaled bands: 1x1 convolution B -> 64 without bias; bottlenecks (1x1 to 128, 3x3 on 128, 1x1 to 256,
each with batch norm, ReLU after the first two and after the residual addition; the first with a 1x1 projection of its
input); 1x1 to `hidden` and 1x1 to B, both with bias and ReLU; plus the scaled input.

Tensor names are those of the published state dicts, so that a published model is imported without renaming.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Weights = Mapping[str, Float32Array]

BATCH_NORM_EPS = 1e-5
MAX_BOTTLENECKS = 4
MAX_BANDS = 4096
MAX_WIDTH = 4096


@dataclass(frozen=True)
class Architecture:
    """Sizes of one FEN. `hidden` 0 stands for the published rule: 256 above 128 bands, else 128."""

    n_bands: int
    bottlenecks: int = 3
    entry: int = 64
    inner: int = 128
    outer: int = 256
    hidden: int = 0

    def __post_init__(self) -> None:
        if self.hidden == 0:
            object.__setattr__(self, "hidden", 256 if self.n_bands > 128 else 128)
        limits = {
            "n_bands": MAX_BANDS,
            "bottlenecks": MAX_BOTTLENECKS,
            "entry": MAX_WIDTH,
            "inner": MAX_WIDTH,
            "outer": MAX_WIDTH,
            "hidden": MAX_WIDTH,
        }
        for name, limit in limits.items():
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= limit:
                raise ModelError(
                    f"A network with {name} = {value!r} is not supported: it must be an integer from 1 to {limit}; "
                    "correct the model."
                )

    @property
    def halo_px(self) -> int:
        """Pixels of mirrored surround that one output pixel needs on each side: one per 3x3 convolution.

        The published code pads 4 by reflection, convolves with zero padding and crops 4. The zeros reach in one
        pixel per 3x3 convolution, so up to 4 of them leave the cropped result equal to valid convolutions on a
        mirrored halo of this width.
        """
        return self.bottlenecks

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-adds of the direct convolutions per output pixel; 760,320 for 200 bands."""
        return sum(math.prod(shape) for shape in tensor_shapes(self).values() if len(shape) == 4)


def tensor_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor, in the order in which they are stored."""
    a = architecture
    shapes: dict[str, tuple[int, ...]] = {"convh.weight": (a.entry, a.n_bands, 1, 1)}
    for block in range(a.bottlenecks):
        n_in = a.entry if block == 0 else a.outer
        prefix = f"layer1.{block}."
        shapes[prefix + "conv1.weight"] = (a.inner, n_in, 1, 1)
        shapes.update(_batch_norm_shapes(prefix + "bn1", a.inner))
        shapes[prefix + "conv2.weight"] = (a.inner, a.inner, 3, 3)
        shapes.update(_batch_norm_shapes(prefix + "bn2", a.inner))
        shapes[prefix + "conv3.weight"] = (a.outer, a.inner, 1, 1)
        shapes.update(_batch_norm_shapes(prefix + "bn3", a.outer))
        if block == 0:
            shapes[prefix + "downsample.0.weight"] = (a.outer, n_in, 1, 1)
            shapes.update(_batch_norm_shapes(prefix + "downsample.1", a.outer))
    shapes["conv1.weight"] = (a.hidden, a.outer, 1, 1)
    shapes["conv1.bias"] = (a.hidden,)
    shapes["conv2.weight"] = (a.n_bands, a.hidden, 1, 1)
    shapes["conv2.bias"] = (a.n_bands,)
    return shapes


def _batch_norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}


def infer_architecture(shapes: Mapping[str, tuple[int, ...]]) -> Architecture:
    """Return the architecture that these tensor shapes describe; raises `ModelError` where they describe none."""
    try:
        entry, n_bands = shapes["convh.weight"][:2]
        inner = shapes["layer1.0.conv1.weight"][0]
        outer = shapes["layer1.0.conv3.weight"][0]
        hidden = shapes["conv1.weight"][0]
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(
            "These weights are not a FEN: convh.weight, layer1.0.conv1.weight, layer1.0.conv3.weight and conv1.weight "
            "with four axes are needed; check which files were given."
        ) from error
    bottlenecks = 1
    while f"layer1.{bottlenecks}.conv1.weight" in shapes:
        bottlenecks += 1
    architecture = Architecture(int(n_bands), bottlenecks, int(entry), int(inner), int(outer), int(hidden))
    check_shapes(architecture, shapes)
    return architecture


def check_shapes(architecture: Architecture, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `ModelError` unless exactly the tensors of the architecture are there, each with its shape."""
    wanted = tensor_shapes(architecture)
    for name, shape in wanted.items():
        if name not in shapes:
            raise ModelError(f"The weights lack the tensor {name}; get the model again from where it came.")
        if tuple(shapes[name]) != shape:
            raise ModelError(
                f"The tensor {name} has the shape {tuple(shapes[name])} where {shape} is needed; "
                "get the model again from where it came."
            )
    unknown = sorted(set(shapes) - set(wanted))
    if unknown:
        raise ModelError(
            f"The weights have {len(unknown)} tensors that a FEN does not know, the first is {unknown[0][:80]!r}; "
            "check that these are FEN weights."
        )


@dataclass(frozen=True)
class FoldedBottleneck:
    """One bottleneck with batch norm folded in; matrices are (in, out), the 3x3 kernel is (3, 3, in, out)."""

    reduce: Float32Array
    reduce_bias: Float32Array
    spatial: Float32Array
    spatial_bias: Float32Array
    expand: Float32Array
    expand_bias: Float32Array


@dataclass(frozen=True)
class FoldedNetwork:
    """A FEN for inference: pixels (n, in) are multiplied from the right by float32 matrices (in, out).

    `projection` is the shortcut of the first bottleneck; the others' shortcut is their input.
    """

    architecture: Architecture
    entry: Float32Array
    projection: Float32Array
    projection_bias: Float32Array
    bottlenecks: tuple[FoldedBottleneck, ...]
    hidden: Float32Array
    hidden_bias: Float32Array
    output: Float32Array
    output_bias: Float32Array


def fold(architecture: Architecture, weights: Weights) -> FoldedNetwork:
    """Fold batch norm (inference statistics, eps 1e-5) into the convolutions, in float64, and round once to float32.

    bn(W x) = s W x + (beta - s mean) with s = gamma / sqrt(var + eps). Raises `ModelError` where a folded value is
    beyond float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        network = _fold(architecture, weights)
    for part in (network, *network.bottlenecks):
        for value in vars(part).values():
            if isinstance(value, np.ndarray) and not np.isfinite(value).all():
                raise ModelError(
                    "The weights give values beyond float32 once batch norm is folded in; "
                    "get the model again from where it came."
                )
    return network


def _fold(architecture: Architecture, weights: Weights) -> FoldedNetwork:
    projection, projection_bias = _fold_convolution(weights, "layer1.0.downsample.0", "layer1.0.downsample.1")
    return FoldedNetwork(
        architecture,
        _matrix(weights["convh.weight"]),
        _matrix(projection),
        projection_bias,
        tuple(_fold_bottleneck(weights, f"layer1.{block}.") for block in range(architecture.bottlenecks)),
        _matrix(weights["conv1.weight"]),
        np.ascontiguousarray(weights["conv1.bias"], dtype=np.float32),
        _matrix(weights["conv2.weight"]),
        np.ascontiguousarray(weights["conv2.bias"], dtype=np.float32),
    )


def _fold_bottleneck(weights: Weights, prefix: str) -> FoldedBottleneck:
    reduce, reduce_bias = _fold_convolution(weights, prefix + "conv1", prefix + "bn1")
    spatial, spatial_bias = _fold_convolution(weights, prefix + "conv2", prefix + "bn2")
    expand, expand_bias = _fold_convolution(weights, prefix + "conv3", prefix + "bn3")
    taps = np.ascontiguousarray(spatial.transpose(2, 3, 1, 0))
    return FoldedBottleneck(_matrix(reduce), reduce_bias, taps, spatial_bias, _matrix(expand), expand_bias)


def _fold_convolution(weights: Weights, convolution: str, norm: str) -> tuple[Float32Array, Float32Array]:
    """Return kernel (out, in, kh, kw) and bias (out,) of a convolution followed by batch norm."""
    gamma, beta, mean, variance = (
        np.asarray(weights[f"{norm}.{part}"], dtype=np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + BATCH_NORM_EPS)
    kernel = np.asarray(weights[convolution + ".weight"], dtype=np.float64) * scale[:, None, None, None]
    return kernel.astype(np.float32), (beta - scale * mean).astype(np.float32)


def _matrix(kernel: Float32Array) -> Float32Array:
    """Return a 1x1 kernel (out, in, 1, 1) as a matrix (in, out)."""
    return np.ascontiguousarray(kernel[:, :, 0, 0].T, dtype=np.float32)


def untrained_weights(architecture: Architecture, seed: int) -> dict[str, Float32Array]:
    """Return seeded random weights: an untrained control with the initial distribution of the published training.

    Residual convolutions: normal with variance 2 / (out kh kw) (He et al. 2015, fan-out, as torchvision's ResNet);
    batch norm 1, 0, 0, 1. Entry and head: uniform within 1 / sqrt(fan-in), the default of torch's Conv2d. The
    generator is numpy's `RandomState`, whose stream is frozen across versions.
    """
    # Entry and head weights and biases share the bound that torch derives from the convolution's fan-in.
    fan_in = {"convh": architecture.n_bands, "conv1": architecture.outer, "conv2": architecture.hidden}
    generator = np.random.RandomState(seed)
    weights: dict[str, Float32Array] = {}
    for name, shape in tensor_shapes(architecture).items():
        module, _, part = name.rpartition(".")
        if module in fan_in:
            bound = 1.0 / math.sqrt(fan_in[module])
            values = generator.uniform(-bound, bound, shape)
        elif len(shape) == 4:
            values = generator.standard_normal(shape) * math.sqrt(2.0 / (shape[0] * shape[2] * shape[3]))
        else:
            values = np.full(shape, 1.0 if part in ("weight", "running_var") else 0.0)
        weights[name] = values.astype(np.float32)
    return weights
