"""The list of detectors: complete entries, and options that are taken or refused, never ignored."""

from __future__ import annotations

from dataclasses import fields

import pytest

from ferd_engine.detectors import DETECTORS, detector_info, make_detector
from ferd_engine.errors import UsageError


@pytest.mark.parametrize("name", DETECTORS)
def test_each_entry_is_complete(name: str) -> None:
    info = detector_info(name)
    assert info.name == name
    for field in fields(info):
        assert getattr(info, field.name), field.name
    assert info.factory.__doc__.endswith(f"\n\nCost per pixel: {info.cost}.\nWhen to take it: {info.when}\n")
    assert len(info.factory.__doc__.partition("Cost per pixel")[0]) > 100


def test_an_unknown_name_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no detector 'rx': choose one of grx"):
        make_detector("rx")


def test_an_option_that_the_detector_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'grx' has no option 'block' \(it takes covariance, mean, outer\)"):
        make_detector("grx", block=4)


def test_none_counts_as_not_given() -> None:
    assert make_detector("grx", block=None) == make_detector("grx")


def test_options_are_the_fields_of_the_detector() -> None:
    assert detector_info("grx").options == ("covariance", "mean", "outer")
    assert detector_info("slrx").options == ("block",)
    assert detector_info("lrx").options == ("inner", "outer", "covariance")
    with pytest.raises(UsageError, match=r"'slrx' has no option 'inner' \(it takes block\)"):
        make_detector("slrx", inner=3)
