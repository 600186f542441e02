"""What a training run writes down of each epoch: a CSV file, and TensorBoard where it is wanted."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from ferd_engine.errors import MissingPackageError

FILE = "log.csv"
Row = dict[str, float]


class Log:
    """Rows with the same keys; `rows` are those of the epochs done before, written again in case the last was lost."""

    def __init__(self, folder: Path, rows: list[Row], *, tensorboard: bool) -> None:
        self._path = folder / FILE
        self._rows = list(rows)
        self._writer = _tensorboard(folder / "tensorboard", len(rows)) if tensorboard else None
        self._write()

    def add(self, row: Row) -> None:
        """Write one epoch's row."""
        self._rows.append(row)
        self._write()
        if self._writer is not None:
            for key, value in row.items():
                self._writer.add_scalar(key, value, int(row["epoch"]))
            self._writer.flush()

    def _write(self) -> None:
        text = io.StringIO()
        if self._rows:
            table = csv.DictWriter(text, list(self._rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(self._rows)
        self._path.write_text(text.getvalue(), encoding="utf-8")

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._writer is not None:
            self._writer.close()


def _tensorboard(folder: Path, done: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingPackageError(
            "training.tensorboard needs the package tensorboard, which is not installed: add it with: python -m pip "
            "install tensorboard"
        ) from error
    return SummaryWriter(str(folder), purge_step=done + 1)
