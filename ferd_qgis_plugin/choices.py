"""The choices that the dialogs offer, as plain names.

Processing builds every algorithm's parameters when QGIS starts, so nothing here may import numpy: the engine's options
need none, its detectors do. Tests hold both to that, and DETECTORS to the engine's registry.
"""

from __future__ import annotations

from .engine import engine

_options = engine("options")

DETECTORS = ("grx", "slrx", "lrx", "crd", "fusion", "qlrx", "utd", "rxd-utd", "aed")
BAND_SELECTIONS: tuple[str, ...] = _options.BAND_SELECTIONS
BACKENDS: tuple[str, ...] = _options.BACKENDS
DEVICES: tuple[str, ...] = _options.DEVICES
SCALINGS: tuple[str, ...] = _options.SCALINGS
PRESETS: tuple[str, ...] = tuple(engine("presets").PRESETS)
# Of the ready model, which gives the detector the enhanced bands alone: fusion looks at the raw ones too.
ONE_CUBE_DETECTORS = tuple(name for name in DETECTORS if name != "fusion")
ONE_CUBE_PRESETS = tuple(name for name in PRESETS if engine("presets").PRESETS[name].settings["detector"] != "fusion")
MEANS = ("global", "local")
CONNECTEDNESS: tuple[str, ...] = tuple(str(n) for n in sorted(_options.CONNECTEDNESS, reverse=True))
# What is taken where a mask or polygons are asked for without a threshold.
DEFAULT_THRESHOLD = "percentile:99.5"
AUTO_MODEL = "auto"
OUTPUT_EXTENSIONS = ("tif", "tiff", "bsq", "bil", "bip", "img", "dat")
VECTOR_EXTENSIONS = ("gpkg", "geojson")

DEFAULT_MEMORY_MIB: int = _options.EnhanceOptions().budget_bytes >> 20
MIN_MEMORY_MIB = 64
