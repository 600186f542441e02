"""The whole network of the training: FEN, the teacher's deeper layers, embedding, decoder, and the two heads."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config import NetworkConfig
from .decoder import Decoder
from .embedding import Embedding
from .fen import Fen, crop
from .residual import initialise, stack
from .teacher import load_teacher


class Outputs(NamedTuple):
    """What the losses look at: scales of teacher and student, the reconstructed image, the classifier's logits."""

    teacher: list[Tensor]
    student: list[Tensor]
    reconstruction: Tensor
    logits: Tensor


class ReverseDistillation(nn.Module):
    """Reverse distillation with spectral feature alignment (Jin, Dang, Zhu 2024).

    The entry feeds a frozen teacher; student and embedding learn to give the teacher's features back. The alignment
    head turns the first scale of both into spectra, and a pixel classifier of their absolute difference learns to call
    them alike. Only entry, the teacher's first layer and the alignment head stay for inference.
    """

    def __init__(self, n_bands: int, config: NetworkConfig) -> None:
        super().__init__()
        inner, outer = config.inner, config.outer
        self.fen = Fen(config.architecture(n_bands))
        self.layer2 = stack(outer, 2 * inner, 2 * outer, config.blocks[1], stride=2)
        self.layer3 = stack(2 * outer, 4 * inner, 4 * outer, config.blocks[2], stride=2)
        for layer in (self.layer2, self.layer3):
            initialise(layer)
        self.embedding = Embedding(inner, outer, config.embedding_blocks)
        self.decoder = Decoder(inner, outer, config.decoder_blocks)
        self.reconstruct = nn.Conv2d(outer, n_bands, 1, bias=False)
        self.classify = nn.Conv2d(n_bands, 1, 1)
        nn.init.xavier_normal_(self.reconstruct.weight)
        nn.init.xavier_normal_(self.classify.weight)
        nn.init.zeros_(self.classify.bias)  # type: ignore[arg-type]
        load_teacher({"layer1": self.fen.layer1, "layer2": self.layer2, "layer3": self.layer3}, config.teacher)
        for part in self.frozen():
            part.requires_grad_(False)

    def frozen(self) -> tuple[nn.Module, ...]:
        """Return the teacher's layers, which never learn."""
        return (self.fen.layer1, self.layer2, self.layer3)

    def train(self, mode: bool = True) -> ReverseDistillation:
        """Switch batch norm, except the teacher's, which keeps the statistics that it came with."""
        super().train(mode)
        for part in self.frozen():
            part.eval()
        return self

    def forward(self, x: Tensor) -> Outputs:
        """Return the outputs for scaled images (n, bands, rows, cols)."""
        size = (x.shape[2], x.shape[3])
        first = self.fen.layer1(self.fen.enter(x))
        second = self.layer2(first)
        teacher = [first, second, self.layer3(second)]
        student = self.decoder(self.embedding(teacher))
        spectra = [self.fen.head(crop(scale, *size)) for scale in (first, student[0])]
        return Outputs(
            teacher,
            student,
            self.reconstruct(crop(student[0], *size)),
            self.classify(torch.abs(spectra[0] - spectra[1])),
        )
