"""A job in a process of its own: whatever a damaged raster does to a library, the batch goes on."""

from __future__ import annotations

import json
import signal
import subprocess  # nosec B404 - our own worker, from a list of arguments, without a shell
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import errors
from ..errors import Cancelled, FerdError, RunError
from ..outputs import OutputFolder
from ..progress import Progress

_LAUNCHER = Path(__file__).resolve().parents[1] / "launch.py"


def run_job_apart(input: str, output: str, task: str, options: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Do what `jobs.run_job` does by the engine's worker, in another process with this Python.

    Raises `FerdError`, `RunError` where the process ended without a word. A worker whose parent has gone stops itself.
    """
    # Scratch as a run has it: the next run removes what a killed one left.
    with OutputFolder(output, overwrite=True, inputs=()) as place:
        cancel, path = place.folder / "cancel", place.folder / "job.json"
        arguments = {"input": input, "output": output, "task": task, "options": options}
        job = {"task": "batch_job", "arguments": arguments, "cancel_file": str(cancel)}
        try:
            path.write_text(json.dumps(job), encoding="utf-8")
            last, code = _watch(_command(path), cancel, progress)
        except OSError as error:
            raise RunError(
                f"Cannot start a process for {input} ({error.strerror or error}): free memory, and disk space in "
                f"{place.folder.parent}."
            ) from error
    return _result(last, code, input)


def _watch(command: list[str], cancel: Path, progress: Progress) -> tuple[dict[str, Any], int]:
    """Run a worker to its end, pass on its progress and the wish to stop; return its last event and exit code."""
    last: dict[str, Any] = {}
    with _process(command) as worker:
        for line in worker.stdout or ():
            event = _event(line)
            if event is not None and event.get("event") == "progress":
                progress.update(event["fraction"], event["message"])
            if progress.cancelled():
                cancel.touch()
            last = event or last
        return last, worker.wait()


def _command(job: Path) -> list[str]:
    return [sys.executable, str(_LAUNCHER), str(job)]


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a worker that no Ctrl-C of the terminal reaches, and end it with the block, however that ends."""
    apart: dict[str, Any]
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    else:
        apart = {"start_new_session": True}
    with subprocess.Popen(  # nosec B603 - see the import
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8", errors="replace", **apart
    ) as worker:
        try:
            yield worker
        except BaseException:
            worker.kill()
            raise


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _result(last: dict[str, Any], code: int, input: str) -> dict[str, Any]:
    """Return the result that the last event tells of, or raise what it says."""
    event = last.get("event")
    if event == "result":
        result: dict[str, Any] = last["result"]
        return result
    if event == "cancelled":
        raise Cancelled("The run was cancelled; nothing was written.")
    if event != "error":
        raise RunError(
            f"The process that worked on {input} ended without a word ({_ending(code)}): the file may be damaged, or "
            "memory ran out; check the file, or give a smaller --memory."
        )
    kind = getattr(errors, last["kind"], None)
    if isinstance(kind, type) and issubclass(kind, FerdError):
        raise kind(last["message"])
    if last["kind"] == "MemoryError":
        raise RunError(last["message"])
    raise RunError(f"The program failed on {input} ({last['message'].rstrip('.')}): please report this.")


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
