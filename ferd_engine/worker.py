"""One job for a program that must not load torch itself, told about in JSON lines.

python -I -u -m ferd_engine.worker JOB.json, or launch.py by its path where the package is not installed.

JOB.json: {"task": one of TASKS, "arguments": the keyword arguments of its function, "cancel_file": a path, at which the
job stops once it is there, "drop_environment": variables that launch.py forgets}. On stdout comes one JSON object per
line, and nothing else, since what libraries print there goes to stderr:

    {"event": "started", "pid", "ferd", "python"}           first
    {"event": "progress", "fraction", "message"}            any number of times, fraction 0 to 1
    {"event": "cancelling"}                                 the request was seen
    {"event": "result", "result": {...}}                    last, exit code 0
    {"event": "error", "kind", "message"}                   last: a sentence; exit code of the error, 1 for a fault
    {"event": "cancelled"}                                  last: nothing was left behind; exit code 130

With --serve instead of a file it does one job after another, until stdin ends: there it is told their files, one path a
line as a JSON text. Each job has its events, "started" first.

A worker without one of the last three was killed. One whose parent has gone (where the system tells) stops as if it
were cancelled.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, TextIO

from ._version import __version__
from .errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, Cancelled, FerdError, UsageError, unforeseen

# Module, function, and whether it takes a progress.
TASKS = {
    "detect_raster": ("runs", "detect_raster", True),
    "enhance_raster": ("runs", "enhance_raster", True),
    "import_model": ("fen.importers", "import_model", False),
    "batch_job": ("batch.jobs", "run_job", True),
    "doctor": ("doctor", "examine", False),
}
SERVE = "--serve"
_SECONDS_BETWEEN_REPORTS = 0.05
_SECONDS_BETWEEN_LOOKS = 0.05


def main(arguments: Sequence[str]) -> int:
    """Do the job of one file, or of each file on stdin, and return the (last) exit code."""
    events = _Events(_own_stdout())
    if list(arguments) != [SERVE]:
        return _do(events, arguments)
    code = EXIT_DONE
    # Not by iterating over stdin, which would read ahead and wait for more.
    while line := sys.stdin.readline():
        code = _do(events, [json.loads(line)])
    return code


def _do(events: _Events, arguments: Sequence[str]) -> int:
    events.send("started", pid=os.getpid(), ferd=__version__, python=platform.python_version())
    try:
        job = _read_job(arguments)
        result = _run(job, _WorkerProgress(events, job.get("cancel_file")))
    except Cancelled:
        events.send("cancelled")
        return EXIT_INTERRUPTED
    except FerdError as error:
        events.send("error", kind=type(error).__name__, message=str(error))
        return error.exit_code
    # The border of the process: a fault must reach the parent as a sentence, and its trace the log.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        message = unforeseen(error, "report this, with the log")
        events.send("error", kind=type(error).__name__, message=message)
        return EXIT_FAILED
    events.send("result", result=result)
    return EXIT_DONE


def _own_stdout() -> TextIO:
    """Return the real stdout, and let everything else that writes there write to stderr."""
    sys.stdout.flush()
    own = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return own


class _Events:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, event: str, **facts: Any) -> None:
        try:
            self._stream.write(json.dumps({"event": event, **facts}) + "\n")
            self._stream.flush()
        except BrokenPipeError as error:
            # Nobody listens any more, so nobody wants the result.
            raise Cancelled("The program that started the worker has gone.") from error


class _WorkerProgress:
    """Progress as events, cancel by a file; both seldom enough to cost nothing."""

    def __init__(self, events: _Events, cancel_file: str | None) -> None:
        self._events = events
        self._cancel_file = None if cancel_file is None else Path(cancel_file)
        self._parent = os.getppid()
        self._message = ""
        self._reported = self._looked = -1.0
        self._cancelled = False

    def update(self, fraction: float, message: str) -> None:
        """Report the part done, at most twenty times a second, and each new message."""
        now = time.monotonic()
        if message == self._message and now - self._reported < _SECONDS_BETWEEN_REPORTS:
            return
        self._message, self._reported = message, now
        self._events.send("progress", fraction=round(fraction, 4), message=message)

    def cancelled(self) -> bool:
        """Say whether the parent asked to stop, or has gone."""
        now = time.monotonic()
        if self._cancelled or now - self._looked < _SECONDS_BETWEEN_LOOKS:
            return self._cancelled
        self._looked = now
        asked = self._cancel_file is not None and self._cancel_file.exists()
        # Windows keeps the number of a parent that has gone.
        self._cancelled = asked or os.getppid() != self._parent
        if self._cancelled:
            self._events.send("cancelling")
        return self._cancelled


def _read_job(arguments: Sequence[str]) -> dict[str, Any]:
    if len(arguments) != 1:
        raise UsageError("The worker takes one file with its job: python -m ferd_engine.worker JOB.json.")
    try:
        job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"The job {arguments[0]} cannot be read ({error}): give a JSON file.") from error
    if not isinstance(job, dict) or job.get("task") not in TASKS or not isinstance(job.get("arguments"), dict):
        raise UsageError(f"The job {arguments[0]} needs a task ({', '.join(TASKS)}) and its arguments.")
    return job


def _run(job: dict[str, Any], progress: _WorkerProgress) -> dict[str, Any]:
    module, name, has_progress = TASKS[job["task"]]
    function: Callable[..., Any] = getattr(import_module(f".{module}", __package__), name)
    extra = {"progress": progress} if has_progress else {}
    result = function(**job["arguments"], **extra)
    if isinstance(result, dict):
        return result
    if job["task"] == "import_model":
        return {"name": result.name, "n_bands": result.n_bands, "folder": str(result.folder)}
    return asdict(result)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
