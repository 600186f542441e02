"""FEN by torch's convolutions, tile by tile: on a GPU, and in bfloat16 on the CPU too.

Data stay channels-last throughout: a (rows, cols, channels) array is the transposed view of torch's layout without a
copy, 1x1 convolutions are matrix products on it, and 3x3 convolutions are valid ones. Each tile takes its halo from the
block; where the GPU's memory does not suffice for a tile, its halves are tried.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import RunError
from ..overlap import one_ahead
from ..windows import Window, shifted, tiles
from .backend import Carry, Work
from .network import Architecture, Weights, fold

if TYPE_CHECKING:
    import torch

Float32Array = NDArray[np.float32]
logger = logging.getLogger("ferd")

# Part of the free GPU memory that a tile may fill.
MEMORY_PART = 0.5
# On the CPU a tile's intermediates should stay near the cache.
CPU_TILE_PIXELS = 1 << 14


class TorchTiles:
    """Runs a FEN on blocks on a device; any device of torch gives the same result.

    tile_pixels : core pixels per tile, by default what half of the free GPU memory holds.
    bfloat16 : weights and intermediates of 8 significant bits, sums of products in float32; the input is added in
        float32. Measured on fen-200: an error of 3e-3 of the largest value in place of 1e-6.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: Weights,
        device: torch.device,
        tile_pixels: int | None = None,
        *,
        bfloat16: bool = False,
    ) -> None:
        import torch

        self._torch = torch
        self._device = device
        self._dtype = torch.bfloat16 if bfloat16 else torch.float32
        self._architecture = architecture
        self._place_weights(architecture, weights)
        if tile_pixels is None and device.type == "cpu":
            tile_pixels = CPU_TILE_PIXELS
        elif tile_pixels is None:
            free_bytes, _ = torch.cuda.mem_get_info(device)
            tile_pixels = max(int(free_bytes * MEMORY_PART) // self._bytes_per_pixel(), 1)
        self._tile_pixels = tile_pixels

    def _place_weights(self, architecture: Architecture, weights: Weights) -> None:
        folded = fold(architecture, weights)

        def place(values: Float32Array) -> torch.Tensor:
            tensor: torch.Tensor = self._torch.from_numpy(values).to(self._device, self._dtype)
            return tensor

        self._entry = place(folded.entry)
        self._projection = (place(folded.projection), place(folded.projection_bias))
        self._bottlenecks = [
            (
                (place(b.reduce), place(b.reduce_bias)),
                (
                    # (kh, kw, in, out) to torch's (out, in, kh, kw), in memory channels-last like the data.
                    place(np.ascontiguousarray(b.spatial.transpose(3, 0, 1, 2))).permute(0, 3, 1, 2),
                    place(b.spatial_bias),
                ),
                (place(b.expand), place(b.expand_bias)),
            )
            for b in folded.bottlenecks
        ]
        self._hidden = (place(folded.hidden), place(folded.hidden_bias))
        self._output = (place(folded.output), place(folded.output_bias))

    def enhance(
        self,
        block: Float32Array,
        out: Float32Array | None = None,
        check: Callable[[], None] | None = None,
        carry: Carry | None = None,
    ) -> Float32Array:
        """Return the enhanced block; see `backend.Backend.enhance`. A tile has its own halo and carries nothing."""
        halo_px = self._architecture.halo_px
        rows, cols = block.shape[0] - 2 * halo_px, block.shape[1] - 2 * halo_px
        if out is None:
            out = np.empty((rows, cols, block.shape[2]), np.float32)
        with self._torch.inference_mode(), self._full_precision():
            source, target = self._torch.from_numpy(block), self._torch.from_numpy(out)
            tile_rows, tile_cols = self._tile_shape(rows, cols)
            for tile in tiles(rows, cols, tile_rows, tile_cols):
                if check is not None:
                    check()
                self._run(source, target, tile)
        return out

    def enhance_each(
        self, works: Iterable[Work], check: Callable[[], None] | None = None
    ) -> Generator[Float32Array, None, None]:
        """Yield the results; see `backend.Backend.enhance_each`."""
        with closing(one_ahead(lambda work: self.enhance(work.block, work.out, check), works)) as results:
            for _, result in results:
                yield result

    def _run(self, source: torch.Tensor, target: torch.Tensor, tile: Window) -> None:
        """Compute one tile; where the GPU's memory does not suffice, in smaller and smaller parts."""
        halo_px = self._architecture.halo_px
        padded = source[tile.row_start : tile.row_stop + 2 * halo_px, tile.col_start : tile.col_stop + 2 * halo_px]
        core = target[tile.row_start : tile.row_stop, tile.col_start : tile.col_stop]
        try:
            self._compute(padded, core)
            return
        except self._torch.cuda.OutOfMemoryError as error:
            if tile.n_rows == 1:
                raise RunError(
                    "The GPU's memory does not suffice for one row of the image: close other programs on it, or use "
                    "--device cpu."
                ) from error
        half = math.ceil(tile.n_rows / 2)
        self._tile_pixels = max(self._tile_pixels // 2, 1)
        self._torch.cuda.empty_cache()
        logger.warning("Out of GPU memory with %d rows at a time; going on with %d.", tile.n_rows, half)
        for part in tiles(tile.n_rows, tile.n_cols, half, tile.n_cols):
            self._run(source, target, shifted(part, tile))

    def _compute(self, padded: torch.Tensor, core: torch.Tensor) -> None:
        halo_px = self._architecture.halo_px
        values = padded.to(self._device)
        inside = values[halo_px : halo_px + core.shape[0], halo_px : halo_px + core.shape[1]]
        core.copy_(self._forward(values.to(self._dtype)).float().add_(inside))

    def _forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the head's output (rows, cols, B) for a padded tile (rows + 2 halo, cols + 2 halo, B)."""
        x = x.reshape(-1, x.shape[2]).matmul(self._entry).view(*x.shape[:2], -1)
        shortcut = self._dense(x, *self._projection)
        for reduce, (kernel, bias), expand in self._bottlenecks:
            inner = self._dense(x, *reduce).relu_()
            inner = self._torch.conv2d(inner.permute(2, 0, 1)[None], kernel, bias).relu_()[0].permute(1, 2, 0)
            x = self._dense(inner, *expand).add_(shortcut[1:-1, 1:-1]).relu_()
            shortcut = x
        hidden = self._dense(x, *self._hidden).relu_()
        return self._dense(hidden, *self._output).relu_()

    def _dense(self, x: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        pixels = x.reshape(-1, x.shape[2])
        return self._torch.addmm(bias, pixels, matrix).view(x.shape[0], x.shape[1], -1)

    @contextmanager
    def _full_precision(self) -> Iterator[None]:
        """Compute in float32 without TF32, and leave torch's settings as they were."""
        matmul = self._torch.backends.cuda.matmul
        before = matmul.allow_tf32
        matmul.allow_tf32 = False
        try:
            with self._torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                yield
        finally:
            matmul.allow_tf32 = before

    def _bytes_per_pixel(self) -> int:
        a = self._architecture
        return 4 * (a.entry + 2 * a.inner + 3 * a.outer + a.hidden + 2 * a.n_bands)

    def _tile_shape(self, rows: int, cols: int) -> tuple[int, int]:
        """Return rows and columns of a tile: near-square, so that the halo's share is small."""
        side = math.isqrt(self._tile_pixels)
        tile_cols = math.ceil(cols / math.ceil(cols / (2 * side)))
        tile_rows = max(self._tile_pixels // tile_cols, 1)
        return math.ceil(rows / math.ceil(rows / tile_rows)), tile_cols

    def working_bytes(self, rows: int, cols: int) -> int:
        """Return an upper bound of what `enhance` allocates in main memory; see `backend.Backend.working_bytes`."""
        # The result, a tile's staging copies on their way to and from the GPU, and the library's own buffers.
        on_cpu = self._tile_pixels * self._bytes_per_pixel() if self._device.type == "cpu" else 0
        return 2 * rows * cols * self._architecture.n_bands * 4 + (32 << 20) + on_cpu
