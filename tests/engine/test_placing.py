"""Several files to their places: all or none, and what a killed run began is finished by the next one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import ferd_engine.placing
from ferd_engine.outputs import remove_stale
from ferd_engine.placing import Placing, is_unfinished, place_all


def scratch(folder: Path, name: str, *files: str) -> Path:
    made = folder / f".ferd-{name}"
    (made / "raster").mkdir(parents=True)
    (made / "lock").touch()
    for file in files:
        (made / "raster" / file).write_text(f"new {file}")
    return made


def two_folders(tmp_path: Path) -> tuple[tuple[Placing, ...], dict[str, Path]]:
    """Return a run's ENVI scores in one folder and its mask in another, with old ones of both and a sidecar."""
    one, other = tmp_path / "one", tmp_path / "other"
    a, b = scratch(one, "a", "s.hdr", "s.bsq"), scratch(other, "b", "m.tif")
    places = {"s.hdr": one / "s.hdr", "s.bsq": one / "s.bsq", "m.tif": other / "m.tif"}
    for name, place in places.items():
        place.write_text(f"old {name}")
    (one / "s.bsq.aux.xml").write_text("old sidecar")
    placings = (
        Placing(b, (b / "raster" / "m.tif",), (other / "m.tif.ovr",)),
        Placing(a, (a / "raster" / "s.hdr", a / "raster" / "s.bsq"), (one / "s.bsq.aux.xml",)),
    )
    return placings, places


def state(places: dict[str, Path]) -> set[str]:
    """Return which of old, new and absent there are."""
    return {place.read_text().split()[0] if place.exists() else "absent" for place in places.values()}


def failing(monkeypatch: pytest.MonkeyPatch, after: int, error: BaseException, *, for_good: bool = False) -> None:
    replace, calls = os.replace, []

    def call(*arguments: Any) -> None:
        calls.append(None)
        if len(calls) == after or (for_good and len(calls) > after):
            raise error
        replace(*arguments)

    monkeypatch.setattr(ferd_engine.placing.os, "replace", call)


def test_new_files_take_the_place_of_old_ones(tmp_path: Path) -> None:
    placings, places = two_folders(tmp_path)
    assert set(place_all(placings)) == set(places.values())
    assert state(places) == {"new"}
    assert not (tmp_path / "one" / "s.bsq.aux.xml").exists()
    assert not any(is_unfinished(placing.scratch) for placing in placings)


@pytest.mark.parametrize("after", range(1, 8))
def test_a_failure_puts_everything_back(tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    placings, places = two_folders(tmp_path)
    failing(monkeypatch, after, PermissionError(13, "in use"))
    with pytest.raises(PermissionError):
        place_all(placings)
    assert state(places) == {"old"}
    assert (tmp_path / "one" / "s.bsq.aux.xml").read_text() == "old sidecar"
    assert not any(is_unfinished(placing.scratch) for placing in placings)


@pytest.mark.parametrize("after", range(1, 8))
def test_an_interrupt_lets_it_be_finished(tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    placings, places = two_folders(tmp_path)
    failing(monkeypatch, after, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        place_all(placings)
    assert state(places) == {"new"}
    assert not (tmp_path / "one" / "s.bsq.aux.xml").exists()


@pytest.mark.parametrize("first", ["one", "other"])
@pytest.mark.parametrize("after", range(1, 8))
def test_what_a_killed_run_began_is_finished(
    tmp_path: Path, after: int, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    placings, places = two_folders(tmp_path)
    # An error that can neither be undone nor finished leaves what a kill leaves.
    failing(monkeypatch, after, PermissionError(13, "lost"), for_good=True)
    with pytest.raises(PermissionError):
        place_all(placings)
    if after > 1:
        assert state(places) != {"old", "new"}
        assert all(is_unfinished(placing.scratch) for placing in placings)
    monkeypatch.undo()
    for name in sorted(["one", "other"], key=lambda name: name != first):
        remove_stale(tmp_path / name)
    assert state(places) == ({"new"} if after > 1 else {"old"})
    assert not list(tmp_path.glob("*/.ferd-*"))


def test_a_file_that_came_later_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placings, places = two_folders(tmp_path)
    failing(monkeypatch, 2, PermissionError(13, "lost"), for_good=True)
    with pytest.raises(PermissionError):
        place_all(placings)
    monkeypatch.undo()
    places["m.tif"].unlink(missing_ok=True)
    places["m.tif"].write_text("later by someone else")
    remove_stale(tmp_path / "one")
    remove_stale(tmp_path / "other")
    assert places["m.tif"].read_text() == "later by someone else"


def test_a_journal_that_was_cut_short_moves_nothing(tmp_path: Path) -> None:
    placings, places = two_folders(tmp_path)
    for placing in placings:
        (placing.scratch / "placing.json").write_text('{"moves": [["')
    remove_stale(tmp_path / "one")
    remove_stale(tmp_path / "other")
    assert state(places) == {"old"}
    assert not list(tmp_path.glob("*/.ferd-*"))
