"""Output that is whole or absent: a scratch folder beside the output, and a rename at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Callable

from .errors import OutputError, RunError
from .placing import Placing, finish, is_unfinished, place_all
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
        if "\0" in output:
            raise OutputError(f"The output {output!r} has a zero byte in its name: choose another name.")
        self.path = Path(output).absolute().with_name(data_name(output))
        try:
            # A killed run may have left the output half way to its place.
            remove_stale(self.path.parent)
            _check_target(self.path, overwrite, inputs)
        except OSError as error:
            raise OutputError(
                f"Cannot write to {self.path} ({error.strerror or error}): choose another place or a shorter name."
            ) from error
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> OutputFolder:
        folder = self.path.parent
        try:
            self.folder, self._lock = _new_scratch(folder)
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
        return commit_all([(self, files)])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What could neither be placed nor put back is kept for the next run.
        if not is_unfinished(self.folder):
            _empty(self.folder)
        if self._lock is not None:
            self._lock.close()
        if not is_unfinished(self.folder):
            _drop(self.folder)


def commit_all(finished: Sequence[tuple[OutputFolder, Sequence[Path]]]) -> tuple[str, ...]:
    """Move the finished files of one run to their places, all of them or none, and return their names.

    What spoke of older outputs there is dropped. Raises `RunError` where a file cannot be put in its place.
    """
    placings = [
        Placing(
            folder.folder,
            tuple(files),
            tuple(folder.path.with_name(folder.path.name + suffix) for suffix in _SIDECARS),
        )
        for folder, files in finished
    ]
    try:
        return tuple(str(path) for path in place_all(placings))
    except OSError as error:
        path = finished[-1][0].path
        kept = [str(placing.scratch) for placing in placings if is_unfinished(placing.scratch)]
        advice = f"what was there before and the new files are kept in {kept[0]}, and " if kept else ""
        raise RunError(
            f"Cannot put the output at {path} ({error.strerror or error}): {advice}close programs that hold it open, "
            "or choose another name."
        ) from error


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


def _new_scratch(folder: Path) -> tuple[Path, IO[bytes]]:
    while True:
        scratch = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
        try:
            lock = _locked(scratch / _LOCK)
            if is_at(lock, scratch / _LOCK):
                return scratch, lock
            lock.close()
        except (FileNotFoundError, BlockingIOError):
            # Another run took it for one that was left; but where the folder around it is gone, there is nothing to do.
            if not folder.is_dir():
                raise


def is_at(file: IO[bytes], path: Path) -> bool:
    """Say whether an open file is still the one of this name: another run may have removed it before it was locked."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def remove_stale(folder: Path) -> None:
    """Remove scratch folders whose run is gone, after what it was putting in place is there.

    One that cannot be judged or removed is left alone.
    """
    for scratch in folder.glob(_PREFIX + "*"):
        lock = scratch / _LOCK
        try:
            if not lock.is_file():
                # One that was left at its very beginning or end, or one that another run is just creating, which then
                # takes a new one. Fails where it is not empty.
                scratch.rmdir()
                continue
            if sys.platform == "win32":
                lock.unlink()
            with _locked(lock):
                finish(scratch)
                _empty(scratch)
                # Under the lock, so that a run which is just creating it sees it gone once it has the lock itself.
                _drop(scratch)
        except OSError:
            continue
        # Windows keeps a file that is open.
        _drop(scratch)


def _empty(scratch: Path) -> None:
    """Remove all but the lock, which goes last: without it nobody could tell later whose the rest was."""
    for path in [path for path in scratch.glob("*") if path.name != _LOCK]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


def _drop(scratch: Path) -> None:
    with contextlib.suppress(OSError):
        if {path.name for path in scratch.iterdir()} <= {_LOCK}:
            (scratch / _LOCK).unlink(missing_ok=True)
            scratch.rmdir()
