"""Options: sizes, checks where they enter, and what goes into the output's metadata."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from ferd_engine.errors import UsageError
from ferd_engine.options import DetectOptions, EnhanceOptions, build_options, parse_memory


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64MiB", 64 << 20),
        ("1GiB", 1 << 30),
        ("1gb", 1 << 30),
        ("1.5 G", 3 << 29),
        (".5t", 1 << 39),
        ("2e9", 2_000_000_000),
        ("134217728", 128 << 20),
        (" 512 MB ", 512 << 20),
        ("100000k", 100_000 << 10),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert parse_memory(text) == expected


@pytest.mark.parametrize("text", ["", "GiB", "1 2", "1XB", "-1GiB", "1,5GiB", "63MiB", "0", "nan", "1e30", "9999999T"])
def test_sizes_that_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="memory budget"):
        parse_memory(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"band_selection": "best"},
        {"scaling": "zscore"},
        {"backend": "jax"},
        {"device": "tpu"},
        {"memory": "much"},
        {"threads": 0},
        {"threads": -2},
        {"model": "fen-50", "enhance": False},
        {"scaling": "percentile", "enhance": False},
        {"band_selection": "spread", "enhance": False},
        {"threshold": "chi2:1.5"},
        {"inner": "9"},
    ],
)
def test_values_that_are_refused_where_they_enter(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        build_options(DetectOptions, None, changes)
    assert any(str(value) in str(caught.value) or key in str(caught.value) for key, value in changes.items())


@pytest.mark.parametrize(
    "changes",
    [{"bands": [1, 2]}, {"threads": "two"}, {"threads": 1.5}, {"memory": None}, {"mask": 3}, {"enhance": "no"}],
)
def test_values_of_the_wrong_type_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(changes))):
        build_options(DetectOptions, None, changes)


def test_changes_go_on_top_of_options_and_leave_them_alone() -> None:
    before = DetectOptions(detector="slrx", block=7, memory="256MiB")
    after = build_options(DetectOptions, before, {"block": 9, "memory": 1 << 28, "mask": Path("a") / "b.tif"})
    assert (after.detector, after.block, after.budget_bytes, after.mask) == ("slrx", 9, 1 << 28, str(Path("a/b.tif")))
    assert before.block == 7
    assert build_options(DetectOptions, before, {}) == before
    with pytest.raises(FrozenInstanceError):
        before.block = 8  # type: ignore[misc]


def test_metadata_names_what_shapes_the_result_and_nothing_else() -> None:
    shaping = DetectOptions(bands="1-9", block=5).as_metadata()
    assert shaping["FERD_BANDS"] == "1-9"
    assert shaping["FERD_BLOCK"] == "5"
    assert shaping["FERD_DETECTOR"] == "grx"
    run_only = DetectOptions(bands="1-9", block=5, memory="2GiB", threads=2, overwrite=True, device="cpu")
    assert run_only.as_metadata() == shaping
    assert "FERD_DETECTOR" not in EnhanceOptions().as_metadata()


def test_only_given_options_go_to_the_detector() -> None:
    assert DetectOptions().detector_options() == {}
    assert DetectOptions(block=4).detector_options() == {"block": 4}
