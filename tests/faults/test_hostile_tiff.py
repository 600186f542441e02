"""TIFFs whose tags say something else than the data, are cut short, run in circles, or have bytes changed."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osgeo import gdal

from tests.engine.rasters import cube, write_tiff
from tests.faults.hostile import CHANGES, FUZZ, Trials, change

N_ROWS, N_COLS, N_BANDS = 13, 9, 4
WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS, SAMPLES = 256, 257, 258, 259, 262, 273, 277
ROWS_PER_STRIP, BYTE_COUNTS, PLANAR, PREDICTOR, TILE_WIDTH, TILE_LENGTH, FORMAT = 278, 279, 284, 317, 322, 323, 339
GDAL_NODATA = 42113
_KINDS = {2: "s", 3: "H", 4: "I", 16: "Q"}


def tiff_bytes(
    changes: dict[int, tuple[int, list[int]] | None] | None = None, next_directory: int = 0, big: bool = False
) -> bytes:
    """Return a TIFF of int16 pixels, interleaved, in one strip; `changes` has (type, values) by tag."""
    data = cube(N_ROWS, N_COLS, N_BANDS, "int16").tobytes()
    start = 16 if big else 8
    tags: dict[int, tuple[int, list[int]] | None] = {
        WIDTH: (3, [N_COLS]),
        LENGTH: (3, [N_ROWS]),
        BITS: (3, [16] * N_BANDS),
        COMPRESSION: (3, [1]),
        PHOTOMETRIC: (3, [1]),
        OFFSETS: (4, [start]),
        SAMPLES: (3, [N_BANDS]),
        ROWS_PER_STRIP: (3, [N_ROWS]),
        BYTE_COUNTS: (4, [len(data)]),
        PLANAR: (3, [1]),
        FORMAT: (3, [2] * N_BANDS),
        **(changes or {}),
    }
    entries, extra = b"", b""
    kept = {tag: entry for tag, entry in sorted(tags.items()) if entry is not None}
    room, count_kind = (8, "Q") if big else (4, "I")
    directory_bytes = (8 + 20 * len(kept) + 8) if big else (2 + 12 * len(kept) + 4)
    after = start + len(data) + directory_bytes
    for tag, (kind, values) in kept.items():
        content = b"".join(struct.pack(f"<{_KINDS[kind]}", value) for value in values)
        entries += struct.pack(f"<HH{count_kind}", tag, kind, len(values))
        if len(content) <= room:
            entries += content.ljust(room, b"\0")
        else:
            entries += struct.pack(f"<{count_kind}", after + len(extra))
            extra += content
    head = (
        struct.pack("<2sHHHQ", b"II", 43, 8, 0, start + len(data))
        if big
        else struct.pack("<2sHI", b"II", 42, start + len(data))
    )
    count = struct.pack("<Q" if big else "<H", len(kept))
    return head + data + count + entries + struct.pack(f"<{count_kind}", next_directory) + extra


def test_the_file_as_it_should_be(tmp_path: Path, trials: Trials) -> None:
    for name, big in (("plain.tif", False), ("big.tif", True)):
        (tmp_path / name).write_bytes(tiff_bytes(big=big))
        assert trials.detect(tmp_path / name).deviation is not None


SIZES = (0, 1, 2, 8, 10, 255, 65535)
ODD = [
    *((tag, (3, [value])) for tag in (WIDTH, LENGTH, SAMPLES, ROWS_PER_STRIP) for value in SIZES),
    *(
        (tag, (4, [value]))
        for tag in (WIDTH, LENGTH, ROWS_PER_STRIP)
        for value in (1 << 20, (1 << 31) - 1, (1 << 32) - 1)
    ),
    *(
        (tag, (4, [value]))
        for tag in (OFFSETS, BYTE_COUNTS)
        for value in (0, 1, 7, 900, 1 << 20, (1 << 31) - 1, (1 << 32) - 1)
    ),
    *((BITS, (3, [value] * N_BANDS)) for value in (0, 1, 2, 7, 8, 12, 15, 24, 32, 64, 65535)),
    (BITS, (3, [16])),
    (BITS, (3, [8, 16, 32, 16])),
    *(
        (COMPRESSION, (3, [value]))
        for value in (0, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34712, 34887, 34925, 50000, 50001, 65535)
    ),
    *((PHOTOMETRIC, (3, [value])) for value in (0, 2, 3, 4, 5, 6, 8, 9, 32803, 65535)),
    *((PLANAR, (3, [value])) for value in (0, 2, 3, 65535)),
    *((FORMAT, (3, [value] * N_BANDS)) for value in (0, 1, 3, 4, 5, 6, 65535)),
    (FORMAT, (3, [1, 2, 3, 5])),
    *((PREDICTOR, (3, [value])) for value in (0, 2, 3, 65535)),
    *((TILE_WIDTH, (3, [value])) for value in (0, 1, 16, 65535)),
    *(
        (tag, None)
        for tag in (
            WIDTH,
            LENGTH,
            BITS,
            COMPRESSION,
            PHOTOMETRIC,
            OFFSETS,
            SAMPLES,
            ROWS_PER_STRIP,
            BYTE_COUNTS,
            PLANAR,
            FORMAT,
        )
    ),
    *((tag, (2, [b"\xff"])) for tag in (WIDTH, OFFSETS, SAMPLES)),
]


@pytest.mark.parametrize(("tag", "entry"), ODD)
def test_a_tag_that_says_something_else(
    tag: int, entry: tuple[int, list[int]] | None, tmp_path: Path, trials: Trials
) -> None:
    path = tmp_path / "odd.tif"
    path.write_bytes(tiff_bytes({tag: entry}))
    trials.detect(path)
    if tag in (WIDTH, LENGTH, SAMPLES):
        trials.info(path)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "abc", "", "1e999", "-32768", "99999", "0x10", "1,5"])
def test_a_nodata_text(text: str, tmp_path: Path, trials: Trials) -> None:
    path = tmp_path / "odd.tif"
    path.write_bytes(tiff_bytes({GDAL_NODATA: (2, [bytes([code]) for code in text.encode() + b"\0"])}))
    assert trials.detect(path).gave_a_result


@pytest.mark.parametrize("kept", [0, 1, 4, 7, 8, 9, 100, 943, 944, 946, 960, 1000, 1050, 1090])
def test_a_file_cut_short(kept: int, tmp_path: Path, trials: Trials) -> None:
    for name, content in (("plain.tif", tiff_bytes()), ("big.tif", tiff_bytes(big=True))):
        (tmp_path / name).write_bytes(content[:kept])
        assert not trials.detect(tmp_path / name).gave_a_result


def test_directories_in_a_circle(tmp_path: Path, trials: Trials) -> None:
    (tmp_path / "circle.tif").write_bytes(tiff_bytes(next_directory=8 + N_ROWS * N_COLS * N_BANDS * 2))
    (tmp_path / "beyond.tif").write_bytes(tiff_bytes(next_directory=1 << 30))
    for name in ("circle.tif", "beyond.tif"):
        trials.detect(tmp_path / name)
        trials.info(tmp_path / name)


@pytest.mark.parametrize(
    "creation", [("COMPRESS=DEFLATE",), ("COMPRESS=LZW", "TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16")]
)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_blocks_that_cannot_be_decoded(creation: tuple[str, ...], part: float, tmp_path: Path, trials: Trials) -> None:
    content = bytearray(write_tiff(tmp_path / "base.tif", cube(40, 30, 6, "int16"), *creation).read_bytes())
    (tmp_path / "base.tif").unlink()
    start = int(len(content) * part)
    content[start : start + 200] = b"\xff" * len(content[start : start + 200])
    (tmp_path / "spoiled.tif").write_bytes(content)
    trials.detect(tmp_path / "spoiled.tif", compare=False)


@pytest.mark.parametrize("kind", ["CInt16", "CInt32", "CFloat32", "CFloat64"])
def test_complex_numbers_are_refused(kind: str, tmp_path: Path, trials: Trials) -> None:
    path = tmp_path / "complex.tif"
    gdal.GetDriverByName("GTiff").Create(str(path), 9, 13, 4, gdal.GetDataTypeByName(kind)).FlushCache()
    assert "complex" in trials.detect(path).said
    assert "complex" in trials.info(path).said


@pytest.mark.parametrize("kind", ["int64", "uint64", "uint32", "int8"])
def test_types_that_the_other_tests_lack(kind: str, tmp_path: Path, trials: Trials) -> None:
    values = cube(N_ROWS, N_COLS, N_BANDS, "int32") - (170 if kind in ("int8", "int64") else 0)
    path = tmp_path / "typed.tif"
    code = gdal.GetDataTypeByName({"int64": "Int64", "uint64": "UInt64", "uint32": "UInt32", "int8": "Byte"}[kind])
    creation = ["PIXELTYPE=SIGNEDBYTE"] if kind == "int8" else []
    if code == gdal.GDT_Unknown:
        pytest.skip(f"GDAL {gdal.__version__} has no {kind}")
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), N_COLS, N_ROWS, N_BANDS, code, creation)
    for number in range(1, N_BANDS + 1):
        dataset.GetRasterBand(number).WriteArray(
            values[:, :, number - 1].clip(-128).astype(kind).view("uint8" if kind == "int8" else kind)
        )
    dataset = None
    assert trials.detect(path).deviation is not None


@FUZZ
@given(changes=CHANGES, big=st.booleans())
def test_bytes_of_the_directory_changed(
    changes: list[tuple[float, int]], big: bool, tmp_path: Path, trials: Trials
) -> None:
    content = bytearray(tiff_bytes(big=big))
    start = (16 if big else 8) + N_ROWS * N_COLS * N_BANDS * 2
    # The first bytes of the file, and all behind the pixels.
    places = [*range(start - N_ROWS * N_COLS * N_BANDS * 2), *range(start, len(content))]
    change(content, changes, places)
    path = tmp_path / "changed.tif"
    path.write_bytes(content)
    trials.detect(path)
