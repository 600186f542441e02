"""LRX against the definition and Spectral Python: borders, holes, thin rings, drift, and any memory budget."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.detectors.rings import DualWindow, outer_for_rank, shifted_interval
from ferd_engine.errors import Cancelled, InputError, UsageError
from ferd_engine.windows import Window

from .arrays import ArraySink, RecordingProgress, cube_of, moments_of, run, scene

EMPIRICAL = {"inner": 3, "outer": 9, "covariance": "empirical"}


def ring_pixels(array: np.ndarray, row: int, col: int, inner: int, outer: int) -> np.ndarray:
    """Return the valid pixels (n, bands) of a ring, float64, straight from the definition."""
    taken = np.zeros(array.shape[:2], dtype=bool)
    for side, value in ((outer, True), (inner, False)):
        height, width = min(side, array.shape[0]), min(side, array.shape[1])
        top = min(max(row - height // 2, 0), array.shape[0] - height)
        left = min(max(col - width // 2, 0), array.shape[1] - width)
        taken[top : top + height, left : left + width] = value
    return array[taken & ~np.isnan(array[:, :, 0])].astype(np.float64)


def naive_covariance(kind: str, pixels: np.ndarray) -> np.ndarray:
    if kind == "empirical":
        return np.cov(pixels.T).reshape(pixels.shape[1], -1)
    covariance = pytest.importorskip("sklearn.covariance")
    return getattr(covariance, kind.replace("-", "_"))(pixels)[0]


def whitened(array: np.ndarray) -> np.ndarray:
    """Return an array whose valid pixels have the identity as their covariance; dependent bands are left out."""
    pixels = array.reshape(-1, array.shape[2]).astype(np.float64)
    valid = pixels[~np.isnan(pixels[:, 0])]
    eigenvalues, vectors = np.linalg.eigh(np.cov(valid.T).reshape(array.shape[2], -1))
    kept = eigenvalues > 1e-11 * eigenvalues[-1]
    return (array - valid.mean(axis=0)) @ (vectors[:, kept] / np.sqrt(eigenvalues[kept]))


def naive_lrx(array: np.ndarray, inner: int, outer: int, kind: str) -> np.ndarray:
    array = whitened(array) if kind in ("ledoit-wolf", "oas") else array
    scores = np.full(array.shape[:2], np.nan)
    for row, col in zip(*np.nonzero(~np.isnan(array[:, :, 0]))):
        ring = ring_pixels(array, row, col, inner, outer)
        centred = array[row, col] - ring.mean(axis=0)
        scores[row, col] = centred @ np.linalg.solve(naive_covariance(kind, ring), centred)
    return scores


@pytest.mark.parametrize("kind", ["empirical", "ledoit-wolf", "oas"])
@pytest.mark.parametrize(
    ("shape", "inner", "outer", "holes"),
    [
        ((17, 24, 8), 3, 9, 0.0),
        ((17, 24, 8), 1, 7, 0.2),
        ((9, 70, 5), 5, 9, 0.1),  # the outer window as high as the image, more than one segment
        ((6, 40, 4), 3, 11, 0.0),  # the outer window higher than the image
        ((40, 5, 4), 7, 11, 0.0),  # both windows wider than the image
        ((5, 7, 6), 3, 101, 0.0),  # the whole image without the inner window
        ((20, 1, 1), 3, 9, 0.0),
    ],
)
def test_scores_are_those_of_the_definition(
    kind: str, shape: tuple[int, int, int], inner: int, outer: int, holes: float
) -> None:
    array = scene(*shape, seed=inner, holes=holes)
    scores = run(make_detector("lrx", inner=inner, outer=outer, covariance=kind), array)
    np.testing.assert_allclose(scores, naive_lrx(array, inner, outer, kind), rtol=1e-6)


@pytest.mark.parametrize("kind", ["ledoit-wolf", "oas"])
def test_rings_with_fewer_pixels_than_bands(kind: str) -> None:
    array = scene(13, 18, 60, holes=0.2)
    context = RunContext()
    scores = run(make_detector("lrx", inner=3, outer=7, covariance=kind), array, context)
    np.testing.assert_allclose(scores, naive_lrx(array, 3, 7, kind), rtol=1e-6)
    assert context.warnings == []


@pytest.mark.parametrize(("inner", "outer"), [(3, 9), (5, 13)])
def test_agrees_with_spectral_python_borders_included(inner: int, outer: int) -> None:
    spectral = pytest.importorskip("spectral")
    array = scene(21, 30, 12)
    expected = spectral.rx(array.astype(np.float64), window=(inner, outer))
    scores = run(make_detector("lrx", inner=inner, outer=outer, covariance="empirical"), array)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_pca_is_the_empirical_distance_within_the_leading_components() -> None:
    array = scene(18, 25, 12, holes=0.1)
    pixels = array.reshape(-1, 12).astype(np.float64)
    pixels = pixels[~np.isnan(pixels[:, 0])]
    leading = np.linalg.eigh(np.cov(pixels.T))[1][:, -4:]
    reduced = (array.astype(np.float64) - pixels.mean(axis=0)) @ leading
    scores = run(make_detector("lrx", inner=3, outer=9, covariance="pca:4"), array)
    np.testing.assert_allclose(scores, naive_lrx(reduced, 3, 9, "empirical"), rtol=1e-6)


def test_a_bright_object_leaves_nothing_behind_in_the_sums() -> None:
    array = scene(9, 150, 10)
    array[4, 40:43] *= 300.0
    scores = run(make_detector("lrx", **EMPIRICAL), array)
    np.testing.assert_allclose(scores, naive_lrx(array, 3, 9, "empirical"), rtol=1e-6)
    shrunk = run(make_detector("lrx", inner=3, outer=9), array)
    np.testing.assert_allclose(shrunk, naive_lrx(array, 3, 9, "ledoit-wolf"), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(10_000, 9, 5), (9, 10_000, 5)])
def test_errors_do_not_grow_over_ten_thousand_rows_or_columns(shape: tuple[int, int, int]) -> None:
    array = scene(*shape)
    scores = run(make_detector("lrx", **EMPIRICAL), array)
    last = array[-200:] if shape[0] > shape[1] else array[:, -200:]
    expected = naive_lrx(last, 3, 9, "empirical")
    here = scores[-150:] if shape[0] > shape[1] else scores[:, -150:]
    there = expected[-150:] if shape[0] > shape[1] else expected[:, -150:]
    np.testing.assert_allclose(here, there, rtol=1e-6)


def test_duplicated_and_constant_bands_add_nothing() -> None:
    array = scene(15, 22, 6)
    more = np.concatenate([array, array[:, :, 1:3]], axis=2)
    more = np.insert(more, 4, 8765.4, axis=2)
    expected = run(make_detector("lrx", **EMPIRICAL), array)
    np.testing.assert_allclose(run(make_detector("lrx", **EMPIRICAL), more), expected, rtol=1e-6)
    shrunk = run(make_detector("lrx", inner=3, outer=9), more)
    np.testing.assert_allclose(shrunk, naive_lrx(more, 3, 9, "ledoit-wolf"), rtol=1e-6)


@pytest.mark.parametrize("covariance", ["empirical", "ledoit-wolf", "oas"])
def test_an_affine_scaling_of_each_band_changes_nothing(covariance: str) -> None:
    array = np.round(scene(15, 22, 6))
    # Powers of two and whole numbers keep float32 values exact.
    scaled = array * 2.0 ** np.arange(-3, 3) + 64.0
    detector = make_detector("lrx", inner=3, outer=9, covariance=covariance)
    np.testing.assert_allclose(run(detector, scaled), run(detector, array), rtol=1e-6)


def test_lonely_pixels_are_compared_with_the_whole_image() -> None:
    array = scene(30, 33, 5)
    array[:12, :12] = np.nan
    array[2, 3] = scene(1, 1, 5, seed=4)[0, 0]
    context = RunContext()
    scores = run(make_detector("lrx", inner=3, outer=7), array, context)
    assert scores[2, 3] == pytest.approx(run(make_detector("grx"), array)[2, 3], rel=1e-6)
    assert context.warnings == [
        "1 pixels have a ring of fewer than two valid pixels or without variance: they were compared with the whole "
        "image."
    ]


def test_rings_short_of_rank_take_the_pseudo_inverse_and_are_told() -> None:
    array = scene(30, 33, 5)
    array[:12, :12] = np.nan
    array[2, 2:6] = scene(1, 4, 5, seed=4)[0]
    context = RunContext()
    scores = run(make_detector("lrx", inner=1, outer=7, covariance="empirical"), array, context)
    assert np.isfinite(scores[2, 2:6]).all()
    assert "4 pixels have a ring whose covariance is short of rank" in context.warnings[0]


@pytest.mark.parametrize("covariance", ["empirical", "ledoit-wolf", "oas", "pca:2"])
def test_a_constant_image_scores_zero(covariance: str) -> None:
    array = np.full((12, 13, 3), 7.25, dtype=np.float32)
    assert (run(make_detector("lrx", inner=3, outer=7, covariance=covariance), array) == 0.0).all()


@pytest.mark.parametrize("covariance", ["empirical", "ledoit-wolf"])
def test_memory_budget_and_threads_change_nothing(covariance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    array = scene(60, 200, 100, holes=0.05)
    detector = make_detector("lrx", inner=3, outer=15, covariance=covariance)
    progress = RecordingProgress()
    # The tiles have their own global statistics, but neither their size nor the threads may show.
    tight = run(detector, array[:, :60], RunContext(budget_bytes=1, progress=progress))
    assert progress.fractions == sorted(progress.fractions)
    assert progress.fractions[-1] == 1.0
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    np.testing.assert_allclose(tight, run(detector, array[:, :60], RunContext(budget_bytes=4 << 30)), rtol=1e-6)


def test_a_small_budget_still_gives_tiles_wider_than_their_border() -> None:
    """Tiles of a pixel each would read and sum every ring afresh: 25 times as long for 200 bands in 64 MiB."""
    array = scene(40, 60, 150)
    cube, read = cube_of(array), []

    class Counted:
        n_rows, n_cols, n_bands = cube.n_rows, cube.n_cols, cube.n_bands

        def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
            read.append(window.n_pixels)
            return cube.read(window)

    sink = ArraySink(40, 60)
    detector = make_detector("lrx", inner=3, outer=9, covariance="oas")
    detector.score(Counted(), moments_of(array), sink, RunContext(budget_bytes=16 << 20))
    assert sum(read) < 3 * 40 * 60
    np.testing.assert_allclose(sink.scores, run(detector, array), rtol=1e-6)


def test_a_bright_object_leaves_nothing_in_the_rows_below() -> None:
    array = scene(60, 40, 6)
    array[20, 17] *= 2e3
    array[30:] = array[30:31] + (array[30:] - array[30:31]) * np.float32(0.01)
    scores = run(make_detector("lrx", **EMPIRICAL), array)
    np.testing.assert_allclose(scores, naive_lrx(array, 3, 9, "empirical"), rtol=1e-6)


@pytest.mark.parametrize("n_rows", [1, 3, 20])
def test_how_many_rows_are_moved_together_changes_nothing(n_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    array = scene(21, 70, 9, holes=0.1)
    array[7, 30] *= 400.0
    detector = make_detector("lrx", inner=3, outer=9)
    expected = run(detector, array)
    monkeypatch.setattr("ferd_engine.detectors.lrx._MOST_ROWS", n_rows)
    np.testing.assert_allclose(run(detector, array), expected, rtol=1e-6)


def test_flips_and_transposition_change_nothing() -> None:
    array = scene(16, 21, 7, holes=0.1)
    detector = make_detector("lrx", **EMPIRICAL)
    scores = run(detector, array)
    np.testing.assert_allclose(run(detector, array[::-1])[::-1], scores, rtol=1e-6)
    np.testing.assert_allclose(run(detector, array[:, ::-1])[:, ::-1], scores, rtol=1e-6)
    np.testing.assert_allclose(run(detector, array.transpose(1, 0, 2)).T, scores, rtol=1e-6)


def test_windows_that_are_not_given() -> None:
    array = scene(40, 41, 6)
    np.testing.assert_array_equal(
        run(make_detector("lrx"), array), run(make_detector("lrx", inner=11, outer=21, covariance="ledoit-wolf"), array)
    )
    np.testing.assert_array_equal(
        run(make_detector("lrx", inner=5, covariance="empirical"), array),
        run(make_detector("lrx", inner=5, outer=9, covariance="empirical"), array),
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inner": 4}, "inner window is 4 pixels wide: give an odd number"),
        ({"outer": 20}, "outer window is 20 pixels wide"),
        ({"inner": -1}, "inner window is -1"),
        ({"inner": 9, "outer": 9}, "leaves nothing of the outer one of 9"),
        ({"covariance": "trimmed:5"}, "not for the rings of lrx"),
        ({"covariance": "mcd"}, "does not exist"),
    ],
)
def test_unusable_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_detector("lrx", **options)


def test_scenes_that_a_ring_does_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="No pixel is valid"):
        run(make_detector("lrx"), np.full((3, 4, 2), np.nan))
    with pytest.raises(InputError, match="lies within the inner window of 11"):
        run(make_detector("lrx"), scene(11, 5, 3))
    with pytest.raises(InputError, match="ring of 72 pixels is too small for the empirical covariance of 80"):
        run(make_detector("lrx", **EMPIRICAL), scene(20, 30, 80))


def test_a_cancelled_run_stops() -> None:
    array = scene(130, 20, 10)
    sink = ArraySink(130, 20)
    context = RunContext(progress=RecordingProgress(cancel_after=3))
    with pytest.raises(Cancelled):
        make_detector("lrx", **EMPIRICAL).score(cube_of(array), moments_of(array), sink, context)
    assert not sink.written.all()


def test_intervals_and_rings() -> None:
    assert [tuple(shifted_interval(i, 5, 4)) for i in range(4)] == [(0, 4)] * 4
    assert DualWindow(3, 9).n_pixels(20, 30) == 72
    assert DualWindow(3, 9).n_pixels(2, 30) == 18 - 6
    side = outer_for_rank(5, 60)
    assert side**2 - 25 >= 120 > (side - 2) ** 2 - 25
