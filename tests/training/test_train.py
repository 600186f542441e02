"""Training end to end on a tiny set: the loss falls, a stopped run resumes to the same bits, the engine agrees."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import torch

import ferd_engine
from ferd_engine.errors import Cancelled, InputError, MissingPackageError, ModelError, RunError, UsageError
from ferd_engine.fen.bundle import Model, load_model, save_model
from ferd_engine.fen.network import untrained_weights
from training import checkpoint
from training.config import Config, DataConfig, NetworkConfig, RankingConfig, SceneConfig, TrainingConfig
from training.config_file import load_config
from training.networks.distillation import ReverseDistillation
from training.networks.fen import Fen
from training.objectives import first_weights
from training.train import train

SMALL = NetworkConfig(
    teacher="random", entry=8, inner=8, outer=16, blocks=(2, 1, 1), embedding_blocks=1, decoder_blocks=(1, 1, 1)
)


def config(folder, *, network=SMALL, **training):
    return Config(
        name="tiny",
        output=str(folder),
        seed=3,
        network=network,
        data=DataConfig(
            train=(SceneConfig(kind="synthetic", count=2, rows=40, cols=56, seed=1, licence="CC0-1.0"),),
            held_out=(SceneConfig(kind="synthetic", count=1, rows=40, cols=33, seed=9),),
            bands=20,
            band_selection="spread",
            patch=24,
            turn_patches=True,
        ),
        training=TrainingConfig(**{"epochs": 2, "batch": 4, "threads": 1, **training}),
    )


def rows_of(folder):
    with open(folder / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


class StopIn:
    """Progress that asks to stop in an epoch, as a signal does."""

    def __init__(self, epoch):
        self.epoch, self.now = epoch, 0

    def update(self, fraction, message):
        self.now = int(message.split()[1])

    def cancelled(self):
        return self.now >= self.epoch


class StopAt:
    """Progress that asks to stop where the message begins with a text."""

    def __init__(self, text):
        self.text, self.now = text, ""

    def update(self, fraction, message):
        self.now = message

    def cancelled(self):
        return self.now.startswith(self.text)


@pytest.mark.parametrize("objective", ["distillation", "ranking"])
def test_loss_falls_and_the_engine_gives_what_torch_gives(tmp_path, objective):
    settings = config(tmp_path / "run", objective=objective, epochs=4)
    model = train(settings)
    losses = [float(row["loss"]) for row in rows_of(tmp_path / "run")]
    assert len(losses) == 4
    assert losses[-1] < losses[0]

    fen = Fen(model.architecture).eval()
    fen.load_weights(dict(model.weights))
    cube = np.random.default_rng(0).uniform(-1.0, 1.0, (31, 26, 20)).astype(np.float32)
    scaled = (cube - cube.min()) / (cube.max() - cube.min()) * np.float32(0.2) - np.float32(0.1)
    with torch.no_grad():
        wanted = fen(torch.from_numpy(scaled.transpose(2, 0, 1)[None].copy()))[0].numpy().transpose(1, 2, 0)
    for backend in ("numpy", "torch"):
        found = ferd_engine.enhance(cube, model=str(tmp_path / "run" / "model"), backend=backend)
        assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()
    # Scores, too: GRX of what torch computed, in float64 from its definition.
    pixels = wanted.reshape(-1, 20).astype(np.float64) - wanted.reshape(-1, 20).mean(axis=0, dtype=np.float64)
    inverse = np.linalg.inv(np.cov(pixels.T))
    scores = np.einsum("ij,jk,ik->i", pixels, inverse, pixels).reshape(31, 26)
    found = ferd_engine.detect(cube, model=str(tmp_path / "run" / "model"))
    assert np.abs(found - scores).max() < 1e-4 * scores.max()


@pytest.mark.parametrize("objective", ["distillation", "ranking"])
@pytest.mark.parametrize(("selection", "average"), [("last", 0.0), ("implanted", 0.0), ("last", 1.0)])
def test_a_stopped_run_resumes_to_the_same_bits(tmp_path, objective, selection, average):
    kinds = {"objective": objective, "selection": selection, "average": average, "epochs": 3}
    whole = train(config(tmp_path / "whole", **kinds))
    with pytest.raises(Cancelled):
        train(config(tmp_path / "stopped", **kinds), progress=StopIn(2))
    assert len(rows_of(tmp_path / "stopped")) == 1
    assert not (tmp_path / "stopped" / "model").exists()
    resumed = train(config(tmp_path / "stopped", **kinds))
    assert same(whole.weights, resumed.weights)
    assert whole.training["epoch"] == resumed.training["epoch"]
    assert [r["loss"] for r in rows_of(tmp_path / "whole")] == [r["loss"] for r in rows_of(tmp_path / "stopped")]
    assert not list((tmp_path / "stopped").glob(".checkpoint*"))


MEAN = {"objective": "ranking", "average": 0.5, "seeds": (5, 7)}


@pytest.mark.parametrize("reach", [1.0, 0.25])
def test_trainings_with_seeds_are_averaged_in_weights(tmp_path, reach):
    network = dataclasses.replace(SMALL, gain=30.0, entry_mean=2.0)
    settings = config(tmp_path / "run", network=network, selection="implanted", reach=reach, **MEAN)
    found = train(settings)
    # Each by itself, from the same start under its own seed, and the mean of what it ends with.
    start = first_weights(settings)
    save_model(Model("start", found.architecture, start), tmp_path / "start")
    alone = []
    for seed in (5, 7):
        one = config(
            tmp_path / str(seed),
            network=dataclasses.replace(SMALL, start=str(tmp_path / "start")),
            selection="implanted",
            **{**MEAN, "seeds": ()},
        )
        alone.append(train(dataclasses.replace(one, seed=seed)))
    assert not same(alone[0].weights, alone[1].weights)
    wanted = {
        name: values + reach * ((alone[0].weights[name].astype(np.float64) + alone[1].weights[name]) / 2 - values)
        for name, values in start.items()
    }
    assert all(np.allclose(found.weights[name], wanted[name], rtol=3e-7, atol=1e-12) for name in wanted)
    about = found.training["trainings"]
    assert [one["seed"] for one in about] == [5, 7]
    assert [one["held_out_auc"] for one in about] == [one.training["held_out_auc"] for one in alone]
    assert found.training["seconds"] == pytest.approx(sum(one["seconds"] for one in about))
    assert 0.0 < found.training["held_out_auc"] <= 1.0


@pytest.mark.parametrize("stop", ["Training 1 of 2, epoch 2", "Training 2 of 2, epoch 1", "Training 2 of 2, epoch 2"])
def test_stopped_trainings_with_seeds_resume_to_the_same_bits(tmp_path, stop):
    whole = train(config(tmp_path / "whole", **MEAN))
    with pytest.raises(Cancelled):
        train(config(tmp_path / "stopped", **MEAN), progress=StopAt(stop))
    assert not (tmp_path / "stopped" / "model").exists()
    resumed = train(config(tmp_path / "stopped", **MEAN))
    assert same(whole.weights, resumed.weights)
    for seed in MEAN["seeds"]:
        whole_rows, rows = (rows_of(tmp_path / run / f"seed-{seed}") for run in ("whole", "stopped"))
        assert [row["loss"] for row in whole_rows] == [row["loss"] for row in rows]


KILLED = """
name = "tiny"
output = "run"
seed = 3
[data]
train = [{kind = "synthetic", count = 2, rows = 40, cols = 56, seed = 1}]
bands = 20
patch = 24
[network]
teacher = "random"
entry = 8
inner = 8
outer = 16
blocks = [1, 1, 1]
embedding_blocks = 1
decoder_blocks = [1, 1, 1]
[training]
epochs = 12
batch = 4
threads = 1
"""


@pytest.mark.parametrize(("seeds", "folder"), [("", "run"), ("seeds = [5, 6]", "run/seed-6")])
def test_a_killed_process_resumes_to_the_same_bits(tmp_path, seeds, folder):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text(KILLED + seeds)
    whole = train(load_config(tmp_path / "whole" / "config.toml"))
    command = [sys.executable, "-m", "training", "train", str(tmp_path / "killed" / "config.toml")]
    log = tmp_path / "killed" / folder / "log.csv"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ) as process:
        # In the middle of an epoch, after a few whole ones.
        while process.poll() is None and not (log.is_file() and len(log.read_text().splitlines()) > 3):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "run" / "model").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Going on after epoch" in done.stderr
    assert same(whole.weights, load_model(tmp_path / "killed" / "run" / "model").weights)
    assert [r["epoch"] for r in rows_of(tmp_path / "killed" / folder)] == [str(float(n)) for n in range(1, 13)]


def test_tensorboard_gets_what_the_csv_log_gets(tmp_path, monkeypatch):
    written = []

    class Writer:
        def __init__(self, folder, purge_step):
            written.append(("begin", folder, purge_step))

        def add_scalar(self, key, value, step):
            written.append((key, value, step))

        def flush(self):
            pass

        def close(self):
            written.append(("end",))

    # tensorboard itself is not among what the tests need.
    module = types.SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    train(config(tmp_path / "run", epochs=2, tensorboard=True))
    losses = [(value, step) for key, value, step in (w for w in written if len(w) == 3) if key == "loss"]
    assert losses == [(float(row["loss"]), int(float(row["epoch"]))) for row in rows_of(tmp_path / "run")]
    assert written[0] == ("begin", str(tmp_path / "run" / "tensorboard"), 1)
    assert written[-1] == ("end",)


def test_tensorboard_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingPackageError, match="pip install tensorboard"):
        train(config(tmp_path / "run", tensorboard=True))


def test_a_single_training_goes_part_of_the_way(tmp_path):
    settings = config(tmp_path / "whole", objective="ranking", selection="implanted")
    start, whole = first_weights(settings), train(settings)
    half = train(config(tmp_path / "half", objective="ranking", selection="implanted", reach=0.5))
    for name, values in start.items():
        assert np.allclose(half.weights[name], (values + whole.weights[name].astype(np.float64)) / 2, rtol=3e-7)
    assert half.training["epoch"] == whole.training["epoch"]
    # The score is that of the weights that are kept.
    assert half.training["held_out_auc"] != whole.training["held_out_auc"]


def test_averaged_weights_differ_from_the_last_ones(tmp_path):
    last = train(config(tmp_path / "last", objective="ranking", epochs=2))
    mean = train(config(tmp_path / "mean", objective="ranking", epochs=2, average=1.0))
    assert not same(last.weights, mean.weights)


def test_a_penalty_keeps_features_small(tmp_path):
    sizes = []
    for weight in (0.0, 10.0):
        settings = config(tmp_path / str(weight), objective="ranking", epochs=4)
        settings = dataclasses.replace(
            settings,
            ranking=RankingConfig(size=weight, rows=0.5),
            network=dataclasses.replace(SMALL, gain=100.0),
        )
        train(settings)
        sizes.append(float(rows_of(tmp_path / str(weight))[-1]["size"]))
    assert sizes[1] < sizes[0]


def test_seeds_decide(tmp_path):
    first = train(config(tmp_path / "a", epochs=1))
    again = train(config(tmp_path / "b", epochs=1))
    other = train(dataclasses.replace(config(tmp_path / "c", epochs=1), seed=4))
    assert same(first.weights, again.weights)
    assert not same(first.weights, other.weights)


def test_the_teacher_keeps_its_weights_and_the_rest_learns(tmp_path):
    model = train(config(tmp_path / "run", epochs=1))
    torch.manual_seed(3)
    before = ReverseDistillation(20, SMALL).fen.weights()
    for name, values in before.items():
        assert np.array_equal(values, model.weights[name]) == name.startswith("layer1."), name


def test_a_frozen_residual_layer_stays_in_the_ranking_objective(tmp_path):
    network = dataclasses.replace(SMALL, frozen=True)
    model = train(config(tmp_path / "run", network=network, objective="ranking", epochs=1))
    before = untrained_weights(model.architecture, 3)
    assert np.array_equal(before["layer1.0.conv2.weight"], model.weights["layer1.0.conv2.weight"])
    assert not np.array_equal(before["convh.weight"], model.weights["convh.weight"])


def test_the_mean_of_the_entrys_rows_is_multiplied(tmp_path):
    network = dataclasses.replace(SMALL, entry_mean=3.0)
    entries = [
        first_weights(config(tmp_path / "run", network=one, objective="ranking"))["convh.weight"][:, :, 0, 0]
        for one in (SMALL, network)
    ]
    for drawn, changed in zip(*entries, strict=True):
        mean = sum(drawn) / len(drawn)
        assert np.allclose(changed, drawn - mean + 3.0 * mean, atol=1e-6)
        assert not np.allclose(changed, drawn, atol=1e-6)


def test_ranking_begins_with_a_model(tmp_path):
    first = train(config(tmp_path / "first", objective="ranking", epochs=1))
    network = dataclasses.replace(SMALL, start=str(tmp_path / "first" / "model"))
    tiny = {"objective": "ranking", "epochs": 1, "learning_rate": 1e-12}
    again = train(config(tmp_path / "again", network=network, **tiny))
    assert all(np.allclose(first.weights[name], again.weights[name], atol=1e-6) for name in first.weights)
    with pytest.raises(ModelError, match="sizes are others"):
        train(config(tmp_path / "wrong", network=dataclasses.replace(network, entry=9), **tiny))
    with pytest.raises(UsageError, match=r"network\.start"):
        config(tmp_path / "wrong", network=network)


def test_the_card_says_how_the_model_was_made(tmp_path):
    settings = config(tmp_path / "run", epochs=1, selection="implanted")
    train(settings)
    card = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert card["trained"] is True
    assert card["band_selection"] == "spread"
    training = card["training"]
    assert training["config"]["seed"] == 3
    assert training["config_sha256"].replace(" ", "") == settings.digest()
    assert [entry["licence"] for entry in training["data"]] == ["CC0-1.0", "CC0-1.0"]
    assert 0.0 < training["held_out_auc"] <= 1.0
    assert training["seconds"] > 0


def test_the_best_epoch_by_implanted_targets_is_kept(tmp_path):
    model = train(config(tmp_path / "run", epochs=3, selection="implanted"))
    scores = [float(row["held_out_auc"]) for row in rows_of(tmp_path / "run")]
    assert model.training["epoch"] == 1 + int(np.argmax(scores))
    assert model.training["held_out_auc"] == pytest.approx(max(scores), abs=1e-6)


def test_scores_are_computed_as_often_as_asked(tmp_path):
    train(config(tmp_path / "run", epochs=3, selection="implanted", select_every=2))
    assert [row["held_out_auc"] == "nan" for row in rows_of(tmp_path / "run")] == [True, False, False]


def test_another_configuration_does_not_go_on_from_a_checkpoint(tmp_path):
    train(config(tmp_path / "run", epochs=1))
    with pytest.raises(InputError, match="another configuration"):
        train(config(tmp_path / "run", epochs=1, batch=2))
    train(config(tmp_path / "run", epochs=1, batch=2), fresh=True)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    train(config(tmp_path / "run", epochs=1))
    path = tmp_path / "run" / checkpoint.FILE
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match="damaged"):
        train(config(tmp_path / "run", epochs=1))


def test_a_checkpoint_that_cannot_be_read_is_not_called_damaged(tmp_path):
    # In place of a file that the user may not read, since root may read all.
    (tmp_path / "run" / checkpoint.FILE).mkdir(parents=True)
    with pytest.raises(InputError, match=r"Cannot read the checkpoint .*checkpoint\.pt \("):
        train(config(tmp_path / "run", epochs=1))


def test_a_diverging_run_says_so(tmp_path):
    with pytest.raises(RunError, match="learning_rate"):
        train(config(tmp_path / "run", learning_rate=1e30, epochs=3))


def test_patches_within_a_gap_are_not_ranked(tmp_path):
    cube = np.random.default_rng(0).random((120, 24, 20), dtype=np.float32)
    cube[:96] = np.nan
    np.save(tmp_path / "gap.npy", cube)
    settings = config(tmp_path / "run", objective="ranking", epochs=2, batch=1)
    data = dataclasses.replace(settings.data, train=(SceneConfig(path=str(tmp_path / "gap.npy")),))
    train(dataclasses.replace(settings, data=data))
    assert all(np.isfinite(float(row["loss"])) for row in rows_of(tmp_path / "run"))


def test_a_missing_device_is_refused(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(UsageError, match="cuda"):
        train(config(tmp_path / "run", device="cuda"))


def test_saved_bundle_is_what_was_returned(tmp_path):
    model = train(config(tmp_path / "run", epochs=1))
    assert same(model.weights, load_model(tmp_path / "run" / "model").weights)
