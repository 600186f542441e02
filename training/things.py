"""Man-made things put into a background: targets to choose models by, made in no way that a training has seen.

Whoever chooses by the kind of targets that a network was trained on chooses the network that learned these targets
best. So here they are rectangles in rows, as parked vehicles, aircraft and boats stand, of materials from the engine's
library (`ferd_engine.sample.spectra`) and a few more, and never random spectra or pieces of scenes.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ferd_engine.sample import spectra

from .implant import grain, row_of_things, value_range

Float32Array = NDArray[np.float32]
FloatArray = NDArray[np.float64]

# What the brightest tenth of a scene's pixels begins at, taken as reflectance: dry soil, straw, concrete.
_BRIGHT = 0.35
_PARTS = (0.001, 0.02)
_FEWEST_PIXELS = 6
_LEAST_SHARE = 0.3
_MOST_ROWS = 12


def materials() -> list[FloatArray]:
    """Return reflectances (240,) over the library's bands: plastics, paints, rubber, metal, glass and concrete."""
    nm = spectra.wavelengths()
    metal = 0.55 + 0.15 * (nm - 400.0) / 2100.0 - 0.06 * np.exp(-0.5 * ((nm - 840.0) / 60.0) ** 2)
    white = 0.75 / (1.0 + np.exp(-(nm - 415.0) / 10.0)) * (1.0 - 0.45 * (nm - 400.0) / 2100.0)
    glass = 0.06 + 0.03 * np.exp(-0.5 * ((nm - 540.0) / 80.0) ** 2) + 0.02 * (nm - 400.0) / 2100.0
    concrete = 0.22 + 0.16 / (1.0 + np.exp(-(nm - 600.0) / 180.0)) - 0.05 * np.exp(-0.5 * ((nm - 2320.0) / 60.0) ** 2)
    return [*spectra.targets().values(), metal, white, glass, concrete]


def with_things(values: Float32Array, random: Generator) -> tuple[Float32Array, NDArray[np.bool_]]:
    """Return a copy of a scene (rows, cols, bands) with rows of things, and where they cover 30 % of a pixel or more.

    One to three materials; things of 1 to 4 by 1 to 10 pixels, the alike ones side by side; at most 0.1 to 2 % of the
    pixels. NaN pixels are left as they are. Light, unit and noise are the scene's own.
    """
    n_rows, n_cols, n_bands = values.shape
    result = values.copy()
    truth = np.zeros((n_rows, n_cols), dtype=bool)
    valid = np.isfinite(values).all(axis=2)
    places = np.argwhere(valid)
    dark, span = value_range(values)
    library = materials()
    chosen = [library[index] for index in random.permutation(len(library))[: random.integers(1, 4)]]
    good = np.flatnonzero(spectra.good_bands())
    bands = good[np.rint(np.linspace(0, len(good) - 1, n_bands)).astype(int)]
    most = max(_FEWEST_PIXELS, np.exp(random.uniform(*np.log(_PARTS))) * len(places))
    for _ in range(_MOST_ROWS):
        share = row_of_things(random, n_rows, n_cols, places[random.integers(len(places))])
        share[~valid | truth] = 0.0
        where = share >= _LEAST_SHARE
        if not where.any() or (truth.any() and truth.sum() + where.sum() > most):
            continue
        count = int(where.sum())
        shade = random.normal(1.0, 0.1) + 0.08 * random.standard_normal((count, 1))
        spectrum = chosen[random.integers(len(chosen))][bands] / _BRIGHT
        target = dark + shade * span * spectrum + grain(values, places, random, count)
        part = share[where][:, np.newaxis]
        result[where] = (1.0 - part) * result[where] + part * target
        truth |= where
        if truth.sum() >= most:
            break
    return result, truth
