"""Inner products of the pixels of square blocks with those of the blocks around, computed once for all that need them.

The eight blocks around one share most of their pixels with those around the next one: products of all of them would be
computed 3 times over.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..cube import BoolArray
from ..errors import RunError
from ..lapack import cholesky, window_products
from ..statistics import Float64Array
from ..windows import Window
from .metric import NOT_DEFINITE

# Blocks that lie around one, row by row; the one in the middle is the fifth of a patch of three by three.
_AROUND = (0, 1, 2, 3, 5, 6, 7, 8)
_MIDDLE = 4
# Columns beyond those around that products are taken with.
PADDING = 2
# A block has products with five blocks each in the two rows above, and with two in its row and itself.
_WIDTHS = (3, 5, 5)
_STARTS = (10, 5, 0)
N_PRODUCTS = sum(_WIDTHS)
# Beyond any product's square, and its root beyond any product.
_FAR = 1e200


class _Run(NamedTuple):
    """Products of a block with some beside each other, and the first row that they take in the Gram matrix."""

    products: slice
    row: int


class NearBlocks:
    """Blocks of m pixels each and one more all around them, whose pixels (rows, cols, m, B) are float64 and centred.

    Pixels that do not count are 0 and not `valid`. `pixels` has `PADDING` more columns of zeros at each side.
    """

    def __init__(self, n_rows: int, n_cols: int, n_pixels: int, n_bands: int) -> None:
        self.pixels = np.zeros((n_rows + 2, n_cols + 2 + 2 * PADDING, n_pixels, n_bands))
        self.valid = np.zeros((n_rows + 2, n_cols + 2, n_pixels), dtype=bool)
        # Of each block, N_PRODUCTS blocks beside each other; memory that nothing is written to is never taken.
        self._products = np.empty((n_rows + 2, n_cols + 2, N_PRODUCTS * n_pixels, n_pixels))

    @staticmethod
    def block_bytes(n_pixels: int, n_bands: int) -> int:
        """Return what a block takes."""
        return n_pixels * (8 * n_bands + 8 * N_PRODUCTS * n_pixels + 1)

    @staticmethod
    def job_bytes(n_pixels: int, n_bands: int) -> int:
        """Return what `others_squared` takes per block."""
        return 8 * ((9 * n_pixels + 1) ** 2 + 8 * n_pixels * n_pixels)

    def blocks(self, part: Window) -> tuple[Float64Array, BoolArray]:
        """Return the pixels (rows, cols, m, B) of a part of the blocks, and which of them count, as views."""
        rows = slice(1 + part.row_start, 1 + part.row_stop)
        first = PADDING + 1
        pixels = self.pixels[rows, first + part.col_start : first + part.col_stop]
        return pixels, self.valid[rows, 1 + part.col_start : 1 + part.col_stop]

    def multiply(self, row: int) -> None:
        """Compute the products of the blocks in a row of `pixels` with those in it and in two rows above."""
        if not self.valid[row].any():
            self._products[row] = 0.0
            return
        m, n_cols = self.valid.shape[2], self.valid.shape[1]
        blocks = self.pixels[row, PADDING:-PADDING]
        for above, (width, start) in enumerate(zip(_WIDTHS, _STARTS)):
            if row >= above:
                windows = self.pixels[row - above, : n_cols + width - 1]
                window_products(blocks, windows, self._products[row], start * m)

    def others(self, row: int, cols: slice) -> Float64Array:
        """Return a copy (n, 8 m, B) of the pixels around the blocks `cols` of a row."""
        return np.concatenate([self.pixels[line, PADDING:-PADDING][near] for line, near in _around(row, cols)], axis=1)

    def others_valid(self, row: int, cols: slice) -> BoolArray:
        """Return which of them count (n, 8 m)."""
        return np.concatenate([self.valid[place] for place in _around(row, cols)], axis=1)

    def others_squared(self, row: int, cols: slice, ridge: float) -> Float64Array:
        """Return squared distances (n, m) to the covariance of the eight blocks around plus ridge * I.

        They mean nothing where no pixel counts around a block. With the pixels N (k, B) that count, G = N N^T and
        c = (k - 1) * ridge, Woodbury's identity gives the distance of z as the least |z - N^T w|^2 + c |w|^2 - c / k of
        weights w that sum to 1, over ridge; so no mean is subtracted, which would differ from block to block. With
        M = G + c I, p = N z and 1 for ones, that is |z|^2 - p^T M^-1 p + (1 - 1^T M^-1 p)^2 / 1^T M^-1 1 - c / k.
        """
        matrices, lengths = self._patches(row, cols)
        n_around = 8 * self.valid.shape[2]
        counts = np.maximum(matrices[:, :n_around, -1].sum(axis=1), 1.0)
        levels = np.maximum(counts - 1.0, 1.0) * ridge
        np.einsum("nii->ni", matrices)[:, :n_around] += levels[:, None]
        if not cholesky(matrices):
            raise RunError(NOT_DEFINITE)
        columns = matrices[:, :n_around, n_around:]
        fitted = np.einsum("nki,nki->ni", columns, columns)
        common = np.einsum("nki,nk->ni", columns[:, :, :-1], columns[:, :, -1])
        common -= 1.0
        np.square(common, out=common)
        common /= np.where(fitted[:, -1:] > 0.0, fitted[:, -1:], 1.0)
        residuals = lengths - fitted[:, :-1]
        residuals += common
        residuals -= (levels / counts)[:, None]
        squared: Float64Array = np.maximum(residuals, 0.0) / ridge
        return squared

    def _patches(self, row: int, cols: slice) -> tuple[Float64Array, Float64Array]:
        """Return what belongs to the blocks `cols` of a row: matrices [[G, P], [., far I]], and squared lengths.

        The Gram matrices G (n, 8 m, 8 m) of what lies around, upper triangles; columns P (n, 8 m, m + 1) of their
        products with each own pixel and last of whether they count; the squared lengths (n, m) of the own pixels. A
        factorisation R^T R of G leaves R^-T P in the place of P, in one call with it. So large a diagonal as `_FAR`
        keeps what is below P definite.
        """
        m, n = self.valid.shape[2], cols.stop - cols.start
        matrices = np.empty((n, 9 * m + 1, 9 * m + 1))
        matrices[:, 8 * m :, 8 * m :] = _FAR * np.eye(m + 1)
        own = self._products[row + 1, 1:-1][cols]
        lengths = np.einsum("nii->ni", own[:, -m:]).copy()
        for place, (index, block) in enumerate(zip(_AROUND, _around(row, cols))):
            columns = slice(place * m, (place + 1) * m)
            near = self._products[block]
            for run in _RUNS[index]:
                products = near[:, run.products.start * m : run.products.stop * m]
                matrices[:, run.row * m : run.row * m + products.shape[1], columns] = products
            above = index < _MIDDLE
            slot = _slot(index, _MIDDLE) if above else _slot(_MIDDLE, index)
            products = (own if above else near)[:, slot * m : (slot + 1) * m]
            matrices[:, columns, 8 * m : -1] = products if above else products.swapaxes(1, 2)
            matrices[:, columns, -1] = self.valid[block]
        return matrices, lengths


def _around(row: int, cols: slice) -> list[tuple[int, slice]]:
    """Return where the eight blocks around blocks of a row are, in the arrays with one more block all around."""
    return [(row + index // 3, slice(cols.start + index % 3, cols.stop + index % 3)) for index in _AROUND]


def _slot(block: int, later: int) -> int:
    """Return which product of a block of a patch of three by three is that with a block before it."""
    above, beside = later // 3 - block // 3, block % 3 - later % 3
    return _STARTS[above] + beside + 2


def _runs(later: int) -> list[_Run]:
    runs: list[_Run] = []
    for row, block in enumerate(_AROUND):
        if block > later:
            break
        slot = _slot(block, later)
        if runs and runs[-1].products.stop == slot:
            runs[-1] = runs[-1]._replace(products=slice(runs[-1].products.start, slot + 1))
        else:
            runs.append(_Run(slice(slot, slot + 1), row))
    return runs


_RUNS = {block: _runs(block) for block in _AROUND}
