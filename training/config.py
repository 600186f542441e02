"""The configuration of a training run: one frozen object, checked before anything is loaded.

Defaults are those of the paper and its published code: 64 x 64 patches, batches of 16, 60 epochs of Adam with a
learning rate of 0.005 and betas (0.5, 0.999), and the losses' weights 0.1, 0.1 and 1.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from ferd_engine.errors import UsageError
from ferd_engine.fen.bundle import check_name
from ferd_engine.fen.network import Architecture

SCENE_KINDS = ("raster", "had100", "synthetic", "mixtures")
_MADE = ("synthetic", "mixtures")
BAND_SELECTIONS = ("first", "spread")
OBJECTIVES = ("distillation", "ranking")
DECAYS = ("none", "cosine")
SELECTIONS = ("last", "implanted", "test-labels")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class SceneConfig:
    """Where scenes come from.

    kind "raster": a file that the engine reads (any GDAL raster, .mat, .npy), or a folder of them. `variable` names the
    array of a .mat file, which may have several. `rows` and `cols` unfold a .mat array of two axes (bands, pixels),
    pixels column by column as MATLAB has them.
    kind "had100": the folder of the data set; `split` "train" or "test", `sensor` "aviris_ng" or "aviris".
    kind "synthetic": `count` scenes of `rows` x `cols` from `seed` on, see `training.synthetic`.
    kind "mixtures": `count` scenes of `rows` x `cols` from `seed` on, made of spectra of the scenes from files that are
    named before it, of each in turn, see `training.mixtures`.
    `finer`: a scene with fewer good bands is brought to so many, see `training.finer`; 0 leaves it as it is.
    `licence` is that of the data; it is written into the model's card.
    """

    path: str = ""
    kind: str = "raster"
    variable: str = ""
    rows: int = 0
    cols: int = 0
    split: str = "train"
    sensor: str = "aviris_ng"
    count: int = 0
    seed: int = 0
    finer: int = 0
    licence: str = "not stated"

    def __post_init__(self) -> None:
        one_of("kind of scene", self.kind, SCENE_KINDS)
        if self.kind not in _MADE and not self.path:
            raise UsageError(f'A scene of the kind {self.kind} needs a path: add path = "..." to its table.')
        if self.kind in _MADE and not (self.count > 0 and self.rows > 0 and self.cols > 0):
            raise UsageError(
                f"Scenes of the kind {self.kind} need count, rows and cols above 0: add them to their table."
            )
        if (self.rows > 0) != (self.cols > 0) or self.rows < 0 or self.cols < 0:
            raise UsageError(f"The scene {self.path or self.kind} needs rows and cols, both above 0 or neither.")
        at_least("finer", self.finer, 0)
        one_of("split", self.split, ("train", "test"))
        one_of("sensor", self.sensor, ("aviris_ng", "aviris"))


@dataclass(frozen=True)
class DataConfig:
    """The scenes and what is cut out of them: `bands` bands, patches of `patch` x `patch` pixels.

    `band_selection` is how `bands` bands are picked, here and by the engine with the model: "first" takes the first
    good ones, "spread" good ones at equal steps over all of them. An epoch covers each scene `rounds` times.
    `turn_patches` turns and mirrors patches; `vary_bands` spreads the bands of a patch over a random part of the range
    now and then, so that the network suits more than one sensor. `vary_gain` multiplies its bands by a smooth random
    gain, as another light or unit would. `mosaics` puts a part of one patch into another, so that backgrounds have more
    than one kind of ground; see `training.mosaics`.
    """

    train: tuple[SceneConfig, ...]
    held_out: tuple[SceneConfig, ...] = ()
    bands: int = 100
    band_selection: str = "first"
    patch: int = 64
    rounds: int = 1
    turn_patches: bool = False
    vary_bands: bool = False
    vary_gain: bool = False
    mosaics: bool = False

    def __post_init__(self) -> None:
        one_of("band selection", self.band_selection, BAND_SELECTIONS)
        at_least("data.bands", self.bands, 2)
        at_least("data.rounds", self.rounds, 1)
        if self.patch < 8 or self.patch % 8:
            raise UsageError(f"data.patch is {self.patch}: give a multiple of 8, since the network halves it thrice.")
        if not self.train:
            raise UsageError("There is nothing to train on: name at least one scene under data.train.")


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes, by default the paper's: teacher wide_resnet101_2, decoder de_wide_resnet50_2.

    `entry`, `inner`, `outer` and `hidden` are the FEN's widths, as in `ferd_engine.fen.network.Architecture`. `blocks`
    are the bottlenecks of the teacher's layers 1 to 3; layer k + 1 is twice as wide as layer k. `embedding_blocks` are
    those of the embedding, `decoder_blocks` those of the decoder's three layers, the deepest one first. `teacher`
    names its weights: "imagenet", "random", or a file (.pth, .pt, .safetensors) with torchvision's tensor names.
    `frozen` keeps the FEN's residual layer as it is drawn in the ranking objective; the distillation always does.
    `start` names a model that the ranking objective begins with, stretched to the bands wanted where it has others.
    `gain` multiplies the head's last layer as the ranking objective begins: random weights leave the features far below
    the input that is added to them, where RX hardly sees them. `entry_mean` multiplies the mean over the bands of each
    of the entry's rows then, by which the network sees a pixel's brightness.
    """

    teacher: str = "imagenet"
    frozen: bool = False
    start: str = ""
    gain: float = 1.0
    entry_mean: float = 1.0
    entry: int = 64
    inner: int = 128
    outer: int = 256
    hidden: int = 0
    blocks: tuple[int, ...] = (3, 4, 23)
    embedding_blocks: int = 3
    decoder_blocks: tuple[int, ...] = (3, 4, 6)

    def __post_init__(self) -> None:
        for name, counts in (("blocks", self.blocks), ("decoder_blocks", self.decoder_blocks)):
            if len(counts) != 3 or min(counts) < 1:
                raise UsageError(f"network.{name} is {list(counts)}: give three numbers, each 1 or more.")
        at_least("network.embedding_blocks", self.embedding_blocks, 1)
        for name, factor in (("gain", self.gain), ("entry_mean", self.entry_mean)):
            if not factor > 0:
                raise UsageError(f"network.{name} is {factor}: give a number above 0.")

    def architecture(self, n_bands: int) -> Architecture:
        """Return the FEN that these sizes give for so many bands; raises `ModelError` for unusable sizes."""
        return Architecture(n_bands, self.blocks[0], self.entry, self.inner, self.outer, self.hidden)


