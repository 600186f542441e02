"""The bottleneck of residual networks, and stacks of it that keep, halve or double the image's size.

He et al. 2016, "Deep Residual Learning for Image Recognition"; the stride lies in the 3x3 convolution, and tensor names
are torchvision's, so that its weights can be loaded.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """1x1 to `inner`, 3x3, 1x1 to `outer`, each with batch norm; ReLU after the first two and after the addition.

    stride 2 halves the size, `up` doubles it by a 2x2 transposed convolution in place of the 3x3 one (Deng and Li
    2022). The shortcut is projected where size or width change.
    """

    def __init__(self, n_in: int, inner: int, outer: int, *, stride: int = 1, up: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2: nn.Module = (
            nn.ConvTranspose2d(inner, inner, 2, stride=2, bias=False)
            if up
            else nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False)
        )
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outer, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outer)
        self.downsample: nn.Module | None = None
        if up or stride != 1 or n_in != outer:
            project: nn.Module = (
                nn.ConvTranspose2d(n_in, outer, 2, stride=2, bias=False)
                if up
                else nn.Conv2d(n_in, outer, 1, stride=stride, bias=False)
            )
            self.downsample = nn.Sequential(project, nn.BatchNorm2d(outer))

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, outer, rows', cols')."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def stack(n_in: int, inner: int, outer: int, blocks: int, *, stride: int = 1, up: bool = False) -> nn.Sequential:
    """Return `blocks` bottlenecks; the first one changes width and size."""
    first = Bottleneck(n_in, inner, outer, stride=stride, up=up)
    return nn.Sequential(first, *(Bottleneck(outer, inner, outer) for _ in range(blocks - 1)))


def initialise(module: nn.Module) -> None:
    """Draw convolutions from a normal distribution by fan-out (He et al. 2015); batch norm begins as the identity."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
