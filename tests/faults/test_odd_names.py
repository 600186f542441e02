"""Names of files and folders with spaces, quotes, line breaks, signs of other programs, and no end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.engine.rasters import cube, write_envi, write_tiff
from tests.faults.hostile import Trials

NAMES = [
    "with space",
    " space before",
    "space after ",
    "tab\tin it",
    "line\nbreak",
    "line\r\nbreak",
    "'single'",
    '"double"',
    "`back`",
    "back\\slash",
    "$HOME",
    "$(touch ran)",
    "; touch ran;",
    "a|b&c>d<e",
    "*?[a-z]",
    "{name}",
    "{0}",
    "%s%n%d",
    "#hash",
    "a=b",
    "-dash",
    "--overwrite",
    "~",
    "~root",
    "a:b",
    "NETCDF:a:b",
    "C:\\a",
    "http:__a",
    "Müller 測試 Ω",
    "عربى",
    "e\u0301 and \u00e9",
    "\U0001f6f0",
    "\u202egnp",
    "\u200bwidth",
    "\x01\x1b[31m",
    os.fsdecode(b"latin-\xe4-\xff"),
    "dots...",
    ".hidden",
    "a.b.c.d",
    "x" * 200,
    "x" * 243,
    "ä" * 120,
    "con",
    "nul",
    "<xml>&amp;",
]


@pytest.mark.parametrize("name", NAMES, ids=[ascii(name)[:40] for name in NAMES])
def test_the_name_of_a_file(name: str, tmp_path: Path, trials: Trials) -> None:
    os.chdir(tmp_path)
    path = write_tiff(tmp_path / "plain.tif", cube(13, 9, 4, "int16"))
    path = path.rename(tmp_path / f"{name}.tif")
    found = trials.detect(path, output=str(tmp_path / f"{name} scores.tif") if len(os.fsencode(name)) < 240 else "")
    # What a system keeps is read, whatever it is; only bytes that are no text are beyond GDAL's bindings.
    assert found.gave_a_result or name.startswith("latin-"), found.said
    trials.info(path)
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize("name", NAMES[:40], ids=[ascii(name)[:40] for name in NAMES[:40]])
def test_the_name_of_a_folder(name: str, tmp_path: Path, trials: Trials) -> None:
    folder = tmp_path / name
    folder.mkdir()
    path = write_envi(tmp_path / "scene.bsq", cube(13, 9, 4, "int16"))
    for file in (path, path.with_suffix(".hdr")):
        file.rename(folder / file.name)
    found = trials.detect(folder / "scene.bsq", output=str(folder / "scores.bsq"))
    assert found.gave_a_result or name.startswith("latin-"), found.said


NOTHING = [
    "",
    " ",
    ".",
    "..",
    "/",
    "//",
    "/dev/null",
    "/dev/zero",
    "/proc/self/mem",
    "/proc/self/status",
    "none",
    "none/none.tif",
    "-",
]
NOTHING += [
    "x" * 300 + ".tif",
    "x/" * 3000 + "a.tif",
    "a\0b.tif",
    "/vsimem/none.tif",
    "/vsizip/none.zip/a.tif",
    "MEM:::",
    "NETCDF:none:x",
]
NOTHING += [
    "/vsicurl/http://127.0.0.1:9/a.tif",
    "http://127.0.0.1:9/a.tif",
    "file:///none.tif",
    "<VRTDataset/>",
    "WMS:http://127.0.0.1:9/",
]


@pytest.mark.parametrize("name", NOTHING, ids=[ascii(name)[:40] for name in NOTHING])
def test_what_is_no_file(name: str, tmp_path: Path, trials: Trials) -> None:
    (tmp_path / "kept").write_text("")
    for command in (["detect", name, str(tmp_path / "out.tif"), "--no-enhance"], ["info", name]):
        assert not trials.run(command, tmp_path / "kept").gave_a_result


@pytest.mark.parametrize(
    "name", [*NOTHING[:8], *NOTHING[13:16], "none/out.tif", "out", "out.png", "out.", ".tif", "kept/out.tif"]
)
def test_outputs_that_cannot_be(name: str, tmp_path: Path, trials: Trials) -> None:
    (tmp_path / "kept").write_text("")
    path = write_tiff(tmp_path / "plain.tif", cube(13, 9, 4, "int16"))
    before = sorted(tmp_path.iterdir())
    found = trials.run(["detect", str(path), name, "--no-enhance"], path)
    assert not found.gave_a_result, found.said
    assert sorted(tmp_path.iterdir()) == before
