"""Recipes are compared on held-out scenes, and a finished run is not trained again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ferd_engine.errors import UsageError
from training.__main__ import main
from training.explore import load_recipes, score_cases
from training.selection import Case

RECIPES_FOLDER = Path(__file__).resolve().parents[2] / "training" / "recipes"
BASE = """
name = "tiny-20"
output = "runs/tiny-20"
[data]
train = [{kind = "synthetic", count = 1, rows = 24, cols = 24, seed = 1}]
held_out = [{kind = "synthetic", count = 2, rows = 30, cols = 33, seed = 9}]
bands = 20
band_selection = "spread"
patch = 24
[network]
teacher = "random"
entry = 4
inner = 4
outer = 8
blocks = [1, 1, 1]
gain = 30.0
entry_mean = 2.0
[training]
objective = "ranking"
epochs = 1
batch = 1
threads = 1
selection = "implanted"
"""
RECIPES = """
base = "base.toml"
seeds = [0, 3]
[recipes.plain]
[recipes.wide]
network = { hidden = 9 }
data = { rounds = 2 }
"""


@pytest.fixture
def recipes(tmp_path):
    (tmp_path / "base.toml").write_text(BASE)
    (tmp_path / "recipes.toml").write_text(RECIPES)
    return tmp_path / "recipes.toml"


def test_recipes_change_what_they_say_and_nothing_else(recipes, tmp_path):
    configs, seeds = load_recipes(recipes)
    assert list(configs) == ["plain", "wide"]
    assert seeds == (0, 3)
    assert (configs["plain"].network.hidden, configs["wide"].network.hidden) == (0, 9)
    assert configs["wide"].network.entry == configs["plain"].network.entry == 4
    assert (configs["plain"].data.rounds, configs["wide"].data.rounds) == (1, 2)
    assert configs["wide"].training.selection == "last"
    assert configs["wide"].output == str(tmp_path / "runs" / "explore" / "recipes" / "wide")


def test_explore_prints_all_outcomes_and_trains_once(recipes, tmp_path, capsys):
    assert main(["explore", str(recipes)]) == 0
    printed = capsys.readouterr().out
    outcomes = json.loads((tmp_path / "runs" / "explore" / "recipes" / "outcomes.json").read_text())
    names = [outcome["name"] for outcome in outcomes]
    assert names[0] == "GRX"
    shapes = ("published shape", "same shape", "same shape, gain 30, entry mean 2")
    assert names[1:7] == [f"untrained, {shape}, seed {seed}" for shape in shapes for seed in (0, 3)]
    assert names[7:] == [f"{name}, seed {seed}" for name in ("plain", "wide") for seed in (0, 3)]
    assert all(0.0 < outcome["mean"] <= 1.0 for outcome in outcomes)
    assert all(name in printed for name in names)
    weights = tmp_path / "runs" / "explore" / "recipes" / "wide-3" / "model" / "weights.safetensors"
    before = weights.read_bytes()
    log = tmp_path / "runs" / "explore" / "recipes" / "wide-3" / "log.csv"
    seconds = log.read_text()
    assert main(["explore", str(recipes), "--only", "wide"]) == 0
    again = capsys.readouterr().out
    assert "plain, seed" not in again
    assert weights.read_bytes() == before
    assert log.read_text() == seconds


def test_scores_are_means_over_the_draws_of_a_scene():
    random = np.random.default_rng(0)
    cubes = random.normal(size=(3, 20, 22, 4)).astype(np.float32)
    truth = np.zeros((20, 22), dtype=bool)
    truth[4:6, 7] = True
    cubes[0][truth] += 20.0
    cases = [Case("a 1", "a", cubes[0], truth), Case("a 2", "a", cubes[1], truth), Case("b 1", "b", cubes[2], truth)]
    outcome = score_cases("GRX", None, cases)
    single = [score_cases("GRX", None, [case]).mean for case in cases]
    assert single[0] == 1.0
    assert outcome.by_scene == {"a": pytest.approx(np.mean(single[:2])), "b": pytest.approx(single[2])}
    assert outcome.mean == pytest.approx((np.mean(single[:2]) + single[2]) / 2)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("seeds = [1]\n[recipes.a]\n", "name no base"),
        ('base = "base.toml"\n', "no recipe in"),
        ('base = "base.toml"\n[recipes]\na = 3\n', "must be a table"),
        ('base = "base.toml"\nseeds = ["one"]\n[recipes.a]\n', "whole number"),
        ('base = "base.toml"\nseeds = []\n[recipes.a]\n', "seeds"),
        ('base = "base.toml"\nseed = 1\n[recipes.a]\n', "unknown key seed:"),
        ('base = "base.toml"\n[recipes.a]\nnetwork = { widht = 3 }\n', r"network\.widht"),
        ('base = "absent.toml"\n[recipes.a]\n', "absent"),
    ],
)
def test_wrong_recipes_are_named(recipes, text, match):
    recipes.write_text(text)
    with pytest.raises(UsageError, match=match):
        load_recipes(recipes)


def test_an_unknown_recipe_is_named(recipes, capsys):
    assert main(["explore", str(recipes), "--only", "narrow"]) == 2
    assert "narrow" in capsys.readouterr().err


def test_the_recipes_that_are_here_can_be_read():
    configs, seeds = load_recipes(RECIPES_FOLDER / "search.toml")
    assert seeds == (0, 1)
    assert configs["embedded"].data.bands == 100
    assert configs["frozen"].network.frozen
    assert len({config.digest() for config in configs.values()}) == len(configs)


@pytest.mark.parametrize(
    ("name", "bands", "seeds"),
    [("starts", 100, (4, 17, 16)), ("starts-50", 50, (6, 4, 8)), ("starts-200", 200, (6, 9, 5))],
)
def test_the_fifth_rounds_recipes_are_those_of_its_table(name, bands, seeds):
    configs, found = load_recipes(RECIPES_FOLDER / f"{name}.toml")
    assert found == seeds
    assert {config.data.bands for config in configs.values()} == {bands}
    assert {config.network.entry_mean for config in configs.values()} == {3.0}
    assert configs["four-half-way"].training.seeds == (100, 101, 102, 103)
    assert configs["four-half-way"].training.reach == 0.5
