"""Jobs in a process of their own: whatever a damaged raster does to a library, the batch goes on."""

from __future__ import annotations

import json
import signal
import subprocess  # nosec B404 - our own worker, from a list of arguments, without a shell
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from .. import errors
from ..errors import Cancelled, FerdError, RunError
from ..outputs import OutputFolder
from ..progress import Progress
from ..worker import SERVE

_LAUNCHER = Path(__file__).resolve().parents[1] / "launch.py"
_LAST_EVENTS = ("result", "error", "cancelled")
_SECONDS_TO_END = 2.0


class Worker:
    """The engine's worker, in a process of its own with this Python; it is kept from job to job while all is well.

    As a context manager it ends with the block. A worker whose parent has gone stops itself.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run_job(
        self, input: str, output: str, task: str, options: dict[str, Any], progress: Progress
    ) -> dict[str, Any]:
        """Do what `jobs.run_job` does; raises `FerdError`, `RunError` where the process ended without a word."""
        # Scratch as a run has it: the next run removes what a killed one left.
        with OutputFolder(output, overwrite=True, inputs=()) as place:
            cancel, path = place.folder / "cancel", place.folder / "job.json"
            arguments = {"input": input, "output": output, "task": task, "options": options}
            job = {"task": "batch_job", "arguments": arguments, "cancel_file": str(cancel)}
            try:
                path.write_text(json.dumps(job), encoding="utf-8")
                last = self._watch(path, cancel, progress)
            except OSError as error:
                self._end()
                raise RunError(
                    f"Cannot start a process for {input} ({error.strerror or error}): free memory, and disk space in "
                    f"{place.folder.parent}."
                ) from error
            except BaseException:
                self._end()
                raise
            fate = ""
            if last.get("event") not in _LAST_EVENTS:
                fate = self._end()
            elif last["event"] == "error" and not _is_ours(last["kind"]):
                # After a fault, or memory that ran out, the next raster gets a fresh process.
                self._end()
        return _result(last, fate, input)

    def _watch(self, job: Path, cancel: Path, progress: Progress) -> dict[str, Any]:
        """Hand over a job, pass on its progress and the wish to stop; return its last event."""
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = _start(_command())
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise OSError("no pipes")
        # As JSON, because a path may hold any character.
        process.stdin.write(json.dumps(str(job)) + "\n")
        process.stdin.flush()
        last: dict[str, Any] = {}
        while last.get("event") not in _LAST_EVENTS and (line := process.stdout.readline()):
            last = _event(line)
            if last.get("event") == "progress":
                progress.update(last["fraction"], last["message"])
            if progress.cancelled():
                cancel.touch()
        return last

    def _end(self) -> str:
        """End the process, if there is one, and say in a few words how it ended."""
        process, self._process = self._process, None
        if process is None:
            return "it was not there"
        # Told that no more comes, a process ends by itself, unless it is at work; one that crashes needs a moment.
        with suppress(OSError, subprocess.TimeoutExpired):
            if process.stdin is not None:
                process.stdin.close()
            process.wait(_SECONDS_TO_END)
        fate = _ending(process.poll())
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        return fate


def _command() -> list[str]:
    return [sys.executable, str(_LAUNCHER), SERVE]


def _start(command: list[str]) -> subprocess.Popen[str]:
    """Start a worker that no Ctrl-C of the terminal reaches."""
    apart: dict[str, Any]
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    else:
        apart = {"start_new_session": True}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(  # nosec B603 - see the import
        command, encoding="utf-8", errors="surrogateescape", **pipes, **apart
    )


def _event(line: str) -> dict[str, Any]:
    """Return an event of the worker; what is none, a library's noise, is an empty one."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _is_ours(kind: str) -> bool:
    found = getattr(errors, kind, None)
    return isinstance(found, type) and issubclass(found, FerdError)


def _result(last: dict[str, Any], fate: str, input: str) -> dict[str, Any]:
    """Return the result that the last event tells of, or raise what it says."""
    event = last.get("event")
    if event == "result":
        result: dict[str, Any] = last["result"]
        return result
    if event == "cancelled":
        raise Cancelled("The run was cancelled; nothing was written.")
    if event != "error":
        raise RunError(
            f"The process that worked on {input} ended without a word ({fate}): the file may be damaged, or memory ran "
            "out; check the file, or give a smaller --memory."
        )
    if _is_ours(last["kind"]):
        raise getattr(errors, last["kind"])(last["message"])
    # In whatever form it came, see `errors.tells_of_memory`.
    if last["message"] == errors.OUT_OF_MEMORY:
        raise RunError(last["message"])
    raise RunError(f"The program failed on {input} ({last['message'].rstrip('.')}): please report this.")


def _ending(code: int | None) -> str:
    if code is None or code >= 0:
        return "it did not end by itself" if code is None else f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
