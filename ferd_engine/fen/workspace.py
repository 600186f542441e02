"""What one worker needs to push a strip of the image through the FEN, a group of rows after the other.

Layout: rows of pixels, one after the other, (pixels, channels) C-contiguous, of constant width `width`. In this flat
layout a valid 3x3 convolution is a sum of products of slices shifted by dy * width + dx; the last two pixels of each
row mix two rows and are never used. Six or four rows at a time take Winograd's way, what is left over the direct one.

ReLU: relu(x + b) = max(x, -b) + b. Buffers hold the maximum alone; the constant b goes into the offset of the layers
that read them, so that a layer costs one pass over its output. A residual addition is a product that accumulates into
the shortcut.

Between groups each bottleneck keeps two rows of its 3x3 input and one row of its shortcut.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import winograd
from .blas import Binder, Product
from .floors import FlooredBottleneck, FlooredNetwork
from .jobs import Job
from .network import Architecture

Float32Array = NDArray[np.float32]

# Most rows per group, as many as a filtering makes.
GROUP_ROWS = winograd.MOST_ROWS_OUT


class _Filtered(NamedTuple):
    """Scratch of Winograd's filtering, which all bottlenecks use in turn and so find in the cache."""

    transformed: Float32Array
    products: Float32Array


class _Stage:
    """Buffers of one bottleneck within a strip.

    Rows 1 onwards of `x` and 2 onwards of `a` are the group's new rows; before them lie the rows kept from the last
    group. The first group of a strip has none, so its output begins two rows later.
    """

    def __init__(
        self, weights: FlooredBottleneck, bind: Binder, filtered: _Filtered, max_rows: int, max_width: int
    ) -> None:
        self._w = weights
        self._bind = bind
        self._filtered = filtered
        inner, outer = weights.folded.expand.shape
        # Slack of one and two pixels for the last shifted slices.
        self._x = np.zeros(((max_rows + 1) * max_width + 1, outer), np.float32)
        self._a = np.zeros(((max_rows + 2) * max_width + 2, inner), np.float32)

    def kept(self, width: int) -> tuple[Float32Array, Float32Array]:
        """Return the rows of x and of a that one group leaves for the next."""
        return self._x[:width], self._a[: 2 * width]

    def new_rows(self, n: int, width: int) -> Float32Array:
        """Return where n new rows of this bottleneck's input (or of its projection) are to be written."""
        return self._x[width : (n + 1) * width]

    def prepare(
        self, source: Float32Array, n: int, first: bool, spatial: Float32Array, target: Float32Array
    ) -> list[Product]:
        """Return the steps that push n new rows through and write the finished rows to `target`.

        n rows finish, in a strip's first group n - 2. source : the bottleneck's input (n width, in). spatial : scratch
        for the 3x3 output, (finished width, inner).
        """
        start = 2 if first else 0
        width, size, w = len(source) // n, len(spatial), self._w
        x, a = self._x, self._a
        fresh = a[2 * width : (n + 2) * width]
        # A 3x3 output lies one row and one column inside its input, and so does its shortcut.
        centre = x[start * width + 1 : start * width + 1 + size]
        return [
            self._bind(source, w.folded.reduce, fresh, False),
            *w.reduce_floor.steps(np.maximum, fresh, fresh),
            *self._convolve(start, spatial, width),
            *w.spatial_floor.steps(np.maximum, spatial, spatial),
            self._bind(spatial, w.folded.expand, centre, True),
            *w.expand_floor.steps(np.maximum, centre, target),
            partial(np.copyto, x[:width], x[n * width : (n + 1) * width]),
            # One row at a time: with a single new row the two kept rows overlap their destination.
            partial(np.copyto, a[:width], a[n * width : (n + 1) * width]),
            partial(np.copyto, a[width : 2 * width], a[(n + 1) * width : (n + 2) * width]),
        ]

    def _convolve(self, row: int, spatial: Float32Array, width: int) -> list[Product]:
        """Return the steps of the 3x3 convolution of the rows from `row`: by Winograd, and what is left directly."""
        steps: list[Product] = []
        done = 0
        for height in winograd.heights(len(spatial) // width):
            convolve = self._convolve_filtered if height in winograd.FILTERINGS else self._convolve_directly
            steps += convolve(row, spatial[done : done + height * width], width)
            done, row = done + height * width, row + height
        return steps

    def _convolve_directly(self, row: int, target: Float32Array, width: int) -> list[Product]:
        steps: list[Product] = []
        for tap in range(9):
            shift = (row + tap // 3) * width + tap % 3
            kernel = self._w.folded.spatial[tap // 3, tap % 3]
            steps.append(self._bind(self._a[shift : shift + len(target)], kernel, target, tap > 0))
        return steps

    def _convolve_filtered(self, row: int, target: Float32Array, width: int) -> list[Product]:
        """Return the steps that convolve the rows of one filtering; transforms are small products over whole rows."""
        filtering = winograd.FILTERINGS[len(target) // width]
        kernels = self._w.filtered[filtering.rows_out]
        rows_in, values = filtering.rows_in, width * target.shape[1]
        source = self._a[row * width : (row + rows_in) * width].reshape(rows_in, values)
        transformed, products = self._filtered.transformed, self._filtered.products[: rows_in * width]
        steps = [self._bind(filtering.input, source, transformed[: rows_in * width].reshape(rows_in, values), False)]
        for index in range(rows_in):
            rows = slice(index * width, (index + 1) * width)
            for tap in range(3):
                shifted = transformed[rows.start + tap : rows.stop + tap]
                steps.append(self._bind(shifted, kernels[index, tap], products[rows], tap > 0))
        finish = self._bind(filtering.output, products.reshape(rows_in, values), target.reshape(-1, values), False)
        return [*steps, finish]


class Workspace:
    """All intermediates of one worker, for strips up to a given padded width, and the steps that compute them.

    Its buffers are kept from job to job, so that no step touches fresh memory.
    """

    def __init__(self, network: FlooredNetwork, bind: Binder, max_width: int) -> None:
        self._network = network
        self._bind = bind
        self.max_width = max_width
        a = network.folded.architecture
        self._halo_px = a.halo_px
        rows = GROUP_ROWS + 2 * a.halo_px
        self._entry = np.zeros((rows * max_width, a.entry), np.float32)
        n_filtered = winograd.MOST_ROWS_IN * max_width
        # Slack of two pixels for the last shifted slices.
        filtered = _Filtered(
            np.zeros((n_filtered + 2, a.inner), np.float32), np.zeros((n_filtered, a.inner), np.float32)
        )
        self._stages = [
            _Stage(weights, bind, filtered, rows - 2 * index, max_width)
            for index, weights in enumerate(network.bottlenecks)
        ]
        self._spatial = np.zeros(((rows - 2) * max_width, a.inner), np.float32)
        self._top = np.zeros((GROUP_ROWS * max_width, a.outer), np.float32)
        self._hidden = np.zeros((GROUP_ROWS * max_width, a.hidden), np.float32)
        self._output = np.zeros((GROUP_ROWS * max_width, a.n_bands), np.float32)
        # Steps by (padded width, new rows, first group): a strip has at most four kinds of groups.
        self._steps: dict[tuple[int, int, bool], list[Product]] = {}

    def run(
        self,
        block: Float32Array,
        out: Float32Array,
        job: Job,
        check: Callable[[], None],
        carried: list[Float32Array] | None,
    ) -> None:
        """Compute one job of a block (padded) into the result (core).

        carried : what the job above left, empty where there is none; afterwards what this one leaves. None where nobody
            goes on from here.
        """
        halo_px, width = self._halo_px, job.n_cols + 2 * self._halo_px
        kept = [rows for stage in self._stages for rows in stage.kept(width)]
        for rows_kept, before in zip(kept, carried or []):
            rows_kept[...] = before
        # The job above went through the first rows of this one already: they are its halo.
        top = job.row + (2 * halo_px if carried else 0)
        done = 0
        for rows in winograd.heights(job.n_rows):
            check()
            first = done == 0 and not carried
            n_new = rows + 2 * halo_px if first else rows
            self._enter(block[top : top + n_new, job.col : job.col + width])
            top += n_new
            key = (width, n_new, first)
            if key not in self._steps:
                self._steps[key] = self._prepare(*key)
            for step in self._steps[key]:
                step()
            cols = slice(job.col, job.col + job.n_cols)
            inside = block[top - rows - halo_px : top - halo_px, cols.start + halo_px : cols.stop + halo_px]
            output = self._output[: rows * width].reshape(rows, width, -1)[:, : job.n_cols]
            np.add(output, inside, out=out[job.row + done : job.row + done + rows, cols])
            done += rows
        if carried:
            for rows_kept, below in zip(kept, carried):
                below[...] = rows_kept
        elif carried is not None:
            carried.extend(rows_kept.copy() for rows_kept in kept)

    def _enter(self, rows: Float32Array) -> None:
        """Run the entry convolution on rows (n, width, B) of the block."""
        n, width, n_bands = rows.shape
        entry, matrix = self._entry[: n * width], self._network.folded.entry
        if rows.flags.c_contiguous:
            self._bind(rows.reshape(n * width, n_bands), matrix, entry, False)()
            return
        for index in range(n):
            self._bind(rows[index], matrix, entry[index * width : (index + 1) * width], False)()

    def _prepare(self, width: int, n: int, first: bool) -> list[Product]:
        """Return the steps from n new rows in `_entry` to the head's output in `_output`."""
        entry = self._entry[: n * width]
        projected = self._stages[0].new_rows(n, width)
        steps = [self._bind(entry, self._network.folded.projection, projected, False)]
        source = entry
        for index, stage in enumerate(self._stages):
            finished = n - 2 if first else n
            last = index + 1 == len(self._stages)
            target = self._top[: finished * width] if last else self._stages[index + 1].new_rows(finished, width)
            steps += stage.prepare(source, n, first, self._spatial[: finished * width], target)
            source, n = target, finished
        return steps + self._prepare_head(source)

    def _prepare_head(self, source: Float32Array) -> list[Product]:
        network = self._network
        hidden, output = self._hidden[: len(source)], self._output[: len(source)]
        return [
            self._bind(source, network.folded.hidden, hidden, False),
            *network.hidden_floor.steps(np.maximum, hidden, hidden),
            self._bind(hidden, network.folded.output, output, False),
            *network.output_floor.steps(np.maximum, output, output),
            *network.output_floor.steps(np.subtract, output, output),
        ]

    @staticmethod
    def working_bytes(a: Architecture, width: int) -> int:
        """Return an upper bound of what the workspace for a padded width takes."""
        rows_in = GROUP_ROWS + 2 * a.halo_px
        stages = sum((n + 1) * a.outer + (n + 2) * a.inner for n in range(rows_in, rows_in - 2 * a.bottlenecks, -2))
        stages += 2 * winograd.MOST_ROWS_IN * a.inner
        head = GROUP_ROWS * (a.outer + a.hidden + a.n_bands)
        per_col = rows_in * a.entry + stages + (rows_in - 2) * a.inner + head
        # A tenth more for what the library packs for its products, and for slack of a few pixels beside the rows; and
        # some hundred small objects, the prepared steps.
        return int(1.1 * 4 * per_col * width) + (1 << 19)
