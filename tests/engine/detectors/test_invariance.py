"""What must not change the scores, detector by detector, how far it may, and what does change them.

Tolerances are relative to each score. They hold float32 of the scores (6e-8) and the condition of the covariances.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest

from ferd_engine import detect
from ferd_engine.context import RunContext
from ferd_engine.detectors import DETECTORS, make_detector
from ferd_engine.fen.bundle import Model

from .arrays import run, scene

# Ragged for every block and window below, but for the blocks of slrx, which are counted from the first row and column.
SHAPE = (18, 24, 6)
CASES: dict[str, dict[str, Any]] = {
    "grx": {},
    "grx ledoit-wolf": {"covariance": "ledoit-wolf"},
    "grx oas": {"covariance": "oas"},
    "grx pca": {"covariance": "pca:3"},
    "grx trimmed": {"covariance": "trimmed:5"},
    "grx local mean": {"mean": "local", "outer": 5},
    "slrx": {"block": 6},
    "lrx": {"inner": 3, "outer": 9, "covariance": "empirical"},
    "lrx ledoit-wolf": {"inner": 3, "outer": 9, "covariance": "ledoit-wolf"},
    "lrx oas": {"inner": 3, "outer": 9, "covariance": "oas"},
    "qlrx": {"inner": 3, "outer": 9},
    "crd": {"inner": 3, "outer": 7},
    "fusion": {"components": "raw:grx,raw:qlrx", "inner": 3, "outer": 9},
    "utd": {},
    "rxd-utd": {},
    "aed": {"inner": 3},
}
# Directions from the origin, which an offset turns.
ANGLES = {"utd", "rxd-utd"}
# Those that measure all bands by one unit, take leading components, or shrink towards a variance common to all bands.
ONE_UNIT = {"slrx", "qlrx", "crd", "aed", "fusion", "grx pca", "grx ledoit-wolf", "grx oas", *ANGLES}
# A band more changes the common variance, and is one more equation for the weights of a representation.
BANDS_COUNT = {"grx ledoit-wolf", "grx oas", "crd"}


def scores_of(case: str, array: np.ndarray, context: RunContext | None = None) -> np.ndarray:
    return run(make_detector(case.split()[0], **CASES[case]), array, context)


def exact_scene(holes: float = 0.1) -> np.ndarray:
    """Return a scene of quarters, so that 1e6 and a power of two do not touch a digit in float32."""
    return np.round(scene(*SHAPE, holes=holes) * 4.0) / 4.0


def assert_same(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    # A fusion is a sum of logarithms, which passes through zero.
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * np.nanmax(np.abs(expected)) * 1e-2)


def test_every_detector_is_here() -> None:
    assert {case.split()[0] for case in CASES} == set(DETECTORS)


MOVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "upside down": lambda image: image[::-1],
    "left to right": lambda image: image[:, ::-1],
    "transposed": lambda image: np.swapaxes(image, 0, 1),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("case", CASES)
def test_flips_and_transposition(case: str, move: str) -> None:
    array = exact_scene()
    moved = MOVES[move](scores_of(case, array))
    assert_same(scores_of(case, np.ascontiguousarray(MOVES[move](array))), moved, 1e-5)


def test_ragged_blocks_of_slrx_are_others_when_flipped() -> None:
    array = exact_scene()[:16]
    assert np.nanmax(np.abs(scores_of("slrx", array[::-1])[::-1] / scores_of("slrx", array) - 1.0)) > 1e-2


@pytest.mark.parametrize("case", CASES)
def test_order_of_bands(case: str) -> None:
    array = exact_scene()
    order = [3, 0, 5, 1, 4, 2]
    assert_same(scores_of(case, np.ascontiguousarray(array[:, :, order])), scores_of(case, array), 1e-5)


@pytest.mark.parametrize("case", [case for case in CASES if case not in ANGLES])
def test_an_offset_of_a_million(case: str) -> None:
    """The variance is some 1e3 beside a mean of 1e6: sums of squares would keep 3 of float32's 7 digits."""
    array = exact_scene()
    assert_same(scores_of(case, array + 1e6), scores_of(case, array), 1e-5)


@pytest.mark.parametrize("case", [case for case in CASES if case not in ANGLES])
def test_one_gain_for_all_bands(case: str) -> None:
    array = exact_scene()
    found, expected = scores_of(case, array * 1024.0), scores_of(case, array)
    assert_same(found, expected, 1e-5)


