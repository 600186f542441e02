"""Weights of a FEN whose buffers hold max(x, -b) in place of relu(x + b) = max(x, -b) + b; see `engine`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import winograd
from .lines import Line
from .network import FoldedBottleneck, FoldedNetwork

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class FlooredBottleneck:
    """Weights of a bottleneck on buffers without their constants; each floor is minus the offset of its buffer.

    filtered : the transformed 3x3 kernel by the output rows of its filtering, see `winograd`.
    """

    folded: FoldedBottleneck
    filtered: dict[int, Float32Array]
    reduce_floor: Line
    spatial_floor: Line
    expand_floor: Line


@dataclass(frozen=True)
class FlooredNetwork:
    """A folded network with the floors of every ReLU, lines of float32 (channels,)."""

    folded: FoldedNetwork
    bottlenecks: tuple[FlooredBottleneck, ...]
    hidden_floor: Line
    output_floor: Line


def with_floors(folded: FoldedNetwork) -> FlooredNetwork:
    """Carry the constants of relu(x + b) = max(x, -b) + b through the layers, in float64."""
    offset = np.zeros(folded.architecture.entry)
    shortcut = folded.projection_bias.astype(np.float64)
    bottlenecks = []
    for block in folded.bottlenecks:
        reduce = _product(offset, block.reduce) + block.reduce_bias
        spatial = _product(reduce, block.spatial.sum(axis=(0, 1), dtype=np.float64)) + block.spatial_bias
        offset = shortcut = _product(spatial, block.expand) + block.expand_bias + shortcut
        filtered = {rows: filtering.transform_kernel(block.spatial) for rows, filtering in winograd.FILTERINGS.items()}
        bottlenecks.append(FlooredBottleneck(block, filtered, _floor(reduce), _floor(spatial), _floor(offset)))
    hidden = _product(offset, folded.hidden) + folded.hidden_bias
    output = _product(hidden, folded.output) + folded.output_bias
    return FlooredNetwork(folded, tuple(bottlenecks), _floor(hidden), _floor(output))


def _product(row: NDArray[np.float64], matrix: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return row (n,) times matrix (n, m), without numpy's BLAS: inside QGIS that is another one."""
    product: NDArray[np.float64] = np.einsum("i,ij->j", row, matrix)
    return product


def _floor(offset: NDArray[np.float64]) -> Line:
    # Beyond float32 the output is NaN, which `bundle.check_runs` refuses.
    with np.errstate(over="ignore"):
        return Line((-offset).astype(np.float32))
