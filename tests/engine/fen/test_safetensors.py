"""The strict safetensors reader against the safetensors package, and against everything that is not well-formed."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferd_engine.errors import ModelError
from ferd_engine.fen import safetensors
from ferd_engine.fen.safetensors import decode, encode, read_weights_file

TENSORS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a.weight": np.array([[[1.5]]], np.float32),
    "empty": np.zeros((0, 4), np.float32),
}
VALID = encode(TENSORS, {"maker": "test"})


def _file(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode("utf-8")
    return len(text).to_bytes(8, "little") + text + data


def _entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_round_trip_keeps_values_shapes_and_metadata() -> None:
    tensors, metadata = decode(VALID)
    assert metadata == {"maker": "test"}
    assert {name: values.shape for name, values in tensors.items()} == {n: v.shape for n, v in TENSORS.items()}
    assert all(np.array_equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert encode(tensors, metadata) == VALID


def test_the_package_reads_what_we_write() -> None:
    package = pytest.importorskip("safetensors.numpy")
    read = package.load(VALID)
    assert set(read) == set(TENSORS)
    assert all(np.array_equal(read[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_we_read_what_the_package_writes(dtype: Any) -> None:
    package = pytest.importorskip("safetensors.numpy")
    values = {"x": np.linspace(-2, 2, 12, dtype=dtype).reshape(3, 4), "y": np.ones(5, dtype)}
    tensors, _ = decode(package.save(values, metadata={"format": "np"}))
    for name, expected in values.items():
        assert tensors[name].dtype == np.float32
        np.testing.assert_array_equal(tensors[name], expected.astype(np.float32))


DAMAGED = {
    "nothing": b"",
    "short length": b"\x01\x00",
    "header longer than the file": (1000).to_bytes(8, "little") + b"{}",
    "gigantic header": (1 << 62).to_bytes(8, "little") + b"{}",
    "empty header": (0).to_bytes(8, "little"),
    "no JSON": _file(b"{nonsense}"),
    "not UTF-8": _file(b'{"\xff": 1}'),
    "an array": _file(b"[1, 2]"),
    "deep nesting": _file(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "NaN in the header": _file(b'{"x": NaN}'),
    "a key twice": _file(b'{"x": {"dtype":"F32","shape":[0],"data_offsets":[0,0]}, "x": 1}'),
    "metadata of numbers": _file({"__metadata__": {"a": 1}}),
    "metadata as a list": _file({"__metadata__": []}),
    "entry as a list": _file({"x": [1]}),
    "missing offsets": _file({"x": {"dtype": "F32", "shape": [1]}}),
    "unknown key": _file({"x": {**_entry(), "strides": [1]}}, bytes(8)),
    "integer tensor": _file({"x": _entry("I32")}, bytes(8)),
    "dtype as a list": _file({"x": _entry(["F32"])}, bytes(8)),
    "negative shape": _file({"x": _entry(shape=[-2])}, bytes(8)),
    "shape of booleans": _file({"x": _entry(shape=[True, 2])}, bytes(8)),
    "fractional shape": _file({"x": _entry(shape=[2.0])}, bytes(8)),
    "too many axes": _file({"x": _entry(shape=[1] * 9 + [2])}, bytes(8)),
    "gigantic shape": _file({"x": _entry(shape=[1 << 39, 1 << 39])}, bytes(8)),
    "overflowing shape": _file({"x": _entry(shape=[1 << 32, 1 << 31, 2])}, bytes(8)),
    "shape and bytes differ": _file({"x": _entry(shape=[3])}, bytes(8)),
    "offsets outside": _file({"x": _entry(offsets=[0, 16], shape=[4])}, bytes(8)),
    "offsets backwards": _file({"x": _entry(offsets=[8, 0])}, bytes(8)),
    "three offsets": _file({"x": _entry(offsets=[0, 4, 8])}, bytes(8)),
    "a gap at the start": _file({"x": _entry(offsets=[4, 12])}, bytes(12)),
    "bytes left over": _file({"x": _entry()}, bytes(9)),
    "overlap": _file({"x": _entry(), "y": _entry(offsets=[4, 12])}, bytes(12)),
    "same bytes twice": _file({"x": _entry(), "y": _entry()}, bytes(8)),
    "too many tensors": _file({f"t{i}": _entry(shape=[0], offsets=[0, 0]) for i in range(2000)}),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError):
        decode(content)


@given(cut=st.integers(0, len(VALID) - 1))
def test_truncation_is_refused(cut: int) -> None:
    with pytest.raises(ModelError):
        decode(VALID[:cut])


@settings(max_examples=400)
@given(data=st.data())
def test_changed_bytes_give_tensors_or_a_model_error(data: st.DataObject) -> None:
    content = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        tensors, _ = decode(bytes(content))
    except ModelError:
        return
    assert all(values.dtype == np.float32 for values in tensors.values())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
_FIELDS = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "F64"]) | _JSON,
        "shape": st.lists(st.integers(-2, 1 << 70), max_size=4) | _JSON,
        "data_offsets": st.lists(st.integers(-2, 1 << 70), max_size=3) | _JSON,
    }
)


@settings(max_examples=400)
@given(header=st.dictionaries(st.text(max_size=5), _FIELDS | _JSON, max_size=4), data=st.binary(max_size=64))
def test_any_header_gives_tensors_or_a_model_error(header: dict[str, Any], data: bytes) -> None:
    try:
        tensors, _ = decode(_file(header, data))
    except ModelError:
        return
    assert sum(values.size for values in tensors.values()) <= 32


def test_claimed_sizes_allocate_nothing() -> None:
    tracemalloc.start()
    try:
        for name in ("gigantic header", "gigantic shape", "overflowing shape", "offsets outside"):
            with pytest.raises(ModelError):
                decode(DAMAGED[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_oversized_and_unreadable_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ModelError, match="Cannot read"):
        read_weights_file(path)
    path.write_bytes(VALID)
    assert read_weights_file(path) == VALID
    monkeypatch.setattr(safetensors, "MAX_FILE_BYTES", len(VALID) - 1)
    with pytest.raises(ModelError, match="larger than"):
        read_weights_file(path)
