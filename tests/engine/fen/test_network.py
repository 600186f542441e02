"""Architecture, folding and untrained weights."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.errors import ModelError
from ferd_engine.fen.network import (
    Architecture,
    check_shapes,
    fold,
    infer_architecture,
    tensor_shapes,
    untrained_weights,
)
from tests.engine.fen.reference import random_weights


def test_hidden_width_follows_the_published_rule() -> None:
    assert [Architecture(n).hidden for n in (50, 128, 129, 200)] == [128, 128, 256, 256]


def test_multiply_adds_of_the_published_network() -> None:
    # 200*64 + (64*128 + 64*256) + 3*9*128*128 + 2*256*128 + 3*128*256 + 256*256 + 256*200
    assert Architecture(200).macs_per_pixel == 760_320


@pytest.mark.parametrize(
    "sizes", [{"n_bands": 0}, {"n_bands": 5000}, {"bottlenecks": 0}, {"bottlenecks": 5}, {"entry": -1}, {"outer": True}]
)
def test_sizes_out_of_range_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(ModelError, match=next(iter(sizes))):
        Architecture(**{"n_bands": 50, **sizes})


def test_architecture_is_read_from_shapes() -> None:
    architecture = Architecture(61, bottlenecks=2, entry=32, inner=16, outer=48, hidden=20)
    assert infer_architecture(tensor_shapes(architecture)) == architecture


def test_wrong_missing_and_unknown_tensors_are_refused() -> None:
    architecture = Architecture(50)
    shapes = tensor_shapes(architecture)
    with pytest.raises(ModelError, match=r"lack the tensor conv2\.bias"):
        check_shapes(architecture, {name: shape for name, shape in shapes.items() if name != "conv2.bias"})
    with pytest.raises(ModelError, match=r"conv2\.bias has the shape \(51,\)"):
        check_shapes(architecture, {**shapes, "conv2.bias": (51,)})
    with pytest.raises(ModelError, match="does not know"):
        check_shapes(architecture, {**shapes, "conv3.weight": (1, 50, 1, 1)})
    with pytest.raises(ModelError, match="not a FEN"):
        infer_architecture({"fc.weight": (10, 10)})


def test_folding_equals_batch_norm_after_convolution() -> None:
    architecture = Architecture(50, bottlenecks=1)
    weights = random_weights(architecture, 3)
    folded = fold(architecture, weights)
    x = np.random.RandomState(0).normal(size=(7, 64))
    prefix = "layer1.0."
    direct = x @ weights[prefix + "conv1.weight"][:, :, 0, 0].T.astype(np.float64)
    statistics = {p: weights[f"{prefix}bn1.{p}"].astype(np.float64) for p in ("weight", "bias", "running_mean")}
    deviation = np.sqrt(weights[prefix + "bn1.running_var"].astype(np.float64) + 1e-5)
    expected = (direct - statistics["running_mean"]) / deviation * statistics["weight"] + statistics["bias"]
    first = folded.bottlenecks[0]
    np.testing.assert_allclose(x @ first.reduce + first.reduce_bias, expected, rtol=1e-5, atol=1e-5)


def test_folding_beyond_float32_is_refused() -> None:
    architecture = Architecture(50, bottlenecks=1)
    weights = untrained_weights(architecture, 0)
    weights["layer1.0.bn2.weight"] = np.full(128, 3e38, np.float32)
    weights["layer1.0.bn2.running_var"] = np.zeros(128, np.float32)
    with pytest.raises(ModelError, match="beyond float32"):
        fold(architecture, weights)


def test_untrained_weights_have_the_initial_distribution() -> None:
    weights = untrained_weights(Architecture(200), 0)
    kernel = weights["layer1.1.conv2.weight"]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (128 * 9)), rel=0.01)
    assert abs(kernel.mean()) < 1e-3
    for name, fan_in in (("convh.weight", 200), ("conv1.weight", 256), ("conv1.bias", 256), ("conv2.bias", 256)):
        bound = 1 / np.sqrt(fan_in)
        assert np.abs(weights[name]).max() <= bound
        assert np.abs(weights[name]).max() > 0.95 * bound
    assert set(np.unique(weights["layer1.0.bn1.weight"])) == {1.0}
    assert set(np.unique(weights["layer1.0.bn1.running_mean"])) == {0.0}


def test_seed_decides_the_weights() -> None:
    first, again, other = (untrained_weights(Architecture(50), seed) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["convh.weight"], other["convh.weight"])
