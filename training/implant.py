"""Targets implanted into a background: the truth for training and choosing without any labelled scene.

A target is a small ellipse, opaque or let through in part. What it is made of comes either from a smooth random
reflectance under the scene's own illumination, with the scene's noise, or from another scene: a piece of that one, with
its texture, brought to this one's range band by band. So units, air and sensor are the scene's in both. Man-made things
come in numbers, and RX suffers from that: parked aircraft fill the covariance with their own spectrum. So more often
than not a target is of the material of one that is there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
FloatArray = NDArray[np.float64]

N_TARGETS = 12
# How often a target is made of a material that is there already, and how often it lets nothing through.
_AGAIN = 0.75
_OPAQUE = 0.8
# At most such a part of the pixels become targets, drawn anew for each scene.
_PARTS = (0.001, 0.025)
_FEWEST_PIXELS = 6
_LEAST_SHARE = 0.3
_BRIGHT_PERCENT = 90.0
# Pixels that a scene's range is taken from.
_SAMPLE = 4000
# A donor's bands may be stretched over this part of its range or more, and turned round this often.
_LEAST_STRETCH = 0.4
_TURNED_ROUND = 0.3


class Donor(NamedTuple):
    """A scene as a source of targets: (rows, cols, bands) between 0, dark, and about 1, bright, in each band."""

    reflectance: Float32Array


class _Cut(NamedTuple):
    """A place of a donor, where things of one material begin, and which of its bands stand for the scene's."""

    source: Donor
    row: int
    col: int
    bands: NDArray[np.intp]


def donor(values: NDArray[np.floating[Any]]) -> Donor:
    """Return a scene (rows, cols, bands) as a donor; NaN stays NaN."""
    dark, span = value_range(values)
    return Donor(((values - dark) / np.where(span > 0, span, 1.0)).astype(np.float32))


def implant(
    values: Float32Array,
    random: Generator,
    donors: Sequence[Donor] = (),
    *,
    n_targets: int = N_TARGETS,
    stretch: bool = False,
    rows: float = 0.0,
) -> tuple[Float32Array, NDArray[np.bool_]]:
    """Return a copy of a scene (rows, cols, bands) with targets, and where they cover 30 % of a pixel or more.

    With donors every other material is a piece of one of them; `stretch` varies its spectra further by stretching its
    bands or turning them round. `rows` is how often a target is a row of rectangles. Invalid pixels (NaN) are left as
    they are. At most 0.1 to 2.5 % of the pixels become targets, or 6 pixels where that is more. A gain and an offset
    per band change the targets as they change the scene.
    """
    n_rows, n_cols, _ = values.shape
    result = values.copy()
    truth = np.zeros((n_rows, n_cols), dtype=bool)
    valid = np.isfinite(values).all(axis=2)
    places = np.argwhere(valid)
    dark, span = value_range(values)
    most = max(_FEWEST_PIXELS, np.exp(random.uniform(*np.log(_PARTS))) * len(places))
    materials: list[FloatArray | _Cut] = []
    for _ in range(n_targets):
        row, col = places[random.integers(len(places))]
        if rows and random.random() < rows:
            share = row_of_things(random, n_rows, n_cols, np.array([row, col]))
        else:
            share = _blob(random, n_rows, n_cols, float(row), float(col))
        share[~valid | truth] = 0.0
        where = share >= _LEAST_SHARE
        if not where.any() or truth.sum() + where.sum() > most:
            continue
        if not materials or random.random() >= _AGAIN:
            of_a_donor = len(donors) > 0 and random.random() < 0.5
            materials.append(
                _cut(donors[random.integers(len(donors))], len(dark), random, stretch)
                if of_a_donor
                else _reflectance(random, len(dark))
            )
        material = materials[random.integers(len(materials))]
        if isinstance(material, _Cut):
            target = dark + span * _piece(material, where)
        else:
            shade = random.normal(1.0, 0.05) + 0.05 * random.standard_normal((int(where.sum()), 1))
            target = dark + shade * span * material + grain(values, places, random, len(shade))
        part = share[where][:, np.newaxis]
        result[where] = (1.0 - part) * result[where] + part * target
        truth |= where
    return result, truth


