"""Where a run of the engine takes place: inside QGIS with NumPy, or in the worker."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.PyQt.QtCore import QCoreApplication

from ..engine import engine
from ..feedback import FeedbackProgress
from .interpreter import Interpreter, worker_python
from .jobs import WorkerError, run_job

if TYPE_CHECKING:
    from qgis.core import QgsProcessingFeedback

    from ferd_engine import RunReport

translate = QCoreApplication.translate


def choose_python(options: Any, *, enhances: bool) -> Interpreter | None:
    """Return the Python of the worker, None for a run inside QGIS.

    With the backend `auto`, the worker, if there is one, is taken for runs with FEN, which is what it does faster, and
    where a graphics card is asked for, which some detectors use too. Raises the engine's `MissingPackageError`
    or `UsageError` where the options need a worker and there is none.
    """
    if options.backend == "numpy":
        if options.device == "cuda":
            raise engine("errors").UsageError(
                translate("FERD", "The backend numpy has no device cuda: choose another backend or device.")
            )
        return None
    python = worker_python()
    if python is None and (options.backend == "torch" or options.device == "cuda"):
        raise engine("errors").MissingPackageError(
            translate(
                "FERD",
                "There is no Python with PyTorch: name one or make one in Settings, Options, FERD, or choose the "
                "backend numpy.",
            )
        )
    wanted = enhances or options.backend == "torch" or options.device == "cuda"
    return python if wanted else None


def run_engine(
    function: str,
    source: str,
    output: str,
    options: Any,
    python: Interpreter | None,
    feedback: QgsProcessingFeedback,
) -> RunReport:
    """Run one of the engine's functions from raster to raster and return its report.

    Raises the engine's errors, and `WorkerError` for those of a worker.
    """
    if python is None:
        feedback.pushInfo(translate("FERD", "Runs inside QGIS with NumPy."))
        # torch stays out of QGIS's process, whatever its Python has.
        inside = replace(options, backend="numpy", device="cpu")
        run = getattr(engine(), function)
        report: RunReport = run(source, output, progress=FeedbackProgress(feedback), options=inside)
        return report
    feedback.pushInfo(
        translate("FERD", "Runs in the PyTorch worker: {path} ({origin}).").format(
            path=python.path, origin=python.origin
        )
    )
    try:
        result = run_job(python, function, {"input": source, "output": output, **asdict(options)}, feedback)
    except (WorkerError, engine("errors").Cancelled):
        # A worker that was killed could not clean up.
        names = (output, getattr(options, "mask_out", None), getattr(options, "polygons", None))
        for folder in {Path(name).absolute().parent for name in names if name}:
            engine("outputs").remove_stale(folder)
        raise
    # A list in JSON was a tuple in the worker's report.
    facts = {key: tuple(value) if isinstance(value, list) else value for key, value in result.items()}
    worker_report: RunReport = engine("report").RunReport(**facts)
    return worker_report
