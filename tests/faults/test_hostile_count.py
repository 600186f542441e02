"""The promise is of at least 500 distinct inputs, and they are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.hostile import Trials

LEAST = 500


def test_how_many_inputs_were_tried(request: pytest.FixtureRequest, trials: Trials) -> None:
    wanted = {
        file.name for pattern in ("test_hostile_*.py", "test_odd_*.py") for file in Path(__file__).parent.glob(pattern)
    }
    selected = {item.path.name for item in request.session.items}
    if not wanted <= selected or request.config.getoption("keyword"):
        pytest.skip("only a part of the inputs was asked for")
    print(trials.line())
    assert len(trials.seen) >= LEAST
    # Most are compared: refusing everything would keep the promise too.
    assert trials.n_compared >= LEAST // 2
