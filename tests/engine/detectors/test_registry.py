"""The list of detectors: complete entries, and options that are taken or refused, never ignored."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from ferd_engine.context import RunContext
from ferd_engine.detectors import DETECTORS, detector_info, make_detector, uses_extrema
from ferd_engine.errors import RunError, UsageError
from ferd_engine.statistics import Moments

from .arrays import ArraySink, cube_of, run, scene


@pytest.mark.parametrize("name", DETECTORS)
def test_each_entry_is_complete(name: str) -> None:
    info = detector_info(name)
    assert info.name == name
    for field in fields(info):
        assert getattr(info, field.name), field.name
    assert info.factory.__doc__.endswith(f"\n\nCost per pixel: {info.cost}.\nWhen to take it: {info.when}\n")
    assert len(info.factory.__doc__.partition("Cost per pixel")[0]) > 100


@pytest.mark.parametrize("name", DETECTORS)
def test_only_those_that_say_so_ask_for_extrema(name: str) -> None:
    detector, array = make_detector(name), scene(30, 24, 6)
    moments = Moments(6, extrema=False)
    moments.add(array.reshape(-1, 6))
    sink = ArraySink(30, 24)
    if uses_extrema(detector):
        with pytest.raises(RunError, match="told to do without"):
            detector.score(cube_of(array), moments, sink, RunContext())
    else:
        detector.score(cube_of(array), moments, sink, RunContext())
        np.testing.assert_array_equal(sink.scores, run(detector, array))


def test_a_fusion_asks_for_extrema_where_a_component_does() -> None:
    assert uses_extrema(make_detector("fusion", components="raw:grx,raw:slrx"))
    assert not uses_extrema(make_detector("fusion", components="raw:grx,raw:lrx"))


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
