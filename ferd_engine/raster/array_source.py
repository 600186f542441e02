"""Reading cubes that are plain arrays: in memory, .npy files and MATLAB files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..bands import BandInfo
from ..errors import InputError, RunError
from ..windows import Window
from .gdal_setup import gdal, gdal_exceptions, gdal_reason
from .source import Block, FloatArray, Georeference, mark_invalid, path_exists, target

_EXACT_IN_FLOAT32 = ("bool", "int8", "uint8", "int16", "uint16", "float16", "float32")
_HDF5_MARK = b"MATLAB 7.3"


class ArraySource:
    """An array (rows, cols, bands) of any real dtype, in memory or mapped from a file; NaN marks invalid values."""

    block_rows = 1
    block_cols = 1

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
        self.bands = tuple(BandInfo(number) for number in range(1, n_bands + 1))
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
                    for name in root.GetMDArrayNames()
                }
                self._array = root.OpenMDArray(choose_variable(path, variable, shapes, n_dims=3))
            except RuntimeError as error:
                raise InputError(
                    f"Cannot open {path} as a MATLAB v7.3 file ({gdal_reason(error)}): check that the file is whole "
                    "and that GDAL has its HDF5 driver, or save the cube with -v7."
                ) from error
            dims = [dimension.GetSize() for dimension in self._array.GetDimensions()]
            kind = gdal.GetDataTypeName(self._array.GetDataType().GetNumericDataType())
        if kind.startswith("C") or kind == "Unknown" or 0 in dims:
            raise InputError(f"The array of {path} is empty or not of real numbers: name another one with --variable.")
        self.path = path
        self._variable = variable
        self.files: tuple[str, ...] = (path,)
        n_bands, self.n_cols, self.n_rows = dims
        self.bands = tuple(BandInfo(number) for number in range(1, n_bands + 1))
        self.georeference = Georeference()
        self.dtype: DTypeLike = np.float32 if kind in ("Byte", "Int16", "UInt16", "Float32") else np.float64

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
                raise RunError(
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


def open_array_file(path: str, variable: str | None) -> ArraySource | Mat73Source:
    """Open a .npy or .mat cube; MATLAB files before v7.3 are held in memory as a whole, as their format demands."""
    if not path_exists(path) or not Path(path).is_file():
        raise InputError(f"There is no file {path}: check the path.")
    if path.lower().endswith(".npy"):
        return ArraySource(load_npy(path), path)
    if is_mat73(path):
        return Mat73Source(path, variable)
    return ArraySource(load_mat(path, variable, n_dims=3), path)


def is_mat73(path: str) -> bool:
    """Tell whether a MATLAB file is of version 7.3, which is HDF5."""
    with open(path, "rb") as file:
        return file.read(len(_HDF5_MARK)) == _HDF5_MARK


def load_npy(path: str) -> NDArray[Any]:
    """Map a .npy file; arrays of Python objects are refused, for to read them is to run them."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (ValueError, OSError, EOFError, SyntaxError, OverflowError, MemoryError) as error:
        raise InputError(
            f"Cannot read {path} as a NumPy array ({gdal_reason(error)}): save a plain numeric array with numpy.save."
        ) from error


def load_mat(path: str, variable: str | None, *, n_dims: int) -> NDArray[Any]:
    """Return one array of a MATLAB file before v7.3: the one named, or the only one with `n_dims` axes."""
    from scipy.io import loadmat, whosmat

    # scipy raises a dozen kinds of exceptions for damaged files, so all of them mean the same here.
    try:
        shapes = {name: shape for name, shape, _ in whosmat(path)}
        name = choose_variable(path, variable, shapes, n_dims=n_dims)
        _check_declared_size(path, shapes[name])
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


def _check_declared_size(path: str, shape: tuple[int, ...]) -> None:
    """Refuse a header that declares more than the file could hold even at the best compression of zlib, 1032 to 1."""
    if math.prod(shape) > 1100 * Path(path).stat().st_size:
        raise InputError(f"The file {path} declares an array of {shape} that it cannot hold: the file is damaged.")


def _band_index(numbers: Sequence[int]) -> slice | list[int]:
    """Return a slice where the bands follow each other, which copies faster than a list."""
    first, last = numbers[0], numbers[-1]
    if list(numbers) == list(range(first, last + 1)):
        return slice(first - 1, last)
    return [number - 1 for number in numbers]
