"""The examples in the engine's docstrings are run, since an example that is not true misleads."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[2] / "ferd_engine"
WITH_EXAMPLES = [
    ".".join(path.relative_to(ENGINE.parent).with_suffix("").parts)
    for path in sorted(ENGINE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_are_true(name: str) -> None:
    results = doctest.testmod(import_module(name))
    assert results.failed == 0
    assert results.attempted > 0
