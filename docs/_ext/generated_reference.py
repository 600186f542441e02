"""Writes the parts of the reference that the code knows best, before Sphinx reads the pages that include them.

The command line comes from the parser of `ferd`, the options of Python from their dataclasses, the Processing
algorithms from the provider inside QGIS's Python, in a process of its own because of Qt. The files are not kept in
the repository.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from ferd_engine.cli.parser import build_parser
from ferd_engine.options import DetectOptions, EnhanceOptions

HERE = Path(__file__).resolve().parent
GENERATED = HERE.parent / "reference" / "_generated"
NO_QGIS = """\
```{note}
These pages were built where QGIS is not installed, so that the algorithms could not be asked. In QGIS, each dialog
shows the same texts.
```
"""


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx when to write the files."""
    app.connect("builder-inited", lambda app: write_all())
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_all() -> None:
    """Write the three generated parts."""
    GENERATED.mkdir(parents=True, exist_ok=True)
    pages = {"commands.md": commands_page(), "options.md": options_page(), "algorithms.md": algorithms_page()}
    for name, text in pages.items():
        path = GENERATED / name
        # An unchanged file keeps its date, so that a second build is quick.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def commands_page() -> str:
    """Return one section per command of `ferd`, in the order of `ferd --help`."""
    return "\n".join(line for name, parser in _commands(build_parser()) for line in _command(name, parser))


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            words = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, child in action.choices.items():
                nested = list(_commands(child))
                child.description = child.description or _sentence(words.get(name, ""))
                yield from nested or [(child.prog, child)]


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    usage = parser.format_usage().removeprefix("usage: ").strip()
    yield from (f"## `{name}`", "", parser.description or "", "", "```text", usage, "```", "")
    rows = [(_spelling(action), _help(action)) for action in parser._actions if action.dest != "help"]
    yield from ("| | |", "|---|---|")
    yield from (f"| {left} | {_cell(right)} |" for left, right in rows)
    yield from ("", _cell(parser.epilog or ""), "")


def _spelling(action: argparse.Action) -> str:
    value = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else "")
    if not action.option_strings:
        return f"`{str(value).replace('|', chr(92) + '|')}`"
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    return f"{names} `{str(value).replace('|', chr(92) + '|')}`" if value and action.nargs != 0 else names


def _help(action: argparse.Action) -> str:
    repeated = " (may be repeated)" if type(action).__name__ == "_AppendAction" else ""
    return (action.help or "").replace("%%", "%") + repeated


def options_page() -> str:
    """Return the fields of both option classes with their defaults and the words of the command line."""
    words = {
        action.dest: _help(action)
        for name, parser in _commands(build_parser())
        if name in ("ferd detect", "ferd enhance")
        for action in parser._actions
    }
    shared = {field.name for field in fields(EnhanceOptions)}
    lines = ["| Option | Type | Default | For | |", "|---|---|---|---|---|"]
    for field in fields(DetectOptions):
        kind = str(field.type).replace("|", chr(92) + "|")
        where = "both" if field.name in shared else "detect"
        lines.append(f"| `{field.name}` | `{kind}` | `{field.default!r}` | {where} | {_cell(words[field.name])} |")
    return "\n".join(lines) + "\n"


def algorithms_page() -> str:
    """Return one section per Processing algorithm, as QGIS knows it."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {
            **os.environ,
            "QT_QPA_PLATFORM": "offscreen",
            "QGIS_CUSTOM_CONFIG_PATH": scratch,
            "XDG_DATA_HOME": scratch,
            "XDG_RUNTIME_DIR": scratch,
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(HERE.parents[1]),
        }
        Path(scratch).chmod(0o700)
        # QGIS may write to stdout as well, and may crash when it ends: what counts is the file.
        told = Path(scratch) / "algorithms.json"
        command = [sys.executable, str(HERE / "provider_facts.py"), str(told)]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        if "No module named 'qgis'" in run.stderr:
            return NO_QGIS
        if not told.exists():
            raise RuntimeError(f"QGIS did not tell of the algorithms:\n{run.stdout}{run.stderr}")
        algorithms = json.loads(told.read_text(encoding="utf-8"))
    return "\n".join(line for algorithm in algorithms for line in _algorithm(algorithm))


def _algorithm(algorithm: dict[str, Any]) -> Iterator[str]:
    yield from (f"## {algorithm['title']} (`{algorithm['id']}`)", "", algorithm["summary"], "")
    for title, key in (("Parameters", "parameters"), ("Outputs", "outputs")):
        rows = algorithm[key]
        if not rows:
            continue
        words = [f"{_cell(row['help'])}{_facts(row)}" for row in rows]
        # Outputs that are figures have no text beside their name.
        explained = any(words)
        yield from (f"**{title}**", "", "| Name | In the dialog |" + " What it is |" * explained)
        yield "|---|---|" + "---|" * explained
        for row, text in zip(rows, words):
            yield f"| `{row['name']}` | {_cell(row['label'])} |" + f" {text} |" * explained
        yield ""


def _facts(row: dict[str, Any]) -> str:
    facts = []
    if row.get("choices"):
        facts.append("choices: " + ", ".join(f"`{choice}`" for choice in row["choices"]))
    if row.get("default") not in (None, ""):
        facts.append(f"default: `{row['default']}`")
    facts += [word for word in ("optional", "advanced") if row.get(word)]
    return f" ({'; '.join(facts)})" if facts else ""


def _cell(text: str) -> str:
    plain = re.sub(r"<[^<>]+/?>", "", text)
    return re.sub(r"\s+", " ", plain).replace("|", "\\|").replace("*", "\\*").strip()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else ""
