"""New scenes out of the spectra of a real one: linear mixtures of its pixels in layouts that it does not have.

A real scene brings its sensor, light and materials, but one layout alone, which a training learns by heart. Here its
purest pixels are laid out anew by the textures of `training.synthetic`, with the noise that the scene has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ferd_engine.errors import InputError

from .finer import noise_levels
from .synthetic import shares, texture

Float32Array = NDArray[np.float32]
FloatArray = NDArray[np.float64]

# Pixels among which materials are looked for, and how many of the purest a scene chooses from.
_SAMPLE = 1000
_MATERIALS = 12
# Standard deviation of a material's brightness over the scene, and the range that the light's is drawn from.
_BRIGHTNESS = 0.1
_LIGHT = (0.03, 0.12)


def mixture(values: NDArray[np.floating[Any]], name: str, seed: int, n_rows: int, n_cols: int) -> Float32Array:
    """Return a scene (n_rows, n_cols, bands) in the units of `values` (rows, cols, bands), NaN where invalid.

    Equal seeds, sizes and values give equal scenes. Raises `InputError` where the source has too few valid pixels.
    """
    pixels = values[np.isfinite(values).all(axis=2)].astype(np.float64)
    if len(pixels) < _MATERIALS:
        raise InputError(f"The scene {name} has {len(pixels)} valid pixels, too few for mixtures: leave it out.")
    random = np.random.default_rng([seed, n_rows, n_cols])
    parts = shares(random, n_rows, n_cols)
    library = purest(pixels, _MATERIALS, random)
    # Brightness varies above the darkest values, which are those of the air and the sensor.
    dark = pixels.min(axis=0)
    cube = np.zeros((n_rows, n_cols, values.shape[2]))
    for part, index in zip(parts, random.permutation(_MATERIALS)):
        fine = random.standard_normal((n_rows, n_cols))
        change = _BRIGHTNESS * (texture(random, n_rows, n_cols, random.uniform(2.0, 8.0)) + 0.3 * fine)
        cube += (part * np.clip(1.0 + change, 0.3, 1.7))[:, :, np.newaxis] * (library[index] - dark)
    light = random.uniform(*_LIGHT) * texture(random, n_rows, n_cols, random.uniform(8.0, 20.0))
    cube *= np.clip(1.0 + light, 0.6, 1.4)[:, :, np.newaxis]
    noise = random.standard_normal(cube.shape) * noise_levels(values)
    return np.asarray(cube + dark + noise, dtype=np.float32)


def purest(pixels: FloatArray, count: int, random: Generator) -> FloatArray:
    """Return the pixels (count, bands) of a sample that lie farthest from each other, each band over its spread.

    Greedy: each next one is farthest from its nearest among those chosen, beginning with that farthest from the mean.
    """
    sample = pixels[random.permutation(len(pixels))[:_SAMPLE]]
    spread = sample.std(axis=0)
    scaled = (sample - sample.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    chosen = [int(np.argmax(np.square(scaled).sum(axis=1)))]
    nearest = np.square(scaled - scaled[chosen[0]]).sum(axis=1)
    while len(chosen) < count:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.square(scaled - scaled[chosen[-1]]).sum(axis=1))
    return np.asarray(sample[chosen])
