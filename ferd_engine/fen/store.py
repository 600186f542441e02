"""Where models live and how one is chosen: embedded bundles, the user's folder, any folder by its path."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import FerdError, InputError, ModelError
from .bundle import CARD_FILE, Model, check_name, load_model

EMBEDDED_FOLDER = Path(__file__).resolve().parents[1] / "models"
# Largest first: the default is the first that fits.
DEFAULT_NAMES = ("fen-200", "fen-100", "fen-50")


@dataclass(frozen=True)
class Listing:
    """One model that is there; `model` is None and `problem` a sentence where it cannot be used."""

    name: str
    folder: Path
    origin: str
    model: Model | None
    problem: str


def user_folder() -> Path:
    """Return the folder of installed models: FERD_MODELS, else where this platform keeps a user's data."""
    override = os.environ.get("FERD_MODELS")
    if override:
        return Path(override)
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming") / "ferd" / "models"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "ferd" / "models"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "ferd" / "models"


def cache_folder() -> Path:
    """Return the folder of downloaded files: FERD_CACHE, else where this platform keeps what can be fetched again."""
    override = os.environ.get("FERD_CACHE")
    if override:
        return Path(override)
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "ferd" / "cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "ferd"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "ferd"


def list_models() -> list[Listing]:
    """Return the embedded models, largest first, then the installed ones by name, damaged ones with their problem."""
    listings = [_listing(name, EMBEDDED_FOLDER / name, "embedded") for name in DEFAULT_NAMES]
    for name, folder in _installed().items():
        listings.append(_listing(name, folder, "installed"))
    return listings


def _listing(name: str, folder: Path, origin: str) -> Listing:
    try:
        return Listing(name, folder, origin, find_model(name), "")
    except FerdError as error:
        return Listing(name, folder, origin, None, str(error))


def _installed() -> dict[str, Path]:
    """Return name and folder of the installed models; embedded names are taken and skipped."""
    folder = user_folder()
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ModelError(f"Cannot look into {folder} ({error.strerror}): check its permissions.") from error
    for path in paths:
        if not (path / CARD_FILE).is_file() or path.name in DEFAULT_NAMES:
            continue
        try:
            found[check_name(path.name)] = path
        except ModelError:
            continue
    return found


@cache
def _embedded(name: str) -> Model:
    return load_model(EMBEDDED_FOLDER / name)


def find_model(name_or_folder: str | Path) -> Model:
    """Return the model of that name, or of that folder.

    A name is looked up among the embedded models, then among the installed ones; anything else must be a folder that
    holds a `model.json`. Raises `ModelError` where there is none or it is damaged.
    """
    text = str(name_or_folder)
    if text in DEFAULT_NAMES:
        return _embedded(text)
    installed = _installed()
    if text in installed:
        return load_model(installed[text])
    if _is_folder(text):
        return load_model(text)
    known = ", ".join([*DEFAULT_NAMES, *installed])
    raise ModelError(
        f"There is no model {text[:200]!r}, neither by name nor as a folder: the models here are {known}; "
        "`ferd models import` adds one."
    )


def _is_folder(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):
        # Too long for a path, or with a character that no path has.
        return False


def choose_model(name: str | Path | None, n_bands_available: int) -> Model:
    """Return the named (or default) model, or the largest smaller one of its family where the bands do not suffice.

    A family is a name up to its last number: fen-200, fen-100 and fen-50 are one. Compare the `name` of what comes
    back to learn that a smaller one was taken. A folder has no family. Raises `InputError` with the bands needed.
    """
    wanted = find_model(DEFAULT_NAMES[0] if name is None else name)
    if wanted.n_bands <= n_bands_available:
        return wanted
    family = model_family(name)
    fitting = [model for model in family if model.n_bands <= n_bands_available]
    if fitting:
        return max(fitting, key=lambda model: model.n_bands)
    smallest = min(family, key=lambda model: model.n_bands)
    raise InputError(
        f"The image has {n_bands_available} usable bands and the model {smallest.name} needs {smallest.n_bands}: use "
        "an image with more bands, another model, or no enhancement (--no-enhance)."
    )


def model_family(name: str | Path | None) -> list[Model]:
    """Return all models that `choose_model` may take for this name, the named (or default) one first."""
    if name is None:
        return [find_model(default) for default in DEFAULT_NAMES]
    wanted = find_model(name)
    return [wanted, *(_siblings(wanted.name) if str(name) == wanted.name else [])]


def _siblings(name: str) -> list[Model]:
    match = re.fullmatch(r"(.*?)(\d+)", name)
    if match is None:
        return []
    pattern = re.compile(re.escape(match.group(1)) + r"\d+")
    others = [other for other in list_models() if other.name != name and pattern.fullmatch(other.name)]
    # A damaged sibling was not asked for; `list_models` shows its problem.
    return [other.model for other in others if other.model is not None]
