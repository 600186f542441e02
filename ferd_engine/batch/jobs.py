"""One raster's part of a batch: what is to be done, how it is done once and only once, and what came of it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Callable

from ..decisions import DecisionOutputs
from ..errors import EXIT_FAILED, Cancelled, FerdError, OutputError, RunError
from ..options import DetectOptions, EnhanceOptions
from ..outputs import OutputFolder
from ..progress import Progress, ProgressSpan
from ..raster.source import path_exists
from ..raster.writer import data_name, file_names
from ..runs import detect_raster, enhance_raster
from .lock import try_lock
from .records import Record, RecordFolder
from .signature import FileRecord, are_unchanged, files_behind, hashed, is_same_moment, is_whole, stat_file

logger = logging.getLogger("ferd")

DONE, CURRENT, FAILED, BUSY, STOPPED = "done", "current", "failed", "busy", "stopped"
STATUSES = (DONE, CURRENT, FAILED, BUSY, STOPPED)
# GDAL and QGIS write statistics there when somebody looks at a raster, so that a change of it means nothing.
_VIEWERS_FILES = (".aux.xml",)


TASKS: dict[str, type[EnhanceOptions]] = {"detect": DetectOptions, "enhance": EnhanceOptions}


@dataclass(frozen=True)
class Job:
    """A raster, the place of its result, and what is to be done.

    `task` is detect or enhance; the options name the mask and the polygons of this raster.
    """

    input: str
    output: Path
    task: str
    options: EnhanceOptions

    @property
    def outputs(self) -> list[Path]:
        """The files that were asked for, the raster first."""
        extra = (self.options.mask_out, self.options.polygons) if isinstance(self.options, DetectOptions) else ()
        return [self.output, *(Path(name) for name in extra if name is not None)]


@dataclass(frozen=True)
class JobResult:
    """What came of a job.

    `status` is one of done; current (whole and up to date, not done again); failed; busy (in the hands of another
    process); stopped (not finished, or not begun, when the batch was interrupted). `reason` is a sentence where there
    is something to say, `report` the run's report as `--json` gives it.
    """

    job: Job
    status: str
    reason: str = ""
    seconds: float = 0.0
    exit_code: int = 0
    report: dict[str, Any] | None = None


JobFunction = Callable[[str, str, str, dict[str, Any], Progress], dict[str, Any]]
"""What does a job: `run_job`, or something that has it done elsewhere; it raises `FerdError`."""


def run_job(
    input: str, output: str, task: str, options: dict[str, Any], progress: Progress | None = None
) -> dict[str, Any]:
    """Do one raster, and say what the result was made of.

    A plain function, whose arguments and result are JSON, so that it can run in another process or on another machine.
    input, output : paths. task : detect or enhance. options : the fields of `DetectOptions` or `EnhanceOptions`.
    Returns the run's `report`, and the `FileRecord`s of the files that were read (`inputs`) and written (`outputs`).
    Raises `FerdError`; the output is then absent, or the earlier one unchanged.
    """
    settings = TASKS[task](**options)
    files = [stat_file(path) for path in files_behind(input, settings)]
    if isinstance(settings, DetectOptions):
        report = asdict(detect_raster(input, output, options=settings, progress=progress))
    else:
        report = asdict(enhance_raster(input, output, options=settings, progress=progress))
    inputs = _read_inputs(input, files, report)
    written = [name for name in report["files"] if not name.endswith(_VIEWERS_FILES)]
    return {"report": report, "inputs": inputs, "outputs": [hashed(stat_file(name), _go_on) for name in written]}


class JobRunner:
    """Does jobs of one batch under the lock of each output, and remembers what was done.

    fingerprint : of the batch's options, models and engine. run : a word of its own. resume : whether a whole and
    current result is taken as it is. jobs : all of the batch; none of their rasters is ever replaced. function : what
    does a job.
    """

    def __init__(
        self,
        records: RecordFolder,
        fingerprint: str,
        run: str,
        jobs: Sequence[Job],
        *,
        resume: bool = False,
        function: JobFunction = run_job,
    ) -> None:
        self._records = records
        self._fingerprint = fingerprint
        self._run = run
        self._resume = resume
        self._function = function
        self._protected = tuple(name for job in jobs for name in _with_headers(job.input))
        self._before = {job.output: records.read(job.output) for job in jobs}

    def process(self, job: Job, progress: Progress) -> JobResult:
        """Do a job unless it is done already or another process has it; failures are results, a cancel too."""
        started = time.perf_counter()
        try:
            job.output.parent.mkdir(parents=True, exist_ok=True)
            with try_lock(self._records.lock_path(job.output)) as holder:
                if holder is not None:
                    return JobResult(job, BUSY, f"Another run ({holder}) works on it.")
                result = self._locked(job, ProgressSpan(progress, 0.0, 1.0))
        except Cancelled:
            result = JobResult(job, STOPPED, "The batch was interrupted; nothing was written.")
        except FerdError as error:
            result = JobResult(job, FAILED, str(error), exit_code=error.exit_code)
        # The border between rasters: a fault of the program, or of a library, on one must not take the others with it.
        except Exception as error:
            logger.debug("A fault on %s.", job.input, exc_info=True)
            what = " ".join(str(error).split())[:300] or "no reason given"
            reason = f"The program failed on {job.input} ({type(error).__name__}: {what}): please report this."
            result = JobResult(job, FAILED, reason, exit_code=EXIT_FAILED)
        return replace(result, seconds=round(time.perf_counter() - started, 3))

    def _locked(self, job: Job, span: ProgressSpan) -> JobResult:
        record = self._records.read(job.output)
        if record is not None and record.state == "damaged":
            logger.warning("What is remembered of %s is damaged, so it counts as not done.", job.output)
        # What another run finished since this one began need not be done twice.
        counts = self._resume or record != self._before.get(job.output)
        if record is not None and counts and self._is_current(job, record, span):
            return JobResult(job, CURRENT, report=record.report)
        # A result that a batch once wrote gives way under --resume; any other file does only under --overwrite.
        overwrite = job.options.overwrite or (self._resume and record is not None)
        job = replace(job, options=replace(job.options, overwrite=overwrite))
        self._check_outputs(job)
        attempt = Record("started", self._run, job.input, job.output.name, self._fingerprint)
        self._records.write(job.output, attempt)
        try:
            done = self._function(job.input, str(job.output), job.task, asdict(job.options), span)
        except Cancelled:
            raise
        except FerdError as error:
            self._records.write(job.output, replace(attempt, state="failed", reason=str(error)))
            raise
        self._records.write(job.output, replace(attempt, state="done", **done))
        return JobResult(job, DONE, report=done["report"])

    def _check_outputs(self, job: Job) -> None:
        """Refuse to replace what may not be replaced, before anything is remembered of the attempt."""
        overwrite = job.options.overwrite
        place = OutputFolder(str(job.output), overwrite=True, inputs=self._protected)
        if isinstance(job.options, DetectOptions):
            DecisionOutputs(replace(job.options, overwrite=True), place.path, self._protected)
        existing = [file for output in job.outputs for file in _files_of(output) if path_exists(str(file))]
        if existing and not overwrite:
            raise OutputError(
                f"The output {existing[0]} exists already: keep what is whole and current with --resume, or allow "
                "replacing it with --overwrite."
            )

    def _is_current(self, job: Job, record: Record, span: ProgressSpan) -> bool:
        """Say whether a result is whole, and what the same raster, options, models and engine would give again."""
        if record.state != "done" or record.fingerprint != self._fingerprint:
            return False
        place = job.output.parent
        written = [(file, place / Path(file["path"]).name) for file in record.outputs]
        if not {output.with_name(data_name(output.name)) for output in job.outputs} <= {path for _, path in written}:
            return False
        if not all(is_whole(file, str(path), span.check) for file, path in written):
            return False
        folders = str(Path(record.input).parent), str(Path(job.input).parent)
        # Only where the files are those that a worker has read before is the raster opened, to see whether others have
        # joined them, such as a header: opening an unknown one could crash this process.
        moved = [_moved(file["path"], *folders) for file in record.inputs]
        return are_unchanged(record.inputs, moved, folders, span.check) and are_unchanged(
            record.inputs, files_behind(job.input, job.options), folders, span.check
        )


def _moved(path: str, before: str, after: str) -> str:
    """Return where a file is now that lay at `path` when the raster's folder was `before`; an address does not move."""
    if path.startswith("/vsi"):
        return path
    return os.path.normpath(f"{after}{os.sep}{os.path.relpath(path, before)}")


def _read_inputs(input: str, files: list[FileRecord], report: dict[str, Any]) -> list[FileRecord]:
    """Return the files that were read, with their hashes; a result of files that changed meanwhile is removed."""
    # Not polled for a cancel: the result is in its place, and what was done would be forgotten.
    inputs = [hashed(file, _go_on) for file in files]
    changed = [file["path"] for file in files if not is_same_moment(file, stat_file(file["path"]))]
    if changed:
        for name in report["files"]:
            with suppress(OSError):
                Path(name).unlink()
        raise RunError(
            f"The file {changed[0]} changed while it was read, so that the result of {input} was removed: run "
            "again when nothing writes to it."
        )
    return inputs


def _files_of(output: Path) -> list[Path]:
    return [output.with_name(name) for name in file_names(output.name)]


def _with_headers(path: str) -> list[str]:
    """Return a raster and what may belong to it, which no output may replace either."""
    stem = os.path.splitext(path)[0]  # noqa: PTH122
    others = (stem + ".hdr", path + ".hdr", path + ".aux.xml", stem)
    return [path, *(other for other in others if path_exists(other))]


def _go_on() -> None:
    """Never stop the reading of a file."""
