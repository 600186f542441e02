"""The training loop: epochs over patches, a checkpoint after each, the bundle at the end.

Several trainings from one start have a folder each, with a log and a checkpoint of its own.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ferd_engine.errors import OutputError, RunError, UsageError
from ferd_engine.fen.bundle import Model, save_model
from ferd_engine.progress import Progress, ProgressSpan, SilentProgress

from . import checkpoint
from .config import Config
from .export import to_model
from .log import Log, Row
from .mean_weights import MeanWeights
from .objectives import Objective, make_objective
from .patches import batches
from .scenes import Background, Scene, load_scenes, prepare
from .selection import Case, held_out_cases, mean_auc

MODEL_FOLDER = "model"
Weights = dict[str, torch.Tensor]
logger = logging.getLogger("ferd")


@dataclass(frozen=True)
class _Material:
    """What all trainings of a configuration share: scenes, the same to cut patches from, and what selects."""

    scenes: list[Scene]
    images: list[Background]
    cases: list[Case]


def train(config: Config, *, progress: Progress | None = None, fresh: bool = False) -> Model:
    """Train as the configuration says and return the model, saved in `output`/model.

    A run that was stopped goes on after its last whole epoch and ends with the same weights, bit by bit on one machine
    with the same number of threads. `fresh` begins again. Raises `FerdError` with one sentence.
    """
    device = _device(config.training.device)
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    seeds = config.training.seeds
    folders = {seed: config.folder / f"seed-{seed}" for seed in seeds} or {config.seed: config.folder}
    for folder in folders.values():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make the folder {folder} ({error.strerror}): choose another one.") from error
    scenes = load_scenes(config.data.train)
    images = [prepare(scene, config.data.bands, config.data.band_selection) for scene in scenes]
    material = _Material(scenes, images, held_out_cases(config))
    mean, trainings = MeanWeights(), []
    for index, (seed, folder) in enumerate(folders.items()):
        run = _Run(config, material, seed, folder, device, fresh)
        part = ProgressSpan(progress or SilentProgress(), index / len(folders), (index + 1) / len(folders))
        run.all_epochs(part, f"Training {index + 1} of {len(seeds)}, epoch" if seeds else "Epoch")
        mean.add(run.weights)
        trainings.append(run.about())
    about = _about(config, trainings, device)
    weights = mean.beyond(run.start, config.training.reach)
    if material.cases and (seeds or config.training.reach < 1.0):
        about["held_out_auc"] = round(mean_auc(_as_model(config, material, weights, {}), material.cases), 6)
    return save_model(_as_model(config, material, weights, about), config.folder / MODEL_FOLDER, overwrite=True)


def _about(config: Config, trainings: list[dict[str, Any]], device: torch.device) -> dict[str, Any]:
    """Return what the card says of the trainings: of the only one, or of each beside its seed."""
    if not config.training.seeds:
        return {**trainings[0], "device": str(device)}
    return {
        "trainings": [{"seed": seed, **one} for seed, one in zip(config.training.seeds, trainings, strict=True)],
        "seconds": round(sum(one["seconds"] for one in trainings), 1),
        "device": str(device),
    }


def _as_model(config: Config, material: _Material, weights: Weights, about: dict[str, Any]) -> Model:
    return to_model(config, {name: values.numpy() for name, values in weights.items()}, material.scenes, about)


def _tensors(objective: Objective) -> Weights:
    """Return copies of the FEN's weights, on the CPU."""
    return {name: torch.from_numpy(values) for name, values in objective.fen.weights().items()}


