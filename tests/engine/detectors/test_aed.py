"""AED against its definition, threshold by threshold and pixel by pixel: ties, holes, small regions, any budget."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.detectors.aed import core_shape, least_pixels
from ferd_engine.detectors.area_filter import area_opening
from ferd_engine.detectors.edge_preserving import reach, smooth
from ferd_engine.errors import Cancelled, InputError, UsageError
from ferd_engine.parallel import threads

from .arrays import ArraySink, RecordingProgress, cube_of, moments_of, run, scene

# Radii of the three rounds for 5 pixels: sqrt(3) deviations of 5 sqrt(3) 2^(3 - i) / sqrt(4^3 - 1).
RADII = [5.0 * np.sqrt(3.0) * 2.0 ** (3 - i) / np.sqrt(63.0) * np.sqrt(3.0) for i in (1, 2, 3)]


def naive_opening(image: np.ndarray, valid: np.ndarray, area: int) -> np.ndarray:
    """Return the opening by the regions of every level, and of all of a region that has too few pixels."""
    opened = np.full(image.shape, -np.inf)
    labels, count = scipy.ndimage.label(valid)
    for region in (labels == number for number in range(1, count + 1)):
        opened[region] = image[region].min()
    for level in np.unique(image[valid]):
        labels, _ = scipy.ndimage.label(valid & (image >= level))
        large = (np.bincount(labels.ravel()) >= area)[labels] & (labels > 0)
        opened[large] = np.maximum(opened[large], level)
    return np.where(valid, opened, image)


def naive_smooth(image: np.ndarray, guide: np.ndarray, valid: np.ndarray, sigma_guide: float) -> np.ndarray:
    """Return the mean of both orders of rows and columns, each average by its own loop."""

    def line(values: np.ndarray, near: np.ndarray, there: np.ndarray, radius: float) -> np.ndarray:
        result = values.copy()
        for here in np.flatnonzero(there):
            total = weights = 0.0
            for step in (-1, 1):
                place, distance = here, 0.0
                while distance < radius:
                    if place != here or step == 1:
                        total += (1.0 - distance / radius) * values[place]
                        weights += 1.0 - distance / radius
                    if not 0 <= place + step < len(values) or not there[place + step]:
                        break
                    distance += 1.0 + 5.0 / sigma_guide * np.abs(near[place + step] - near[place]).sum()
                    place += step
            result[here] = total / weights
        return result

    both = []
    for rows_first in (True, False):
        result = np.where(valid, image, 0.0)
        for radius in RADII:
            for along_rows in (rows_first, not rows_first):
                if along_rows:
                    result = np.stack([line(*row, radius) for row in zip(result, guide, valid)])
                else:
                    lines = zip(result.T, guide.swapaxes(0, 1), valid.T)
                    result = np.stack([line(*column, radius) for column in lines]).T
        both.append(result)
    return (both[0] + both[1]) / 2.0


def naive_aed(array: np.ndarray, inner: int, n_components: int = 3) -> np.ndarray:
    valid = ~np.isnan(array[:, :, 0])
    pixels = array[valid].astype(np.float64)
    eigenvalues, vectors = np.linalg.eigh(np.cov(pixels.T))
    kept = [index for index in np.argsort(-eigenvalues)[:n_components] if eigenvalues[index] > 1e-12 * eigenvalues[-1]]
    components = np.zeros((*valid.shape, len(kept)))
    components[valid] = (pixels - pixels.mean(axis=0)) @ vectors[:, kept] / np.sqrt(eigenvalues[kept])
    taken = np.zeros(valid.shape)
    for image in np.moveaxis(components, 2, 0):
        taken += image - naive_opening(image, valid, inner**2) - naive_opening(-image, valid, inner**2) - image
    return np.where(valid, naive_smooth(taken, components, valid, 4.0), np.nan)


@pytest.mark.parametrize("area", [1, 2, 9, 25, 5000])
@pytest.mark.parametrize("holes", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(30, 41), (1, 50), (50, 1), (7, 3)])
def test_openings_are_those_of_every_level(shape: tuple[int, int], holes: float, area: int) -> None:
    rng = np.random.default_rng(area)
    valid = rng.random(shape) >= holes
    for image in (rng.standard_normal(shape), rng.integers(0, 4, shape).astype(float), np.zeros(shape)):
        np.testing.assert_array_equal(area_opening(image, valid, area), naive_opening(image, valid, area))


def test_an_opening_lowers_what_is_small_alone() -> None:
    image = np.zeros((12, 15))
    image[2:4, 3:5], image[6:9, 7:10], image[7, 8] = 5.0, 3.0, 9.0
    expected = image.copy()
    expected[2:4, 3:5], expected[7, 8] = 0.0, 3.0
    np.testing.assert_array_equal(area_opening(image, np.ones(image.shape, dtype=bool), 5), expected)


def test_batches_of_maxima_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).standard_normal((40, 31))
    valid = np.ones(image.shape, dtype=bool)
    expected = area_opening(image, valid, 16)
    monkeypatch.setattr("ferd_engine.detectors.area_filter.BATCH_BYTES", 1)
    np.testing.assert_array_equal(area_opening(image, valid, 16), expected)


@pytest.mark.parametrize("shape", [(14, 23), (1, 9), (9, 1), (1, 1)])
def test_smoothing_is_that_of_the_definition(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    image, guide, valid = rng.random(shape), rng.standard_normal((*shape, 2)), rng.random(shape) > 0.1
    with threads() as pool:
        found = smooth(image, guide, valid, 5.0, 4.0, pool)
    np.testing.assert_allclose(found, naive_smooth(image, guide, valid, 4.0), rtol=1e-12)


def test_smoothing_reaches_no_further_than_it_says_and_not_over_edges() -> None:
    image, guide, valid = np.zeros((61, 61)), np.zeros((61, 61, 1)), np.ones((61, 61), dtype=bool)
    image[30, 30] = 1.0
    with threads() as pool:
        spread = smooth(image, guide, valid, 5.0, 4.0, pool) > 0.0
        assert reach(5.0) == 11
        assert np.flatnonzero(spread.any(axis=0)).tolist() == list(range(30 - 11, 30 + 11 + 1))
        guide[:, 32:] = 1e3
        assert not (smooth(image, guide, valid, 5.0, 4.0, pool) > 0.0)[:, 32:].any()


@pytest.mark.parametrize(
    ("shape", "inner", "components", "holes"),
    [((23, 31, 12), 3, 3, 0.0), ((23, 31, 12), 5, 2, 0.2), ((40, 9, 5), 2, 5, 0.05), ((1, 60, 6), 3, 3, 0.1)],
)
def test_scores_are_those_of_the_definition(
    shape: tuple[int, int, int], inner: int, components: int, holes: float
) -> None:
    array = scene(*shape, holes=holes)
    scores = run(make_detector("aed", inner=inner, covariance=f"pca:{components}"), array)
    expected = naive_aed(array, inner, components)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-7 * np.nanmax(expected))


def test_cores_fit_with_their_halo_and_are_not_too_small() -> None:
    for n_rows, n_cols, halo in ((160, 224, 1691), (40, 900, 30), (900, 40, 30), (300, 310, 20), (7, 2000, 35)):
        least = least_pixels(n_rows, n_cols, halo)
        assert core_shape(n_rows, n_cols, halo, least - 1) is None
        for n_pixels in (least, least + 1, 2 * least, 5 * least, n_rows * n_cols):
            shape = core_shape(n_rows, n_cols, halo, n_pixels)
            assert shape is not None
            for core, side in zip(shape, (n_rows, n_cols)):
                assert halo // 2 <= core <= side or core == side
            with_halo = [min(core + 2 * halo, side) for core, side in zip(shape, (n_rows, n_cols))]
            assert with_halo[0] * with_halo[1] <= max(n_pixels, least)
            assert n_pixels < n_rows * n_cols or shape == (n_rows, n_cols)


def test_tiles_give_the_scores_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    array, detector = scene(97, 83, 6, holes=0.05), make_detector("aed", inner=3)
    expected = run(detector, array)
    for shape in ((9, 11), (1, 83), (97, 2), (40, 41)):
        monkeypatch.setattr("ferd_engine.detectors.aed.core_shape", lambda *_, shape=shape: shape)
        np.testing.assert_array_equal(run(detector, array), expected)


def test_a_small_object_stands_out_and_a_large_one_does_not() -> None:
    array = np.random.default_rng(3).standard_normal((60, 70, 10)).astype(np.float32)
    array[10:14, 20:24] += 20.0
    array[30:40, 40:55] += 20.0
    scores = run(make_detector("aed", covariance="pca:1"), array)
    assert scores[11:13, 21:23].min() > 4.0 * scores[33:37, 43:52].max()
    assert run(make_detector("aed", inner=13, covariance="pca:1"), array)[33:37, 43:52].min() > 1.0


def test_a_constant_image_scores_zero() -> None:
    assert (run(make_detector("aed"), np.full((16, 17, 3), 7.25, dtype=np.float32)) == 0.0).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inner": 1}, "give 2 or more"),
        ({"covariance": "oas"}, "give pca:K"),
        ({"covariance": "pca:0"}, "does not exist"),
        ({"outer": 9}, "no option 'outer'"),
    ],
)
def test_bad_options_say_what_to_give(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_detector("aed", **options)


def test_objects_too_large_for_the_memory_are_refused_before_anything_is_read() -> None:
    array, progress = scene(200, 210, 3), RecordingProgress()
    with pytest.raises(UsageError, match="give more --memory, or a smaller --inner"):
        run(make_detector("aed", inner=15), array, RunContext(budget_bytes=1, progress=progress))
    assert progress.fractions == []
    assert np.isfinite(run(make_detector("aed", inner=15), array)).all()


def test_an_image_without_pixels_and_a_cancel() -> None:
    with pytest.raises(InputError, match="No pixel is valid"):
        run(make_detector("aed"), np.full((4, 5, 3), np.nan, dtype=np.float32))
    progress = RecordingProgress(cancel_after=2)
    with pytest.raises(Cancelled):
        make_detector("aed").score(
            cube_of(scene(40, 30, 4)), moments_of(scene(40, 30, 4)), ArraySink(40, 30), RunContext(progress=progress)
        )
