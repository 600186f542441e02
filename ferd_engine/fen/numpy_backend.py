"""FEN on numpy and scipy's BLAS alone: matrix products in cache, one pass over the rows, no row computed twice.

Layout: rows of pixels, one after the other, (pixels, channels) C-contiguous, of constant width `width`. In this flat
layout a valid 3x3 convolution is nine products, each of a slice shifted by dy * width + dx with its tap, accumulated
in place; the last two pixels of each row mix two rows and are never used.

ReLU: relu(x + b) = max(x, -b) + b. Buffers hold the maximum alone; the constant b goes into the offset of the layers
that read them, so that a layer costs one pass over its output. A residual addition is a product that accumulates into
the shortcut.

A job is a strip of the image, worked off downwards in groups of rows. Between groups each bottleneck keeps two rows
of its 3x3 input and one row of its shortcut.
"""

from __future__ import annotations

import logging
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np
import scipy
from numpy.typing import NDArray

from . import blas
from .network import Architecture, FoldedBottleneck, FoldedNetwork, Weights, fold

Float32Array = NDArray[np.float32]
logger = logging.getLogger("ferd")

# Rows per group and pixels per strip row: about a thousand pixels per product, so that a layer's input and output
# stay in a core's cache.
GROUP_ROWS = 4
STRIP_COLS = 256
# A strip is cut further only while its parts keep this many rows: each cut recomputes the halo's rows.
MIN_JOB_ROWS = 24


@dataclass(frozen=True)
class _Bottleneck:
    """Weights of a bottleneck on buffers without their constants; each floor is minus the offset of its buffer."""

    folded: FoldedBottleneck
    reduce_floor: Float32Array
    spatial_floor: Float32Array
    expand_floor: Float32Array


@dataclass(frozen=True)
class _Network:
    """A folded network with the floors of every ReLU, float32 (channels,)."""

    folded: FoldedNetwork
    bottlenecks: tuple[_Bottleneck, ...]
    hidden_floor: Float32Array
    output_floor: Float32Array


def _with_floors(folded: FoldedNetwork) -> _Network:
    """Carry the constants of relu(x + b) = max(x, -b) + b through the layers, in float64."""
    offset = np.zeros(folded.architecture.entry)
    shortcut = folded.projection_bias.astype(np.float64)
    bottlenecks = []
    for block in folded.bottlenecks:
        reduce = offset @ block.reduce + block.reduce_bias
        spatial = reduce @ block.spatial.sum(axis=(0, 1), dtype=np.float64) + block.spatial_bias
        offset = shortcut = spatial @ block.expand + block.expand_bias + shortcut
        bottlenecks.append(_Bottleneck(block, _floor(reduce), _floor(spatial), _floor(offset)))
    hidden = offset @ folded.hidden + folded.hidden_bias
    output = hidden @ folded.output + folded.output_bias
    return _Network(folded, tuple(bottlenecks), _floor(hidden), _floor(output))


def _floor(offset: NDArray[np.float64]) -> Float32Array:
    return (-offset).astype(np.float32)


@dataclass(frozen=True)
class _Job:
    """Core rows [row, row + n_rows) and columns [col, col + n_cols) of a block."""

    row: int
    col: int
    n_rows: int
    n_cols: int