class _Run:
    """A training between two epochs: `seed` draws its patches and targets, the configuration's seed drew its start."""

    def __init__(
        self, config: Config, material: _Material, seed: int, folder: Path, device: torch.device, fresh: bool
    ) -> None:
        state = None if fresh else checkpoint.load(folder, config.digest())
        self._config = config
        self._material = material
        self._seed = seed
        self._folder = folder
        self._device = device
        self._objective: Objective = make_objective(config, material.scenes)
        self.start: Weights = _tensors(self._objective)
        self._objective.module.to(device)
        settings = config.training
        self._optimizer = torch.optim.Adam(
            [parameter for parameter in self._objective.module.parameters() if parameter.requires_grad],
            lr=settings.learning_rate,
            betas=(settings.betas[0], settings.betas[1]),
        )
        self._epoch = 0
        self._rows: list[Row] = []
        self._best: dict[str, Any] = {"epoch": 0, "score": -math.inf, "weights": {}}
        self._mean = MeanWeights()
        if state is not None:
            self._resume(state)

    def _resume(self, state: dict[str, Any]) -> None:
        self._objective.module.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._epoch, self._rows, self._best = state["epoch"], state["rows"], state["best"]
        self._mean = MeanWeights(**state["mean"])
        logger.info("Going on after epoch %d of %d.", self._epoch, self._config.training.epochs)

    def all_epochs(self, progress: ProgressSpan, title: str) -> None:
        """Run the epochs that are left; `title` is what stands before an epoch's number in the progress."""
        epochs = self._config.training.epochs
        log = Log(self._folder, self._rows, tensorboard=self._config.training.tensorboard)
        try:
            for epoch in range(self._epoch + 1, epochs + 1):
                started = time.perf_counter()
                row = {"epoch": float(epoch), **self._one_epoch(epoch, progress, title)}
                row.update(self._select(epoch))
                row["seconds"] = round(time.perf_counter() - started, 3)
                self._epoch = epoch
                self._rows.append(row)
                self._save()
                log.add(row)
                logger.info("Epoch %d: loss %.5f, %.1f s.", epoch, row["loss"], row["seconds"])
        finally:
            log.close()

    def _one_epoch(self, epoch: int, progress: ProgressSpan, title: str) -> Row:
        """Take one step per batch; return the means of the losses over the images."""
        data, settings = self._config.data, self._config.training
        self._set_learning_rate(epoch)
        self._objective.module.train()
        sums: Row = {}
        n_images = 0
        done = (epoch - 1) / settings.epochs
        cut = batches(self._material.images, data, settings.batch, self._seed, epoch)
        for step, images in enumerate(cut):
            progress.step(done, f"{title} {epoch} of {settings.epochs}")
            parts = self._objective.losses(images.to(self._device), (self._seed, epoch, step))
            loss = parts["loss"]
            reached = float(loss.detach())
            if not math.isfinite(reached):
                raise RunError(
                    f"The loss became {reached:g} in epoch {epoch}: lower training.learning_rate and train again with "
                    "--fresh, or look for extreme values in the data."
                )
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._objective.limit_gradients()
            self._optimizer.step()
            if epoch > settings.epochs * (1.0 - settings.average):
                self._mean.add(self._objective.fen.state_dict())
            n_images += len(images)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) * len(images)
        progress.step(epoch / settings.epochs, f"{title} {epoch} of {settings.epochs}")
        return {name: value / n_images for name, value in sums.items()}

    def _set_learning_rate(self, epoch: int) -> None:
        settings = self._config.training
        factor = 0.5 * (1 + math.cos(math.pi * (epoch - 1) / settings.epochs)) if settings.decay == "cosine" else 1.0
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * factor

    def _select(self, epoch: int) -> Row:
        """Keep the weights if the configuration wants those of this epoch."""
        weights = _tensors(self._objective)
        if self._mean.count:
            weights = {name: self._mean.of(name) for name in weights}
        if not self._material.cases:
            self._best = {"epoch": epoch, "score": -math.inf, "weights": weights}
            return {}
        last = epoch == self._config.training.epochs
        if epoch % self._config.training.select_every and not last:
            return {"held_out_auc": math.nan}
        score = mean_auc(_as_model(self._config, self._material, weights, {}), self._material.cases)
        if score > self._best["score"]:
            self._best = {"epoch": epoch, "score": score, "weights": weights}
        return {"held_out_auc": score}

    def _save(self) -> None:
        checkpoint.save(
            self._folder,
            {
                "digest": self._config.digest(),
                "epoch": self._epoch,
                "network": self._objective.module.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "rows": self._rows,
                "best": self._best,
                "mean": {"count": self._mean.count, "sums": self._mean.sums},
            },
        )

    @property
    def weights(self) -> Weights:
        """The weights of the epoch that was kept."""
        return dict(self._best["weights"])

    def about(self) -> dict[str, Any]:
        """Return which epoch was kept, the seconds of all epochs, and what the kept one scored where cases select."""
        about = {"epoch": self._best["epoch"], "seconds": round(sum(row["seconds"] for row in self._rows), 1)}
        return {**about, "held_out_auc": round(self._best["score"], 6)} if self._material.cases else about


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("training.device is cuda and torch finds no CUDA device: set it to cpu or auto.")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")
