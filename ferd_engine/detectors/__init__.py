"""Detectors of the RX family: one file each, one registry."""

from __future__ import annotations

from . import aed, crd, fusion, grx, lrx, qlrx, slrx, utd
from .registry import (
    DETECTORS,
    Detector,
    DetectorInfo,
    DistanceDetector,
    Scene,
    TwoCubeDetector,
    detector_info,
    knows_distribution,
    make_detector,
    register,
    require_pixels,
    takes_background,
    uses_extrema,
)

for _info in (grx.INFO, slrx.INFO, lrx.INFO, crd.INFO, fusion.INFO, qlrx.INFO, utd.INFO, utd.RXD_UTD_INFO, aed.INFO):
    register(_info)

__all__ = [
    "DETECTORS",
    "Detector",
    "DetectorInfo",
    "DistanceDetector",
    "Scene",
    "TwoCubeDetector",
    "detector_info",
    "knows_distribution",
    "make_detector",
    "register",
    "require_pixels",
    "takes_background",
    "uses_extrema",
]
