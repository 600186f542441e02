"""The FEN as torch modules in the published division and naming, for export: entry, residual part, head.

`enhanced, features = head(residual(entry(hsi)), hsi)` for hsi of shape (1, B, rows, cols), scaled, rows and cols at
least 5, since reflection by 4 needs them. State dict names are those of the published files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ModelError
from .network import BATCH_NORM_EPS, Architecture, Weights

if TYPE_CHECKING:
    import torch

# The published padding, which is cropped again: zeros around the 3x3 convolutions, at most 4 of them, never reach what
# is left.
PADDING_PX = 4
MIN_SIDE_PX = PADDING_PX + 1


def build_parts(
    architecture: Architecture, weights: Weights
) -> tuple[torch.nn.Module, torch.nn.Module, torch.nn.Module]:
    """Return entry, residual part and head in evaluation mode, float32 on the CPU, with copies of the weights.

    The head divides by no norm: over a tile that would be another factor than over the image.
    """
    parts = (_entry(architecture), _residual(architecture), _head(architecture))
    for part in parts:
        _load(part, weights)
        part.eval()
        for parameter in part.parameters():
            parameter.requires_grad_(False)
    return parts


def build_whole(architecture: Architecture, weights: Weights) -> torch.nn.Module:
    """Return the whole FEN, from hsi (1, B, rows, cols) to the enhanced image of the same shape."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.entry, self.residual, self.head = build_parts(architecture, weights)

        def forward(self, hsi: torch.Tensor) -> torch.Tensor:
            enhanced: torch.Tensor = self.head(self.residual(self.entry(hsi)), hsi)[0]
            return enhanced

    return Network().eval()


def _load(part: torch.nn.Module, weights: Weights) -> None:
    import torch

    own = part.state_dict()
    state = {name: torch.tensor(weights[name]) for name in own if name in weights}
    result = part.load_state_dict(state, strict=False)
    lacking = [name for name in result.missing_keys if not name.endswith("num_batches_tracked")]
    if lacking:
        raise ModelError(f"The weights lack the tensor {lacking[0]}; get the model again from where it came.")


def _entry(a: Architecture) -> torch.nn.Module:
    import torch

    padding = [PADDING_PX] * 4

    class Entry(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convh = torch.nn.Conv2d(a.n_bands, a.entry, 1, bias=False)
            self.padding = padding

        def forward(self, hsi: torch.Tensor) -> torch.Tensor:
            padded = torch.nn.functional.pad(hsi, self.padding, mode="reflect")
            result: torch.Tensor = self.convh(padded)
            return result

    return Entry()


def _bottleneck(a: Architecture, n_in: int, projected: bool) -> torch.nn.Module:
    import torch

    nn = torch.nn

    class Bottleneck(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(n_in, a.inner, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(a.inner, eps=BATCH_NORM_EPS)
            self.conv2 = nn.Conv2d(a.inner, a.inner, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(a.inner, eps=BATCH_NORM_EPS)
            self.conv3 = nn.Conv2d(a.inner, a.outer, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(a.outer, eps=BATCH_NORM_EPS)
            projection = nn.Sequential(
                nn.Conv2d(n_in, a.outer, 1, bias=False), nn.BatchNorm2d(a.outer, eps=BATCH_NORM_EPS)
            )
            self.downsample = projection if projected else nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.bn1(self.conv1(x)))
            y = torch.relu(self.bn2(self.conv2(y)))
            return torch.relu(self.bn3(self.conv3(y)) + self.downsample(x))

    return Bottleneck()


def _residual(a: Architecture) -> torch.nn.Module:
    import torch

    crop = PADDING_PX
    blocks = [_bottleneck(a, a.outer if index else a.entry, index == 0) for index in range(a.bottlenecks)]

    class Residual(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer1 = torch.nn.Sequential(*blocks)
            self.crop = crop

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.layer1(x)
            return result[:, :, self.crop : -self.crop, self.crop : -self.crop]

    return Residual()


def _head(a: Architecture) -> torch.nn.Module:
    import torch

    class Head(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = torch.nn.Conv2d(a.outer, a.hidden, 1)
            self.conv2 = torch.nn.Conv2d(a.hidden, a.n_bands, 1)

        def forward(self, x: torch.Tensor, hsi: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            features = torch.relu(self.conv2(torch.relu(self.conv1(x))))
            return features + hsi, features

    return Head()
