"""A small strict reader and writer of safetensors files.

Format: 8 bytes little-endian header length N, N bytes of JSON {"name": {"dtype", "shape", "data_offsets"}, ...} with an
optional "__metadata__" of strings, then the raw little-endian tensors, row-major. Everything that a well-formed file
of a FEN cannot have is refused with a `ModelError`, before anything of the claimed size is allocated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError

Float32Array = NDArray[np.float32]

MAX_HEADER_BYTES = 1 << 20
MAX_FILE_BYTES = 1 << 28
MAX_TENSORS = 1024
_DTYPES: dict[str, np.dtype[Any]] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
_ENTRY_KEYS = {"dtype", "shape", "data_offsets"}


def read_weights_file(path: Path) -> bytes:
    """Return the bytes of a weights file of bounded size; raises `ModelError` where it cannot be read."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ModelError(f"The weights file {path} is larger than {MAX_FILE_BYTES >> 20} MiB: it is no FEN model.")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"Cannot read the weights file {path} ({error.strerror}): check the model's folder."
        ) from error


def decode_named(content: bytes, what: str) -> dict[str, Float32Array]:
    """Return the tensors of a file's bytes; raises `ModelError` with a sentence that begins with `what`."""
    try:
        return decode(content)[0]
    except ModelError as error:
        raise ModelError(f"{what} cannot be used: {error}; get it again from where it came.") from error


def decode(content: bytes) -> tuple[dict[str, Float32Array], dict[str, str]]:
    """Return tensors and metadata of a file's bytes; raises `ModelError` with a short reason for any damage."""
    header, data = _split(content)
    metadata = _metadata(header.pop("__metadata__", {}))
    if len(header) > MAX_TENSORS:
        raise ModelError(f"it lists {len(header)} tensors, more than {MAX_TENSORS}")
    spans: list[tuple[int, int]] = []
    tensors: dict[str, Float32Array] = {}
    for name, entry in header.items():
        dtype, shape, begin, end = _entry(name, entry, len(data))
        spans.append((begin, end))
        values = np.frombuffer(data[begin:end], dtype=dtype).reshape(shape)
        # A float64 beyond float32 becomes infinite here; the bundle refuses weights that are not finite.
        with np.errstate(over="ignore"):
            tensors[name] = values.astype(np.float32)
    _check_spans(spans, len(data))
    return tensors, metadata


def _split(content: bytes) -> tuple[dict[str, Any], memoryview]:
    if len(content) < 8:
        raise ModelError("it is shorter than its header length field")
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= MAX_HEADER_BYTES:
        raise ModelError(f"its header claims {length} bytes")
    if 8 + length > len(content):
        raise ModelError("it ends inside its header")
    text = content[8 : 8 + length]
    if text[:1] != b"{":
        raise ModelError("its header does not begin with a brace")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except ModelError:
        raise
    except (ValueError, RecursionError) as error:
        raise ModelError(f"its header is not valid JSON: {type(error).__name__}") from error
    return header, memoryview(content)[8 + length :]


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ModelError("its header names a key twice")
    return result


def _no_constant(name: str) -> Any:
    raise ModelError(f"its header holds {name}")


def _metadata(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ModelError("its metadata is not a table of texts")
    return value


def _entry(name: str, entry: Any, n_data: int) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    """Return dtype, shape, begin and end of one tensor, checked against each other and against the file."""
    label = repr(name[:80])
    if not isinstance(entry, dict) or set(entry) != _ENTRY_KEYS:
        raise ModelError(f"its tensor {label} needs exactly dtype, shape and data_offsets")
    code = entry["dtype"]
    if not isinstance(code, str) or code not in _DTYPES:
        raise ModelError(f"its tensor {label} is not of type F16, F32 or F64")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _is_count_list(shape) or len(shape) > 8:
        raise ModelError(f"its tensor {label} has an unusable shape")
    if not _is_count_list(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= n_data:
        raise ModelError(f"its tensor {label} lies outside the file")
    dtype = _DTYPES[code]
    if math.prod(shape) * dtype.itemsize != offsets[1] - offsets[0]:
        raise ModelError(f"its tensor {label} has a shape that does not fit its number of bytes")
    return dtype, tuple(shape), offsets[0], offsets[1]


def _is_count_list(value: Any) -> bool:
    # 2**40 keeps the product of a shape a machine-sized number; no file that is read can hold as much.
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 40 for item in value)


def _check_spans(spans: list[tuple[int, int]], n_data: int) -> None:
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            raise ModelError("its tensors overlap or leave gaps")
        position = end
    if position != n_data:
        raise ModelError("it has bytes that belong to no tensor")


def encode(tensors: Mapping[str, Float32Array], metadata: Mapping[str, str]) -> bytes:
    """Return the file's bytes for float32 tensors, in the order given; equal input gives equal bytes."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    parts: list[bytes] = []
    position = 0
    for name, values in tensors.items():
        part = np.ascontiguousarray(values, dtype="<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [position, position + len(part)],
        }
        position += len(part)
        parts.append(part)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    # Padding with spaces keeps the tensors aligned to 8 bytes, as the format asks of writers.
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])
