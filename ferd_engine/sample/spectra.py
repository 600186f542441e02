"""Reflectance spectra of the sample scene's materials, as sums of Gaussians and sigmoids: no library, no data files.

Shapes and positions follow what is well known of each material: red edge near 715 nm, liquid water at 970, 1190, 1450
and 1940 nm, iron oxides near 880 nm, clay at 2205 nm, carbonate at 2340 nm, cellulose at 2100 nm, C-H overtones of
plastics at 1210, 1730 and 2310 nm. Wavelengths are in nanometres, reflectance is 0 to 1, all arrays are float64 of
shape (bands,).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

N_BANDS = 240


class Material(NamedTuple):
    """A mean spectrum and how it varies: a pixel holds mean + v * change with v mostly in [-2, 2]."""

    mean: FloatArray
    change: FloatArray


def wavelengths() -> FloatArray:
    """Return the band centres in nm, evenly spaced from 400 to 2500."""
    return np.round(np.linspace(400.0, 2500.0, N_BANDS), 3)


def widths() -> FloatArray:
    """Return each band's full width at half maximum in nm, 8 in the blue to 12 at the long end."""
    return np.round(np.linspace(8.0, 12.0, N_BANDS), 3)


def transmission() -> FloatArray:
    """Return the share of light that passes the air, near 0 in the water-vapour bands around 1395 and 1880 nm."""
    nm = wavelengths()
    depth = (
        6.0 * _flat_peak(nm, 1395.0, 55.0)
        + 7.0 * _flat_peak(nm, 1880.0, 82.0)
        + 0.5 * _peak(nm, 942.0, 18.0)
        + 0.6 * _peak(nm, 1132.0, 22.0)
        + 0.3 * _peak(nm, 762.0, 5.0)
        + 2.0 * _step(nm, 2560.0, 30.0)
    )
    return np.asarray(np.exp(-depth))


def good_bands() -> NDArray[np.bool_]:
    """Return which bands carry signal: those where at least a fifth of the light passes."""
    return np.asarray(transmission() >= 0.2)


def noise_levels() -> FloatArray:
    """Return the noise's standard deviation per band in reflectance: larger at both ends and in the gaps."""
    nm = wavelengths()
    floor = 0.0022 * (1.0 + 2.5 * np.exp(-(nm - 400.0) / 60.0) + 2.0 * _step(nm, 2380.0, 50.0))
    return np.asarray(np.minimum(floor / transmission(), 0.25))


def background() -> dict[str, Material]:
    """Return the materials of the landscape."""
    nm = wavelengths()
    return {
        "crop": _pair(_leaves(nm, 0.46, 1.0), _leaves(nm, 0.50, 1.25)),
        "trees": _pair(_leaves(nm, 0.33, 1.15), _leaves(nm, 0.37, 1.0)),
        "straw": _pair(_straw(nm, 1.0), _straw(nm, 1.12)),
        "loam": _pair(_loam(nm, 1.0), _loam(nm, 0.84)),
        "chalk": _pair(_chalk(nm, 1.0), _chalk(nm, 0.9)),
        "asphalt": _pair(_asphalt(nm, 0.08), _asphalt(nm, 0.095)),
        "tiles": _pair(_tiles(nm, 1.0), _tiles(nm, 0.85)),
        "slate": _pair(_slate(nm, 0.13), _slate(nm, 0.15)),
        "water": _pair(_water(nm, 0.02), _water(nm, 0.035)),
    }


def targets() -> dict[str, FloatArray]:
    """Return the spectra of the man-made things that are the anomalies."""
    nm = wavelengths()
    return {
        "blue tarpaulin": (0.10 + 0.22 * _peak(nm, 465.0, 40.0) + 0.30 * _step(nm, 820.0, 60.0)) * _plastic(nm, 1.0),
        "white plastic": (0.62 * _step(nm, 405.0, 12.0) - 0.10 * _step(nm, 1900.0, 250.0)) * _plastic(nm, 0.9),
        "green paint": (0.06 + 0.10 * _peak(nm, 535.0, 30.0) + 0.34 * _step(nm, 760.0, 28.0)) * _plastic(nm, 0.35),
        "red paint": (0.05 + 0.42 * _step(nm, 605.0, 12.0)) * _plastic(nm, 0.3),
        "dark rubber": (0.045 + 0.03 * _step(nm, 1500.0, 400.0)) * _plastic(nm, 0.6),
    }


