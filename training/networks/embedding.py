"""One-class embedding: the teacher's three scales fused into one compact code.

Deng and Li 2022, "Anomaly Detection via Reverse Distillation from One-Class Embedding", section 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .residual import initialise, stack


def _halving(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU())


class Embedding(nn.Module):
    """Brings all scales to the third one's size and width, joins them, and halves the size once more."""

    def __init__(self, inner: int, outer: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_halving(outer, 2 * outer), _halving(2 * outer, 4 * outer))
        self.second = _halving(2 * outer, 4 * outer)
        self.code = stack(3 * 4 * outer, 8 * inner, 8 * outer, blocks, stride=2)
        initialise(self)

    def forward(self, scales: list[Tensor]) -> Tensor:
        """Return (n, 8 outer, rows / 8, cols / 8) for scales of (n, outer, rows, cols), (n, 2 outer, rows / 2, ...)."""
        fused = torch.cat([self.first(scales[0]), self.second(scales[1]), scales[2]], dim=1)
        code: Tensor = self.code(fused)
        return code
