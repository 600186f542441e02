"""Score map and truth as two planes of pixels, read side by side from any kind of file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .raster import Source, open_source
from .raster.array_source import is_mat73, load_mat, load_npy
from .raster.source import check_file
from .windows import Window, tiles

FloatArray = NDArray[np.floating[Any]]

# What a truth's array is called in the .mat files of this field.
_USUAL_TRUTH = "map"
# Pixels that are read at a time.
_PART_PIXELS = 1 << 20


class Part(NamedTuple):
    """Scores and truth (rows, cols) of a window, float32 or float64, NaN where there is none."""

    window: Window
    scores: FloatArray
    truth: FloatArray


class PlanePair:
    """Scores and truth in two files of one size, read side by side by rows; as a context manager it closes them.

    Each file is a raster of one band, or a .npy or .mat array of two axes; `variable` names the truth's array in a
    .mat file. `dtype` is float32 where the scores fit into it, else float64. Raises `InputError` where a file cannot be
    used.
    """

    def __init__(self, scores_path: str, truth_path: str, variable: str | None = None) -> None:
        self._open = ExitStack()
        with ExitStack() as opened:
            self._scores, self._truth = (
                _open_plane(path, name, opened) for path, name in ((scores_path, None), (truth_path, variable))
            )
            self.shape = _shape(self._scores)
            check_same_size(self.shape, _shape(self._truth))
            self._open = opened.pop_all()
        self.n_pixels = self.shape[0] * self.shape[1]
        self.dtype = np.dtype(np.float32 if self._scores.dtype == np.float32 else np.float64)

    def __enter__(self) -> PlanePair:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def parts(self, multiple: int = 1) -> Iterator[Part]:
        """Yield about a million pixels of full rows at a time; the number of rows is a multiple of `multiple`."""
        rows = max(_PART_PIXELS // max(self.shape[1], 1) // multiple, 1) * multiple
        for window in tiles(*self.shape, rows, self.shape[1]):
            yield Part(window, _read(self._scores, window), _read(self._truth, window))


def check_same_size(scores: tuple[int, ...], truth: tuple[int, ...]) -> None:
    """Raise `InputError` unless scores and truth have the same shape."""
    if scores != truth:
        raise InputError(
            f"The scores have the size {_size(scores)} and the truth {_size(truth)}: give a truth on the same grid."
        )


def as_floats(values: ArrayLike) -> FloatArray:
    """Return float32 values as they are and others as float64; what NumPy masked becomes NaN."""
    if isinstance(values, np.ma.MaskedArray):
        return np.where(values.mask, np.nan, values.data)
    array = np.asarray(values)
    return array if array.dtype == np.float32 else array.astype(np.float64)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "of a single number"


def _open_plane(path: str, variable: str | None, opened: ExitStack) -> Source | FloatArray:
    """Return a raster of one band, which `opened` closes, or a 2-D array (rows, cols)."""
    if path.lower().endswith(".npy"):
        return _plane(load_npy(path), path)
    if path.lower().endswith(".mat"):
        return _plane(_load_mat_plane(path, variable), path)
    source = open_source(path, variable)
    opened.callback(source.close)
    if len(source.bands) != 1:
        raise InputError(f"The raster {path} has {len(source.bands)} bands: give a raster of one band.")
    return source


def _shape(plane: Source | FloatArray) -> tuple[int, int]:
    return (plane.shape[0], plane.shape[1]) if isinstance(plane, np.ndarray) else (plane.n_rows, plane.n_cols)


def _read(plane: Source | FloatArray, window: Window) -> FloatArray:
    if isinstance(plane, np.ndarray):
        return plane[window.row_start : window.row_stop]
    return plane.read(window, [1]).values[:, :, 0]


def _load_mat_plane(path: str, variable: str | None) -> NDArray[Any]:
    check_file(path)
    if is_mat73(path):
        raise InputError(
            f"The file {path} is of MATLAB 7.3, read for cubes only: save the truth with -v7 or as GeoTIFF."
        )
    try:
        return load_mat(path, variable or _USUAL_TRUTH, n_dims=2)
    except InputError:
        if variable is not None:
            raise
        return load_mat(path, None, n_dims=2)


def _plane(array: NDArray[Any], path: str) -> FloatArray:
    if array.ndim != 2 or array.dtype.kind not in "buif":
        raise InputError(
            f"The array of {path} holds {array.dtype} values, {_size(array.shape)}: give rows x columns of real "
            "numbers."
        )
    return as_floats(array)
