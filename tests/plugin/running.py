"""Runs through Processing as scripts start them, what a dialog refuses, and the polygons that come of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osgeo import ogr

RX = "ferd:rxanomalydetection"


def run(algorithm: str, feedback=None, **parameters) -> dict[str, Any]:
    """Run an algorithm and return its results by name."""
    import processing

    return processing.run(algorithm, parameters, feedback=feedback)


def run_rx(feedback=None, **parameters) -> dict[str, Any]:
    """Run a detection and return its results by name."""
    return run(RX, feedback, **parameters)


def refusal(provider, name: str, **parameters) -> str:
    """Return what the dialog of an algorithm says before the run; it must be a refusal of one sentence."""
    from qgis.core import QgsProcessingContext

    fits, reason = provider.algorithm(name).checkParameterValues(parameters, QgsProcessingContext())
    assert not fits
    assert "\n" not in reason.strip()
    return reason


def rx_refusal(provider, **parameters) -> str:
    """Return what the dialog of a detection says before the run."""
    return refusal(provider, "rxanomalydetection", **{"OUTPUT": "TEMPORARY_OUTPUT", **parameters})


def polygons(path: str | Path) -> list[dict[str, Any]]:
    """Return attributes and shape of each polygon in a file."""
    dataset = ogr.Open(str(path))
    return [{**f.items(), "wkt": f.geometry().ExportToWkt()} for f in dataset.GetLayer(0)]
