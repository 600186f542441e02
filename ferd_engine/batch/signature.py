"""Whether files, options and models are still the ones that a result was made of."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable

from .._version import __version__
from ..fen.bundle import card_of
from ..fen.store import model_family
from ..options import DetectOptions, EnhanceOptions
from ..raster import open_source
from ..raster.gdal_setup import gdal, gdal_exceptions
from ..raster.source import path_exists

# These change how a run goes, never what comes out; the outputs' names stand in the record itself.
_RUN_ONLY = ("memory", "threads", "device", "scheduler", "overwrite", "mask_out", "polygons")
_CHUNK_BYTES = 1 << 22

FileRecord = dict[str, Any]
"""A file as it was: path, size, mtime_ns, ctime_ns, inode, and, where it was read, sha256."""


def stat_file(path: str) -> FileRecord:
    """Return what the system says of a file: it changes with every change of the content, and more often.

    The time of the last change of the inode (ctime) cannot be set, so that content which was replaced by as many bytes
    under the old date shows. A path that is no plain file (one inside an archive, say) has None for its facts.
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return {"path": path, "size": None, **_remote_facts(path)}
    facts = {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "ctime_ns": found.st_ctime_ns, "inode": found.st_ino}
    return {"path": path, **facts}


def _remote_facts(path: str) -> FileRecord:
    """Return what the storage says of a file that only GDAL reaches: its size and the second of its last change."""
    if not path.startswith("/vsi"):
        return {}
    # What was asked before may be kept for the whole process.
    gdal.VSICurlPartialClearCache(path)
    with gdal_exceptions():
        try:
            found = gdal.VSIStatL(path)
        except RuntimeError:
            return {}
    return {} if found is None or not found.mtime else {"remote": [found.size, found.mtime]}


def hash_file(path: str, poll: Callable[[], None]) -> str:
    """Return the sha256 of a file's content; `poll` is called for each part and may raise."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(_CHUNK_BYTES):
            digest.update(part)
            poll()
    return digest.hexdigest()


def hashed(record: FileRecord, poll: Callable[[], None]) -> FileRecord:
    """Return the record with the sha256 of the content, where there is a plain file."""
    return record if record["size"] is None else {**record, "sha256": hash_file(record["path"], poll)}


def is_unchanged(record: FileRecord, path: str, poll: Callable[[], None]) -> bool:
    """Say whether the content at `path` is the one recorded; it is read only where the system's facts differ.

    The path itself may be another one, as where a disk was mounted elsewhere. False where that cannot be told.
    """
    now = stat_file(path)
    if "remote" in now:
        return now == record
    if now["size"] is None or now["size"] != record.get("size"):
        return False
    facts = ("path", "mtime_ns", "ctime_ns", "inode")
    if all(now[fact] == record.get(fact) for fact in facts):
        return True
    try:
        return hash_file(path, poll) == record.get("sha256")
    except OSError:
        return False


def files_behind(input: str, options: EnhanceOptions) -> list[str]:
    """Return every file that decides the result: the raster's own with headers, and those of mask and background.

    Raises `InputError` where the raster cannot be opened.
    """
    source = open_source(input, options.variable)
    try:
        files = list(source.files) or [input]
    finally:
        source.close()
    if options.mask is not None:
        files += _files_of(options.mask)
    if isinstance(options, DetectOptions) and options.background is not None:
        files += _files_of(options.background)
    # GDAL names the parts of a VRT, but not the parts of a VRT in it.
    for file in files:
        if file.lower().endswith(".vrt"):
            files += [part for part in _files_of(file) if part not in files]
    return list(dict.fromkeys(files))


def _files_of(path: str) -> list[str]:
    if not path_exists(path) or path.lower().endswith((".mat", ".npy")):
        return [path]
    with gdal_exceptions():
        try:
            return list(gdal.OpenEx(path).GetFileList() or ()) or [path]
        except RuntimeError:
            return [path]


def fingerprint(task: str, options: EnhanceOptions) -> str:
    """Return a sha256 of what a result follows from besides its files: engine version, task, options and models.

    Models are all those that a raster may get under these options, each by its card and its weights' checksum. Raises
    `ModelError` where the model is not there.
    """
    settings = {name: value for name, value in asdict(options).items() if name not in _RUN_ONLY}
    # Files are known by their content.
    for name in ("mask", "background"):
        if settings.get(name) is not None:
            settings[name] = Path(settings[name]).name
    if isinstance(options, DetectOptions) and (options.background_of or "").endswith(".npz"):
        settings["background_of"] = hash_file(str(options.background_of), lambda: None)
    family = model_family(options.model) if not isinstance(options, DetectOptions) or options.enhance else []
    settings["model"] = [card_of(model, model.sha256) for model in family]
    facts = {"ferd": __version__, "task": task, "options": settings}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def are_unchanged(
    records: Iterable[FileRecord], paths: Iterable[str], folders: tuple[str, str], poll: Callable[[], None]
) -> bool:
    """Say whether these files are the recorded ones, with the same content, no more and no fewer.

    folders : of the raster then and now; a file is known by its way from there, so that both may move together.
    """
    known = {os.path.relpath(record["path"], folders[0]): record for record in records}
    now = {os.path.relpath(path, folders[1]): path for path in paths}
    return known.keys() == now.keys() and all(is_unchanged(known[name], path, poll) for name, path in now.items())


def is_whole(record: FileRecord, path: str, poll: Callable[[], None]) -> bool:
    """Say whether an output is as it was written; of a GeoPackage, which viewers change, whether it opens."""
    if not path.lower().endswith(".gpkg"):
        return is_unchanged(record, path, poll)
    with gdal_exceptions():
        try:
            # Held by a name, because a layer lives no longer than its dataset.
            dataset = gdal.OpenEx(path, gdal.OF_VECTOR)
            return bool(dataset.GetLayer(0).GetFeatureCount() >= 0)
        except (RuntimeError, AttributeError):
            return False


def is_same_moment(before: FileRecord, after: FileRecord) -> bool:
    """Say whether a file was left alone between two looks at it; new links or permissions do not count."""
    return all(before.get(fact) == after.get(fact) for fact in ("size", "mtime_ns", "inode", "remote"))
