"""One pixel a million times as bright as the scene changes no other pixel's score but where it lies in its ring."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.detectors.gross import without_gross
from ferd_engine.statistics import Moments

from .arrays import cube_of, moments_of, run, scene
from .test_crd import naive_crd
from .test_lrx import naive_lrx, ring_pixels
from .test_qlrx import naive_qlrx
from .test_slrx import naive_slrx

HOT = (9, 20)
RINGS = {"inner": 3, "outer": 9}


def hot_scene(factor: float, holes: float = 0.0) -> np.ndarray:
    array = scene(31, 44, 8, holes=holes)
    array[HOT] = np.float32(factor) * scene(31, 44, 8)[HOT]
    return array


def without_hot(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array[HOT] = np.nan
    return array


def far(array: np.ndarray) -> np.ndarray:
    """Return where no ring of 9 pixels holds the hot pixel."""
    mask = np.ones(array.shape[:2], dtype=bool)
    mask[HOT[0] - 4 : HOT[0] + 5, HOT[1] - 4 : HOT[1] + 5] = False
    return mask


def exact_distance(ring: np.ndarray, pixel: np.ndarray) -> float:
    """Return the squared distance to the ring's mean and covariance (n - 1), in rational numbers."""
    rows = [[Fraction(1), *map(Fraction, line)] for line in ring.tolist()]
    target = [Fraction(1), *map(Fraction, pixel.tolist())]
    size = range(len(target))
    system = [[*(sum(row[i] * row[j] for row in rows) for j in size), target[i]] for i in size]
    for i in size:
        for j in range(i + 1, len(target)):
            part = system[j][i] / system[i][i]
            system[j] = [a - part * b for a, b in zip(system[j], system[i])]
    solved = [Fraction(0)] * len(target)
    for i in reversed(size):
        solved[i] = (system[i][-1] - sum(system[i][j] * solved[j] for j in size if j > i)) / system[i][i]
    leverage = sum(a * b for a, b in zip(target, solved))
    return float((len(ring) - 1) * (leverage - Fraction(1, len(ring))))


@pytest.mark.parametrize("factor", [1e3, 1e4, 1e5, 1e6, 1e9])
@pytest.mark.parametrize("holes", [0.0, 0.1])
def test_local_rx_is_exact_beside_a_hot_pixel(factor: float, holes: float) -> None:
    array = hot_scene(factor, holes)
    scores = run(make_detector("lrx", covariance="empirical", **RINGS), array)
    expected, outside = naive_lrx(without_hot(array), 3, 9, "empirical"), far(array)
    np.testing.assert_allclose(scores[outside], expected[outside], rtol=1e-6)
    array = array.astype(np.float64)
    for row, col in ((9, 20), (9, 22), (10, 20), (6, 18), (12, 21), (5, 16)):
        if not np.isnan(array[row, col, 0]):
            exact = exact_distance(ring_pixels(array, row, col, 3, 9), array[row, col])
            assert scores[row, col] == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("covariance", ["ledoit-wolf", "oas"])
def test_shrunk_local_rx_takes_its_target_from_the_others(covariance: str) -> None:
    array, context = hot_scene(1e6), RunContext()
    scores = run(make_detector("lrx", covariance=covariance, **RINGS), array, context)
    expected, outside = naive_lrx(without_hot(array), 3, 9, covariance), far(array)
    np.testing.assert_allclose(scores[outside], expected[outside], rtol=1e-6)
    assert scores[HOT] > 1e6 * np.median(scores)
    assert "without them (1)" in context.warnings[0]


@pytest.mark.parametrize("budget", [1 << 30, 1 << 20])
def test_quasi_local_rx_keeps_its_digits(budget: int) -> None:
    array = hot_scene(1e6)
    scores = run(make_detector("qlrx", **RINGS), array, RunContext(budget_bytes=budget))
    expected, outside = naive_qlrx(without_hot(array), 3, 9), far(array)
    np.testing.assert_allclose(scores[outside], expected[outside], rtol=1e-6)
    # Within a ring that holds it the hot pixel alone makes the variances.
    assert (scores[~outside & ~np.isnan(expected)] < np.median(scores)).sum() > 40


