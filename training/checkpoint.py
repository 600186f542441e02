"""A training run's state on disk: whole or the one before, and nothing in it is ever run."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from ferd_engine.errors import InputError, OutputError

FILE = "checkpoint.pt"
_FORMAT = "ferd-training-1"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write the state and put it in the place of the last one, so that a kill at any time leaves one of the two."""
    path = folder / FILE
    fresh = path.with_name(f".{FILE}.{os.getpid()}")
    try:
        with open(fresh, "wb") as file:
            torch.save({"format": _FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except (OSError, RuntimeError) as error:
        raise OutputError(f"Cannot write the checkpoint {path} ({error}): check its place and free space.") from error
    finally:
        fresh.unlink(missing_ok=True)


def load(folder: Path, digest: str) -> dict[str, Any] | None:
    """Return the state, None where there is none.

    `InputError` where it cannot be read, is damaged or belongs to another configuration.
    """
    path = folder / FILE
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(
            f"Cannot read the checkpoint {path} ({error.strerror or error}): see to it that this user may read the "
            "file, or name another output folder."
        ) from error
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise InputError(f"The checkpoint {path} is damaged: delete it and train again, or use --fresh.") from error
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise InputError(f"The checkpoint {path} was not written by this program: name another output folder.")
    if state["digest"] != digest:
        raise InputError(
            f"The checkpoint {path} belongs to another configuration: name another output folder, or start again with "
            "--fresh."
        )
    return state
