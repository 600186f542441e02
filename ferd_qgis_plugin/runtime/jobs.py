"""Jobs of the engine in a worker: another Python, JSON lines, and a sentence for each way in which it can end."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from qgis.core import QgsProcessingFeedback
from qgis.PyQt.QtCore import QCoreApplication

from ..engine import engine, engine_folder
from .interpreter import Interpreter
from .process import Ended, Program, dropped_variables

translate = QCoreApplication.translate

# A worker sees the request within 0.05 s while it computes; one that does not say so hangs, and is killed. One that
# said so may still have large scratch files to remove.
_PATIENCE_SECONDS = 0.8
_CLEANING_SECONDS = 15.0


class WorkerError(RuntimeError):
    """A worker that could not start, failed, or died; the message is one sentence for the user."""


def run_job(
    python: Interpreter, task: str, arguments: dict[str, Any], feedback: QgsProcessingFeedback
) -> dict[str, Any]:
    """Run one task of `ferd_engine.worker` and return its result.

    Raises the engine's `Cancelled` where the user stopped it, and `WorkerError` with the worker's own sentence, or with
    what is known of its end.
    """
    with tempfile.TemporaryDirectory(prefix="ferd-job-") as scratch:
        job, cancel = Path(scratch) / "job.json", Path(scratch) / "cancel"
        job.write_text(
            json.dumps(
                {
                    "task": task,
                    "arguments": arguments,
                    "cancel_file": str(cancel),
                    "drop_environment": dropped_variables(os.environ) if sys.platform == "win32" else [],
                }
            ),
            encoding="utf-8",
        )
        listener = _Listener(feedback)
        launcher = str(engine_folder() / "launch.py")
        program = Program(python.path, ["-I", "-u", launcher, str(job)], listener.take)
        ended = program.run(feedback.isCanceled, cancel.touch, listener.patience)
    return listener.outcome(ended, python)


class _Listener:
    """Takes the worker's lines: progress to the feedback, the last event for the outcome."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback = feedback
        self._message = ""
        self._last: dict[str, Any] = {}
        self._cancelling = False

    def take(self, line: str) -> None:
        """Understand one line; what is no event is for the debug log alone."""
        try:
            event = json.loads(line)
            kind = event["event"]
        except (ValueError, TypeError, KeyError):
            self._feedback.pushDebugInfo(line)
            return
        if kind == "progress":
            self._feedback.setProgress(100.0 * float(event.get("fraction", 0.0)))
            if event.get("message") != self._message:
                self._message = str(event.get("message"))
                self._feedback.setProgressText(self._message)
        elif kind == "cancelling":
            self._cancelling = True
        else:
            self._last = event

    def patience(self) -> float:
        """Return how many seconds after the request to stop the worker may still be there."""
        return _CLEANING_SECONDS if self._cancelling else _PATIENCE_SECONDS

    def outcome(self, ended: Ended, python: Interpreter) -> dict[str, Any]:
        """Return the result, or raise what ended the worker."""
        kind = self._last.get("event")
        if kind == "result" and isinstance(self._last.get("result"), dict):
            result: dict[str, Any] = self._last["result"]
            # The worker reports seldom enough to cost nothing, so its last word may be missing.
            self._feedback.setProgress(100.0)
            return result
        if kind == "cancelled" or self._feedback.isCanceled():
            raise engine("errors").Cancelled("The run was cancelled; nothing was written.")
        if ended.errors:
            self._feedback.pushDebugInfo(ended.errors)
        if kind == "error":
            raise WorkerError(str(self._last.get("message")))
        raise WorkerError(_why(ended, python))


def _why(ended: Ended, python: Interpreter) -> str:
    """Return a sentence about a worker that ended without a word of its own."""
    if not ended.started:
        return translate(
            "FERD", "The Python {path} ({origin}) cannot be started: correct it in Settings, Options, FERD."
        ).format(path=python.path, origin=python.origin)
    words = ended.errors.strip().splitlines()
    last = words[-1].strip()[:300] if words else translate("FERD", "it said nothing")
    if ended.killed:
        return translate(
            "FERD",
            "The PyTorch worker was killed (signal or code {code}; {last}): most often memory ran out; give a smaller "
            "memory budget, close other programs, or choose the backend numpy.",
        ).format(code=ended.exit_code, last=last)
    return translate(
        "FERD",
        "The PyTorch worker ended without a result (exit code {code}; {last}): check it in Settings, Options, FERD, or "
        "choose the backend numpy.",
    ).format(code=ended.exit_code, last=last)
