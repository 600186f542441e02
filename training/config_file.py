"""The configuration of a training run out of a TOML file: every key known, every value of its field's type."""

from __future__ import annotations

import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ferd_engine.errors import UsageError

from .config import Config

_Kind = TypeVar("_Kind")


def load_config(path: str | Path) -> Config:
    """Return the configuration of a TOML file.

    `UsageError` names the key that is unknown, missing or of a wrong type.
    """
    path = Path(path)
    return config_of(read_table(path), path.resolve().parent)


def config_of(table: dict[str, Any], base: Path) -> Config:
    """Return the configuration of a table; paths in it are relative to the folder `base`. Raises as `load_config`."""
    return _build(Config, _absolute(table, base.resolve()), "")


def read_table(path: Path) -> dict[str, Any]:
    """Return the table in a TOML file; raises `UsageError` where it cannot be read."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"Cannot read the configuration {path} ({error.strerror}): check the path.") from error
    except ValueError as error:
        raise UsageError(f"The configuration {path} is not valid TOML ({error}): correct it there.") from error
    return table


def _absolute(table: dict[str, Any], base: Path) -> dict[str, Any]:
    """Return the table with paths of scenes, teacher and output made absolute."""

    def join(value: Any) -> Any:
        return str(base / value) if isinstance(value, str) and value else value

    table = dict(table)
    if "output" in table:
        table["output"] = join(table["output"])
    network = table.get("network")
    if isinstance(network, dict):
        network = dict(network)
        if network.get("teacher") not in (None, "imagenet", "random"):
            network["teacher"] = join(network["teacher"])
        if "start" in network:
            network["start"] = join(network["start"])
        table["network"] = network
    data = table.get("data")
    if isinstance(data, dict):
        table["data"] = {
            key: [{**s, "path": join(s["path"])} if isinstance(s, dict) and "path" in s else s for s in value]
            if key in ("train", "held_out") and isinstance(value, list)
            else value
            for key, value in data.items()
        }
    return table


def _build(kind: type[_Kind], table: Any, where: str) -> _Kind:
    """Return a dataclass made of a TOML table, every value checked against the field's type."""
    if not isinstance(table, dict):
        raise UsageError(f"{where.rstrip('.') or 'The configuration'} must be a table.")
    hints = get_type_hints(kind)
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise UsageError(f"The configuration has the unknown key {where}{key}: known are {', '.join(known)}.")
    values = {key: _value(hints[key], value, where + key) for key, value in table.items()}
    try:
        return kind(**values)
    except TypeError as error:
        missing = sorted(set(known) & set(str(error).replace("'", " ").split()))
        raise UsageError(f"The configuration lacks {where}{', '.join(missing)}: add it.") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise UsageError(f"The value of {where} must be a list.")
        return tuple(_value(get_args(hint)[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, where + ".")
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise UsageError(f"The value of {where} is {value!r}: it must be of the type {hint.__name__}.")
    return value
