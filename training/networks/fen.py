"""The part of the network that stays for inference: the FEN, with the engine's tensor names."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ferd_engine.fen.network import Architecture, tensor_shapes

from .residual import initialise, stack

# As the published code has it; zero padding inside then reaches no pixel that is kept, see `Architecture.halo_px`.
PAD_PX = 4


class Fen(nn.Module):
    """1x1 entry, residual layer, and the alignment head; its state dict is the engine's weights, see `ferd_engine.fen`.

    Entry and head begin as the published training has them: Xavier normal, biases 0.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        self.convh = nn.Conv2d(a.n_bands, a.entry, 1, bias=False)
        self.layer1 = stack(a.entry, a.inner, a.outer, a.bottlenecks)
        self.conv1 = nn.Conv2d(a.outer, a.hidden, 1)
        self.conv2 = nn.Conv2d(a.hidden, a.n_bands, 1)
        initialise(self.layer1)
        for part in (self.convh, self.conv1, self.conv2):
            nn.init.xavier_normal_(part.weight)
        for part in (self.conv1, self.conv2):
            if part.bias is not None:
                nn.init.zeros_(part.bias)

    def enter(self, x: Tensor) -> Tensor:
        """Return the first features (n, entry, rows + 8, cols + 8) of scaled images, mirrored at their edges."""
        entered: Tensor = self.convh(functional.pad(x, (PAD_PX,) * 4, mode="reflect"))
        return entered

    def head(self, features: Tensor) -> Tensor:
        """Return the spectral features (n, bands, rows, cols) of residual features (n, outer, rows, cols)."""
        return torch.relu(self.conv2(torch.relu(self.conv1(features))))

    def forward(self, x: Tensor) -> Tensor:
        """Return the enhanced images (n, bands, rows, cols): spectral features plus the scaled input."""
        features = self.layer1(self.enter(x))
        return self.head(crop(features, x.shape[2], x.shape[3])) + x

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Return copies of the tensors that the engine takes, by name."""
        state = self.state_dict()
        return {
            name: state[name].detach().cpu().numpy().astype(np.float32) for name in tensor_shapes(self.architecture)
        }

    def load_weights(self, weights: dict[str, NDArray[np.float32]]) -> None:
        """Take the engine's tensors."""
        # Counters of batches are no weights, and have no effect on inference.
        self.load_state_dict({name: torch.from_numpy(np.array(w)) for name, w in weights.items()}, strict=False)


def crop(features: Tensor, n_rows: int, n_cols: int) -> Tensor:
    """Return the features of the image itself, without the mirrored surround of `Fen.enter`."""
    return features[:, :, PAD_PX : PAD_PX + n_rows, PAD_PX : PAD_PX + n_cols]
