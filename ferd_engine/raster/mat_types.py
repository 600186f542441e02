"""The types of the data in MATLAB files of version 5, which scipy takes as they are declared.

An unknown type makes scipy's compiled reader look beyond its table and end the process, so files are looked at before.
The format is that of The MathWorks, "MAT-File Format", chapter 1.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
# Types of data elements, by their names in the format: miINT8 (1) to miUTF32 (18).
_TYPES = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 12, 13, _MATRIX, _COMPRESSED, 16, 17, 18))
# Classes of arrays: those of numbers hold their values in the element after the name, an opaque one has no such start.
_NUMBERS, _OPAQUE = range(6, 16), 17
_COMPLEX_FLAG = 0x0800
# Flags, dimensions and name of an array, which come before its data, fit into this many bytes.
_START_BYTES = 1 << 12


def check_types(path: str) -> frozenset[str]:
    """Return the names of the complex arrays at the top of the file.

    Raises `ValueError` where what describes an array there, or the values of one of real numbers, have a type that the
    format has not. What a cell, a structure or the imaginary part of an array holds is not looked at, so read none of
    those. Files of another version, or too short to tell, pass: what else is wrong with them, scipy's reader says.
    """
    complex_names = set()
    with Path(path).open("rb") as file:
        header = file.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES or header[126:] not in (b"IM", b"MI"):
            return frozenset()
        order = "<" if header[126:] == b"IM" else ">"
        for kind, start in _arrays(file, order):
            if kind not in _TYPES:
                raise ValueError(f"data of the unknown type {kind}")
            if kind == _MATRIX and (name := _check_array(start, order)) is not None:
                complex_names.add(name)
    return frozenset(complex_names)


def _arrays(file: BinaryIO, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the first bytes of each element at the top of the file, decompressed."""
    while len(tag := file.read(8)) == 8:
        kind, size = struct.unpack(order + "II", tag)
        place = file.tell()
        start = file.read(min(size, _START_BYTES))
        if kind == _COMPRESSED:
            try:
                start = zlib.decompressobj().decompress(start, _START_BYTES)
            except zlib.error:
                return
            if len(start) >= 8:
                yield struct.unpack(order + "I", start[:4])[0], start[8:]
        else:
            yield kind, start
        file.seek(place + size)


def _check_array(start: bytes, order: str) -> str | None:
    """Check the types of an array's first elements, flags to values; return its name where it is complex."""
    place, flags, name = 0, 0, ""
    # Flags, dimensions, name, values.
    for index in range(4):
        array_class = flags & 0xFF
        has_more = array_class in _NUMBERS if index == 3 else index == 0 or array_class != _OPAQUE
        if place + 8 > len(start) or not has_more:
            break
        kind, size = struct.unpack_from(order + "II", start, place)
        data = 8
        if kind >> 16:
            # A small element has its size beside its type, and its data in the place of the size.
            kind, size, data = kind & 0xFFFF, min(kind >> 16, 4), 4
        if kind not in _TYPES:
            raise ValueError(f"data of the unknown type {kind}")
        content = start[place + data : place + data + size]
        if index == 0 and len(content) >= 4:
            flags = struct.unpack_from(order + "I", content)[0]
        elif index == 2:
            name = content.decode("latin-1")
        place += data + -(-size // 8) * 8 if data == 8 else 8
    return name if flags & _COMPLEX_FLAG else None
