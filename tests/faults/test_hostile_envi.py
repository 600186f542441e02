"""ENVI headers that say something else than the data, hold nonsense, or have bytes changed."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given

from tests.engine.rasters import cube, write_envi
from tests.faults.hostile import CHANGES, FUZZ, Trials, change


def envi_bytes(folder: Path) -> tuple[bytes, bytes]:
    path = write_envi(folder / "base.bsq", cube(13, 9, 5, "int16"))
    content = path.read_bytes(), path.with_suffix(".hdr").read_bytes()
    path.unlink()
    path.with_suffix(".hdr").unlink()
    return content


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
def test_a_header_that_says_something_else(key: str, value: str, tmp_path: Path, trials: Trials) -> None:
    data, header = envi_bytes(tmp_path)
    lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in header.decode().splitlines()]
    (tmp_path / "odd.bsq").write_bytes(data)
    (tmp_path / "odd.hdr").write_text("\n".join(lines) + "\n")
    by_data = trials.detect(tmp_path / "odd.bsq")
    by_header = trials.detect(tmp_path / "odd.hdr", compare=False)
    assert by_data.code == by_header.code


WORDS = {
    "a unit that is none": b"wavelength units = Parsec\nwavelength = {1,2,3,4,5}\n",
    "wavelengths of nonsense": b"wavelength = {a,,nan,-1,1e400}\n",
    "too many wavelengths": b"wavelength = {" + b"1," * 70000 + b"1}\n",
    "no end of a list": b"wavelength = {1, 2, 3\n",
    "a list in a list": b"wavelength = {{1, 2}, {3}}\n",
    "all bands bad": b"bbl = {0,0,0,0,0}\n",
    "all but one bad": b"bbl = {0,0,1,0,0}\n",
    "bad bands of nonsense": b"bbl = {x,2,-1,nan,}\n",
    "no ignore value": b"data ignore value = abc\n",
    "an ignore value beyond the type": b"data ignore value = 1e300\n",
    "an ignore value that is no number": b"data ignore value = nan\n",
    "names in another code": b"band names = {\xff\xfe, \xe4, b, c, d}\n",
    "a key in another code": b"\xff\xfe\xe4 = 5\n",
    "a description in another code": b"description = {\xff\xfe caf\xe9}\n",
    "names with line breaks": b"band names = {a\nb,\r\nc, d, e, f}\n",
    "names with signs": b"band names = {a = b, {c}, ;d, %s, {name}}\n",
    "zeros": b"description = {\0\0\0}\n",
    "a map of nonsense": b"map info = {UTM, x, y, nan, inf, 0, 0, 99, North, Pluto}\n",
    "a map that is short": b"map info = {UTM, 1}\n",
    "a map without pixels": b"map info = {Arbitrary, 1, 1, 0, 0, 0, 0}\n",
    "a system of nonsense": b'coordinate system string = {PROJCS["x",}\n',
    "a system in circles": b"coordinate system string = {" + b"PROJCS[" * 5000 + b"}\n",
    "a projection of nonsense": b"projection info = {-1, 2}\n",
    "gains and offsets of nonsense": b"data gain values = {x,nan,inf,0,1e999}\ndata offset values = {x,nan,inf,0,1}\n",
    "reflectance scale of zero": b"reflectance scale factor = 0\n",
    "frames": b"major frame offsets = {4, 4}\nminor frame offsets = {2, 2}\n",
    "said to be compressed": b"file compression = 1\n",
    "said twice": b"samples = 4\nsamples = 9\n",
    "a line of 100 kB": b"x = " + b"y" * 100_000 + b"\n",
    "many lines": b"x = y\n" * 20_000,
    "no equals sign": b"nothing at all\n",
    "geo points": b"geo points = {1,1,nan,inf, 2,2,1e300,0}\n",
    "rpc": b"rpc info = {1,2,3}\n",
}


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_words_of_a_header(words: bytes, tmp_path: Path, trials: Trials) -> None:
    data, header = envi_bytes(tmp_path)
    (tmp_path / "odd.bsq").write_bytes(data)
    (tmp_path / "odd.hdr").write_bytes(header + words)
    trials.detect(tmp_path / "odd.bsq", compare=b"bbl" not in words)
    trials.info(tmp_path / "odd.hdr")


@pytest.mark.parametrize("start", [b"", b"ENVY\n", b"\xef\xbb\xbfENVI\n", b"ENVI\r\n", b"ENVI", b"\0" * 100])
def test_the_first_line(start: bytes, tmp_path: Path, trials: Trials) -> None:
    data, header = envi_bytes(tmp_path)
    (tmp_path / "odd.bsq").write_bytes(data)
    (tmp_path / "odd.hdr").write_bytes(start + header[5:])
    trials.detect(tmp_path / "odd.bsq")


@pytest.mark.parametrize("kept", [0, 1, 2, 100, 1168, 1169])
def test_data_cut_short(kept: int, tmp_path: Path, trials: Trials) -> None:
    data, header = envi_bytes(tmp_path)
    (tmp_path / "odd.bsq").write_bytes(data[:kept])
    (tmp_path / "odd.hdr").write_bytes(header)
    assert not trials.detect(tmp_path / "odd.bsq").gave_a_result
    assert not trials.info(tmp_path / "odd.bsq").gave_a_result


@FUZZ
@given(changes=CHANGES)
def test_bytes_of_the_header_changed(changes: list[tuple[float, int]], tmp_path: Path, trials: Trials) -> None:
    data, header = envi_bytes(tmp_path)
    content = bytearray(header)
    change(content, changes)
    (tmp_path / "odd.bsq").write_bytes(data)
    (tmp_path / "odd.hdr").write_bytes(content)
    trials.detect(tmp_path / "odd.bsq")
