"""Band lists and the selection of bands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferd_engine.bands import BandInfo, Selection, candidates, parse_band_list, pick_bands
from ferd_engine.errors import InputError, UsageError
from ferd_engine.report import format_band_list


def bands_at(*wavelengths: float | None) -> list[BandInfo]:
    return [BandInfo(i, wavelength_nm=wavelength) for i, wavelength in enumerate(wavelengths, start=1)]


def pick(
    numbers: list[int],
    n_wanted: int,
    method: str,
    bands: list[BandInfo] | None = None,
    model_wavelengths: list[float] | None = None,
    model_method: str = "first",
) -> Selection:
    return pick_bands(numbers, n_wanted, method, bands or bands_at(*[None] * 300), model_wavelengths, model_method)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", (1,)),
        ("1-3,7", (1, 2, 3, 7)),
        (" 2 - 4 , 9 ", (2, 3, 4, 9)),
        ("5,1", (5, 1)),
        ("1-3,2-4,1", (1, 2, 3, 4)),
        ("9-9", (9,)),
    ],
)
def test_band_lists(text: str, expected: tuple[int, ...]) -> None:
    assert parse_band_list(text, 9) == expected


@pytest.mark.parametrize(
    "text", ["", ",", "1,", "a", "1-", "-1", "1--2", "1.5", "1;2", "0", "10", "0-3", "8-10", "3-1"]
)
def test_band_lists_that_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="band list"):
        parse_band_list(text, 9)


CENTRES = [400.0, 455.4, 600.0, None, 1300.0, 1301.0, 1600.0, 2400.0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("400-1300nm", (1, 2, 3, 5)),
        ("400nm-1300 nm", (1, 2, 3, 5)),
        ("0.4554-0.6um", (2, 3)),
        ("455nm-1.3µm", (2, 3, 5)),
        ("1.5-1.75 micrometers, 2, 400 Nanometers", (7, 2, 1)),
        ("590nm", (3,)),
        ("1-2,400-500nm,8", (1, 2, 8)),
    ],
)
def test_bands_by_wavelength(text: str, expected: tuple[int, ...]) -> None:
    assert parse_band_list(text, len(CENTRES), CENTRES) == expected


def test_bands_by_wavelength_that_are_refused() -> None:
    with pytest.raises(UsageError, match="no wavelength of the raster is known"):
        parse_band_list("400-1300nm", 9)
    with pytest.raises(UsageError, match="no wavelength of the raster is known"):
        parse_band_list("400nm", 2, [None, None])
    for text in ("3-4um", "1300-400nm", "700-800nm"):
        with pytest.raises(UsageError, match="within 400-2400nm"):
            parse_band_list(text, len(CENTRES), CENTRES)
    for text in ("400-1300 furlongs", "400nm-1300", "1e3nm", "-400nm"):
        with pytest.raises(UsageError, match="not understood"):
            parse_band_list(text, len(CENTRES), CENTRES)


def test_a_wavelength_without_its_unit_is_told_what_it_lacks() -> None:
    with pytest.raises(UsageError, match=r"needs its unit, such as 400-1300nm\.$"):
        parse_band_list("1-3, 400-1300", len(CENTRES), CENTRES)
    for wavelengths, text in ((None, "400-1300"), ([None] * 9, "400-1300"), (CENTRES, "3-2"), (CENTRES, "0-3")):
        with pytest.raises(UsageError, match=r"the lower number first\.$"):
            parse_band_list(text, 9, wavelengths)


def test_candidates_by_wavelength_leave_bad_bands_out() -> None:
    bands = [BandInfo(n, wavelength_nm=centre, good=n != 2) for n, centre in enumerate(CENTRES, start=1)]
    assert candidates(bands, "400-1300nm") == (1, 3, 5)


def test_a_band_list_of_a_billion_is_refused_before_it_is_built() -> None:
    with pytest.raises(UsageError, match="1 to 9"):
        parse_band_list("1-999999999", 9)


@given(st.lists(st.integers(1, 400), min_size=1, unique=True))
def test_a_formatted_list_parses_to_itself(numbers: list[int]) -> None:
    assert parse_band_list(format_band_list(numbers), 400) == tuple(numbers)


def test_candidates_leave_bad_bands_out_also_of_the_users_list() -> None:
    bands = [BandInfo(i, good=i not in (2, 3)) for i in range(1, 6)]
    assert candidates(bands, None) == (1, 4, 5)
    assert candidates(bands, "5,1-3") == (5, 1)
    with pytest.raises(InputError, match="marked as bad"):
        candidates(bands, "2-3")


def test_first_and_spread() -> None:
    numbers = [2, 3, 5, 7, 11, 13, 17]
    assert pick(numbers, 3, "first") == Selection((2, 3, 5), "first")
    assert pick(numbers, 3, "spread") == Selection((2, 7, 17), "spread")
    assert pick(numbers, 1, "spread") == Selection((2,), "spread")
    assert pick(numbers, 7, "spread") == Selection(tuple(numbers), "spread")


@given(st.integers(1, 250), st.data())
def test_spread_takes_each_band_once_with_both_ends_and_even_gaps(n_bands: int, data: st.DataObject) -> None:
    n_wanted = data.draw(st.integers(1, n_bands))
    numbers = pick(list(range(1, n_bands + 1)), n_wanted, "spread").numbers
    assert len(set(numbers)) == n_wanted
    if n_wanted > 1:
        assert (numbers[0], numbers[-1]) == (1, n_bands)
        gaps = np.diff(numbers)
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1


def test_auto_takes_what_the_model_names_where_a_side_has_no_wavelengths() -> None:
    numbers = [1, 2, 3, 4, 5]
    known = bands_at(400, 500, 600, 700, 800)
    assert pick(numbers, 2, "auto", model_method="spread").method == "spread"
    assert pick(numbers, 2, "auto", known, None, "first").method == "first"
    assert pick(numbers, 2, "auto", None, [410.0, 790.0], "wavelength").method == "spread"
    some = bands_at(400, None, 600, 700, 800)
    assert pick(numbers, 2, "auto", some, [410.0, 790.0], "first").method == "first"
    # The band without a wavelength is not among those to choose from.
    assert pick([1, 3, 4, 5], 2, "auto", some, [410.0, 790.0]) == Selection((1, 5), "wavelength")


def test_auto_matches_by_wavelength_within_15_nm_only() -> None:
    known = bands_at(400, 410, 500, 600)
    assert pick([1, 2, 3, 4], 2, "auto", known, [409.0, 585.0]) == Selection((2, 4), "wavelength")
    assert pick([1, 2, 3, 4], 2, "auto", known, [409.0, 584.9]) == Selection((1, 2), "first")
    assert pick([1, 2, 3, 4], 2, "wavelength", known, [409.0, 584.9]) == Selection((2, 4), "wavelength")


def test_wavelengths_take_each_band_once_in_the_models_order() -> None:
    known = bands_at(700, 600, 500, 400)
    assert pick([1, 2, 3, 4], 3, "wavelength", known, [410.0, 405.0, 690.0]) == Selection((4, 3, 1), "wavelength")


def test_selections_that_are_refused() -> None:
    with pytest.raises(InputError, match="needs 6 bands, but only 5"):
        pick([1, 2, 3, 4, 5], 6, "auto")
    with pytest.raises(UsageError, match="the model has no known wavelengths"):
        pick([1, 2], 1, "wavelength", bands_at(400, 500))
    with pytest.raises(UsageError, match="the raster has no known wavelengths"):
        pick([1, 2], 1, "wavelength", None, [400.0])


def test_an_empty_band_list_is_no_band_list() -> None:
    with pytest.raises(UsageError, match="band list"):
        candidates([BandInfo(1), BandInfo(2)], "")