@dataclass(frozen=True)
class LossConfig:
    """Weights of the three losses.

    `sigmoid_twice` puts a sigmoid before the BCE-with-logits, as the published code does; its least value is then
    log 2 and not 0, and its gradient vanishes sooner.
    """

    alignment: float = 0.1
    reconstruction: float = 0.1
    distillation: float = 1.0
    sigmoid_twice: bool = False


@dataclass(frozen=True)
class RankingConfig:
    """The targets of the ranking objective: at most `targets` in each patch, half of them pieces of other scenes.

    `stretch` varies the spectra of those, see `training.implant`. `rows` is how often, 0 to 1, a target is a row of
    rectangles. `size` is the weight that the mean absolute enhanced value has in the loss.
    """

    targets: int = 12
    stretch: bool = True
    rows: float = 0.0
    size: float = 0.0

    def __post_init__(self) -> None:
        at_least("ranking.targets", self.targets, 1)


@dataclass(frozen=True)
class TrainingConfig:
    """How the weights are found, and which epoch's weights are kept.

    objective "distillation": the paper's; "ranking": see `training.objectives.Ranking`. decay "cosine" lowers the
    learning rate from epoch to epoch along half a cosine.
    selection "last": those of the last epoch; "implanted": those with the largest mean AUC of FEN + GRX on the
    held-out scenes with implanted targets; "test-labels": those with the largest mean AUC on the held-out scenes of
    the had100 kind by their own truth. The published code chooses by test labels: figures on those scenes are then no
    longer figures on unseen scenes. Scores are computed after each `select_every` epochs and after the last.
    `average` keeps, in place of the weights of a step, their mean over the steps of the last such part of the epochs:
    it lies nearer the middle of what fits the training scenes, and so of what fits others (Izmailov et al. 2018).
    `seeds` are those of several trainings that begin with the same weights, drawn from the run's seed, and whose
    weights are averaged (Wortsman et al. 2022); without any there is one training, by the run's seed.
    `reach` is how far on the way from the start to what training ends with the kept weights lie, 1 being all of it.
    device "auto" is CUDA where torch finds it, else the CPU; `threads` 0 leaves torch's own number of threads;
    `tensorboard` writes the log for TensorBoard too.
    """

    objective: str = "distillation"
    epochs: int = 60
    batch: int = 16
    learning_rate: float = 0.005
    decay: str = "none"
    betas: tuple[float, ...] = (0.5, 0.999)
    average: float = 0.0
    seeds: tuple[int, ...] = ()
    reach: float = 1.0
    selection: str = "last"
    select_every: int = 1
    device: str = "auto"
    threads: int = 0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        one_of("objective", self.objective, OBJECTIVES)
        one_of("decay", self.decay, DECAYS)
        one_of("selection", self.selection, SELECTIONS)
        one_of("device", self.device, DEVICES)
        at_least("training.epochs", self.epochs, 1)
        at_least("training.batch", self.batch, 1)
        at_least("training.select_every", self.select_every, 1)
        at_least("training.threads", self.threads, 0)
        if not self.learning_rate > 0:
            raise UsageError(f"training.learning_rate is {self.learning_rate}: give a number above 0.")
        if not 0.0 <= self.average <= 1.0:
            raise UsageError(
                f"training.average is {self.average}: give the part of the epochs to average over, 0 to 1."
            )
        if not 0.0 < self.reach <= 1.0:
            raise UsageError(f"training.reach is {self.reach}: give a number above 0 and up to 1.")
        if len(set(self.seeds)) < len(self.seeds) or any(seed < 0 for seed in self.seeds):
            raise UsageError(f"training.seeds is {list(self.seeds)}: give different numbers, each 0 or more.")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise UsageError(f"training.betas is {list(self.betas)}: give two numbers from 0 to below 1.")


