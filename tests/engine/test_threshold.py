"""Thresholds: rules in words, order statistics, distributions of scores, and a fitted tail."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, genpareto

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.detectors.distribution import ScoreDistribution
from ferd_engine.errors import InputError, UsageError
from ferd_engine.threshold import find_threshold, pareto_threshold
from ferd_engine.threshold_rule import parse_threshold

from .detectors.arrays import ArraySink, cube_of, moments_of

SCORES = np.array([[3.0, 1.0, np.nan, 2.0], [5.0, 4.0, 4.0, np.nan]], dtype=np.float32)


def threshold(rule: str, distribution: ScoreDistribution | None = None) -> float:
    return find_threshold(parse_threshold(rule), lambda: [SCORES[:1], SCORES[1:]], distribution)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("value:-2.5", -2.5),
        ("count:1", 4.0),
        ("count:3", 3.0),
        # Two equal scores cannot be told apart: one above rather than three.
        ("count:2", 4.0),
        ("percentile:50", 3.0),
        ("percentile:51", 4.0),
        ("percentile:100", 5.0),
    ],
)
def test_order_statistics(rule: str, expected: float) -> None:
    assert threshold(rule) == expected


@pytest.mark.parametrize("rule", ["percentile:0", "count:6", "count:1000"])
def test_all_scores_may_lie_above(rule: str) -> None:
    assert np.nextafter(np.float32(1), np.float32(0)) == threshold(rule)


@pytest.mark.parametrize(
    "rule",
    ["", "chi2", "chi2:0", "chi2:1", "chi2:1.5", "percentile:101", "count:0", "count:2.5", "value:", "value:nan",
     "value:inf", "otsu:1", "pareto:0", "pareto:2"],
)  # fmt: skip
def test_unusable_rules_are_refused(rule: str) -> None:
    with pytest.raises(UsageError, match="threshold"):
        parse_threshold(rule)


def test_chi2_needs_a_distribution() -> None:
    assert threshold("chi2:0.999", ScoreDistribution(12)) == pytest.approx(chi2.ppf(0.999, 12))
    with pytest.raises(UsageError, match="chi2 needs squared distances to an unshrunk covariance"):
        threshold("chi2:0.999")


@pytest.mark.parametrize(("name", "options"), [("grx", {}), ("lrx", {"covariance": "empirical", "outer": 13})])
def test_the_distribution_holds_for_normal_pixels(name: str, options: dict[str, object]) -> None:
    rng = np.random.default_rng(3)
    array = rng.standard_normal((120, 130, 9)).astype(np.float32)
    sink = ArraySink(120, 130)
    detector = make_detector(name, **options)
    distribution = detector.score(cube_of(array), moments_of(array), sink, RunContext())
    assert distribution is not None
    for probability in (0.5, 0.9, 0.99):
        above = (sink.scores > distribution.quantile(probability)).mean()
        # Four standard errors; the rings of neighbours overlap, which leaves each score's own distribution as it is.
        assert above == pytest.approx(1 - probability, abs=4 * np.sqrt(probability * (1 - probability) / 15600) + 2e-3)


@pytest.mark.parametrize(
    ("name", "options"), [("slrx", {}), ("grx", {"covariance": "oas"}), ("lrx", {"covariance": "ledoit-wolf"})]
)
def test_other_scores_have_no_known_distribution(name: str, options: dict[str, object]) -> None:
    array = np.random.default_rng(3).standard_normal((30, 31, 4)).astype(np.float32)
    detector = make_detector(name, **options)
    assert detector.score(cube_of(array), moments_of(array), ArraySink(30, 31), RunContext()) is None


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.2])
def test_a_pareto_tail_is_found_again(shape: float) -> None:
    # scipy's shape has the other sign.
    excesses = genpareto.rvs(shape, scale=2.0, size=200_000, random_state=1)
    expected = 10.0 + genpareto.isf(1e-3 / 0.05, shape, scale=2.0)
    assert pareto_threshold(10.0, excesses, 0.05, 1e-3) == pytest.approx(expected, rel=0.02)


def test_the_rate_of_a_fitted_tail_is_met() -> None:
    scores = np.random.default_rng(5).chisquare(20, (500, 800)).astype(np.float32)
    found = find_threshold(parse_threshold("pareto:0.001"), lambda: [scores], None)
    assert (scores > found).mean() == pytest.approx(1e-3, rel=0.1)


def test_a_tail_that_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(UsageError, match="give less than"):
        pareto_threshold(0.0, np.arange(100.0), 0.05, 0.06)
    with pytest.raises(InputError, match="Only 1 scores lie"):
        find_threshold(parse_threshold("pareto:0.001"), lambda: [np.arange(20, dtype=np.float32)], None)


def test_equal_excesses_leave_no_rate() -> None:
    assert np.isfinite(pareto_threshold(1.0, np.linspace(0.1, 5.0, 40), 0.05, 1e-4))
