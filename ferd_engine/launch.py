"""Runs the worker of the engine that lies in this folder, whatever else the Python has installed.

python -I -u launch.py JOB.json

It is run by its path, because -I leaves the folder of a script out of Python's search path, and because a plugin
carries the engine as a subpackage. Nothing that lies beside the engine becomes importable.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path


def main() -> int:
    """Load the package from here, and hand over."""
    _drop_environment()
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        "ferd_engine", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"There is no engine in {folder}: install the plugin again.")
    package = importlib.util.module_from_spec(spec)
    sys.modules["ferd_engine"] = package
    spec.loader.exec_module(package)
    code: int = importlib.import_module("ferd_engine.worker").main(sys.argv[1:])
    return code


def _drop_environment() -> None:
    """Forget the variables that the job names, before any library reads them.

    For Windows, where the program that started this one cannot leave them out; elsewhere it can, and does.
    """
    try:
        names = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["drop_environment"]
    except (IndexError, OSError, ValueError, KeyError, TypeError):
        return
    for name in names:
        os.environ.pop(name, None)


if __name__ == "__main__":
    sys.exit(main())
