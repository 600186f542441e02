"""Reading cubes that are plain arrays: in memory, .npy files and MATLAB files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..bands import BandInfo
from ..errors import DamagedInputError, InputError, RunError
from ..windows import Window
from .declared import SLACK_BYTES, check_values
from .gdal_setup import gdal, gdal_exceptions, gdal_reason, type_name
from .mat_types import check_types
from .source import Block, FloatArray, Georeference, check_file, mark_invalid, target

_EXACT_IN_FLOAT32 = ("bool", "int8", "uint8", "int16", "uint16", "float16", "float32")
_HDF5_MARK = b"MATLAB 7.3"
# Bytes of a value of MATLAB's classes of numbers.
_MAT_BYTES = {
    **dict.fromkeys(("int8", "uint8", "logical"), 1),
    **dict.fromkeys(("int16", "uint16"), 2),
    **dict.fromkeys(("int32", "uint32", "single"), 4),
    **dict.fromkeys(("int64", "uint64", "double"), 8),
}


class ArraySource:
    """An array (rows, cols, bands) of any real dtype, in memory or mapped from a file; NaN marks invalid values."""

    block_rows = 1
    block_cols = 1
    # What a file takes that was read as a whole.
    held_bytes = 0

    def __init__(self, array: NDArray[Any], path: str = "") -> None:
        what = path or "the cube"
        if array.ndim != 3 or 0 in array.shape:
            raise InputError(
                f"The array of {what} has the shape {array.shape}: give a cube of shape (rows, cols, bands), none of "
                "them 0."
            )
        if array.dtype.kind not in "buif":
            raise InputError(f"The array of {what} holds {array.dtype} values: give a cube of real numbers.")
        self._array: NDArray[Any] | None = array
        self.path = path
        self.files: tuple[str, ...] = (path,) if path else ()
        self.n_rows, self.n_cols, n_bands = array.shape
        self.bands = _bands(n_bands, array.dtype.name)
        self.georeference = Georeference()
        self.dtype: DTypeLike = np.float32 if array.dtype.name in _EXACT_IN_FLOAT32 else np.float64
        self._floating = array.dtype.kind == "f"

    def read(self, window: Window, numbers: Sequence[int], out: FloatArray | None = None) -> Block:
        """Copy a window's bands."""
        if self._array is None:
            raise RunError("A cube was read after it was closed; please report this.")
        part = self._array[window.row_start : window.row_stop, window.col_start : window.col_stop]
        values = target(out, (*window.shape, len(numbers)), self.dtype)
        # Row by row, so that what is copied in another order than it lies stays in the cache.
        for row, stored in zip(values, part):
            row[...] = stored[:, _band_index(numbers)]
        return Block(values, mark_invalid(values) if self._floating else True)

    def row_bytes(self, n_rows: int, n_bands: int) -> int:
        """Hold nothing beside the array."""
        return 0

    def reopened(self) -> ArraySource:
        """Return another source of the same array."""
        if self._array is None:
            raise RunError("A cube was read after it was closed; please report this.")
        return ArraySource(self._array, self.path)

    def close(self) -> None:
        """Let go of the array."""
        self._array = None


class Mat73Source:
    """A cube of a MATLAB v7.3 file, read by windows through GDAL's HDF5 driver.

    MATLAB stores (rows, cols, bands) with the axes reversed.
    """

    block_rows = 1
    block_cols = 1

    def __init__(self, path: str, variable: str | None) -> None:
        with gdal_exceptions():
            try:
                self._dataset = gdal.OpenEx(path, gdal.OF_MULTIDIM_RASTER)
                root = self._dataset.GetRootGroup()
                shapes = {
                    name: tuple(d.GetSize() for d in root.OpenMDArray(name).GetDimensions())[::-1]
                    # None where the group itself is damaged.
                    for name in root.GetMDArrayNames() or ()
                }
                self._array = root.OpenMDArray(choose_variable(path, variable, shapes, n_dims=3))
            except RuntimeError as error:
                raise InputError(
                    f"Cannot open {path} as a MATLAB v7.3 file ({gdal_reason(error)}): check that the file is whole "
                    "and that GDAL has its HDF5 driver, or save the cube with -v7."
                ) from error
            dims = [dimension.GetSize() for dimension in self._array.GetDimensions()]
            kind = type_name(self._array.GetDataType().GetNumericDataType())
        if kind.startswith("c") or kind == "unknown" or 0 in dims:
            raise InputError(f"The array of {path} is empty or not of real numbers: name another one with --variable.")
        check_values(path, math.prod(dims), Path(path).stat().st_size)
        self.path = path
        self._variable = variable
        self.files: tuple[str, ...] = (path,)
        n_bands, self.n_cols, self.n_rows = dims
        self.bands = _bands(n_bands, kind)
        self.georeference = Georeference()
        self.dtype: DTypeLike = np.float32 if kind in _EXACT_IN_FLOAT32 else np.float64

    def read(self, window: Window, numbers: Sequence[int], out: FloatArray | None = None) -> Block:
        """Read a window of the bands between the lowest and the highest number, and keep those asked for."""
        lowest, highest = min(numbers), max(numbers)
        with gdal_exceptions():
            try:
                stored = self._array.ReadAsArray(
                    array_start_idx=[lowest - 1, window.col_start, window.row_start],
                    count=[highest - lowest + 1, window.n_cols, window.n_rows],
                )
            except RuntimeError as error:
                raise DamagedInputError(
                    f"Cannot read rows {window.row_start + 1} to {window.row_stop} of {self.path} "
                    f"({gdal_reason(error)}): the file is damaged or was cut short, replace it and run again."
                ) from error
        values = target(out, (*window.shape, len(numbers)), self.dtype)
        values[...] = stored[[number - lowest for number in numbers]].transpose(2, 1, 0)
        return Block(values, mark_invalid(values))

    def row_bytes(self, n_rows: int, n_bands: int) -> int:
        """Return the size of two copies of the window as it is stored, at most 8 bytes a value."""
        return 2 * n_rows * int(self.n_cols) * len(self.bands) * 8

    def reopened(self) -> Mat73Source:
        """Open the file once more: GDAL's datasets are for one thread at a time."""
        return Mat73Source(self.path, self._variable)

    def close(self) -> None:
        """Close the file."""
        self._array = self._dataset = None


