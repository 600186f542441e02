"""A FEN brought to another number of bands."""

from __future__ import annotations

import numpy as np
import pytest

import ferd_engine
from ferd_engine.errors import UsageError
from ferd_engine.fen.bundle import Model, load_model, save_model
from ferd_engine.fen.network import Architecture, untrained_weights
from tests.engine.fen.reference import enhanced
from training.__main__ import main
from training.stretch import stretched, stretched_model


def smooth(n_bands, n_rows=7, n_cols=9):
    """Return an image whose spectra are smooth curves, sampled at so many bands."""
    x = np.linspace(0.0, 1.0, n_bands)
    random = np.random.default_rng(0)
    level, slope = random.uniform(-0.05, 0.05, (2, n_rows, n_cols, 1))
    return (level + slope * x + 0.03 * np.sin(3 * x)).astype(np.float32)


def test_smooth_spectra_get_the_same_features():
    """With weights that are smooth along the spectrum, twice the bands show the same curves twice as finely."""
    architecture = Architecture(60, bottlenecks=2, entry=8, inner=8, outer=12, hidden=9)
    weights = untrained_weights(architecture, 0)
    x = np.linspace(0.0, 1.0, 60)
    weights["convh.weight"] = np.stack([np.cos(k * x) for k in range(8)])[:, :, None, None].astype(np.float32) / 60
    weights["conv2.weight"] = np.stack([np.sin(k * x + 1) for k in range(9)], 1)[:, :, None, None].astype(np.float32)
    other, changed = stretched(architecture, weights, 119)
    assert (other.n_bands, other.hidden, other.bottlenecks) == (119, 9, 2)
    few = enhanced(smooth(60), weights, 2)
    many = enhanced(smooth(119), changed, 2)
    assert np.abs(many[:, :, ::2] - few).max() < 0.02 * np.abs(few - smooth(60)).max()


def test_the_same_number_of_bands_changes_nothing():
    architecture = Architecture(12, bottlenecks=1, entry=4, inner=4, outer=8)
    weights = untrained_weights(architecture, 2)
    same, changed = stretched(architecture, weights, 12)
    assert same == architecture
    assert all(np.array_equal(weights[name], changed[name]) for name in weights)


def test_the_command_writes_a_model_that_runs_and_says_where_it_is_from(tmp_path):
    architecture = Architecture(12, bottlenecks=1, entry=4, inner=4, outer=8)
    origin = save_model(Model("tiny-12", architecture, untrained_weights(architecture, 2)), tmp_path / "tiny-12")
    assert main(["stretch", str(tmp_path / "tiny-12"), "20", str(tmp_path / "tiny-20")]) == 0
    model = load_model(tmp_path / "tiny-20")
    assert (model.name, model.n_bands, model.band_selection) == ("tiny-20", 20, "spread")
    assert model.training["stretched_from"] == {"bands": 12, "sha256": origin.sha256}
    cube = np.random.default_rng(0).random((9, 8, 25))
    assert np.isfinite(ferd_engine.detect(cube, model=str(tmp_path / "tiny-20"))).all()
    with pytest.raises(UsageError, match="2 or more"):
        stretched_model(origin, 1, "x")


def test_a_folder_in_the_way_is_said_without_an_option_that_is_not_there(tmp_path, capsys):
    assert main(["stretch", "fen-50", "60", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"training: {tmp_path} exists: remove it, or name another folder for the model.\n"


def test_diagnose_prints_what_the_engine_scores(tmp_path, capsys):
    architecture = Architecture(12, bottlenecks=1, entry=4, inner=4, outer=8)
    save_model(Model("tiny-12", architecture, untrained_weights(architecture, 2)), tmp_path / "tiny-12")
    random = np.random.default_rng(0)
    np.save(tmp_path / "cube.npy", random.normal(size=(30, 26, 3)) @ random.normal(size=(3, 15)) + 9.0)
    assert main(["diagnose", str(tmp_path / "cube.npy"), "--model", str(tmp_path / "tiny-12"), "--draws", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Implanted targets in cube.npy: AUC ")
    assert "of 2 draws" in printed


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("scenes", (), "There are 2 scenes in the folder"),
        ("halves.npy", (), "The scene halves.npy has no pixel that is valid in all bands"),
        ("scenes/a.npy", ("--draws", "0"), "The number of draws is 0"),
    ],
)
def test_what_cannot_be_diagnosed_is_named(tmp_path, capsys, name, options, message):
    cube = np.random.default_rng(0).random((20, 18, 9), dtype=np.float32)
    (tmp_path / "scenes").mkdir()
    for scene in "ab":
        np.save(tmp_path / "scenes" / f"{scene}.npy", cube)
    # No band is wholly invalid, and yet each pixel is so in one of the two.
    cube[:, :9, 0] = cube[:, 9:, 1] = np.nan
    np.save(tmp_path / "halves.npy", cube)
    assert main(["diagnose", str(tmp_path / name), *options]) == 2
    assert message in capsys.readouterr().err
