"""Detectors of the RX family: one file each, one registry."""

from __future__ import annotations

from . import crd, grx, lrx, slrx
from .registry import DETECTORS, Detector, DetectorInfo, detector_info, make_detector, register

for _info in (grx.INFO, slrx.INFO, lrx.INFO, crd.INFO):
    register(_info)

__all__ = ["DETECTORS", "Detector", "DetectorInfo", "detector_info", "make_detector", "register"]
