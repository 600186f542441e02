"""The student: from the code back to the teacher's three scales (de_wide_resnet50_2 at the default sizes).

Deng and Li 2022, section 3.2: the teacher's residual layers in reverse order, halvings replaced by doublings.
"""

from __future__ import annotations

from torch import Tensor, nn

from .residual import initialise, stack


class Decoder(nn.Module):
    """Three residual layers, each doubling the size and halving the width."""

    def __init__(self, inner: int, outer: int, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.layer1 = stack(8 * outer, 4 * inner, 4 * outer, blocks[0], up=True)
        self.layer2 = stack(4 * outer, 2 * inner, 2 * outer, blocks[1], up=True)
        self.layer3 = stack(2 * outer, inner, outer, blocks[2], up=True)
        initialise(self)

    def forward(self, code: Tensor) -> list[Tensor]:
        """Return the three scales in the teacher's order: (n, outer, rows, cols) first."""
        third = self.layer1(code)
        second = self.layer2(third)
        return [self.layer3(second), second, third]
