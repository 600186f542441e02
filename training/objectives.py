"""What a training step minimises: the paper's reverse distillation, or the ranking of implanted targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ferd_engine.errors import ModelError
from ferd_engine.fen.bundle import load_model
from ferd_engine.fen.network import Architecture, Weights, untrained_weights

from . import losses
from .config import Config
from .implant import donor, implant
from .networks.distillation import ReverseDistillation
from .networks.fen import Fen
from .scenes import Scene
from .stretch import stretched

# Added to the covariance's diagonal, relative to its mean, so that its factor exists in training.
_RIDGE = 1e-9
_MOST_NORM = 1.0
# What the engine scales a scene's extremes to.
_LIMIT = 0.1


class Objective(Protocol):
    """A network with its loss."""

    fen: Fen
    module: nn.Module

    def losses(self, images: Tensor, seed: tuple[int, ...]) -> dict[str, Tensor]:
        """Return "loss" and its parts for scaled images (n, bands, rows, cols); `seed` drives what is drawn."""

    def limit_gradients(self) -> None:
        """Change the gradients before a step, where the objective needs it."""


def make_objective(config: Config, scenes: Sequence[Scene]) -> Objective:
    """Return the objective of a configuration, its weights drawn from the configuration's seed."""
    torch.manual_seed(config.seed)
    return Ranking(config, scenes) if config.training.objective == "ranking" else Distillation(config)


class Distillation:
    """Reverse distillation with spectral feature alignment (Jin, Dang, Zhu 2024)."""

    def __init__(self, config: Config) -> None:
        network = ReverseDistillation(config.data.bands, config.network)
        self.module: nn.Module = network
        self.fen = network.fen
        self._weights = config.loss

    def losses(self, images: Tensor, seed: tuple[int, ...]) -> dict[str, Tensor]:
        """Return the weighted sum and its three parts; nothing is drawn."""
        return losses.total(images, self.module(images), self._weights)

    def limit_gradients(self) -> None:
        """Leave them as they are."""


class Ranking:
    """Targets are implanted into each patch, and FEN learns to make global RX rank them above the background.

    The targets are those of `training.implant`, pieces of the training scenes among them. For each image the squared
    Mahalanobis distances d of all enhanced pixels to their own mean and covariance are computed as GRX does, and the
    loss is the mean over (target t, background b) pairs of log(1 + d_b / d_t): a smooth upper bound, up to log 2, of
    the share of pairs in the wrong order, which is 1 - AUC. Batch norm stays at its initial statistics: a pixel's
    features must not depend on what else lies in the batch. RX does not see a linear map of the features, so nothing in
    that loss would keep them from growing until float32 no longer resolves the input beside them; a small multiple of
    their mean size does.
    """

    def __init__(self, config: Config, scenes: Sequence[Scene]) -> None:
        self.fen = Fen(config.network.architecture(config.data.bands))
        self.fen.load_weights(first_weights(config))
        self.fen.layer1.requires_grad_(not config.network.frozen)
        self.module: nn.Module = _Still(self.fen)
        self._donors = [donor(scene.values) for scene in scenes]
        self._settings = config.ranking

    def losses(self, images: Tensor, seed: tuple[int, ...]) -> dict[str, Tensor]:
        """Return the mean ranking loss plus the features' weighted mean size; the targets are drawn from `seed`."""
        each, sizes = [], []
        for index, image in enumerate(images):
            random = np.random.default_rng([*seed, index])
            values, truth = implant(
                image.permute(1, 2, 0).cpu().numpy(),
                random,
                self._donors,
                n_targets=self._settings.targets,
                stretch=self._settings.stretch,
                rows=self._settings.rows,
            )
            # A target brighter than the scene widens its range, and with it the scaling.
            values *= np.float32(_LIMIT / max(_LIMIT, float(np.abs(values).max())))
            planted = torch.from_numpy(values).permute(2, 0, 1).to(images.device)
            enhanced = self.fen(planted[None])[0]
            sizes.append(enhanced.abs().mean())
            # A small patch may get no target, and one within a gap of its scene is a single filled-in spectrum: then
            # there is nothing to rank.
            if truth.any() and np.ptp(values, axis=(0, 1)).any():
                each.append(ranking_loss(enhanced, torch.from_numpy(truth).to(images.device)))
        size = torch.stack(sizes).mean()
        ranking = torch.stack(each).mean() if each else torch.zeros_like(size)
        return {"loss": ranking + self._settings.size * size, "ranking": ranking, "size": size}

    def limit_gradients(self) -> None:
        """Bound their norm: one image with a nearly singular covariance would undo many steps."""
        nn.utils.clip_grad_norm_(self.fen.parameters(), _MOST_NORM)


def first_weights(config: Config) -> dict[str, NDArray[np.float32]]:
    """Return the weights that the ranking objective begins with; `ModelError` where `network.start` does not fit."""
    drawn = _drawn_weights(config, config.network.architecture(config.data.bands))
    return with_gain(with_entry_mean(drawn, config.network.entry_mean), config.network.gain)


def _drawn_weights(config: Config, architecture: Architecture) -> dict[str, NDArray[np.float32]]:
    if not config.network.start:
        return untrained_weights(architecture, config.seed)
    model = load_model(config.network.start)
    begun, weights = stretched(model.architecture, model.weights, architecture.n_bands)
    if begun != architecture:
        raise ModelError(
            f"The model {config.network.start} cannot be the start of this network, whose sizes are others: correct "
            "network.blocks, entry, inner, outer or hidden."
        )
    return weights


def with_gain(weights: Weights, gain: float) -> dict[str, NDArray[np.float32]]:
    """Return FEN weights whose head gives `gain` times as much."""
    changed = {name: np.array(values) for name, values in weights.items()}
    for part in ("weight", "bias"):
        changed[f"conv2.{part}"] *= np.float32(gain)
    return changed


def with_entry_mean(weights: Weights, factor: float) -> dict[str, NDArray[np.float32]]:
    """Return FEN weights whose entry's rows have `factor` times their mean over the bands, else the same shape."""
    changed = {name: np.array(values) for name, values in weights.items()}
    entry = changed["convh.weight"]
    changed["convh.weight"] = entry + np.float32(factor - 1.0) * entry.mean(axis=1, keepdims=True)
    return changed


class _Still(nn.Module):
    """A FEN whose batch norm never enters training mode."""

    def __init__(self, fen: Fen) -> None:
        super().__init__()
        self.fen = fen

    def train(self, mode: bool = True) -> _Still:
        super().train(mode)
        self.fen.eval()
        return self


def distances(image: Tensor) -> Tensor:
    """Return squared Mahalanobis distances (rows * cols,) of the pixels of (bands, rows, cols), in float64."""
    pixels = image.flatten(1).double()
    pixels = pixels - pixels.mean(dim=1, keepdim=True)
    covariance = pixels @ pixels.T / (pixels.shape[1] - 1)
    ridge = _RIDGE * covariance.diagonal().mean()
    covariance = covariance + ridge * torch.eye(len(covariance)).to(covariance)
    factor = torch.linalg.cholesky(covariance)
    scores: Tensor = torch.linalg.solve_triangular(factor, pixels, upper=False).square().sum(dim=0)
    return scores


def ranking_loss(enhanced: Tensor, truth: Tensor) -> Tensor:
    """Return the mean of log(1 + d_b / d_t) over pairs, for an image (bands, rows, cols) and a truth (rows, cols)."""
    logarithms = torch.log(distances(enhanced))
    target, background = logarithms[truth.flatten()], logarithms[~truth.flatten()]
    return functional.softplus(background[None, :] - target[:, None]).mean()