@pytest.mark.parametrize("covariance", ["empirical", "pca:4", "trimmed:5"])
def test_global_rx_leaves_it_out_of_the_background_and_says_so(covariance: str) -> None:
    array, context = hot_scene(1e6), RunContext()
    scores = run(make_detector("grx", covariance=covariance), array, context)
    expected = run(make_detector("grx", covariance=covariance), without_hot(array))
    kept = np.ones(array.shape[:2], dtype=bool)
    kept[HOT] = False
    # The trimmed part of N pixels is that of one pixel more or less.
    np.testing.assert_allclose(scores[kept], expected[kept], rtol=0.02 if covariance == "trimmed:5" else 1e-6)
    assert scores[HOT] > 1e6 * np.nanmax(expected)
    assert "without them (1)" in context.warnings[0]


@pytest.mark.parametrize("covariance", ["ledoit-wolf", "oas"])
def test_shrunk_global_rx_is_still_scikit_learns(covariance: str) -> None:
    sklearn = pytest.importorskip("sklearn.covariance")
    array = hot_scene(1e6)
    pixels = array.reshape(-1, 8).astype(np.float64)
    matrix = getattr(sklearn, covariance.replace("-", "_"))(pixels)[0]
    centred = pixels - pixels.mean(axis=0)
    expected = np.einsum("ij,ij->i", centred @ np.linalg.inv(matrix), centred).reshape(array.shape[:2])
    np.testing.assert_allclose(run(make_detector("grx", covariance=covariance), array), expected, rtol=1e-4)


def test_patches_and_representations_are_those_of_their_definitions() -> None:
    array = hot_scene(1e6)
    expected = naive_slrx(array, 4)
    np.testing.assert_allclose(run(make_detector("slrx", block=4), array), expected, rtol=1e-5, atol=1e-9)
    crd = naive_crd(array, 3, 7)
    np.testing.assert_allclose(
        run(make_detector("crd", inner=3, outer=7), array), crd, rtol=1e-4, atol=1e-7 * crd.max()
    )


def test_a_fusion_ranks_as_without_it() -> None:
    components = "raw:grx,raw:lrx:oas"
    array = hot_scene(1e6)
    detector = make_detector("fusion", components=components, **RINGS)
    scores, expected = run(detector, array), run(detector, without_hot(array))
    outside = far(array)
    np.testing.assert_allclose(scores[outside], expected[outside], rtol=1e-5, atol=1e-5)
    assert np.nanargmax(scores) == HOT[0] * 44 + HOT[1]


def test_nothing_is_left_out_where_float64_holds_all() -> None:
    array = hot_scene(100.0)
    context = RunContext()
    assert without_gross(cube_of(array), moments_of(array), context).count == array.shape[0] * array.shape[1]
    more = np.concatenate([array, array[:, :, :2]], axis=2)
    moments = moments_of(more)
    assert without_gross(cube_of(more), moments, context) is moments
    assert context.warnings == []


def test_some_hot_pixels_in_a_small_budget() -> None:
    array = hot_scene(1e6)
    array[::8, 5] *= np.float32(1e6)
    moments, context = moments_of(array), RunContext(budget_bytes=1 << 20)
    rest = without_gross(cube_of(array), moments, context)
    assert rest.count == moments.count - 4 - 1
    np.testing.assert_allclose(np.sqrt(rest.variances()), np.sqrt(moments_of(scene(31, 44, 8)).variances()), rtol=0.2)


@pytest.mark.parametrize("n_far", [1, 300])
def test_without_extrema_the_same_pixels_are_left_out(n_far: int) -> None:
    # 300 of 1364 pixels are gross, and none is four standard deviations out: they are a background of their own.
    array = scene(31, 44, 8)
    array.reshape(-1, 8)[:n_far] += np.float32(1e9)
    full, bare = moments_of(array), Moments(8, extrema=False)
    bare.add(array.reshape(-1, 8))
    rests = [without_gross(cube_of(array), moments, RunContext()) for moments in (full, bare)]
    assert [rest.count for rest in rests] == [array.shape[0] * array.shape[1] - (n_far if n_far == 1 else 0)] * 2
