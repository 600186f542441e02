"""Which models can be downloaded: a catalogue of repositories, revisions, files and checksums, and the user's own pins.

A download is trusted by its checksums alone, so nothing is fetched before the revision is a commit and each file has
its sha256. Catalogue entries may lack these, where they could not be verified; then the user must give them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import ModelError, UsageError
from .bundle import BUNDLE_FILES, check_name
from .importers import STATE_DICT_FILES, TORCHSCRIPT_FILES
from .store import DEFAULT_NAMES, EMBEDDED_FOLDER

CATALOGUE_FILE = EMBEDDED_FOLDER / "catalogue.json"

_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile("[0-9a-f]{40}")
_SHA256 = re.compile("[0-9a-f]{64}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_LAYOUTS = (frozenset(TORCHSCRIPT_FILES), frozenset(STATE_DICT_FILES), frozenset(BUNDLE_FILES))


@dataclass(frozen=True)
class Entry:
    """One model of a catalogue; what could not be verified is None."""

    name: str
    repo: str
    revision: str | None
    files: Mapping[str, str | None]
    sensor: str | None = None
    licence: str = "not stated"


@dataclass(frozen=True)
class Pinned:
    """A model that can be fetched: each file's path in the repository with its sha256, at one commit."""

    name: str
    repo: str
    revision: str
    files: Mapping[str, str]
    sensor: str | None
    licence: str

    @property
    def needs_torch(self) -> bool:
        return any(path.endswith(".pt") for path in self.files)


def load_catalogue(path: Path = CATALOGUE_FILE) -> dict[str, Entry]:
    """Return the entries of a catalogue file by name; raises `ModelError` where it is damaged."""
    try:
        content = json.loads(path.read_bytes())
        if (content["format"], content["format_version"]) != ("ferd-catalogue", 1):
            raise ValueError("another format")
        entries = [Entry(**item) for item in content["models"]]
        for entry in entries:
            check_name(entry.name)
            _require(entry.repo, _REPO)
            _require(entry.revision, _REVISION, optional=True)
            for file, sha256 in entry.files.items():
                _require(file, _FILE)
                _require(sha256, _SHA256, optional=True)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(f"The catalogue of models {path} cannot be used ({error}): install FERD again.") from error
    return {entry.name: entry for entry in entries}


def _require(value: str | None, pattern: re.Pattern[str], *, optional: bool = False) -> None:
    if not (optional and value is None) and not pattern.fullmatch(value or ""):
        raise ValueError(f"{str(value)[:80]!r} is not of the form {pattern.pattern}")


def pin(
    name: str,
    *,
    repo: str | None = None,
    revision: str | None = None,
    sha256: Sequence[str] = (),
    catalogue: Mapping[str, Entry] | None = None,
) -> Pinned:
    """Return what is to be fetched for a name, from the catalogue and from what the user gives.

    repo : OWNER/NAME of another repository; then `sha256` names its files, and the catalogue is not asked.
    revision : a commit, 40 hexadecimal digits; the catalogue's checksums hold only at the catalogue's own.
    sha256 : FILE=HEX each; FILE as in the repository, or its last part.
    Raises `UsageError` or `ModelError` where anything is unknown, unpinned or without a checksum.
    """
    if check_name(name) in DEFAULT_NAMES:
        raise ModelError(
            f"{name} is the name of an embedded model: use it as it is, or choose another name for the download."
        )
    if revision is not None and not _REVISION.fullmatch(revision.lower()):
        raise UsageError(
            f"The revision {revision[:80]!r} is not a commit: give its 40 hexadecimal digits, since a branch or tag "
            "can be moved to other files."
        )
    if repo is None:
        entry = _entry(name, load_catalogue() if catalogue is None else catalogue)
    else:
        if not _REPO.fullmatch(repo):
            raise UsageError(f"The repository {repo[:200]!r} is not of the form OWNER/NAME: write it like xjpha/FERD.")
        entry = Entry(name, repo, None, {})
    commit = revision.lower() if revision is not None else entry.revision
    known = entry.files if commit == entry.revision else dict.fromkeys(entry.files)
    files = _with_checksums(known, sha256, open_ended=repo is not None)
    return _checked(entry, commit, files)


def _entry(name: str, catalogue: Mapping[str, Entry]) -> Entry:
    if name not in catalogue:
        raise ModelError(
            f"There is no model {name!r} in the catalogue, which has {', '.join(catalogue)}: choose one of them, or "
            "name a repository with --repo, --revision and --sha256."
        )
    return catalogue[name]


def _with_checksums(
    known: Mapping[str, str | None], given: Sequence[str], *, open_ended: bool
) -> dict[str, str | None]:
    """Return the files with the given checksums; those of a repository of the user's own are the given ones."""
    files = dict(known)
    for text in given:
        file, equals, digits = text.rpartition("=")
        if not equals or not _SHA256.fullmatch(digits.lower()) or not _FILE.fullmatch(file):
            raise UsageError(
                f"The checksum {text[:200]!r} is not of the form FILE=HEX: write the file's path in the repository, an "
                "equals sign and the 64 hexadecimal digits of its sha256."
            )
        if not open_ended:
            matches = [path for path in known if path == file or PurePosixPath(path).name == file]
            if len(matches) != 1:
                raise UsageError(f"The model has no file {file!r}: its files are {', '.join(known)}.")
            file = matches[0]
        files[file] = digits.lower()
    return files


def _checked(entry: Entry, commit: str | None, files: Mapping[str, str | None]) -> Pinned:
    lacking = [] if commit else ["the revision (--revision with the commit's 40 hexadecimal digits)"]
    lacking += [f"the sha256 of {path} (--sha256 {path}=HEX)" for path, sha256 in files.items() if sha256 is None]
    if lacking:
        raise UsageError(
            f"The model {entry.name} of the repository {entry.repo} is not pinned, and nothing unpinned is fetched: "
            f"give {', '.join(lacking)}."
        )
    names = [PurePosixPath(path).name for path in files]
    single = len(names) == 1 and names[0].endswith(".safetensors")
    if len(set(names)) != len(names) or not (single or frozenset(names) in _LAYOUTS):
        layouts = "; ".join(", ".join(layout) for layout in (TORCHSCRIPT_FILES, STATE_DICT_FILES, BUNDLE_FILES))
        raise UsageError(
            f"The files named for {entry.name} are not those of one model: give a --sha256 FILE=HEX for each of "
            f"{layouts}; or for one .safetensors file."
        )
    pinned = {path: sha256 for path, sha256 in files.items() if sha256 is not None}
    return Pinned(entry.name, entry.repo, commit or "", pinned, entry.sensor, entry.licence)