def _peak(nm: FloatArray, centre: float, sigma: float) -> FloatArray:
    return np.asarray(np.exp(-0.5 * ((nm - centre) / sigma) ** 2))


def _flat_peak(nm: FloatArray, centre: float, half_width: float) -> FloatArray:
    return np.asarray(np.exp(-(((nm - centre) / half_width) ** 6)))


def _step(nm: FloatArray, centre: float, width: float) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-(nm - centre) / width)))


def _pair(mean: FloatArray, variant: FloatArray) -> Material:
    return Material(mean, variant - mean)


def _leaves(nm: FloatArray, plateau: float, water: float) -> FloatArray:
    visible = 0.035 + 0.055 * _peak(nm, 552.0, 33.0) - 0.012 * _peak(nm, 675.0, 22.0)
    liquid = (
        0.07 * _peak(nm, 970.0, 30.0)
        + 0.14 * _peak(nm, 1190.0, 40.0)
        + 0.90 * _peak(nm, 1450.0, 65.0)
        + 1.30 * _peak(nm, 1940.0, 80.0)
        + 0.45 * _step(nm, 1330.0, 35.0)
        + 0.65 * _step(nm, 1880.0, 60.0)
    )
    return np.asarray((visible + plateau * _step(nm, 716.0, 13.0)) * np.exp(-water * liquid))


def _straw(nm: FloatArray, brightness: float) -> FloatArray:
    continuum = 0.07 + 0.36 * _step(nm, 690.0, 105.0) - 0.14 * _step(nm, 1950.0, 140.0)
    fibre = 1 - 0.13 * _peak(nm, 2100.0, 55.0) - 0.12 * _peak(nm, 2300.0, 45.0) - 0.08 * _peak(nm, 1725.0, 40.0)
    return np.asarray(brightness * continuum * fibre * (1 - 0.15 * _peak(nm, 1450.0, 50.0)))


def _loam(nm: FloatArray, brightness: float) -> FloatArray:
    continuum = 0.05 + 0.34 * _step(nm, 800.0, 230.0) - 0.045 * _peak(nm, 885.0, 75.0)
    clay = 1 - 0.13 * _peak(nm, 2205.0, 20.0) - 0.16 * _peak(nm, 1915.0, 45.0) - 0.07 * _peak(nm, 1415.0, 30.0)
    return np.asarray(brightness * continuum * clay)


def _chalk(nm: FloatArray, brightness: float) -> FloatArray:
    continuum = 0.10 + 0.38 * _step(nm, 590.0, 130.0) - 0.06 * _step(nm, 2200.0, 120.0)
    return np.asarray(brightness * continuum * (1 - 0.17 * _peak(nm, 2340.0, 28.0) - 0.10 * _peak(nm, 1920.0, 45.0)))


def _asphalt(nm: FloatArray, level: float) -> FloatArray:
    return np.asarray((level + 0.07 * (nm - 400.0) / 2100.0) * (1 - 0.06 * _peak(nm, 2310.0, 35.0)))


def _tiles(nm: FloatArray, brightness: float) -> FloatArray:
    return np.asarray(brightness * (0.06 + 0.30 * _step(nm, 605.0, 35.0) - 0.05 * _peak(nm, 870.0, 60.0)))


def _slate(nm: FloatArray, level: float) -> FloatArray:
    return np.asarray(level + 0.05 * _step(nm, 1200.0, 350.0) - 0.015 * _peak(nm, 2250.0, 40.0))


def _water(nm: FloatArray, turbidity: float) -> FloatArray:
    return np.asarray(0.004 + (0.035 * np.exp(-(nm - 400.0) / 130.0) + turbidity * _peak(nm, 570.0, 55.0)))


def _plastic(nm: FloatArray, strength: float) -> FloatArray:
    bands = (
        0.16 * _peak(nm, 1210.0, 16.0)
        + 0.10 * _peak(nm, 1400.0, 25.0)
        + 0.32 * _peak(nm, 1730.0, 20.0)
        + 0.42 * _peak(nm, 2310.0, 24.0)
        + 0.20 * _peak(nm, 2350.0, 14.0)
    )
    return np.asarray(1.0 - strength * bands)
