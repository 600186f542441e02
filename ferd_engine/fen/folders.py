"""Folders that are whole or absent: written beside their place and renamed at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError


@contextmanager
def whole_folder(folder: Path, *, overwrite: bool, replaceable: Collection[str]) -> Iterator[Path]:
    """Yield an empty scratch folder, which becomes `folder` where the block ends well and goes where it does not.

    replaceable : with `overwrite`, an existing folder gives way only where it holds no other names than these; so a
        folder of other things is never lost to a slip of the pen.
    Raises `OutputError` where the folder may not be replaced or cannot be written.
    """
    check_free(folder, overwrite=overwrite, replaceable=replaceable)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            fresh, old = Path(scratch) / "new", Path(scratch) / "old"
            fresh.mkdir()
            yield fresh
            # Once more, since writing took its time.
            check_free(folder, overwrite=overwrite, replaceable=replaceable)
            if folder.exists():
                folder.replace(old)
            try:
                fresh.replace(folder)
            except BaseException:
                if old.exists():
                    old.replace(folder)
                raise
    except OSError as error:
        raise OutputError(
            f"Cannot write the folder {folder} ({error.strerror or error}): check its place and free space."
        ) from error


def check_free(folder: Path, *, overwrite: bool, replaceable: Collection[str]) -> None:
    """Raise `OutputError` where a folder stands in the way that may not be replaced; see `whole_folder`."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not overwrite:
        raise OutputError(f"The folder {folder} exists: choose another name, or allow replacing it with --overwrite.")
    if folder.is_symlink() or not folder.is_dir():
        raise OutputError(f"{folder} is not a folder that can be replaced: remove it, or choose another name.")
    others = sorted(path.name for path in folder.iterdir() if path.name not in replaceable)
    if others:
        raise OutputError(
            f"The folder {folder} holds {others[0]}, which is no file of a model: it is not replaced, choose another "
            "name."
        )
