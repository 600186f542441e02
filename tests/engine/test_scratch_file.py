"""Scratch files: whole rows and parts of rows, by direct and by ordinary transfers, and a disk that is full."""

from __future__ import annotations

import errno
import os
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferd_engine import scratch_file
from ferd_engine.errors import RunError
from ferd_engine.scratch_file import PAGE_BYTES, ScratchFile


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
@pytest.mark.parametrize("shift", [0, 4, 4092])
def test_values_that_lie_in_memory_as_in_the_file_are_stored_like_others(tmp_path: Path, shift: int) -> None:
    row_bytes, row = 5000, 3
    expected = np.random.default_rng(shift).integers(0, 256, (4, row_bytes), dtype=np.uint8)
    memory = np.empty(4 * row_bytes + 2 * PAGE_BYTES, np.uint8)
    start = (row * row_bytes + shift - memory.ctypes.data) % PAGE_BYTES
    values = memory[start : start + expected.size].reshape(expected.shape)
    values[...] = expected
    file = ScratchFile(tmp_path / "scratch", 9, row_bytes)
    file.write(row, 0, values)
    np.testing.assert_array_equal(file.read(row, 4), expected)
    assert not file.read(0, 3).any()
    assert not file.read(7, 2).any()
    file.close()


def has_holes(folder: Path) -> bool:
    """Say whether the system and the file system can give back a part of a file."""
    punch = scratch_file._fallocate()
    with (folder / "holes").open("wb") as file:
        file.write(bytes(PAGE_BYTES))
        able = punch is not None and punch(file.fileno(), scratch_file._PUNCH_HOLE, 0, PAGE_BYTES) == 0
    (folder / "holes").unlink()
    return able


@pytest.mark.usefixtures("way")
def test_released_rows_leave_the_disk_and_the_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch_file, "_RELEASED_BYTES", 1 << 16)
    row_bytes = 50_000
    expected = np.random.default_rng(0).integers(1, 256, (40, row_bytes), dtype=np.uint8)
    path = tmp_path / "scratch"
    file = ScratchFile(path, 40, row_bytes)
    file.write(0, 0, expected)
    os.sync()
    full = path.stat().st_blocks
    # Not those that follow the last ones released: they stay.
    file.release(20, 5)
    for row in range(0, 12, 3):
        np.testing.assert_array_equal(file.read(row, 3), expected[row : row + 3])
        file.release(row, 3)
    np.testing.assert_array_equal(file.read(12, 28), expected[12:])
    if has_holes(tmp_path):
        # All but less than what is released at once, and a page.
        assert full - path.stat().st_blocks >= (12 * row_bytes - (1 << 16) - PAGE_BYTES) // 512
    file.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("why", ["another system", "another C library", "a file system without holes"])
def test_rows_stay_where_they_cannot_be_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    monkeypatch.setattr(scratch_file, "_RELEASED_BYTES", 1)
    scratch_file._fallocate.cache_clear()
    if why == "another system":
        monkeypatch.setattr(scratch_file.sys, "platform", "darwin")
    elif why == "another C library":
        monkeypatch.setattr(scratch_file.ctypes, "CDLL", lambda name: object())
    else:
        monkeypatch.setattr(scratch_file, "_fallocate", lambda: lambda *_: -1)
    expected = np.full((3, 9000), 7, np.uint8)
    file = ScratchFile(tmp_path / "scratch", 3, 9000)
    file.write(0, 0, expected)
    file.release(0, 3)
    np.testing.assert_array_equal(file.read(0, 3), expected)
    file.close()
    monkeypatch.undo()
    scratch_file._fallocate.cache_clear()


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