@pytest.mark.parametrize("case", [case for case in CASES if case not in ONE_UNIT])
def test_a_gain_for_each_band(case: str) -> None:
    array = exact_scene()
    gains = np.array([2.0**-20, 1.0, 2.0**20, 4.0, 0.5, 64.0])
    assert_same(scores_of(case, array * gains + gains * 512.0), scores_of(case, array), 1e-5)


@pytest.mark.parametrize("case", sorted(ONE_UNIT))
def test_detectors_of_one_unit_do_mind(case: str) -> None:
    array = exact_scene()
    gains = np.array([0.5, 1.0, 8.0, 4.0, 0.5, 64.0])
    found, expected = scores_of(case, array * gains), scores_of(case, array)
    assert np.nanmax(np.abs(found - expected) / np.abs(expected)) > 1e-2


@pytest.mark.parametrize("case", [case for case in CASES if case not in BANDS_COUNT])
def test_a_constant_band_adds_nothing(case: str) -> None:
    array = exact_scene()
    constant = np.where(np.isnan(array[:, :, :1]), np.nan, np.float32(400.0))
    found = scores_of(case, np.concatenate([array, constant], axis=2).astype(np.float32))
    assert_same(found, scores_of(case, array), 1e-5)


@pytest.mark.parametrize("case", sorted(BANDS_COUNT))
def test_a_constant_band_does_count_where_bands_are_counted(case: str) -> None:
    array = exact_scene()
    constant = np.where(np.isnan(array[:, :, :1]), np.nan, np.float32(400.0))
    found, expected = (
        scores_of(case, np.concatenate([array, constant], axis=2).astype(np.float32)),
        scores_of(case, array),
    )
    assert np.nanmax(np.abs(found - expected) / np.abs(expected)) > 1e-3


@pytest.mark.parametrize("case", sorted(ANGLES))
@pytest.mark.parametrize("change", [lambda array: array + 1e6, lambda array: array * 1024.0], ids=["offset", "gain"])
def test_uniform_targets_do_mind_offset_and_gain(case: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    found, expected = scores_of(case, change(exact_scene())), scores_of(case, exact_scene())
    assert np.nanmax(np.abs(found - expected) / np.abs(expected)) > 1e-3


@pytest.mark.parametrize("case", CASES)
def test_memory(case: str) -> None:
    array = exact_scene()
    assert_same(scores_of(case, array, RunContext(budget_bytes=1)), scores_of(case, array), 1e-5)


def six_bands(offset: float = 0.0) -> np.ndarray:
    return exact_scene(holes=0.05) + np.float32(offset)


@pytest.mark.parametrize(
    "changes", [{"threads": 1}, {"threads": 3}, {"backend": "torch"}, {"scaling": "percentile"}], ids=str
)
@pytest.mark.parametrize("detector", ["grx", "lrx", "slrx"])
def test_after_fen(detector: str, changes: dict[str, Any], small_model: Model) -> None:
    """Threads change rounding; backends agree to 1e-4 of FEN's output, and detectors make more of it."""
    options: dict[str, Any] = {"detector": detector, "model": str(small_model.folder), "backend": "numpy"}
    if detector != "grx":
        options.update({"block": 6} if detector == "slrx" else {"inner": 3, "outer": 9})
    expected = detect(six_bands(), **options)
    found = detect(six_bands(), **{**options, **changes})
    if "scaling" in changes:
        # Another scaling is another input of the network: to be seen, so that the others mean something.
        assert np.nanmax(np.abs(found / expected - 1.0)) > 1e-3
    else:
        assert_same(found, expected, 1e-3)


def test_fen_does_not_mind_offset_and_gain(small_model: Model) -> None:
    expected = detect(six_bands(), model=str(small_model.folder), backend="numpy")
    for array in (six_bands(1e6), six_bands() * 1024.0):
        assert_same(detect(array, model=str(small_model.folder), backend="numpy"), expected, 1e-3)


@pytest.mark.parametrize("move", [*MOVES, "bands"])
def test_fen_does_mind_flips_and_the_order_of_bands(move: str, small_model: Model) -> None:
    """Its kernels have a direction and its bands a meaning."""
    array = six_bands()
    expected = detect(array, model=str(small_model.folder), backend="numpy")
    if move == "bands":
        found = detect(np.ascontiguousarray(array[:, :, ::-1]), model=str(small_model.folder), backend="numpy")
    else:
        moved = np.ascontiguousarray(MOVES[move](array))
        found = MOVES[move](detect(moved, model=str(small_model.folder), backend="numpy"))
    assert np.nanmax(np.abs(found / expected - 1.0)) > 1e-2
