"""Facts for people: a name and a text each, wrapped where a terminal shows them."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_LEAST_COLS = 60
_MOST_COLS = 120


def print_facts(facts: Iterable[tuple[str, str]], name_cols: int) -> None:
    """Print one fact after the other, the texts in a column of their own.

    A terminal gets long texts in lines of its width; a file or another program gets a line for each fact.
    """
    n_cols = min(max(shutil.get_terminal_size().columns, _LEAST_COLS), _MOST_COLS) if sys.stdout.isatty() else None
    for name, text in facts:
        print(fact(name, text, name_cols, n_cols))


def fact(name: str, text: str, name_cols: int, n_cols: int | None) -> str:
    """Return a fact as it is printed, in lines of at most `n_cols` characters where that is given.

    >>> print(fact("when", "Small objects on backgrounds that change.", 6, 30))
    when   Small objects on
           backgrounds that
           change.
    """
    start = f"{name:<{name_cols}} "
    if n_cols is None or len(start) + len(text) <= n_cols:
        return start + text
    return textwrap.fill(text, n_cols, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False)


def flat(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield facts as texts; what holds groups of facts comes as facts of their own, named after both.

    >>> list(flat({"sensor": None, "range": [1, 2.5], "scenes": {"a": {"mean": 0.5, "best": True}}}))
    [('sensor', 'none'), ('range', '1, 2.5'), ('scenes a', 'mean 0.5; best yes')]
    """
    for name, value in facts.items():
        if isinstance(value, Mapping) and any(_has_groups(one) for one in value.values()):
            yield from flat({f"{name} {part}": one for part, one in value.items()})
        elif isinstance(value, list) and _has_groups(value):
            yield from ((name, _text(one)) for one in value)
        else:
            yield name, _text(value)


def _has_groups(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(map(_has_groups, value)))


def _text(value: Any) -> str:
    """Return a value as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_text(one)}" for name, one in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, float):
        return f"{value:.12g}"
    if value is None or value == "":
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
