"""FEN by blocks is FEN of the whole image, once for each pixel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ferd_engine.features
from ferd_engine.context import RunContext
from ferd_engine.features import Enhancer, SourceCube
from ferd_engine.fen.backend import Backend, Work, open_backend
from ferd_engine.fen.bundle import Model
from ferd_engine.options import EnhanceOptions
from ferd_engine.plan import make_plan
from ferd_engine.raster import ArraySource
from ferd_engine.windows import Window, tiles

from .rasters import cube, cut
from .scenes import assert_close, naive_enhanced, with_holes

SHAPES = [(1000, 1000), (1, 47), (16, 47), (7, 47), (16, 16), (5, 3), (53, 1), (1, 1)]


class CountingBackend:
    """A backend that counts the pixels that it was asked for, without their halo."""

    def __init__(self, backend: Backend, halo_px: int) -> None:
        self._backend = backend
        self._halo_px = halo_px
        self.n_pixels = 0

    def enhance_each(self, works: Iterable[Work], check: Callable[[], None] | None = None) -> Iterator[Any]:
        given: deque[tuple[Any, Any]] = deque()

        def counted() -> Iterator[Work]:
            for work in works:
                assert np.isfinite(work.block).all()
                assert work.block.flags.c_contiguous
                rows, cols = (side - 2 * self._halo_px for side in work.block.shape[:2])
                self.n_pixels += rows * cols
                given.append((work.block, work.block.copy()))
                yield work

        for result in self._backend.enhance_each(counted(), check):
            block, before = given.popleft()
            assert np.array_equal(block, before)
            yield result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


def run(array: np.ndarray, model: Model, backend: str = "numpy", budget_bytes: int = 1 << 30) -> np.ndarray:
    """Return the enhanced cube of an array by the current block shape; checks that each pixel came once."""
    source, context = ArraySource(array), RunContext(budget_bytes=budget_bytes)
    plan = make_plan(source, EnhanceOptions(model=str(model.folder)), enhance=True, context=context)
    assert plan.scan.scaling is not None
    halo_px = model.architecture.halo_px
    counting: Any = CountingBackend(open_backend(model, backend, "cpu"), halo_px)
    enhancer = Enhancer(source, plan.selection.numbers, plan.scan.scaling, plan.scan.mean, counting, halo_px)
    found = np.full((*array.shape[:2], model.n_bands), -5.0, dtype=np.float32)
    written = np.zeros(array.shape[:2], dtype=int)
    for window, values, valid in enhancer.run(context, 8):
        cut(written, window)[...] += 1
        assert np.isfinite(values).all()
        cut(found, window)[...] = np.where(valid[:, :, None], values, np.nan)
    assert (written == 1).all()
    assert counting.n_pixels == written.size
    return found


def force(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]) -> None:
    """Let blocks have this shape, cut off at the image's size."""
    monkeypatch.setattr(
        ferd_engine.features,
        "block_shape",
        lambda source, *_: (min(shape[0], source.n_rows), min(shape[1], source.n_cols)),
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_of_any_shape_give_the_whole_image(
    shape: tuple[int, int], dtype: str, small_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = with_holes(53, 47, 8, dtype)
    force(monkeypatch, shape)
    assert_close(run(array, small_model), naive_enhanced(array, small_model), 1e-5)


@pytest.mark.parametrize("shape", [(1000, 1000), (16, 47), (16, 16)])
def test_torch_too(shape: tuple[int, int], small_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    array = with_holes(53, 47, 8)
    force(monkeypatch, shape)
    assert_close(run(array, small_model, "torch"), naive_enhanced(array, small_model), 1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 24), st.integers(1, 24), st.integers(1, 26), st.integers(1, 26), st.integers(0, 99))
def test_images_of_any_size_also_narrower_than_the_halo(
    small_model: Model, n_rows: int, n_cols: int, height: int, width: int, seed: int
) -> None:
    if n_rows * n_cols < 2:
        n_cols = 2
    array = cube(n_rows, n_cols, 6, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        force(patch, (height, width))
        assert_close(run(array, small_model), naive_enhanced(array, small_model), 1e-5)


def test_the_budgets_own_blocks(small_model: Model) -> None:
    # Wide enough that 16 MiB, the least that a run gets, does not hold it in one block.
    array = with_holes(70, 1900, 6)
    large, small = (run(array, small_model, budget_bytes=budget) for budget in (1 << 30, 1))
    assert_close(small, large.astype(float), 1e-6)
    assert_close(large, naive_enhanced(array, small_model), 1e-5)


def test_a_hole_looks_like_the_mean_spectrum_to_its_neighbours(small_model: Model) -> None:
    array = cube(20, 21, 6)
    array[8:12, 9:13] = np.nan
    filled = array.copy()
    # The filled pixels change neither range nor mean.
    filled[8:12, 9:13] = np.nanmean(array.reshape(-1, 6).astype(np.float64), axis=0)
    found, expected = run(array, small_model), naive_enhanced(filled, small_model)
    expected[8:12, 9:13] = np.nan
    assert_close(found, expected, 1e-5)


def test_raw_bands_as_a_cube() -> None:
    array = with_holes(13, 9, 5)
    raw = SourceCube(ArraySource(array), (4, 1, 3))
    expected = array[:, :, [3, 0, 2]]
    for window in [*tiles(13, 9, 4, 9), Window(2, 7, 3, 8)]:
        values, valid = raw.read(window)
        wanted = cut(expected, window)
        np.testing.assert_array_equal(valid, np.isfinite(wanted).all(axis=2))
        np.testing.assert_array_equal(values[valid], wanted[valid])
        assert np.isfinite(values).all()
