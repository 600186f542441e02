"""bfloat16: near the float32 result, no nearer than its eight bits allow, and refused where nothing computes it."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.errors import UsageError
from ferd_engine.fen.backend import open_backend
from ferd_engine.fen.store import find_model

pytest.importorskip("torch")


@pytest.fixture
def block() -> np.ndarray:
    random = np.random.default_rng(3)
    return random.uniform(-0.1, 0.1, (21, 34, 50)).astype(np.float32)


def test_bfloat16_is_close_and_yet_another_result(block: np.ndarray) -> None:
    model = find_model("fen-50")
    exact = open_backend(model, "torch", "cpu").enhance(block)
    rough = open_backend(model, "torch", "cpu", precision="bf16")
    error = np.abs(rough.enhance(block) - exact).max() / np.abs(exact).max()
    assert 1e-5 < error < 2e-2
    assert "bfloat16" in rough.describe()


def test_bfloat16_takes_torch_by_itself(block: np.ndarray) -> None:
    assert open_backend(find_model("fen-50"), precision="bf16").name == "torch"


def test_numpy_refuses_bfloat16() -> None:
    with pytest.raises(UsageError, match="float32 only"):
        open_backend(find_model("fen-50"), "numpy", precision="bf16")


def test_unknown_precision() -> None:
    with pytest.raises(UsageError, match="choose float32 or bf16"):
        open_backend(find_model("fen-50"), precision="fp8")
