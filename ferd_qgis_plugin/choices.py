"""The choices that the dialogs offer, as plain names.

Processing builds every algorithm's parameters when QGIS starts, so nothing here may import numpy or the engine; a test
holds these names to the engine's own.
"""

from __future__ import annotations

DETECTORS = ("grx", "slrx")
BAND_SELECTIONS = ("auto", "first", "spread", "wavelength")
SCALINGS = ("minmax", "percentile")
AUTO_MODEL = "auto"
OUTPUT_EXTENSIONS = ("tif", "bsq", "img")

DEFAULT_MEMORY_MIB = 1024
MIN_MEMORY_MIB = 64
