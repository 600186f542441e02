"""Finished files to their places, all of them or none, also where the run is killed in between.

A file system renames one file at a time. So what will be done is written down first, a journal in each scratch folder,
then what is old goes aside, and only then the new files come: at no time does a new file stand beside an old one of the
same result, such as a new ENVI header beside old data. A run that fails puts everything back. What a killed run did not
finish is finished from its journal by the next run into one of the folders. One file alone replaces the old one in a
single rename.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

_JOURNAL = "placing.json"
_ASIDE = "aside"


class Placing(NamedTuple):
    """Finished `files` of a scratch folder, for the folder that it lies in, and what is `outdated` once they are there.

    The file that opens a raster comes last.
    """

    scratch: Path
    files: tuple[Path, ...]
    outdated: tuple[Path, ...]


def place_all(placings: Sequence[Placing]) -> tuple[Path, ...]:
    """Move all files to their places, over what is there, and return the places.

    Raises `OSError` where that cannot be done; everything is then as it was, or, where not even that could be done, the
    journal stays (`is_unfinished`).
    """
    moves = [(file, placing.scratch.parent / file.name) for placing in placings for file in placing.files]
    places = tuple(place for _, place in moves)
    # A single file needs nothing aside: its rename replaces the old one.
    goes_aside = set(places) if len(moves) > 1 else set()
    old = [
        (path, placing.scratch / _ASIDE / path.name)
        for placing in placings
        for path in (*placing.outdated, *(placing.scratch.parent / file.name for file in placing.files))
        if path.exists() and (path in goes_aside or path not in places)
    ]
    # A sidecar may be among the new files too.
    old = list(dict.fromkeys(old))
    scratches = [placing.scratch for placing in placings]
    if len(moves) > 1 or old:
        _write_journals(scratches, moves, [path for path, _ in old if path not in places])
    done: list[tuple[Path, Path]] = []
    try:
        for origin, target in (*old, *moves):
            origin.replace(target)
            done.append((origin, target))
    except OSError:
        for origin, target in reversed(done):
            target.replace(origin)
        _drop_journals(scratches)
        raise
    except BaseException:
        for scratch in scratches:
            finish(scratch)
        _drop_journals(scratches)
        raise
    for folder in {place.parent for place in places}:
        _sync(folder)
    _drop_journals(scratches)
    return places


def is_unfinished(scratch: Path) -> bool:
    """Say whether a scratch folder holds files that are still to be placed, or old ones to be put back."""
    return (scratch / _JOURNAL).exists()


def finish(scratch: Path) -> None:
    """Go on with what the journal of a killed run says, if it has one; `OSError` where that cannot be done.

    A place that has changed since is left alone.
    """
    try:
        journal = json.loads((scratch / _JOURNAL).read_text(encoding="utf-8"))
        moves = [(Path(origin), Path(place), before) for origin, place, before in journal["moves"]]
        outdated = [(Path(path), before) for path, before in journal["outdated"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # Nothing is moved before the journal is whole.
        return
    for path, before in outdated:
        if _identity(path) == before:
            path.unlink(missing_ok=True)
    for origin, place, before in moves:
        if _identity(place) in (None, before):
            # Another run may be finishing it from the journal of another folder.
            with contextlib.suppress(FileNotFoundError):
                origin.replace(place)


def _write_journals(scratches: Iterable[Path], moves: Sequence[tuple[Path, Path]], outdated: Sequence[Path]) -> None:
    text = json.dumps(
        {
            "moves": [(str(origin), str(place), _identity(place)) for origin, place in moves],
            "outdated": [(str(path), _identity(path)) for path in outdated],
        }
    )
    for scratch in scratches:
        (scratch / _ASIDE).mkdir()
        with open(scratch / _JOURNAL, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _sync(scratch)


def _drop_journals(scratches: Iterable[Path]) -> None:
    for scratch in scratches:
        (scratch / _JOURNAL).unlink(missing_ok=True)


def _identity(path: Path) -> list[Any] | None:
    """Return what tells a file from one that was written later at the same place; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return [found.st_ino, found.st_mtime_ns, found.st_size]


def _sync(folder: Path) -> None:
    """Force the names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
