"""The sample scene as arrays: farmland, a river, a wood, roads and a hamlet, with small man-made things as anomalies.

Every pixel is a linear mixture of materials whose shares and spectra vary smoothly, shaded by the terrain, seen by a
pushbroom sensor with noise. Nothing here looks at a detector, so no detector is favoured.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from . import spectra

FloatArray = NDArray[np.float64]

N_ROWS = 160
N_COLS = 224
PIXEL_WIDTH_M = 4.0
PIXEL_HEIGHT_M = 5.0
NODATA = -32768
TRUTH_NODATA = 255
N_TARGETS = 15
REFLECTANCE_SCALE = 10000
# A pixel of which less than this is covered holds no target: neither in its spectrum nor in the truth.
LEAST_FRACTION = 0.25
FIELD_ANGLE_RAD = 0.32


class Scene(NamedTuple):
    """A cube and its truth: int16 (rows, cols, bands), nodata -32768; uint8 (rows, cols), 1 anomaly, nodata 255."""

    cube: NDArray[np.int16]
    truth: NDArray[np.uint8]


class Grid(NamedTuple):
    """Pixel centres in metres from the upper left corner, and along (u) and across (v) the fields."""

    x: FloatArray
    y: FloatArray
    u: FloatArray
    v: FloatArray


def compose(seed: int) -> Scene:
    """Return the scene of a seed; equal seeds give equal arrays."""
    rng = np.random.default_rng(seed)
    grid = _grid()
    shares = _landscape(rng, grid)
    covered = _outside_swath(grid)
    reflectance = _mix(rng, shares) * _shade(rng, shares["trees"])[:, :, np.newaxis]
    truth = _implant(rng, grid, shares, covered, reflectance)
    counts = np.rint((reflectance + _noise(rng)) * REFLECTANCE_SCALE)
    cube = np.clip(counts, -2000, 20000).astype(np.int16)
    cube[covered] = NODATA
    truth[covered] = TRUTH_NODATA
    return Scene(cube, truth)


def _grid() -> Grid:
    row, col = np.mgrid[0:N_ROWS, 0:N_COLS]
    x = (col + 0.5) * PIXEL_WIDTH_M
    y = (row + 0.5) * PIXEL_HEIGHT_M
    cos, sin = np.cos(FIELD_ANGLE_RAD), np.sin(FIELD_ANGLE_RAD)
    return Grid(x, y, x * cos + y * sin, -x * sin + y * cos)


def _outside_swath(grid: Grid) -> NDArray[np.bool_]:
    """Return where the sensor, flown at a slant, saw nothing: a wedge at the upper left and a thin one opposite."""
    from_left = grid.x - (120.0 - 0.24 * grid.y)
    return np.asarray((from_left < 0) | (from_left > 930.0))


def _field_of(rng: Generator, sigma_px: float) -> FloatArray:
    """Return smooth noise of mean 0 and standard deviation 1."""
    noise = gaussian_filter(rng.standard_normal((N_ROWS, N_COLS)), sigma_px, mode="reflect")
    return np.asarray((noise - noise.mean()) / noise.std())


def _coverage(distance_m: FloatArray, half_width_m: float) -> FloatArray:
    """Return how much of a pixel lies nearer than the half width, blurred over one pixel."""
    return np.asarray(np.clip((half_width_m - distance_m) / PIXEL_WIDTH_M + 0.5, 0.0, 1.0))


def _paint(shares: dict[str, FloatArray], material: str, coverage: FloatArray) -> None:
    """Lay a material over the others; the shares of a pixel still add up to 1."""
    for share in shares.values():
        share *= 1.0 - coverage
    shares[material] += coverage


def _landscape(rng: Generator, grid: Grid) -> dict[str, FloatArray]:
    """Return the share of each background material, (rows, cols), adding up to 1."""
    shares = {name: np.zeros((N_ROWS, N_COLS)) for name in spectra.background()}
    _plough(rng, grid, shares)
    _paint(shares, "trees", np.clip((_field_of(rng, 16.0) - 1.25) / 0.2, 0.0, 1.0))
    for u, v in rng.uniform((0, -280), (1100, 760), (70, 2)):
        _paint(shares, "trees", _coverage(np.hypot(grid.u - u, grid.v - v), rng.uniform(2.0, 5.0)))
    _flood(rng, grid, shares)
    for distance, half_width in (
        (np.abs(grid.v - 235.0 - 18.0 * np.sin(grid.u / 170.0)), 4.5),
        (np.abs(grid.u - 610.0 - 0.05 * grid.v), 3.0),
    ):
        _paint(shares, "chalk", 0.5 * _coverage(distance, half_width + 3.0))
        _paint(shares, "asphalt", _coverage(distance, half_width))
    for index in range(12):
        u, v = 610.0 + rng.normal(0.0, 55.0), 235.0 + rng.choice((-1, 1)) * rng.uniform(20.0, 60.0)
        roof = _rectangle(grid, u, v, rng.uniform(12.0, 26.0), rng.uniform(8.0, 13.0), 0.0)
        _paint(shares, "tiles" if index % 3 else "slate", roof)
    return {name: gaussian_filter(share, 0.45, mode="nearest") for name, share in shares.items()}


def _plough(rng: Generator, grid: Grid, shares: dict[str, FloatArray]) -> None:
    """Divide the land into fields, each with a crop of its own, its rows, patches and a margin of grass or shrubs."""
    for u0, u1, v0, v1 in _divide(rng, [(-10.0, 1150.0, -300.0, 780.0)]):
        inside = (grid.u >= u0) & (grid.u < u1) & (grid.v >= v0) & (grid.v < v1)
        crop = rng.choice(("crop", "crop", "crop", "straw", "straw", "loam", "chalk"))
        soil = rng.choice(("loam", "chalk")) if crop in ("crop", "straw") else "straw"
        cover = rng.uniform(0.62, 0.92)
        rows = 0.04 * np.sin(2.0 * np.pi * grid.v / rng.uniform(14.0, 30.0))
        patches = rng.uniform(0.03, 0.1) * _field_of(rng, rng.uniform(3.0, 8.0))
        share = np.clip(cover + rows + patches, 0.0, 1.0)
        shares[crop] += inside * share
        shares[soil] += inside * (1.0 - share)
        margin = np.minimum(np.minimum(grid.u - u0, u1 - grid.u), np.minimum(grid.v - v0, v1 - grid.v))
        _paint(shares, rng.choice(("straw", "trees", "crop")), inside * 0.8 * _coverage(margin, rng.uniform(0.0, 3.5)))


def _divide(rng: Generator, rectangles: list[tuple[float, float, float, float]]) -> list[tuple[float, ...]]:
    """Cut rectangles (u0, u1, v0, v1) across their longer side until each is as small as a field."""
    fields: list[tuple[float, ...]] = []
    while rectangles:
        u0, u1, v0, v1 = rectangles.pop()
        if (u1 - u0) * (v1 - v0) < rng.uniform(14e3, 42e3):
            fields.append((u0, u1, v0, v1))
        elif u1 - u0 > v1 - v0:
            cut = u0 + (u1 - u0) * rng.uniform(0.36, 0.64)
            rectangles += [(u0, cut, v0, v1), (cut, u1, v0, v1)]
        else:
            cut = v0 + (v1 - v0) * rng.uniform(0.36, 0.64)
            rectangles += [(u0, u1, v0, cut), (u0, u1, cut, v1)]
    return fields


def _flood(rng: Generator, grid: Grid, shares: dict[str, FloatArray]) -> None:
    """Lay a winding river with trees along its banks through the east of the scene."""
    course = (
        735.0 + 55.0 * np.sin(grid.y / 120.0 + rng.uniform(0.0, 1.0)) + 16.0 * np.sin(grid.y / 41.0) - 0.12 * grid.y
    )
    distance = np.abs(grid.x - course)
    banks = np.clip(0.9 + 0.5 * _field_of(rng, 2.0), 0.0, 1.0)
    _paint(shares, "trees", banks * _coverage(distance, 22.0))
    _paint(shares, "water", _coverage(distance, 10.0))


def _rectangle(grid: Grid, u: float, v: float, length_m: float, width_m: float, turn_rad: float) -> FloatArray:
    """Return the covered part of each pixel, by 8 x 8 sample points, for a rectangle around (u, v)."""
    cos, sin = np.cos(FIELD_ANGLE_RAD + turn_rad), np.sin(FIELD_ANGLE_RAD + turn_rad)
    centre_x = u * np.cos(FIELD_ANGLE_RAD) - v * np.sin(FIELD_ANGLE_RAD)
    centre_y = u * np.sin(FIELD_ANGLE_RAD) + v * np.cos(FIELD_ANGLE_RAD)
    covered = np.zeros(grid.x.shape)
    steps = (np.arange(8) + 0.5) / 8 - 0.5
    for dy in steps * PIXEL_HEIGHT_M:
        for dx in steps * PIXEL_WIDTH_M:
            x, y = grid.x + dx - centre_x, grid.y + dy - centre_y
            covered += (np.abs(x * cos + y * sin) <= length_m / 2) & (np.abs(y * cos - x * sin) <= width_m / 2)
    return np.asarray(covered / 64.0)


def _mix(rng: Generator, shares: dict[str, FloatArray]) -> FloatArray:
    """Return reflectance (rows, cols, bands): the shares' mixture of spectra that vary from place to place.

    Summed material by material: a matrix product would round as the machine's BLAS likes.
    """
    reflectance = np.zeros((N_ROWS, N_COLS, spectra.N_BANDS))
    for name, material in spectra.background().items():
        variation = 0.8 * _field_of(rng, 7.0) + 0.2 * rng.standard_normal((N_ROWS, N_COLS))
        reflectance += shares[name][:, :, np.newaxis] * material.mean
        reflectance += (shares[name] * variation)[:, :, np.newaxis] * material.change
    return reflectance


def _shade(rng: Generator, trees: FloatArray) -> FloatArray:
    """Return brightness (rows, cols) about 1: slopes towards and away from the sun, and the rough crowns of trees."""
    height = 22.0 * _field_of(rng, 22.0)
    towards_sun = np.gradient(height, PIXEL_HEIGHT_M, axis=0) + np.gradient(height, PIXEL_WIDTH_M, axis=1)
    crowns = 0.10 * trees * rng.standard_normal(trees.shape)
    return np.asarray(np.clip(1.0 - 0.45 * towards_sun + crowns, 0.65, 1.3))


def _implant(
    rng: Generator,
    grid: Grid,
    shares: dict[str, FloatArray],
    covered: NDArray[np.bool_],
    reflectance: FloatArray,
) -> NDArray[np.uint8]:
    """Put the targets into the reflectance and return the truth.

    They lie on open land, well inside the swath and apart from each other.
    """
    open_land = gaussian_filter(1.0 - shares["water"] - shares["trees"] - shares["asphalt"], 1.5) > 0.8
    allowed = open_land & (gaussian_filter(covered.astype(np.float64), 3.0) < 0.01)
    allowed[:4], allowed[-4:], allowed[:, :4], allowed[:, -4:] = False, False, False, False
    truth = np.zeros((N_ROWS, N_COLS), dtype=np.uint8)
    materials = list(spectra.targets().values())
    for index in range(N_TARGETS):
        row, col = rng.permutation(np.argwhere(allowed))[0]
        u, v = grid.u[row, col] + rng.uniform(-2.0, 2.0), grid.v[row, col] + rng.uniform(-2.0, 2.0)
        fraction = _rectangle(grid, u, v, rng.uniform(3.0, 10.0), rng.uniform(2.5, 6.0), rng.uniform(0.0, np.pi))
        # The smallest ones may straddle pixels; their best pixel still holds the least fraction.
        fraction[row, col] = max(fraction[row, col], LEAST_FRACTION)
        fraction[fraction < LEAST_FRACTION] = 0.0
        spectrum = rng.normal(1.0, 0.06) * materials[index % len(materials)]
        where = fraction > 0
        part = fraction[where][:, np.newaxis]
        reflectance[where] = (1.0 - part) * reflectance[where] + part * spectrum
        truth[where] = 1
        allowed &= np.hypot(grid.x - grid.x[row, col], grid.y - grid.y[row, col]) > 45.0
    return truth


def _noise(rng: Generator) -> FloatArray:
    """Return the sensor's noise (rows, cols, bands): per sample, and a fixed small offset per detector element."""
    per_sample = rng.standard_normal((N_ROWS, N_COLS, spectra.N_BANDS))
    per_element = 0.25 * rng.standard_normal((1, N_COLS, spectra.N_BANDS))
    return np.asarray((per_sample + per_element) * spectra.noise_levels())
