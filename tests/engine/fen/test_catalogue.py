"""What may be fetched: the catalogue as shipped, and the pins that a download needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ferd_engine.errors import ModelError, UsageError
from ferd_engine.fen.catalogue import Entry, load_catalogue, pin

REVISION, OTHER = "a" * 40, "b" * 40
SUM = "c" * 64
FILES = {f"aviris/9bands/{part}_script.pt": letter * 64 for part, letter in zip(("cwl", "rnl", "fpl"), "123")}
CATALOGUE = {
    "pinned": Entry("pinned", "owner/net", REVISION, FILES, "AVIRIS", "CC0-1.0"),
    "open": Entry("open", "owner/net", None, dict.fromkeys(FILES)),
}


def test_the_catalogue_has_the_published_models_and_claims_no_unverified_pin() -> None:
    catalogue = load_catalogue()
    assert set(catalogue) == {"aviris-200", "aviris-ng-50", "aviris-ng-100", "aviris-ng-200"}
    for name, entry in catalogue.items():
        sensor, _, n_bands = name.rpartition("-")
        assert entry.repo == "xjpha/FERD"
        assert entry.licence == "not stated"
        assert (entry.sensor or "").lower() == sensor
        assert list(entry.files) == [f"{sensor}/{n_bands}bands/{part}_script.pt" for part in ("cwl", "rnl", "fpl")]
        with pytest.raises(UsageError, match=r"not pinned, .*--revision .*--sha256 .*fpl_script\.pt=HEX"):
            pin(name)


def test_a_pinned_entry_needs_nothing_more() -> None:
    pinned = pin("pinned", catalogue=CATALOGUE)
    assert (pinned.repo, pinned.revision, pinned.files) == ("owner/net", REVISION, FILES)
    assert (pinned.sensor, pinned.licence, pinned.needs_torch) == ("AVIRIS", "CC0-1.0", True)
    assert pin("pinned", revision=REVISION.upper(), catalogue=CATALOGUE) == pinned


def test_an_open_entry_takes_the_users_pins_by_path_or_name() -> None:
    sums = [f"{path if n else path.rpartition('/')[2]}={sha256}" for n, (path, sha256) in enumerate(FILES.items())]
    pinned = pin("open", revision=REVISION, sha256=sums, catalogue=CATALOGUE)
    assert (pinned.revision, pinned.files) == (REVISION, FILES)


def test_checksums_of_one_commit_do_not_speak_for_another() -> None:
    with pytest.raises(UsageError, match="the sha256 of aviris/9bands/cwl_script"):
        pin("pinned", revision=OTHER, catalogue=CATALOGUE)


def test_a_repository_of_ones_own() -> None:
    pinned = pin("mine", repo="me/net", revision=REVISION, sha256=[f"a/b.safetensors={SUM.upper()}"])
    assert (pinned.repo, pinned.files, pinned.needs_torch) == ("me/net", {"a/b.safetensors": SUM}, False)
    # The catalogue's entry of that name has no say.
    assert pin("pinned", repo="me/net", revision=REVISION, sha256=[f"x.safetensors={SUM}"]).sensor is None


@pytest.mark.parametrize("revision", ["main", "v1.0", "a" * 39, "a" * 41, "g" * 40, "", "refs/pr/1"])
def test_what_can_be_moved_is_no_revision(revision: str) -> None:
    with pytest.raises(UsageError, match="is not a commit"):
        pin("pinned", revision=revision, catalogue=CATALOGUE)


@pytest.mark.parametrize("repo", ["net", "a/b/c", "../etc", "a/..", "https://x/y", "a b/c", "", "/a"])
def test_what_is_no_repository(repo: str) -> None:
    with pytest.raises(UsageError, match="OWNER/NAME"):
        pin("mine", repo=repo, revision=REVISION, sha256=[f"x.safetensors={SUM}"])


@pytest.mark.parametrize(
    "text",
    [
        "x.safetensors",
        f"={SUM}",
        f"x.safetensors={SUM[1:]}",
        "x.safetensors=",
        f"../x.safetensors={SUM}",
        f"/x.safetensors={SUM}",
        f"a/../x.safetensors={SUM}",
        f"a\\x.safetensors={SUM}",
        f"a//x.safetensors={SUM}",
        f".hidden={SUM}",
    ],
)
def test_what_is_no_checksum(text: str) -> None:
    with pytest.raises(UsageError, match="FILE=HEX"):
        pin("mine", repo="me/net", revision=REVISION, sha256=[text])


def test_files_that_are_not_the_models_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no file 'other\.pt'"):
        pin("open", revision=REVISION, sha256=[f"other.pt={SUM}"], catalogue=CATALOGUE)
    for files in ([], ["a.pt"], ["a.safetensors", "b.safetensors"], ["x/a.safetensors", "y/a.safetensors"]):
        with pytest.raises(UsageError, match="not those of one model"):
            pin("mine", repo="me/net", revision=REVISION, sha256=[f"{file}={SUM}" for file in files])


def test_names() -> None:
    with pytest.raises(ModelError, match="catalogue, which has pinned, open"):
        pin("unknown", catalogue=CATALOGUE)
    with pytest.raises(ModelError, match="embedded"):
        pin("fen-200", catalogue=CATALOGUE)
    with pytest.raises(ModelError, match="cannot be a model's name"):
        pin("../x", catalogue=CATALOGUE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        json.dumps({"format": "ferd-catalogue", "format_version": 2, "models": []}).encode(),
        json.dumps({"format": "ferd-catalogue", "format_version": 1, "models": [{"name": "x"}]}).encode(),
    ],
)
def test_a_damaged_catalogue_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "catalogue.json").write_bytes(content)
    with pytest.raises(ModelError, match="catalogue of models"):
        load_catalogue(tmp_path / "catalogue.json")


@pytest.mark.parametrize(
    ("key", "value"), [("revision", "main"), ("repo", "net"), ("files", {"../x": None}), ("files", {"x": "ab"})]
)
def test_a_catalogue_is_held_to_its_forms(tmp_path: Path, key: str, value: Any) -> None:
    entry = {"name": "x", "repo": "a/b", "revision": None, "files": {}, key: value}
    content = {"format": "ferd-catalogue", "format_version": 1, "models": [entry]}
    (tmp_path / "catalogue.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="not of the form"):
        load_catalogue(tmp_path / "catalogue.json")
