"""FERD engine: hyperspectral anomaly detection with the Feature Enhancement Network and the RX family.

The front door is loaded on first use, so that importing the package costs nothing and needs no numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .errors import FerdError
    from .options import DetectOptions, EnhanceOptions
    from .runs import detect, detect_raster, enhance, enhance_raster, open_model

__all__ = [
    "DetectOptions",
    "EnhanceOptions",
    "FerdError",
    "__version__",
    "detect",
    "detect_raster",
    "enhance",
    "enhance_raster",
    "open_model",
]

_HOMES = {
    "DetectOptions": ".options",
    "EnhanceOptions": ".options",
    "FerdError": ".errors",
    "detect": ".runs",
    "detect_raster": ".runs",
    "enhance": ".runs",
    "enhance_raster": ".runs",
    "open_model": ".runs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