def value_range(values: NDArray[np.floating[Any]]) -> tuple[FloatArray, FloatArray]:
    """Return each band's darkest value, and how far above it the brightest tenth of the pixels begins, (bands,)."""
    pixels = values[np.isfinite(values).all(axis=2)]
    sample = pixels[:: max(1, len(pixels) // _SAMPLE)].astype(np.float64)
    dark = sample.min(axis=0)
    return dark, np.percentile(sample, _BRIGHT_PERCENT, axis=0) - dark


def _blob(random: Generator, n_rows: int, n_cols: int, row: float, col: float) -> FloatArray:
    """Return how much of each pixel a turned ellipse covers, times an opacity that leaves some targets sub-pixel."""
    y, x = np.mgrid[0:n_rows, 0:n_cols].astype(np.float64)
    turn = random.uniform(0.0, np.pi)
    across = (x - col) * np.cos(turn) + (y - row) * np.sin(turn)
    along = (y - row) * np.cos(turn) - (x - col) * np.sin(turn)
    width = np.exp(random.uniform(np.log(0.4), np.log(2.0)))
    length = width * random.uniform(1.0, 3.0)
    distance = np.hypot(across / width, along / length)
    opacity = 1.0 if random.random() < _OPAQUE else random.uniform(0.3, 1.0)
    return np.asarray(opacity * np.clip((1.0 - distance) * width + 0.5, 0.0, 1.0))


def row_of_things(random: Generator, n_rows: int, n_cols: int, place: NDArray[Any]) -> FloatArray:
    """Return how much of each pixel one to eight equal rectangles cover, that stand side by side at any angle."""
    y, x = np.mgrid[0:n_rows, 0:n_cols].astype(np.float64)
    turn = random.uniform(0.0, np.pi)
    along = (x - place[1]) * np.cos(turn) + (y - place[0]) * np.sin(turn)
    across = (y - place[0]) * np.cos(turn) - (x - place[1]) * np.sin(turn)
    half_width = 0.5 * np.exp(random.uniform(np.log(0.7), np.log(4.0)))
    half_length = half_width * random.uniform(1.0, 2.5)
    step = 2.0 * half_width + random.uniform(1.0, 6.0)
    share = np.zeros((n_rows, n_cols))
    for index in range(int(random.integers(1, 9))):
        inside = np.minimum(half_width - np.abs(along - index * step), half_length - np.abs(across))
        share = np.maximum(share, np.clip(inside + 0.5, 0.0, 1.0))
    return share


def _reflectance(random: Generator, n_bands: int) -> FloatArray:
    """Return a smooth reflectance (bands,) between 0.02 and 1.5 of the light: a level, steps and bands."""
    x = np.linspace(0.0, 1.0, n_bands)
    curve = np.full(n_bands, random.uniform(0.1, 0.9))
    for _ in range(int(random.integers(1, 5))):
        curve += random.normal(0.0, 0.4) / (1.0 + np.exp(-(x - random.uniform(0.0, 1.0)) / random.uniform(0.01, 0.15)))
    for _ in range(int(random.integers(0, 9))):
        width = random.uniform(0.005, 0.08)
        curve += random.normal(0.0, 0.2) * np.exp(-0.5 * ((x - random.uniform(0.0, 1.0)) / width) ** 2)
    return np.clip(curve, 0.02, 1.5)


def grain(values: Float32Array, places: NDArray[np.intp], random: Generator, count: int) -> FloatArray:
    """Return noise and texture (count, bands) as the scene has them: differences of neighbours, over the root of 2.

    Without it a target would be smoother than any pixel of the scene, and a detector would rank it last.
    """
    chosen = places[random.integers(len(places), size=count)]
    beside = chosen + np.where(chosen[:, 1:] + 1 < values.shape[1], [[0, 1]], [[0, -1]])
    difference = values[tuple(chosen.T)].astype(np.float64) - values[tuple(beside.T)]
    return np.asarray(np.where(np.isfinite(difference), difference, 0.0) / np.sqrt(2.0))


def _cut(source: Donor, n_bands: int, random: Generator, stretch: bool) -> _Cut:
    """Return a random place of a donor and which of its bands, in which order, stand for the scene's."""
    n_rows, n_cols, n_there = source.reflectance.shape
    row, col = int(random.integers(n_rows)), int(random.integers(n_cols))
    ends = (0.0, n_there - 1.0)
    if stretch:
        first, last = sorted(random.uniform(0.0, n_there - 1.0, 2))
        if last - first >= _LEAST_STRETCH * n_there:
            ends = (first, last)
        if random.random() < _TURNED_ROUND:
            ends = (ends[1], ends[0])
    # The nearest band, not a mean of two, which would have less noise than any pixel.
    return _Cut(source, row, col, np.rint(np.linspace(*ends, n_bands)).astype(int))


def _piece(cut: _Cut, where: NDArray[np.bool_]) -> FloatArray:
    """Return the donor's reflectance (count, bands) in the shape of `where`.

    Rows and columns beyond the donor's edge come from its other side; invalid pixels take its median spectrum.
    """
    reflectance = cut.source.reflectance
    n_rows, n_cols, _ = reflectance.shape
    rows, cols = np.nonzero(where)
    pixels = reflectance[(cut.row + rows - rows.min()) % n_rows, (cut.col + cols - cols.min()) % n_cols]
    if not np.isfinite(pixels).all():
        typical = np.nanmedian(reflectance, axis=(0, 1))
        pixels = np.where(np.isfinite(pixels), pixels, typical)
    return np.asarray(pixels[:, cut.bands], dtype=np.float64)