@dataclass(frozen=True)
class Config:
    """A whole run. `output` is its folder, relative paths are relative to the configuration file's folder."""

    name: str
    output: str
    data: DataConfig
    seed: int = 10
    licence: str = "not stated"
    network: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    ranking: RankingConfig = field(default_factory=RankingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        check_name(self.name)
        at_least("seed", self.seed, 0)
        self.network.architecture(self.data.bands)
        if self.network.start and self.training.objective != "ranking":
            raise UsageError("network.start is of no use to the distillation, whose teacher stays as it is: drop it.")
        if self.training.selection != "last" and not self.data.held_out:
            raise UsageError(
                f"The selection {self.training.selection!r} needs held-out scenes: name them under data.held_out."
            )
        kinds = {scene.kind for scene in self.data.held_out}
        if self.training.selection == "test-labels" and kinds != {"had100"}:
            raise UsageError("The selection by test labels needs held-out scenes of the kind had100 alone.")

    @property
    def folder(self) -> Path:
        """The output folder."""
        return Path(self.output)

    def digest(self) -> str:
        """Return a sha256 over what shapes the weights: everything but folders, device, threads and log.

        Values that are the default ones are left out, so that an option that is added later changes no digest.
        """
        values = _stated(self)
        values.pop("output")
        # Another machine has the same files at another place.
        for scene in (*values["data"]["train"], *values["data"].get("held_out", ())):
            scene["path"] = Path(scene.get("path", "")).name
        for key in {"teacher", "start"} & set(values.get("network", {})):
            values["network"][key] = Path(values["network"][key]).name
        for key in ("device", "threads", "tensorboard"):
            values.get("training", {}).pop(key, None)
        values = {key: value for key, value in values.items() if value != {}}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _stated(part: Any) -> Any:
    """Return a dataclass as nested dictionaries without the values that are the default ones."""
    if isinstance(part, tuple):
        return [_stated(item) for item in part]
    if not is_dataclass(part):
        return part
    values = {}
    for one in fields(part):
        value = getattr(part, one.name)
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        if value != default:
            values[one.name] = _stated(value)
    return values


def one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    """Raise `UsageError` unless the value is a known one."""
    if value not in known:
        raise UsageError(f"The {what} {value!r} does not exist: choose one of {', '.join(known)}.")


def at_least(what: str, value: int, least: int) -> None:
    """Raise `UsageError` for a value below the least one."""
    if value < least:
        raise UsageError(f"{what} is {value}: give {least} or more.")
