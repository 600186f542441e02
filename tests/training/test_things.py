"""Man-made things to choose by: in any unit, where the truth says and nowhere else; and what keeps features in hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.presets import TARGETS, implanted
from ferd_engine.errors import UsageError
from ferd_engine.fen.network import Architecture, untrained_weights
from ferd_engine.sample import spectra
from training import synthetic
from training.config import NetworkConfig, TrainingConfig
from training.implant import row_of_things
from training.mean_weights import MeanWeights
from training.networks.fen import Fen
from training.objectives import with_gain
from training.scenes import Scene
from training.things import materials, with_things


def scene(seed=3, shape=(40, 51)):
    return synthetic.background(seed, *shape)[:, :, spectra.good_bands()][:, :, ::4]


def test_things_are_where_the_truth_says():
    cube = scene()
    cube[:, :3] = np.nan
    before = cube.copy()
    for seed in range(10):
        changed, truth = with_things(cube, np.random.default_rng(seed))
        assert np.array_equal(cube, before, equal_nan=True)
        differs = (changed != cube).any(axis=2) & np.isfinite(cube).all(axis=2)
        assert np.array_equal(differs, truth)
        assert truth.any()
        assert not truth[:, :3].any()
    again, _ = with_things(cube, np.random.default_rng(9))
    assert np.array_equal(changed, again, equal_nan=True)


def test_presets_are_chosen_on_scenes_with_many_and_with_few_targets():
    cases = implanted([Scene("a", scene(3), (), ""), Scene("b", scene(4), (), "")])
    assert [(case.name, case.scene) for case in cases] == [
        (f"{name}, {count} targets", name) for name in "ab" for count in TARGETS
    ]
    assert all(case.values.shape[:2] == case.truth.shape and case.truth.any() for case in cases)


def test_things_follow_the_scene_in_any_unit():
    cube = scene().astype(np.float64)
    gain, offset = np.linspace(0.5, 300.0, cube.shape[2]), np.linspace(-7.0, 5.0, cube.shape[2])
    plain, truth = with_things(cube, np.random.default_rng(1))
    other, other_truth = with_things(cube * gain + offset, np.random.default_rng(1))
    assert np.array_equal(truth, other_truth)
    assert np.allclose((other - offset) / gain, plain, rtol=1e-9, atol=1e-9)


def test_materials_are_reflectances():
    for spectrum in materials():
        assert spectrum.shape == (spectra.N_BANDS,)
        assert spectrum.min() >= 0.0
        assert spectrum.max() <= 1.0


def test_a_row_covers_what_its_rectangles_cover():
    """Summed coverage is the area of whole rectangles, up to the edges' one pixel of blur."""
    for seed in range(20):
        share = row_of_things(np.random.default_rng(seed), 200, 200, np.array([100, 100]))
        assert share.shape == (200, 200)
        assert share.min() >= 0.0
        assert share.max() <= 1.0
        assert share.any()
        # One to eight things of at most 4 x 10 pixels, and half a pixel around them.
        assert share.sum() <= 8 * 5.0 * 11.0


def test_a_gain_multiplies_what_the_head_adds():
    architecture = Architecture(6, 1, entry=4, inner=4, outer=8, hidden=5)
    weights = untrained_weights(architecture, 0)
    x = torch.from_numpy(np.random.default_rng(0).uniform(-0.1, 0.1, (1, 6, 12, 9)).astype(np.float32))
    added = []
    for state in (weights, with_gain(weights, 30.0)):
        fen = Fen(architecture).eval()
        fen.load_weights(state)
        with torch.no_grad():
            added.append((fen(x) - x).numpy())
    assert np.abs(added[0]).max() > 0
    assert np.allclose(added[1], 30.0 * added[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match="gain"):
        NetworkConfig(gain=0.0)


def test_mean_weights_are_the_mean_of_the_steps():
    steps = np.random.default_rng(0).normal(size=(5, 3, 2)).astype(np.float32)
    mean = MeanWeights()
    for step in steps[:2]:
        mean.add({"a": torch.from_numpy(step)})
    # As a run that was stopped goes on.
    mean = MeanWeights(mean.count, mean.sums)
    for step in steps[2:]:
        mean.add({"a": torch.from_numpy(step)})
    assert np.allclose(mean.of("a").numpy(), steps.mean(axis=0), atol=1e-7)
    with pytest.raises(UsageError, match="average"):
        TrainingConfig(average=1.5)
