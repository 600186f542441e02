"""Where models are found, and which one is chosen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ferd_engine.errors import InputError, ModelError
from ferd_engine.fen import store
from ferd_engine.fen.bundle import Model, save_model
from ferd_engine.fen.network import Architecture
from tests.engine.fen.reference import random_weights


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERD_MODELS", str(tmp_path / "models"))


def _install(name: str, n_bands: int) -> Path:
    architecture = Architecture(n_bands, 1, entry=4, inner=3, outer=5, hidden=4)
    folder = store.user_folder() / name
    save_model(Model(name, architecture, random_weights(architecture, 0)), folder)
    return folder


def test_embedded_models_are_there_and_say_that_they_are_trained() -> None:
    listings = store.list_models()
    assert [(one.name, one.origin, one.problem) for one in listings] == [
        ("fen-200", "embedded", ""),
        ("fen-100", "embedded", ""),
        ("fen-50", "embedded", ""),
    ]
    for one in listings:
        assert one.model is not None
        assert one.model.n_bands == int(one.name[4:])
        assert one.model.trained
        assert "none of them with a truth of anomalies" in one.model.description
        assert one.model.licence == "GPL-2.0-or-later"
        assert one.model.band_selection == "spread"


def test_embedded_models_are_read_once() -> None:
    assert store.find_model("fen-50") is store.find_model("fen-50")


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/ferd/models"),
        ("linux", {}, "/home/u/.local/share/ferd/models"),
        ("darwin", {}, "/home/u/Library/Application Support/ferd/models"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming/ferd/models"),
        ("win32", {}, "/home/u/AppData/Roaming/ferd/models"),
        ("linux", {"FERD_MODELS": "/elsewhere"}, "/elsewhere"),
    ],
)
def test_user_folder(platform: str, variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("FERD_MODELS", "XDG_DATA_HOME", "APPDATA"):
        monkeypatch.delenv(key, raising=False)
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/u"))
    assert store.user_folder() == Path(expected)


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/cache"}, "/cache/ferd"),
        ("linux", {}, "/home/u/.cache/ferd"),
        ("darwin", {}, "/home/u/Library/Caches/ferd"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/ferd/cache"),
        ("win32", {}, "/home/u/AppData/Local/ferd/cache"),
        ("linux", {"FERD_CACHE": "/elsewhere"}, "/elsewhere"),
    ],
)
def test_cache_folder(platform: str, variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("FERD_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(key, raising=False)
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/u"))
    assert store.cache_folder() == Path(expected)


def test_installed_models_are_found_by_name_and_by_folder(tmp_path: Path) -> None:
    folder = _install("mine-9", 9)
    assert store.find_model("mine-9").n_bands == 9
    assert store.find_model(folder).n_bands == 9
    assert store.find_model(str(folder)).n_bands == 9
    assert [one.name for one in store.list_models()][3:] == ["mine-9"]
    with pytest.raises(ModelError, match=r"no model 'other'.*mine-9"):
        store.find_model("other")
    with pytest.raises(ModelError, match="no model in"):
        store.find_model(tmp_path)


def test_an_installed_folder_cannot_take_an_embedded_name() -> None:
    _install("fen-50", 9)
    assert store.find_model("fen-50").n_bands == 50
    assert len(store.list_models()) == 3


def test_a_damaged_model_is_listed_with_its_problem() -> None:
    folder = _install("broken-9", 9)
    (folder / "weights.safetensors").write_bytes(b"x")
    listing = store.list_models()[3]
    assert (listing.name, listing.model) == ("broken-9", None)
    assert "sha256 differs" in listing.problem


@pytest.mark.parametrize(("available", "name"), [(500, "fen-200"), (200, "fen-200"), (199, "fen-100"), (50, "fen-50")])
def test_the_default_is_the_largest_that_fits(available: int, name: str) -> None:
    assert store.choose_model(None, available).name == name
    assert store.choose_model(None, available).name == name
    assert store.choose_model("fen-200", available).name == name


def test_too_few_bands_for_any_model_says_how_many_are_needed() -> None:
    with pytest.raises(InputError, match=r"49 usable bands and the model fen-50 needs 50.*--no-enhance"):
        store.choose_model(None, 49)


def test_a_smaller_one_of_the_family_steps_in() -> None:
    for name, n_bands in (("ng-20", 20), ("ng-10", 10), ("other-5", 5), ("ng-x", 4)):
        _install(name, n_bands)
    assert store.choose_model("ng-20", 25).name == "ng-20"
    assert store.choose_model("ng-20", 12).name == "ng-10"
    # Smaller models of other families fit, but were not asked for.
    with pytest.raises(InputError, match="ng-10 needs 10"):
        store.choose_model("ng-20", 9)
    with pytest.raises(InputError, match="other-5 needs 5"):
        store.choose_model("other-5", 4)


def test_a_folder_has_no_family() -> None:
    folder = _install("ng-20", 20)
    _install("ng-10", 10)
    with pytest.raises(InputError, match="ng-20 needs 20"):
        store.choose_model(folder, 12)


def test_a_damaged_sibling_is_passed_over() -> None:
    _install("ng-20", 20)
    (_install("ng-10", 10) / "weights.safetensors").write_bytes(b"x")
    _install("ng-5", 5)
    assert store.choose_model("ng-20", 12).name == "ng-5"


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "../../etc", ""])
def test_names_that_are_no_path_are_unknown(name: str) -> None:
    with pytest.raises(ModelError):
        store.find_model(name)


def test_an_unreadable_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    store.user_folder().mkdir()

    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ModelError, match="Permission denied"):
        store.find_model("mine-9")
    # The embedded models do not depend on it.
    assert store.choose_model(None, 60).name == "fen-50"