def open_array_file(path: str, variable: str | None, budget_bytes: int | None = None) -> ArraySource | Mat73Source:
    """Open a .npy or .mat cube; MATLAB files before v7.3 are held in memory as a whole, as their format demands."""
    check_file(path)
    if path.lower().endswith(".npy"):
        return ArraySource(load_npy(path), path)
    if is_mat73(path):
        return Mat73Source(path, variable)
    array = load_mat(path, variable, n_dims=3, budget_bytes=budget_bytes)
    source = ArraySource(array, path)
    source.held_bytes = array.nbytes
    return source


def is_mat73(path: str) -> bool:
    """Say whether a MATLAB file is of version 7.3, which is HDF5."""
    with open(path, "rb") as file:
        return file.read(len(_HDF5_MARK)) == _HDF5_MARK


def load_npy(path: str) -> NDArray[Any]:
    """Map a .npy file into memory; arrays of Python objects are refused, since reading them can run code."""
    # numpy parses the header as Python source, so damage shows as any error of Python's own parser.
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        raise InputError(
            f"Cannot read {path} as a NumPy array ({gdal_reason(error)}): save a plain numeric array with numpy.save."
        ) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"The file {path} is an archive of arrays: save a single one with numpy.save.")
    return array


def load_mat(path: str, variable: str | None, *, n_dims: int, budget_bytes: int | None = None) -> NDArray[Any]:
    """Return one array of a MATLAB file before v7.3: the one named, or the only one with `n_dims` axes.

    With a memory budget, an array that takes too much of it is refused.
    """
    from scipy.io import loadmat, whosmat

    # scipy raises a dozen kinds of exceptions for damaged files, so all of them mean the same here.
    try:
        complex_names = check_types(path)
        found = {name: (shape, kind) for name, shape, kind in whosmat(path)}
        name = choose_variable(path, variable, {name: shape for name, (shape, _) in found.items()}, n_dims=n_dims)
        if found[name][1] not in _MAT_BYTES or name in complex_names:
            # Nothing but plain numbers is read: `check_types` does not look into anything else.
            kind = "complex" if name in complex_names else found[name][1]
            raise InputError(f"The array {name!r} of {path} holds {kind} values: give one of real numbers.")
        _check_declared_size(path, *found[name], budget_bytes)
        array = loadmat(path, variable_names=[name])[name]
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"Cannot read {path} as a MATLAB file ({gdal_reason(error)}): check that the file is whole."
        ) from error
    return np.asarray(array)


def choose_variable(path: str, variable: str | None, shapes: dict[str, tuple[int, ...]], *, n_dims: int) -> str:
    """Return the name of the array to read; `InputError` names the choices where it is not clear."""
    listing = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items()) or "none"
    if variable is not None:
        if variable not in shapes:
            raise InputError(f"The file {path} has no array {variable!r}: it holds {listing}.")
        return variable
    fitting = [name for name, shape in shapes.items() if len(shape) == n_dims]
    if len(fitting) != 1:
        raise InputError(
            f"The file {path} has {len(fitting) or 'no'} arrays with {n_dims} axes: name one with --variable; "
            f"it holds {listing}."
        )
    return fitting[0]


def _check_declared_size(path: str, shape: tuple[int, ...], kind: str, budget_bytes: int | None) -> None:
    """Refuse an array that the file cannot hold even at the best compression of zlib, 1032 to 1, or the memory not."""
    if math.prod(shape) > 1100 * Path(path).stat().st_size:
        raise InputError(f"The file {path} declares an array of {shape} that it cannot hold: the file is damaged.")
    n_bytes = math.prod(shape) * _MAT_BYTES[kind]
    if budget_bytes is not None and n_bytes > SLACK_BYTES + budget_bytes // 2:
        raise InputError(
            f"The array of {path} takes {n_bytes >> 20} MiB, and a MATLAB file of this version can only be read as a "
            "whole: give a larger --memory, or save the cube with -v7.3 or as .npy."
        )


def _bands(n_bands: int, stored_type: str) -> tuple[BandInfo, ...]:
    return tuple(BandInfo(number, stored_type=stored_type) for number in range(1, n_bands + 1))


def _band_index(numbers: Sequence[int]) -> slice | list[int]:
    """Return a slice where the bands follow each other, which copies faster than a list."""
    first, last = numbers[0], numbers[-1]
    if list(numbers) == list(range(first, last + 1)):
        return slice(first - 1, last)
    return [number - 1 for number in numbers]
