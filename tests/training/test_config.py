"""The configuration: defaults are the paper's, and nothing that is wrong in a file passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferd_engine.errors import FerdError, UsageError
from training.config import LossConfig, NetworkConfig, TrainingConfig
from training.config_file import load_config

ROOT = Path(__file__).resolve().parents[2]
PAPER = ROOT / "training" / "paper"
MINIMAL = """
name = "fen-100"
output = "runs/fen-100"
[data]
train = [{path = "scenes"}]
"""


def load(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load_config(path)


def test_defaults_are_those_of_the_paper(tmp_path):
    config = load(tmp_path, MINIMAL)
    assert config.network == NetworkConfig(
        teacher="imagenet",
        entry=64,
        inner=128,
        outer=256,
        blocks=(3, 4, 23),
        embedding_blocks=3,
        decoder_blocks=(3, 4, 6),
    )
    assert config.loss == LossConfig(alignment=0.1, reconstruction=0.1, distillation=1.0)
    training = config.training
    assert (training.epochs, training.batch, training.learning_rate, training.betas) == (60, 16, 0.005, (0.5, 0.999))
    assert training == TrainingConfig()
    assert (config.data.patch, config.data.band_selection) == (64, "first")
    assert config.network.architecture(200).hidden == 256
    assert config.network.architecture(100).hidden == 128


@pytest.mark.parametrize("bands", [50, 100, 200])
def test_the_papers_configurations_change_nothing_of_the_papers(bands):
    config = load_config(PAPER / f"had100-{bands}.toml")
    assert (config.network, config.loss, config.training) == (NetworkConfig(), LossConfig(), TrainingConfig())
    assert (config.data.bands, config.data.patch, config.data.band_selection) == (bands, 64, "first")
    assert [(scene.kind, scene.split, scene.sensor) for scene in config.data.train] == [
        ("had100", "train", "aviris_ng")
    ]


def test_the_guides_configuration_can_be_read(tmp_path):
    guide = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    example = guide.split("```toml\n")[1].split("```")[0]
    config = load(tmp_path, example)
    assert (config.training.objective, config.training.selection) == ("ranking", "implanted")


def test_paths_are_relative_to_the_file(tmp_path):
    config = load(tmp_path, MINIMAL + '[network]\nteacher = "w.pth"\n')
    assert config.output == str(tmp_path / "runs" / "fen-100")
    assert config.data.train[0].path == str(tmp_path / "scenes")
    assert config.network.teacher == str(tmp_path / "w.pth")
    assert load(tmp_path, MINIMAL + '[network]\nteacher = "random"\n').network.teacher == "random"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epochs = 3", "unknown key epochs"),
        ("[training]\nepoch = 3", "unknown key training.epoch"),
        ('[training]\nepochs = "3"', "training.epochs is '3'"),
        ("[training]\nepochs = true", "training.epochs is True"),
        ("[training]\nepochs = 0", "training.epochs is 0"),
        ("[training]\nlearning_rate = 0", "above 0"),
        ("[training]\nbetas = [0.5]", "two numbers"),
        ("[training]\nbetas = 0.5", "must be a list"),
        ('[training]\nselection = "best"', "'best' does not exist"),
        ('[training]\nselection = "implanted"', "held-out"),
        ('[training]\nobjective = "gan"', "'gan' does not exist"),
        ("[training]\nseeds = [3, 4, 3]", "different numbers"),
        ("[training]\nseeds = [-1]", "each 0 or more"),
        ("[training]\nreach = 0", "training.reach is 0.0"),
        ("[training]\nreach = 1.5", "training.reach is 1.5"),
        ("[network]\nblocks = [3, 4]", "three numbers"),
        ("[network]\nentry_mean = 0", "network.entry_mean is 0.0"),
        ("[network]\nentry = 0", "entry"),
        ("training = 3", "training must be a table"),
        ("seed = -1", "seed is -1"),
        ("= 3", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, message):
    head, _, tail = MINIMAL.partition("[data]")
    text = head + change + "\n[data]" + tail if change[0] not in "[" else MINIMAL + change
    with pytest.raises(FerdError, match=message.replace("[", r"\[")) as caught:
        load(tmp_path, text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("train = []", "nothing to train on"),
        ('train = [{kind = "had100"}]', "needs a path"),
        ('train = [{kind = "web", path = "x"}]', "'web' does not exist"),
        ('train = [{kind = "synthetic", count = 2}]', "count, rows and cols"),
        ('train = [{path = "x", rows = 4}]', "both above 0"),
        ('train = [{path = "x"}]\npatch = 60', "multiple of 8"),
        ('train = [{path = "x"}]\nbands = 1', "data.bands is 1"),
        ('train = ["x"]', r"data.train\[0\] must be a table"),
        ("bands = 50", "lacks data.train"),
    ],
)
def test_wrong_data_is_named(tmp_path, data, message):
    with pytest.raises(UsageError, match=message):
        load(tmp_path, f'name = "a"\noutput = "o"\n[data]\n{data}\n')


def test_test_labels_need_labels(tmp_path):
    text = MINIMAL + 'held_out = [{path = "x"}]\n[training]\nselection = "test-labels"\n'
    with pytest.raises(UsageError, match="had100 alone"):
        load(tmp_path, text)


def test_the_digest_covers_what_shapes_the_weights(tmp_path):
    base = load(tmp_path, MINIMAL).digest()
    for neutral in ("threads = 2", 'device = "cpu"', "tensorboard = true"):
        assert load(tmp_path, MINIMAL + "[training]\n" + neutral).digest() == base
    for shaping in ("epochs = 61", "betas = [0.9, 0.999]", "seeds = [10]", "reach = 0.5"):
        assert load(tmp_path, MINIMAL + "[training]\n" + shaping).digest() != base
