"""A cube of which only some pixels are background: what statistics are taken from, while every pixel gets a score."""

from __future__ import annotations

from .context import RunContext
from .cube import BoolArray, Cube, FloatArray
from .detectors.blocks import blocks
from .errors import InputError
from .progress import ProgressSpan
from .raster.background import Background
from .statistics import Moments
from .windows import Window


class BackgroundCube:
    """A cube with all its pixels; `background` is the same one in which only background pixels are valid."""

    def __init__(self, cube: Cube, flags: Background) -> None:
        self._cube = cube
        self.n_rows, self.n_cols, self.n_bands = cube.n_rows, cube.n_cols, cube.n_bands
        self.background = _Flagged(cube, flags)

    def read(self, window: Window) -> tuple[FloatArray, BoolArray]:
        """Return values and validity of a window."""
        return self._cube.read(window)

    def flags(self, window: Window) -> BoolArray:
        """Return (rows, cols) whether a pixel would be background if it is valid."""
        return self.background.flags.read(window)


class _Flagged:
    def __init__(self, cube: Cube, flags: Background) -> None:
        self._cube, self.flags = cube, flags
        self.n_rows, self.n_cols, self.n_bands = cube.n_rows, cube.n_cols, cube.n_bands

    def read(self, window: Window) -> tuple[FloatArray, BoolArray]:
        values, valid = self._cube.read(window)
        return values, valid & self.flags.read(window)


def background_moments(cube: BackgroundCube, context: RunContext) -> Moments:
    """Return the moments of the valid background pixels; reads the cube once.

    Raises `InputError` where they are not more than the bands: no covariance of all bands comes from so few.
    """
    return enough(moments_of(cube.background, context), cube.background.flags.path)


def moments_of(cube: Cube, context: RunContext) -> Moments:
    """Return the moments of the valid pixels of a cube, which is read once."""
    moments = Moments(cube.n_bands)
    progress = ProgressSpan(context.progress, 0.0, 1.0)
    # A block, and a copy of its valid pixels.
    for window in blocks(cube, 16 * cube.n_bands + 2, context.free_bytes // 2):
        progress.step(window.row_start / cube.n_rows, "Background")
        values, valid = cube.read(window)
        moments.add(values[valid])
    return moments


def enough(moments: Moments, path: str) -> Moments:
    """Return the moments of the background that a file named; `InputError` where they are of too few pixels."""
    if moments.count <= moments.n_bands:
        raise InputError(
            f"The background {path} holds {moments.count} valid pixels of the input, and {moments.n_bands} bands need "
            "more than so many: mark more pixels, or use fewer --bands."
        )
    return moments
