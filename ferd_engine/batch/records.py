"""What an output folder remembers of each result: one small JSON file per output, written whole or not at all.

`.ferd_batch/KEY.json`, KEY being the hash of the output's path below the folder:

    format         "ferd-batch", and version 1
    state          "started": a run began and did not end; "failed"; "done"
    run            who wrote it, one random word per run
    input, output  absolute path of the raster; path of the result below the folder
    fingerprint    of options, models and engine (`signature.fingerprint`)
    inputs         the files that the result was made of (`signature.FileRecord`)
    outputs        the files of the result, likewise
    report         the run's report, as `--json` gives it
    reason         the sentence of a failure
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import OutputError
from .signature import FileRecord

STATE_FOLDER = ".ferd_batch"
_FORMAT = {"format": "ferd-batch", "version": 1}
_MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class Record:
    """One result, or the attempt at one; a damaged file reads as a record of the state "damaged"."""

    state: str
    run: str = ""
    input: str = ""
    output: str = ""
    fingerprint: str = ""
    inputs: list[FileRecord] = field(default_factory=list)
    outputs: list[FileRecord] = field(default_factory=list)
    report: dict[str, Any] | None = None
    reason: str = ""


class RecordFolder:
    """The records of an output folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state_folder = folder / STATE_FOLDER

    def create(self) -> None:
        """Make the folders where they are missing; raises `OutputError` where they cannot be written."""
        try:
            self.state_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.state_folder, error) from error

    def lock_path(self, output: Path) -> Path:
        """Return the file that stands for the right to write an output."""
        return self._path(output, ".lock")

    def read(self, output: Path) -> Record | None:
        """Return the record of an output; None where there is none."""
        try:
            with open(self._path(output, ".json"), "rb") as file:
                content = file.read(_MAX_BYTES)
        except FileNotFoundError:
            return None
        except OSError:
            return Record("damaged")
        return _decoded(content)

    def write(self, output: Path, record: Record) -> None:
        """Put a record in its place, on the disk; the caller holds the lock of the output."""
        content = json.dumps({**_FORMAT, **asdict(record)}, indent=1)
        partial = self._path(output, ".tmp")
        try:
            with open(partial, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path(output, ".json"))
        except OSError as error:
            raise _unwritable(self.state_folder, error) from error

    def _path(self, output: Path, suffix: str) -> Path:
        below = os.path.relpath(output, self.folder).replace(os.sep, "/")
        return self.state_folder / (hashlib.sha256(os.fsencode(below)).hexdigest()[:32] + suffix)


def _decoded(content: bytes) -> Record:
    try:
        facts = json.loads(content.decode("utf-8"))
        if {key: facts.pop(key) for key in _FORMAT} != _FORMAT:
            return Record("damaged")
        record = Record(**facts)
        files = [*record.inputs, *record.outputs]
        if not all(isinstance(file["path"], str) and isinstance(file["size"], (int, type(None))) for file in files):
            return Record("damaged")
    # Any JSON may stand there, of any shape and depth.
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Record("damaged")
    texts = (record.state, record.run, record.input, record.output, record.fingerprint, record.reason)
    fine = all(isinstance(text, str) for text in texts) and isinstance(record.report, (dict, type(None)))
    return record if fine else Record("damaged")


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Cannot keep the batch's state in {folder} ({error.strerror or error}): choose an output folder that you may "
        "write, with free space."
    )
