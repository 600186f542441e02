"""Patches of the training scenes, drawn anew each epoch; the same seed and epoch give the same patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from ferd_engine.errors import InputError
from ferd_engine.scaling import Scaling

from .config import DataConfig
from .mosaics import mosaic, smooth_gain
from .scenes import Background

Float32Array = NDArray[np.float32]

# How often bands are spread over a part of the range instead of all of it.
_PART_OF_RANGE = 0.3
# How often a patch becomes a mosaic.
_MOSAICS = 0.5


class Place(NamedTuple):
    """A square of `side` pixels of a scene, and how it is turned: 0 to 3 quarter turns, 4 more for its mirror image."""

    scene: int
    row: int
    col: int
    side: int
    turn: int


def places(shapes: Sequence[tuple[int, int]], patch: int, turned: bool, random: Generator) -> list[Place]:
    """Return an epoch's patches in random order.

    Each scene of (rows, cols) gives as many as it takes to cover it, at random places; so a scene of the patch's own
    size gives itself, once. A scene smaller than the patch gives the largest smaller one that is a multiple of 8.
    Raises `InputError` where that is none.

    >>> len(places([(64, 64), (100, 65)], 64, False, np.random.default_rng(0)))
    5
    """
    drawn: list[Place] = []
    for index, (n_rows, n_cols) in enumerate(shapes):
        side = min(patch, n_rows // 8 * 8, n_cols // 8 * 8)
        if not side:
            raise InputError(
                f"Scene {index + 1} of the training data has {n_rows} x {n_cols} pixels: leave it out, 8 x 8 is the "
                "smallest patch."
            )
        for _ in range(-(-n_rows // side) * -(-n_cols // side)):
            row, col = random.integers(n_rows - side + 1), random.integers(n_cols - side + 1)
            drawn.append(Place(index, int(row), int(col), side, int(random.integers(8)) if turned else 0))
    return [drawn[index] for index in random.permutation(len(drawn))]


def batches(scenes: Sequence[Background], data: DataConfig, batch: int, seed: int, epoch: int) -> Iterator[Tensor]:
    """Yield an epoch's scaled tensors (n, bands, patch, patch) with n = batch, the last one smaller.

    Raises `InputError` where patches of different sizes would come into one batch.
    """
    random = np.random.default_rng([seed, epoch])
    shapes = [(scene.values.shape[0], scene.values.shape[1]) for scene in scenes]
    drawn = [place for _ in range(data.rounds) for place in places(shapes, data.patch, data.turn_patches, random)]
    if batch > 1 and len({place.side for place in drawn}) > 1:
        raise InputError(
            f"Some training scenes are smaller than a patch of {data.patch} x {data.patch}: lower data.patch, leave "
            "them out, or set training.batch to 1."
        )
    for start in range(0, len(drawn), batch):
        cuts = [cut(scenes[place.scene], place, data, random) for place in drawn[start : start + batch]]
        if data.mosaics:
            cuts = [_with_another(patch, scenes, data, random) for patch in cuts]
        yield torch.from_numpy(np.stack(cuts))


def cut(scene: Background, place: Place, data: DataConfig, random: Generator) -> Float32Array:
    """Return one patch (bands, patch, patch), scaled by the extremes that its bands have in the whole scene."""
    numbers = _varied_bands(len(scene.low), data.bands, random) if data.vary_bands else scene.picked
    rows, cols = slice(place.row, place.row + place.side), slice(place.col, place.col + place.side)
    # Picking bands by their numbers copies, so the scaling in place leaves the scene as it is.
    part = scene.values[rows, cols][:, :, numbers]
    low, high = scene.low[numbers], scene.high[numbers]
    if data.vary_gain:
        gain = smooth_gain(len(numbers), random)
        part, low, high = part * gain, low * gain, high * gain
    Scaling(float(low.min()), float(high.max())).apply(part, part)
    part = np.rot90(part, place.turn % 4)
    if place.turn >= 4:
        part = part[:, ::-1]
    return np.ascontiguousarray(part.transpose(2, 0, 1))


def _varied_bands(n_there: int, n_wanted: int, random: Generator) -> NDArray[np.intp]:
    """Return bands spread evenly over the range, or over a part of it, so that no channel stands for one wavelength."""
    first, last = 0, n_there - 1
    if random.random() < _PART_OF_RANGE:
        width = int(random.integers(n_wanted, n_there + 1))
        first = int(random.integers(n_there - width + 1))
        last = first + width - 1
    return np.asarray(np.rint(np.linspace(first, last, n_wanted)), dtype=np.intp)


def _with_another(
    patch: Float32Array, scenes: Sequence[Background], data: DataConfig, random: Generator
) -> Float32Array:
    """Return the patch, or a mosaic of it and a patch of any scene that is large enough, itself included."""
    side = patch.shape[1]
    usable = [index for index, scene in enumerate(scenes) if min(scene.values.shape[:2]) >= side]
    if random.random() >= _MOSAICS or not usable:
        return patch
    index = usable[random.integers(len(usable))]
    n_rows, n_cols = scenes[index].values.shape[:2]
    row, col = int(random.integers(n_rows - side + 1)), int(random.integers(n_cols - side + 1))
    other = cut(scenes[index], Place(index, row, col, side, int(random.integers(8))), data, random)
    return mosaic(patch, other, random)
