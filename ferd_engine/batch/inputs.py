"""Which rasters a batch takes: those of a folder, or the lines of a list."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import InputError, OutputError, UsageError
from ..raster.address import gdal_name, is_plain_path
from ..raster.source import path_exists

# What a folder is searched for; anything else in it needs a pattern. `--pattern` and lists take whatever GDAL opens.
_TIFF_AND_ENVI = (".tif", ".tiff", ".bsq", ".bil", ".bip", ".img", ".dat", ".raw")
_OTHERS = (".vrt", ".nc", ".h5", ".he5", ".hdf", ".jp2", ".pix", ".mat", ".npy")
RASTER_SUFFIXES = frozenset((*_TIFF_AND_ENVI, *_OTHERS))
_MAX_LIST_BYTES = 64 << 20


@dataclass(frozen=True)
class BatchInput:
    """A raster to be worked on; `folder` is where below the output folder its results go."""

    path: str
    folder: str = "."


def find_inputs(
    source: str | Path,
    output_folder: str | Path,
    *,
    patterns: Iterable[str] = (),
    recursive: bool = False,
    left_out: Iterable[str] = (),
) -> list[BatchInput]:
    """Return the rasters of a folder by name, or those of a list in its order, each once.

    source : a folder, a text file with one path or address a line (relative to the current folder; empty lines and
        lines that begin with # are passed over), or - for such lines on stdin.
    patterns : names such as *.bsq; without any, a folder gives its files of a raster's ending and ENVI files without
        one. recursive : folders below it too. Hidden files, what lies in the output folder, and the files `left_out`
        (a mask, say) are never taken.
    Raises `InputError` where there is none, `UsageError` for options that a list does not take.
    """
    text = str(source)
    if text != "-" and Path(text).is_dir():
        if Path(text).resolve() == Path(output_folder).resolve():
            raise OutputError(
                f"The folder {text} is where the rasters lie, so its own results would be taken for rasters: choose "
                "another folder for the results."
            )
        found = _from_folder(Path(text), Path(output_folder), tuple(patterns), recursive)
        found = [one for one in found if not _is_one_of(one.path, left_out)]
        if not found:
            raise InputError(
                f"The folder {text} holds no raster of a known ending: name another folder, look below it with "
                "--recursive, or name the files by --pattern or in a list."
            )
        return found
    if recursive or tuple(patterns):
        raise UsageError(f"--recursive and --pattern are for folders, and {text} is none: drop them.")
    named: dict[str, BatchInput] = {}
    for line in _list_lines(text):
        named.setdefault(_key(line), BatchInput(_absolute(line)))
    if not named:
        raise InputError(f"The list {text} names no raster: write one path on each line.")
    return list(named.values())


def _from_folder(folder: Path, output_folder: Path, patterns: tuple[str, ...], recursive: bool) -> list[BatchInput]:
    results = output_folder.resolve()
    found = []

    def refuse(error: OSError) -> None:
        raise InputError(
            f"Cannot look into {error.filename} ({error.strerror}): check its permissions, or name the files in a list."
        )

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(
            name
            for name in folders
            if recursive and not name.startswith(".") and Path(parent, name).resolve() != results
        )
        below = os.path.relpath(parent, folder)
        for name in _chosen(sorted(names), patterns):
            found.append(BatchInput(os.path.abspath(os.path.join(parent, name)), below))  # noqa: PTH100, PTH118
    return found


def _chosen(names: list[str], patterns: tuple[str, ...]) -> Iterator[str]:
    """Yield the names that are rasters; of an ENVI raster its data file, or its header where that stands alone."""
    everything = set(names)
    for name in names:
        stem, suffix = os.path.splitext(name)  # noqa: PTH122
        if name.startswith("."):
            continue
        if patterns:
            if any(fnmatchcase(name, pattern) for pattern in patterns):
                yield name
        elif suffix.lower() == ".hdr":
            others = {stem, *(stem + ending for ending in _both_cases(RASTER_SUFFIXES))}
            if not others & everything:
                yield name
        elif suffix.lower() in RASTER_SUFFIXES or {name + ".hdr", name + ".HDR"} & everything:
            yield name


def _both_cases(suffixes: Iterable[str]) -> Iterator[str]:
    for suffix in suffixes:
        yield suffix
        yield suffix.upper()


def _list_lines(source: str) -> list[str]:
    try:
        if source == "-":
            content = sys.stdin.buffer.read(_MAX_LIST_BYTES + 1)
        else:
            with open(source, "rb") as file:
                content = file.read(_MAX_LIST_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"Cannot read {source} ({error.strerror}): give a folder of rasters, or a text file with one path a line."
        ) from error
    if len(content) > _MAX_LIST_BYTES or b"\0" in content:
        raise InputError(
            f"The file {source} is no list of rasters: give a folder, or a text file with one path a line."
        )
    # Names are bytes on Linux; those that are no UTF-8 pass through.
    text = os.fsdecode(content[3:] if content.startswith(b"\xef\xbb\xbf") else content)
    lines = [line.strip("\r") for line in text.split("\n")]
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _absolute(path: str) -> str:
    """Return a path that does not depend on the current folder; names that only GDAL understands stay as they are."""
    path = gdal_name(path)
    # A file's own name may hold a colon, too, where it is there under that name.
    if is_plain_path(path) or (not path.startswith("/vsi") and path_exists(path)):
        return os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps the dots
    return path


def _key(path: str) -> str:
    absolute = _absolute(path)
    return os.path.realpath(absolute) if path_exists(absolute) else absolute


def _is_one_of(path: str, others: Iterable[str]) -> bool:
    return any(path_exists(other) and Path(path).exists() and Path(path).samefile(other) for other in others)
