"""The three losses of reverse distillation, each a scalar tensor, and their weighted sum (Jin, Dang, Zhu 2024)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .config import LossConfig
from .networks.distillation import Outputs


def cosine_distance(teacher: list[Tensor], student: list[Tensor]) -> Tensor:
    """Return the sum over scales of 1 - cosine between whole feature maps, averaged over the batch; 0 when alike.

    Both lists hold one tensor (n, channels, rows, cols) per scale.
    """
    distances = [
        1.0 - functional.cosine_similarity(a.flatten(1), b.flatten(1), dim=1).mean() for a, b in zip(teacher, student)
    ]
    return torch.stack(distances).sum()


def alignment(logits: Tensor, *, sigmoid_twice: bool = False) -> Tensor:
    """Return the mean binary cross entropy of the pixel classifier's logits (n, 1, rows, cols) against 0, "alike"."""
    given = torch.sigmoid(logits) if sigmoid_twice else logits
    return functional.binary_cross_entropy_with_logits(given, torch.zeros_like(given))


def total(images: Tensor, outputs: Outputs, weights: LossConfig) -> dict[str, Tensor]:
    """Return "loss", the weighted sum, and its unweighted parts by name."""
    parts = {
        "alignment": alignment(outputs.logits, sigmoid_twice=weights.sigmoid_twice),
        "reconstruction": functional.mse_loss(outputs.reconstruction, images),
        "distillation": cosine_distance(outputs.teacher, outputs.student),
    }
    loss = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
    return {"loss": loss, **parts}
