"""The mean of a network's weights over training steps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class MeanWeights:
    """Sums of tensors by name, in float64 so that no step is lost in the rounding of many."""

    def __init__(self, count: int = 0, sums: Mapping[str, Tensor] | None = None) -> None:
        self.count = count
        self.sums = dict(sums or {})

    def add(self, state: Mapping[str, Tensor]) -> None:
        """Take one step's weights in."""
        self.count += 1
        for name, values in state.items():
            added = values.detach().to("cpu", torch.float64)
            self.sums[name] = self.sums[name] + added if name in self.sums else added

    def beyond(self, start: Mapping[str, Tensor], reach: float) -> dict[str, Tensor]:
        """Return all tensors at `reach`, 0 to 1, of the way from the start to the mean, float32; at 1 the mean."""
        return {
            name: ((1.0 - reach) * start[name].double() + reach * (values / self.count)).float()
            for name, values in self.sums.items()
        }

    def of(self, name: str) -> Tensor:
        """Return the mean of one tensor, float32."""
        return (self.sums[name] / self.count).float()
