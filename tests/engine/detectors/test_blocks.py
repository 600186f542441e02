"""Scores block by block: holes stay NaN, and the next block is begun before one is waited for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ferd_engine.detectors.blocks import score_each, score_valid
from ferd_engine.parallel import threads
from ferd_engine.windows import Window

WINDOWS = [Window(0, 3, 0, 4), Window(3, 5, 0, 4), Window(5, 6, 0, 4)]


def blocks() -> list[tuple[Window, tuple[np.ndarray, np.ndarray]]]:
    random = np.random.default_rng(0)
    read = []
    for window in WINDOWS:
        valid = np.ones(window.shape, dtype=bool)
        if window.row_start == 3:
            valid[1, 2:] = False
        read.append((window, (random.standard_normal((*window.shape, 2)).astype(np.float32), valid)))
    return read


def test_scores_of_blocks_are_those_of_each_and_the_next_block_is_begun_first() -> None:
    log: list[str] = []

    def begin(pixels: np.ndarray) -> Callable[[], np.ndarray]:
        log.append(f"begin {len(pixels)}")

        def wait() -> np.ndarray:
            log.append(f"wait {len(pixels)}")
            return pixels.sum(axis=1, dtype=np.float64)

        return wait

    found = list(score_each(blocks(), begin))
    assert log == ["begin 12", "begin 6", "wait 12", "begin 4", "wait 6", "wait 4"]
    assert [window for window, _ in found] == WINDOWS
    for (_, scores), (_, (values, valid)) in zip(found, blocks()):
        np.testing.assert_array_equal(np.isnan(scores), ~valid)
        np.testing.assert_allclose(scores[valid], values[valid].sum(axis=1), rtol=1e-6)
        np.testing.assert_array_equal(
            scores, score_valid(values, valid, lambda pixels: pixels.sum(axis=1, dtype=np.float64))
        )


def test_no_block_has_no_scores() -> None:
    assert list(score_each([], lambda pixels: lambda: np.zeros(len(pixels)))) == []


def test_begun_jobs_give_their_results_or_their_error_when_waited_for() -> None:
    with threads() as pool:
        halves = pool.begin(lambda number: 1 / number, [1, 2, 4])
        broken = pool.begin(lambda number: 1 / number, [1, 0]) if pool.count > 1 else None
        assert halves() == [1.0, 0.5, 0.25]
        if broken is not None:
            with pytest.raises(ZeroDivisionError):
                broken()
