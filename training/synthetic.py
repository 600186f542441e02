"""Synthetic backgrounds: linear mixtures with spatial texture, illumination, sensor noise and water-vapour bands.

Materials, sensor and noise are those of the engine's sample scene (`ferd_engine.sample.spectra`), each scene with a
choice, a variant and a layout of its own. There are no anomalies in them; `training.implant` adds those.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ferd_engine.bands import BandInfo
from ferd_engine.sample import spectra

FloatArray = NDArray[np.float64]

_LEAST_MATERIALS, _MOST_MATERIALS = 3, 6


def bands() -> tuple[BandInfo, ...]:
    """Return the sensor's bands, with wavelengths and bad-band flags."""
    centres, good = spectra.wavelengths(), spectra.good_bands()
    return tuple(
        BandInfo(index + 1, wavelength_nm=float(centre), good=bool(good[index])) for index, centre in enumerate(centres)
    )


def background(seed: int, n_rows: int, n_cols: int) -> NDArray[np.float32]:
    """Return reflectance (rows, cols, 240) float32 of a scene; equal seeds and sizes give equal scenes."""
    random = np.random.default_rng([seed, n_rows, n_cols])
    parts = shares(random, n_rows, n_cols)
    materials = list(spectra.background().values())
    chosen = random.permutation(len(materials))[: len(parts)]
    cube = np.zeros((n_rows, n_cols, spectra.N_BANDS))
    for share, index in zip(parts, chosen):
        variation = random.uniform(0.5, 1.0) * texture(random, n_rows, n_cols, random.uniform(2.0, 8.0))
        variation += 0.2 * random.standard_normal((n_rows, n_cols))
        level = random.normal(1.0, 0.1)
        cube += level * share[:, :, np.newaxis] * materials[index].mean
        cube += (level * share * variation)[:, :, np.newaxis] * materials[index].change
    slope = texture(random, n_rows, n_cols, random.uniform(8.0, 20.0))
    cube *= np.clip(1.0 + random.uniform(0.03, 0.12) * slope, 0.6, 1.4)[:, :, np.newaxis]
    noise = random.standard_normal(cube.shape) + 0.25 * random.standard_normal((1, n_cols, spectra.N_BANDS))
    return (cube + random.uniform(0.5, 1.5) * noise * spectra.noise_levels()).astype(np.float32)


def shares(random: Generator, n_rows: int, n_cols: int) -> FloatArray:
    """Return the share of each material (materials, rows, cols), adding up to 1: patches with mixed borders."""
    count = int(random.integers(_LEAST_MATERIALS, _MOST_MATERIALS + 1))
    scale = random.uniform(4.0, 12.0)
    fields = np.stack([texture(random, n_rows, n_cols, scale) for _ in range(count)])
    # The sharper, the purer the patches; rare materials come from the offsets.
    fields = random.uniform(2.0, 8.0) * (fields + random.normal(0.0, 0.5, (count, 1, 1)))
    weights = np.exp(fields - fields.max(axis=0))
    return np.asarray(weights / weights.sum(axis=0))


def texture(random: Generator, n_rows: int, n_cols: int, sigma_px: float) -> FloatArray:
    """Return smooth noise (rows, cols) of mean 0 and standard deviation 1, wrapped at the edges."""
    smooth = gaussian_filter(random.standard_normal((n_rows, n_cols)), sigma_px, mode="wrap")
    return np.asarray((smooth - smooth.mean()) / smooth.std())
