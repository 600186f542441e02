"""ENVI headers that say something else than the data: a result, or one sentence and exit code 2; never a traceback."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

from ferd_engine.cli import main
from tests.engine.rasters import cube, read_scores, write_envi

LIMIT_S = 10.0
_tried = [0]


@pytest.fixture(scope="module", autouse=True)
def _count() -> Iterator[None]:
    yield
    print(f"\nhostile and odd inputs tried: {_tried[0]}")


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., np.ndarray | None]:
    """Return a function that detects in a file and returns the scores, None where the file was refused."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FERD_TRACEBACK", "1")

    def detect(path: str | Path, *arguments: str) -> np.ndarray | None:
        _tried[0] += 1
        out = tmp_path / "result.tif"
        out.unlink(missing_ok=True)
        capfd.readouterr()
        started = time.monotonic()
        try:
            code = main(["detect", str(path), str(out), "--no-enhance", "--memory", "64MiB", *arguments])
        except SystemExit as end:
            code = end.code
        assert time.monotonic() - started < LIMIT_S
        said = capfd.readouterr().err
        assert "Traceback" not in said, said
        assert not list(tmp_path.glob(".ferd-*"))
        if code == 0:
            return read_scores(out)[:, :, 0]
        assert (code, out.exists()) == (2, False), (code, said)
        # A name with a line break in it breaks the sentence's line.
        sentences = [line for line in said.splitlines() if line.startswith("ferd")]
        assert sentences, said
        assert said.endswith(".\n"), said
        return None

    return detect


def envi_bytes(folder: Path) -> tuple[bytes, bytes]:
    path = write_envi(folder / "base.bsq", cube(13, 9, 5, "int16"))
    return path.read_bytes(), path.with_suffix(".hdr").read_bytes()


KEYS = ("samples", "lines", "bands", "header offset", "data type", "interleave", "byte order", "file type")
VALUES = (
    "0",
    "1",
    "-1",
    "65535",
    "65536",
    "2147483647",
    "99999999999999999999",
    "abc",
    "",
    "1.5",
    "{1, 2}",
    "{",
    "nan",
)


@pytest.mark.parametrize(("key", "value"), list(itertools.product(KEYS, VALUES)))
def test_an_envi_header_that_says_something_else(
    key: str, value: str, tmp_path: Path, run: Callable[..., None]
) -> None:
    data, header = envi_bytes(tmp_path)
    lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in header.decode().splitlines()]
    (tmp_path / "odd.bsq").write_bytes(data)
    (tmp_path / "odd.hdr").write_text("\n".join(lines) + "\n")
    run(tmp_path / "odd.bsq")
    run(tmp_path / "odd.hdr")
