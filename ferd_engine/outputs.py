"""Output that is whole or absent: a scratch folder beside the output, and a rename at the end."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Callable

from .errors import OutputError, RunError
from .raster.source import path_exists
from .raster.writer import check_output_name, data_name, file_names

if sys.platform != "win32":
    import fcntl

_PREFIX = ".ferd-"
_LOCK = "lock"
# Files that GDAL and QGIS keep beside a raster and that speak of its old content.
_SIDECARS = (".aux.xml", ".ovr", ".msk")


class OutputFolder:
    """Scratch space of one run in the output's folder; as a context manager it leaves nothing behind.

    A folder that a killed run left is removed by the next run into the same folder: each holds a locked file, and the
    lock goes with the process.
    """

    def __init__(
        self,
        output: str,
        *,
        overwrite: bool,
        inputs: Iterable[str],
        check: Callable[[str], None] = check_output_name,
    ) -> None:
        check(output)
        self.path = Path(output).absolute().with_name(data_name(output))
        try:
            _check_target(self.path, overwrite, inputs)
        except OSError as error:
            raise OutputError(
                f"Cannot write to {self.path} ({error.strerror or error}): choose another place or a shorter name."
            ) from error
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> OutputFolder:
        folder = self.path.parent
        remove_stale(folder)
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
            self._lock = _locked(self.folder / _LOCK)
            self.raster_folder = self.folder / "raster"
            self.raster_folder.mkdir()
        except OSError as error:
            raise OutputError(
                f"Cannot write into the folder {folder} ({error.strerror or error}): choose a folder that you "
                "may write."
            ) from error
        return self

    def commit(self, files: Sequence[Path]) -> tuple[str, ...]:
        """Move the finished files to their place, in this order, and drop what spoke of an older output there."""
        placed = []
        try:
            for file in files:
                placed.append(file.replace(self.path.parent / file.name))
            for suffix in _SIDECARS:
                sidecar = self.path.with_name(self.path.name + suffix)
                if sidecar not in placed:
                    sidecar.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(
                f"Cannot put the output at {self.path} ({error.strerror or error}): close programs that hold it open, "
                "or choose another name."
            ) from error
        return tuple(str(path) for path in placed)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _check_target(target: Path, overwrite: bool, inputs: Iterable[str]) -> None:
    if not target.parent.is_dir():
        raise OutputError(f"There is no folder {target.parent}: create it, or choose another place for the output.")
    existing = [path for path in (target.with_name(name) for name in file_names(target.name)) if path.exists()]
    for source in map(Path, inputs):
        for path in existing:
            if path_exists(str(source)) and path.samefile(source):
                what = "is the input itself" if path == target else f"would take the input's header {path.name}"
                raise OutputError(f"The output {target} {what}: choose another name for the output.")
    for path in existing:
        if path.is_dir():
            raise OutputError(f"The output {path} is a folder: name a file in it.")
    if existing and not overwrite:
        raise OutputError(
            f"The output {existing[0]} exists already: choose another name, or allow it with --overwrite."
        )


def _locked(path: Path) -> IO[bytes]:
    """Open a file and hold a lock on it until it is closed or the process ends."""
    file = path.open("wb")
    # Windows refuses to delete an open file, which serves as well.
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise
    return file


def remove_stale(folder: Path) -> None:
    """Remove scratch folders whose run is gone; one that cannot be judged or removed is left alone."""
    for scratch in folder.glob(_PREFIX + "*"):
        lock = scratch / _LOCK
        # A folder without the file is one that another run is just creating.
        if not lock.is_file():
            continue
        try:
            if sys.platform == "win32":
                lock.unlink()
            _locked(lock).close()
        except OSError:
            continue
        shutil.rmtree(scratch, ignore_errors=True)
