"""`ferd detect`, `ferd enhance` and `ferd threshold`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from typing import Any

from ..options import DetectOptions, EnhanceOptions, build_options
from .progress_bar import ProgressBar, stopping_on_signals


def run_detect(arguments: argparse.Namespace) -> int:
    """Run the detection and print what was done."""
    return _run("detect_raster", detect_options(arguments), arguments)


def run_enhance(arguments: argparse.Namespace) -> int:
    """Run the enhancement and print what was done."""
    return _run("enhance_raster", enhance_options(arguments), arguments)


def run_threshold(arguments: argparse.Namespace) -> int:
    """Make a mask or polygons of a score raster and print what was found."""
    names = ("threshold", "mask_out", "polygons", "spectra", "connectedness", "min_pixels", "memory", "overwrite")
    options = {name: getattr(arguments, name) for name in names}
    bar = ProgressBar()
    try:
        with stopping_on_signals(bar):
            from ..threshold_raster import threshold_raster

            report = threshold_raster(arguments.scores, progress=bar, **options)
            # Still under the handlers: an interrupt that comes now must not deny what is written.
            bar.clear()
            _print(report, arguments)
    finally:
        bar.clear()
    return 0


def detect_options(arguments: argparse.Namespace) -> DetectOptions:
    """Return the options of a detection as they were given."""
    given = _fields(DetectOptions, arguments)
    if arguments.detector is None:
        del given["detector"]
    return build_options(DetectOptions, None, given)


def enhance_options(arguments: argparse.Namespace) -> EnhanceOptions:
    """Return the options of an enhancement as they were given."""
    return EnhanceOptions(**_fields(EnhanceOptions, arguments))


def _fields(kind: type[EnhanceOptions], arguments: argparse.Namespace) -> dict[str, Any]:
    return {field.name: getattr(arguments, field.name) for field in fields(kind)}


def _run(door: str, options: EnhanceOptions, arguments: argparse.Namespace) -> int:
    bar = ProgressBar()
    try:
        with stopping_on_signals(bar):
            # Loaded under the handlers: an interrupt inside the loading of a library may be lost.
            from .. import runs

            report = getattr(runs, door)(arguments.input, arguments.output, options=options, progress=bar)
            # Still under the handlers: an interrupt that comes now must not deny what is written.
            bar.clear()
            _print(report, arguments)
    finally:
        bar.clear()
    return 0


def _print(report: Any, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(report.to_json())
    else:
        print("\n".join(report.lines()))
    sys.stdout.flush()
