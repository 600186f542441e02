"""What people read in a terminal: facts in columns, wrapped to its width."""

from __future__ import annotations

from ferd_engine.cli.facts import fact, flat


def test_long_texts_keep_their_column() -> None:
    lines = fact("when", "Small objects on backgrounds that change over the image.", 6, 30).splitlines()
    assert lines[0].startswith("when   Small")
    assert all(line.startswith(" " * 7) for line in lines[1:])
    assert max(map(len, lines)) <= 30


def test_nothing_is_wrapped_for_other_programs() -> None:
    assert fact("when", "word " * 60 + "end", 6, None).count("\n") == 0


def test_groups_of_facts() -> None:
    facts = {
        "trained": True,
        "sensor": None,
        "nodata": [-32768.0],
        "network": {"gain": 100.0, "blocks": [1, 1]},
        "figures": {"scenes": {"a": {"GRX": 0.5}, "b": {"GRX": 0.25}}},
        "data": [{"name": "x", "licence": ""}, {"name": "y", "licence": "MIT"}],
    }
    assert list(flat(facts)) == [
        ("trained", "yes"),
        ("sensor", "none"),
        ("nodata", "-32768"),
        ("network", "gain 100; blocks 1, 1"),
        ("figures scenes a", "GRX 0.5"),
        ("figures scenes b", "GRX 0.25"),
        ("data", "name x; licence none"),
        ("data", "name y; licence MIT"),
    ]