class _Stage:
    """Buffers of one bottleneck within a strip.

    Rows 1 onwards of `x` and 2 onwards of `a` are the group's new rows; before them lie the rows kept from the last
    group. The first group of a strip has none, so its output begins two rows later.
    """

    def __init__(self, weights: _Bottleneck, gemm: blas.Gemm, max_rows: int, max_width: int) -> None:
        self._w = weights
        self._gemm = gemm
        inner, outer = weights.folded.expand.shape
        # One and two pixels of slack for the last shifted slices.
        self._x_store = np.zeros(((max_rows + 1) * max_width + 1, outer), np.float32)
        self._a_store = np.zeros(((max_rows + 2) * max_width + 2, inner), np.float32)
        self._width = 0
        self._start = 2

    def begin(self, width: int) -> None:
        """Begin a strip of this padded width."""
        self._width = width
        self._start = 2

    def new_rows(self, n: int) -> Float32Array:
        """Return where the n new rows of this bottleneck's input (or of its projection) are to be written."""
        return self._x_store[self._width : (n + 1) * self._width]

    def run(self, source: Float32Array, n: int, spatial: Float32Array, target: Float32Array) -> None:
        """Push n new rows through and write the n (in the first group n - 2) finished rows to `target`.

        source : the bottleneck's input (n width, in). spatial : scratch for the 3x3 output, as many rows as finish.
        """
        width, start, w, gemm = self._width, self._start, self._w, self._gemm
        x, a = self._x_store, self._a_store
        fresh = a[2 * width : (n + 2) * width]
        gemm(source, w.folded.reduce, fresh, False)
        np.maximum(fresh, w.reduce_floor, out=fresh)
        size = (n - start) * width
        for tap in range(9):
            shift = (start + tap // 3) * width + tap % 3
            gemm(a[shift : shift + size], w.folded.spatial[tap // 3, tap % 3], spatial, tap > 0)
        np.maximum(spatial, w.spatial_floor, out=spatial)
        # A 3x3 output lies one row and one column inside its input, and so does its shortcut.
        centre = x[start * width + 1 : start * width + 1 + size]
        gemm(spatial, w.folded.expand, centre, True)
        np.maximum(centre, w.expand_floor, out=target)
        x[:width] = x[n * width : (n + 1) * width]
        for row in range(2):
            a[row * width : (row + 1) * width] = a[(n + row) * width : (n + row + 1) * width]
        self._start = 0


class _Workspace:
    """All intermediates of one worker, for strips up to a given padded width."""

    def __init__(self, network: _Network, gemm: blas.Gemm, max_width: int) -> None:
        self._network = network
        self._gemm = gemm
        self.max_width = max_width
        a = network.folded.architecture
        rows = GROUP_ROWS + 2 * a.halo_px
        self._entry = np.empty((rows * max_width, a.entry), np.float32)
        self._stages = [
            _Stage(weights, gemm, rows - 2 * index, max_width) for index, weights in enumerate(network.bottlenecks)
        ]
        self._spatial = np.empty(((rows - 2) * max_width, a.inner), np.float32)
        self._top = np.empty((GROUP_ROWS * max_width, a.outer), np.float32)
        self._hidden = np.empty((GROUP_ROWS * max_width, a.hidden), np.float32)
        self._output = np.empty((GROUP_ROWS * max_width, a.n_bands), np.float32)

    def run(self, block: Float32Array, out: Float32Array, job: _Job) -> None:
        """Compute one job of a block (padded) into the result (core)."""
        halo_px = self._network.folded.architecture.halo_px
        for stage in self._stages:
            stage.begin(job.n_cols + 2 * halo_px)
        done = 0
        while done < job.n_rows:
            rows = min(GROUP_ROWS, job.n_rows - done)
            n_new = rows + 2 * halo_px if done == 0 else rows
            first_new = job.row + done + (0 if done == 0 else 2 * halo_px)
            self._bottlenecks(block, job, first_new, n_new)
            self._head(block, out, _Job(job.row + done, job.col, rows, job.n_cols))
            done += rows

    def _bottlenecks(self, block: Float32Array, job: _Job, row: int, n: int) -> None:
        """Feed n new rows of the block, beginning with `row`; the finished rows come to lie in `_top`."""
        a = self._network.folded.architecture
        width = job.n_cols + 2 * a.halo_px
        entry = self._entry[: n * width]
        self._enter(block[row : row + n, job.col : job.col + width], entry)
        self._gemm(entry, self._network.folded.projection, self._stages[0].new_rows(n), False)
        source = entry
        first = n > GROUP_ROWS
        for index, stage in enumerate(self._stages):
            finished = n - 2 if first else n
            if index + 1 < len(self._stages):
                target = self._stages[index + 1].new_rows(finished)
            else:
                target = self._top[: finished * width]
            stage.run(source, n, self._spatial[: finished * width], target)
            source, n = target, finished

    def _enter(self, rows: Float32Array, entry: Float32Array) -> None:
        n, width, n_bands = rows.shape
        if rows.flags.c_contiguous:
            self._gemm(rows.reshape(n * width, n_bands), self._network.folded.entry, entry, False)
            return
        for index in range(n):
            self._gemm(rows[index], self._network.folded.entry, entry[index * width : (index + 1) * width], False)

    def _head(self, block: Float32Array, out: Float32Array, core: _Job) -> None:
        network = self._network
        halo_px = network.folded.architecture.halo_px
        width = core.n_cols + 2 * halo_px
        size = core.n_rows * width
        hidden, output = self._hidden[:size], self._output[:size]
        self._gemm(self._top[:size], network.folded.hidden, hidden, False)
        np.maximum(hidden, network.hidden_floor, out=hidden)
        self._gemm(hidden, network.folded.output, output, False)
        np.maximum(output, network.output_floor, out=output)
        np.subtract(output, network.output_floor, out=output)
        rows = slice(core.row, core.row + core.n_rows)
        cols = slice(core.col, core.col + core.n_cols)
        inside = block[rows.start + halo_px : rows.stop + halo_px, cols.start + halo_px : cols.stop + halo_px]
        np.add(output.reshape(core.n_rows, width, -1)[:, : core.n_cols], inside, out=out[rows, cols])


class NumpyBackend:
    """FEN by BLAS products, one Python thread per core where the BLAS can be held to one thread each."""

    name = "numpy"

    def __init__(self, architecture: Architecture, weights: Weights, *, threads: int | None = None) -> None:
        self._network = _with_floors(fold(architecture, weights))
        self._halo_px = architecture.halo_px
        direct = blas.direct_gemm()
        self._gemm = direct or blas.wrapped_gemm
        self._own_threads = direct is not None and blas.can_set_threads()
        if threads is not None and not self._own_threads:
            logger.warning(
                "The number of threads of this BLAS cannot be set from here: set OPENBLAS_NUM_THREADS, MKL_NUM_THREADS "
                "or VECLIB_MAXIMUM_THREADS before the start instead."
            )
        self._workers = (threads or blas.available_threads()) if self._own_threads else 1
        self._spare: list[_Workspace] = []
        self._lock = Lock()

    def describe(self) -> str:
        """Return one line for the log."""
        threads = f"{self._workers} threads" if self._own_threads else "the BLAS's own threads"
        return f"numpy {np.__version__}, BLAS of scipy {scipy.__version__}, {threads}"

    def enhance(self, block: Float32Array) -> Float32Array:
        """Return the enhanced block; see `Backend.enhance`."""
        rows, cols = block.shape[0] - 2 * self._halo_px, block.shape[1] - 2 * self._halo_px
        out = np.empty((rows, cols, block.shape[2]), np.float32)
        jobs = _jobs(rows, cols, self._workers)
        if not self._own_threads:
            for job in jobs:
                self._run(block, out, job)
            return out
        with blas.single_threaded():
            if self._workers == 1 or len(jobs) == 1:
                for job in jobs:
                    self._run(block, out, job)
            else:
                with ThreadPoolExecutor(self._workers, "ferd-fen") as pool:
                    for finished in [pool.submit(self._run, block, out, job) for job in jobs]:
                        finished.result()
        return out

    def _run(self, block: Float32Array, out: Float32Array, job: _Job) -> None:
        workspace = self._take(job.n_cols + 2 * self._halo_px)
        try:
            workspace.run(block, out, job)
        finally:
            with self._lock:
                self._spare.append(workspace)

    def _take(self, width: int) -> _Workspace:
        with self._lock:
            workspace = self._spare.pop() if self._spare else None
        if workspace is None or workspace.max_width < width:
            # The narrow one is released before the wide one is made.
            del workspace
            workspace = _Workspace(self._network, self._gemm, width)
        return workspace

    def working_bytes(self, rows: int, cols: int) -> int:
        """Return an upper bound of what `enhance` allocates; see `Backend.working_bytes`."""
        a = self._network.folded.architecture
        jobs = _jobs(rows, cols, self._workers)
        width = max(job.n_cols for job in jobs) + 2 * a.halo_px
        pixels = (GROUP_ROWS + 2 * a.halo_px + 2) * width + 2
        per_pixel = a.entry + a.bottlenecks * (a.inner + a.outer) + a.inner + a.outer + a.hidden + a.n_bands
        small = 1 << 16
        return rows * cols * a.n_bands * 4 + min(self._workers, len(jobs)) * (pixels * per_pixel * 4 + small)


def _jobs(rows: int, cols: int, workers: int) -> list[_Job]:
    """Cut a block into strips of at most `STRIP_COLS` columns, and the strips until every worker has its share."""
    n_strips = math.ceil(cols / STRIP_COLS)
    n_parts = 1
    while (n_strips * n_parts) % workers and rows // (n_parts + 1) >= MIN_JOB_ROWS:
        n_parts += 1
    col_cuts = [cols * index // n_strips for index in range(n_strips + 1)]
    row_cuts = [rows * index // n_parts for index in range(n_parts + 1)]
    return [
        _Job(top, left, bottom - top, right - left)
        for top, bottom in zip(row_cuts, row_cuts[1:])
        for left, right in zip(col_cuts, col_cuts[1:])
    ]
