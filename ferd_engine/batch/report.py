"""What a batch tells at its end: a table for people, CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, OutputError
from .jobs import BUSY, DONE, FAILED, STATUSES, STOPPED, JobResult

TABLE_SUFFIXES = (".csv", ".json")
# What a table takes from a run's own report.
_FACTS = ("rows", "cols", "bands", "valid_pixels", "model", "detector", "threshold", "n_anomalies", "n_objects")
COLUMNS = ("status", "input", "output", "files", *_FACTS, "peak_memory_bytes", "seconds", "warnings", "reason")


@dataclass(frozen=True)
class BatchReport:
    """One finished or interrupted batch; `results` are in the order of the inputs."""

    task: str
    folder: str
    seconds: float
    results: tuple[JobResult, ...]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(result.status for result in self.results)
        return {status: found[status] for status in STATUSES}

    @property
    def exit_code(self) -> int:
        """0: each raster has its whole and current result; 130: interrupted; 1: anything else."""
        counts = self.counts
        if counts[STOPPED]:
            return EXIT_INTERRUPTED
        return EXIT_FAILED if counts[FAILED] or counts[BUSY] else EXIT_DONE

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per raster with the values of `COLUMNS`, None where there is none."""
        return [_row(result) for result in self.results]

    def to_json(self) -> str:
        """Return one JSON object on one line."""
        facts = {"task": self.task, "output": self.folder, "seconds": self.seconds, "counts": self.counts}
        return json.dumps({**facts, "exit_code": self.exit_code, "rasters": self.rows()})

    def to_csv(self) -> str:
        """Return a header and one line per raster; lists are joined by semicolons."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in self.rows():
            writer.writerow({key: ";".join(value) if isinstance(value, list) else value for key, value in row.items()})
        return text.getvalue()

    def lines(self) -> list[str]:
        """Return the table for people: status, seconds, raster, and its result or why there is none."""
        shown = [
            (
                result.status,
                f"{result.seconds:.1f} s" if result.status in (DONE, FAILED) else "",
                _shown(result.job.input),
                _shown(result.reason) or _shown(os.path.relpath(result.job.output, self.folder)),
            )
            for result in self.results
        ]
        widths = [max(len(row[column]) for row in shown) for column in range(3)]
        table = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]) for row in shown]
        for result in self.results:
            warnings = (result.report or {}).get("warnings", ())
            table += [f"{_shown(Path(result.job.input).name)}: {text}" for text in warnings]
        counts = ", ".join(f"{number} {status}" for status, number in self.counts.items() if number)
        rasters = "1 raster" if len(self.results) == 1 else f"{len(self.results)} rasters"
        return [*table, f"{rasters}: {counts}; {self.seconds:.1f} s; results in {_shown(self.folder)}"]


def _row(result: JobResult) -> dict[str, Any]:
    report = result.report or {}
    return {
        "status": result.status,
        "input": result.job.input,
        "output": str(result.job.output),
        "files": list(report.get("files", ())),
        **{name: report.get(name) for name in (*_FACTS, "peak_memory_bytes")},
        "seconds": result.seconds,
        "warnings": list(report.get("warnings", ())),
        "reason": result.reason,
    }


def _shown(text: str) -> str:
    """Return a name as a terminal can take it; on Linux a name is bytes."""
    return "".join(character if character.isprintable() else "?" for character in text)


def check_table(path: str, overwrite: bool, source: str) -> None:
    """Raise `OutputError` where a table cannot be written; an earlier table may always be replaced, the list never."""
    place = Path(path)
    if place.exists() and Path(source).exists() and place.samefile(source):
        raise OutputError(f"The table {path} is the list of rasters itself: choose another name for the table.")
    if place.suffix.lower() not in TABLE_SUFFIXES:
        raise OutputError(f"The table {path} has no known type: end it in {' or '.join(TABLE_SUFFIXES)}.")
    if place.is_dir() or not place.absolute().parent.is_dir():
        raise OutputError(f"The table {path} is a folder, or its folder is not there: name a file in a folder.")
    if place.exists() and not overwrite and not _is_table(place):
        raise OutputError(f"The file {path} exists and is no table of a batch: choose another name, or --overwrite.")


def _is_table(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            start = file.read(200).decode("utf-8", "replace")
    except OSError:
        return False
    return start.startswith((",".join(COLUMNS[:4]), '{"task": "'))


def write_table(report: BatchReport, path: str) -> None:
    """Write the table as CSV or JSON, as the name says, whole or not at all."""
    place = Path(path).absolute()
    text = report.to_csv() if place.suffix.lower() == ".csv" else report.to_json() + "\n"
    try:
        with tempfile.TemporaryDirectory(prefix=".ferd_table-", dir=place.parent) as scratch:
            fresh = Path(scratch) / "table"
            fresh.write_bytes(text.encode("utf-8", "surrogateescape"))
            fresh.replace(place)
    except OSError as error:
        raise OutputError(
            f"Cannot write the table {path} ({error.strerror or error}): choose another place."
        ) from error
