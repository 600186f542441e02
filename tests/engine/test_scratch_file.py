"""Scratch files: whole rows and parts of rows, by direct and by ordinary transfers, and a disk that is full."""

from __future__ import annotations

import errno
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferd_engine import scratch_file
from ferd_engine.errors import RunError
from ferd_engine.scratch_file import ScratchFile


@pytest.fixture(params=["direct", "no direct files", "direct transfers refused"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no direct files":
        monkeypatch.setattr(scratch_file, "_open_direct", lambda path: None)
    elif request.param == "direct transfers refused":
        monkeypatch.setattr(scratch_file, "_open_direct", lambda path: RefusingFile(path, "r+"))


class RefusingFile(FileIO):
    """A file system that opens a file for direct transfers and then refuses them."""

    def write(self, data: Any) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("row_bytes", [1, 1000, 4096, 5000, 20000, 9 << 20])
def test_what_was_stored_comes_back(tmp_path: Path, row_bytes: int) -> None:
    random = np.random.default_rng(row_bytes)
    expected = random.integers(0, 256, (7, row_bytes), dtype=np.uint8)
    file = ScratchFile(tmp_path / "scratch", 7, row_bytes)
    # Rows in any order, some of them in two parts.
    cut = row_bytes // 3
    file.write(3, 0, expected[3:6])
    file.write(0, cut, np.ascontiguousarray(expected[:3, cut:]))
    if cut:
        file.write(0, 0, np.ascontiguousarray(expected[:3, :cut]))
    file.write(6, 0, expected[6:])
    np.testing.assert_array_equal(file.read(0, 7), expected)
    np.testing.assert_array_equal(file.read(2, 4, cut, row_bytes - cut), expected[2:6, cut:])
    # Pages that rows share with their neighbours belong to both.
    file.write(2, 0, expected[:1])
    np.testing.assert_array_equal(file.read(1, 4), expected[[1, 0, 3, 4]])
    file.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("way")
def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ScratchFile(tmp_path / "scratch", 2, 5000)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(scratch_file, "_write_all", full)
    with pytest.raises(RunError, match=r"Cannot write the scratch file .* \(No space left on device\): free"):
        file.write(0, 0, np.zeros((2, 5000), np.uint8))
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_rows_beyond_the_end_are_an_error(tmp_path: Path) -> None:
    file = ScratchFile(tmp_path / "scratch", 2, 100)
    file.write(0, 0, np.zeros((2, 100), np.uint8))
    with pytest.raises(RunError, match="shorter than what was written"):
        file.read(1, 41)
    file.close()
