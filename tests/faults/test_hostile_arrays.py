"""NumPy and MATLAB files that are no cubes, lie about their size, ask to be run, or have bytes changed."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, Callable

import h5py
import numpy as np
import pytest
from hypothesis import given
from scipy.io import savemat
from scipy.sparse import csc_matrix

from ferd_engine.errors import InputError
from ferd_engine.raster.array_source import load_mat
from tests.engine.rasters import cube
from tests.faults.hostile import CHANGES, FUZZ, Trials, change

ARRAY = cube(13, 9, 4, "int16")


class Trap:
    """What runs when it is unpickled, and is seen to have run."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._path,)


def npy_bytes(array: np.ndarray = ARRAY, header: str | None = None, version: tuple[int, int] = (1, 0)) -> bytes:
    if header is None:
        opened = io.BytesIO()
        np.lib.format.write_array(opened, array, version=version, allow_pickle=True)
        return opened.getvalue()
    kind = "<H" if version == (1, 0) else "<I"
    return b"\x93NUMPY" + bytes(version) + struct.pack(kind, len(header)) + header.encode() + array.tobytes()


def npy_header(descr: str = "'<i2'", order: str = "False", shape: str = "(13, 9, 4)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


HEADERS = [
    *(
        npy_header(shape=shape)
        for shape in ("(13, 9)", "()", "(13, 9, 4, 1)", "(468,)", "(0, 9, 4)", "(13, 0, 4)", "(13, 9, 0)")
    ),
    *(
        npy_header(shape=shape)
        for shape in ("(-13, 9, 4)", "(13, 9, -4)", "(13, 9, 4.0)", "('a', 9, 4)", "None", "(True, 9, 4)")
    ),
    *(npy_header(shape=f"({n}, 9, 4)") for n in (14, 10**6, 2**31, 2**63, 10**30)),
    *(npy_header(shape=f"({n}, {n}, {n})") for n in (2**21, 2**31)),
    *(
        npy_header(descr=f"'{kind}'")
        for kind in (
            "<i1",
            "<i8",
            "<f8",
            "<f2",
            "<f16",
            "<c8",
            "<c16",
            "|O",
            "|S2",
            "<U1",
            "<M8[s]",
            "|V2",
            "|b1",
            "xx",
            "",
            "<i3",
        )
    ),
    *(
        npy_header(descr=kind)
        for kind in ("[('a', '<i2')]", "[('a', '<i2', (2**40,))]", "5", "None", "('<i2', (3,))", "[]")
    ),
    *(npy_header(order=order) for order in ("True", "2", "None", "'no'")),
    "",
    "{}",
    "{",
    "[" * 9000,
    "(" * 200 + ")" * 200,
    "-" * 5000 + "1",
    "9" * 9000,
    "__import__('os').system('touch ran')",
    "{'descr': '<i2'}",
    npy_header() + "x" * 20_000,
    npy_header().replace("'shape'", "'form'"),
    npy_header().replace("}", "'more': 1}"),
    "\0" * 100,
    "{'descr': '<i2', 'fortran_order': False, 'shape': (13L, 9L, 4L), }",
]


@pytest.mark.parametrize("header", HEADERS, ids=[f"{index} {header[:40]!r}" for index, header in enumerate(HEADERS)])
def test_a_header_that_says_something_else(header: str, tmp_path: Path, trials: Trials) -> None:
    path = tmp_path / "odd.npy"
    path.write_bytes(npy_bytes(header=header))
    trials.detect(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_the_versions_of_the_format(version: tuple[int, int], tmp_path: Path, trials: Trials) -> None:
    (tmp_path / "odd.npy").write_bytes(npy_bytes(version=version))
    assert trials.detect(tmp_path / "odd.npy").deviation is not None


def test_files_under_the_name_of_an_array(tmp_path: Path, trials: Trials) -> None:
    archive = io.BytesIO()
    np.savez(archive, a=ARRAY)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.npy", bytes(1 << 24))
    ran = tmp_path / "ran"
    for name, content in {
        "archive": archive.getvalue(),
        "bomb": bomb.getvalue(),
        "pickle": pickle.dumps(Trap(ran)),
        "objects": npy_bytes(np.array([[[Trap(ran)]]], dtype=object)),
        "version": b"\x93NUMPY\x09\x00" + npy_bytes()[8:],
        "magic": b"\x93NUMPY",
        "long header": b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        "nothing": b"",
    }.items():
        (tmp_path / f"{name}.npy").write_bytes(content)
        assert not trials.detect(tmp_path / f"{name}.npy").gave_a_result
        assert not trials.info(tmp_path / f"{name}.npy").gave_a_result
    assert not ran.exists()


@FUZZ
@given(changes=CHANGES)
def test_bytes_of_a_numpy_header_changed(changes: list[tuple[float, int]], tmp_path: Path, trials: Trials) -> None:
    content = bytearray(npy_bytes())
    change(content, changes, range(128))
    (tmp_path / "odd.npy").write_bytes(content)
    trials.detect(tmp_path / "odd.npy")


def mat_bytes(compressed: bool = False, **arrays: Any) -> bytes:
    opened = io.BytesIO()
    savemat(opened, arrays or {"cube": ARRAY}, do_compression=compressed)
    return opened.getvalue()


NOT_CUBES = {
    "complex": ARRAY * 1j,
    "cells": np.array([[[1, "a"], ["b", 2]]], dtype=object),
    "struct": {"a": ARRAY},
    "sparse": csc_matrix(ARRAY[:, :, 0]),
    "text": "text",
    "empty": np.zeros((0, 9, 4)),
    "flat": ARRAY[:, :, 0],
    "four axes": ARRAY[:, :, :, None],
    "records": np.zeros((3, 3, 3), dtype=[("a", "<i2")]),
}


@pytest.mark.parametrize("array", NOT_CUBES.values(), ids=NOT_CUBES.keys())
def test_what_is_no_cube(array: Any, tmp_path: Path, trials: Trials) -> None:
    path = tmp_path / "odd.mat"
    path.write_bytes(mat_bytes(cube=array))
    for arguments in ((), ("--variable", "cube")):
        found = trials.detect(path, *arguments, compare=False)
        assert not found.gave_a_result, found.said
        trials.info(path, *arguments)


@pytest.mark.parametrize("kind", ["bool", "int8", "uint8", "int32", "uint32", "int64", "uint64", "float32", "float64"])
def test_types(kind: str, tmp_path: Path, trials: Trials) -> None:
    array = (ARRAY > 90) if kind == "bool" else (ARRAY // 2).astype(kind)
    (tmp_path / "odd.mat").write_bytes(mat_bytes(compressed=kind == "int32", cube=array))
    assert trials.detect(tmp_path / "odd.mat").deviation is not None
    np.save(tmp_path / "odd.npy", array)
    assert trials.detect(tmp_path / "odd.npy").deviation is not None


@pytest.mark.parametrize("name", ["x" * 31, "", "cube ", "cube\n", "Cube", "ä", "../cube", "{name}", "%s"])
def test_names_that_no_array_has(name: str, tmp_path: Path, trials: Trials) -> None:
    (tmp_path / "odd.mat").write_bytes(mat_bytes())
    assert not trials.detect(tmp_path / "odd.mat", "--variable", name).gave_a_result


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kept", [0, 1, 100, 127, 128, 130, 140, 180, 190, 300, 600])
def test_a_matlab_file_cut_short(kept: int, compressed: bool, tmp_path: Path, trials: Trials) -> None:
    (tmp_path / "odd.mat").write_bytes(mat_bytes(compressed)[:kept])
    assert not trials.detect(tmp_path / "odd.mat").gave_a_result


@pytest.mark.parametrize("packed_bytes", [1 << 12, 600 << 20])
def test_a_bomb(packed_bytes: int, tmp_path: Path, trials: Trials) -> None:
    """Some 600 kB that unpack to 600 MiB, and a header that claims as much."""
    n_bands = (600 << 20) // (200 * 200)
    matrix = struct.pack("<IIIIII", 6, 8, 9, 0, 5, 12) + struct.pack("<iiiI", 200, 200, n_bands, 0)
    matrix += struct.pack("<II", 1 | 4 << 16, 0x65627563) + struct.pack("<II", 2, 200 * 200 * n_bands)
    packer = zlib.compressobj(9)
    packed = packer.compress(struct.pack("<II", 14, len(matrix) + 200 * 200 * n_bands) + matrix)
    for _ in range(packed_bytes >> 12):
        packed += packer.compress(bytes(1 << 12))
    packed += packer.flush()
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x0100, b"IM")
    (tmp_path / "bomb.mat").write_bytes(head + struct.pack("<II", 15, len(packed)) + packed)
    assert not trials.detect(tmp_path / "bomb.mat").gave_a_result


@FUZZ
@given(changes=CHANGES)
def test_bytes_of_a_matlab_header_changed(changes: list[tuple[float, int]], tmp_path: Path, trials: Trials) -> None:
    content = bytearray(mat_bytes())
    change(content, changes, range(124, 200))
    (tmp_path / "odd.mat").write_bytes(content)
    trials.detect(tmp_path / "odd.mat")


def hdf_mat(path: Path, **arrays: Any) -> None:
    """Write a MATLAB v7.3 file, which is HDF5 behind 512 bytes; a tuple is a shape without any values."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            if isinstance(array, tuple):
                file.create_dataset(name, array, dtype="<i2", chunks=(1, 64, 64))
            else:
                file.create_dataset(name, data=array)
    with path.open("r+b") as opened:
        opened.write(b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H2s", 0x0200, b"IM"))


@pytest.mark.parametrize(
    "array",
    [
        (4, 200_000, 200_000),
        (1_000_000, 1000, 1000),
        (2, 2**31, 2**31),
        ARRAY.T.astype("complex64"),
        np.array([[[b"text"]]]),
        ARRAY[:, :, 0],
        np.zeros((0, 4, 4)),
        ARRAY.T[:, :1, :1],
        ARRAY.T[:1],
    ],
    ids=lambda array: str(array)[:30] if isinstance(array, tuple) else f"{array.dtype} {array.shape}",
)
def test_matlab_files_of_version_73(array: Any, tmp_path: Path, trials: Trials) -> None:
    hdf_mat(tmp_path / "odd.mat", cube=array)
    assert not trials.detect(tmp_path / "odd.mat").gave_a_result
    trials.info(tmp_path / "odd.mat")


@FUZZ
@given(changes=CHANGES)
def test_bytes_of_an_hdf5_header_changed(changes: list[tuple[float, int]], tmp_path: Path, trials: Trials) -> None:
    hdf_mat(tmp_path / "odd.mat", cube=ARRAY.T)
    content = bytearray((tmp_path / "odd.mat").read_bytes())
    change(content, changes, range(512, len(content) - ARRAY.nbytes))
    (tmp_path / "odd.mat").write_bytes(content)
    trials.detect(tmp_path / "odd.mat", compare=False)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", [0, 8, 19, 166, 0xFFFF])
def test_data_of_an_unknown_type(kind: int, compressed: bool, tmp_path: Path, trials: Trials) -> None:
    content = bytearray(mat_bytes())
    # The array's flags, dimensions and name, the name as a small element, precede its data.
    place = content.index(b"cube") + 4
    content[place : place + 4] = struct.pack("<I", kind)
    if compressed:
        packed = zlib.compress(bytes(content[128:]))
        content[128:] = struct.pack("<II", 15, len(packed)) + packed
    (tmp_path / "odd.mat").write_bytes(content)
    with pytest.raises(InputError, match=f"data of the unknown type {kind}"):
        load_mat(str(tmp_path / "odd.mat"), None, n_dims=3)
    assert not trials.detect(tmp_path / "odd.mat").gave_a_result


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (ARRAY + 1j, "complex values"),
        (np.full((7, 5, 4), "text", object), "cell values"),
        (np.zeros((7, 5, 4), [("x", "f8")]), "struct values"),
    ],
    ids=["complex", "cell", "struct"],
)
def test_nothing_but_real_numbers_is_read(array: Any, words: str, tmp_path: Path) -> None:
    # Whatever lies within, scipy's reader does not get to see it.
    savemat(tmp_path / "odd.mat", {"cube": array, "other": np.ones(3)})
    with pytest.raises(InputError, match=f"array 'cube' of .* holds {words}: give one of real numbers"):
        load_mat(str(tmp_path / "odd.mat"), None, n_dims=3)


def test_other_arrays_may_hold_anything(tmp_path: Path) -> None:
    savemat(tmp_path / "odd.mat", {"first": ARRAY[:, :, 0] + 1j, "s": {"x": np.ones(3)}, "cube": ARRAY})
    np.testing.assert_array_equal(load_mat(str(tmp_path / "odd.mat"), None, n_dims=3), ARRAY)


@pytest.mark.parametrize("element", [b"cube", b"\x05\x00\x00\x00\x0c\x00\x00\x00"], ids=["name", "dimensions"])
def test_a_cell_whose_description_has_an_unknown_type(element: bytes, tmp_path: Path, trials: Trials) -> None:
    savemat(tmp_path / "odd.mat", {"cube": np.full((7, 5, 4), "text", object)})
    content = bytearray((tmp_path / "odd.mat").read_bytes())
    # The name is a small element, whose type takes two bytes; that of the dimensions stands before their size.
    place = content.index(b"cube") - 4 if element == b"cube" else content.index(element)
    content[place : place + 2] = struct.pack("<H", 166)
    (tmp_path / "odd.mat").write_bytes(content)
    assert not trials.detect(tmp_path / "odd.mat").gave_a_result
    with pytest.raises(InputError, match="data of the unknown type 166"):
        load_mat(str(tmp_path / "odd.mat"), None, n_dims=3)
