"""What a run carries through its passes: memory budget, progress, scratch space and warnings."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .accelerator import Accelerator
from .cube import FLOAT32, ScratchCube
from .progress import Progress, ProgressSpan, SilentProgress

logger = logging.getLogger("ferd")


@dataclass
class RunContext:
    """State of one run, handed to every pass.

    `budget_bytes` is what all live arrays of the run together may take; `held_bytes` is what cubes that stay in
    memory already took of it. Scratch files go to `scratch_folder`; without one every scratch cube stays in memory.
    `accelerator` is the GPU that detectors may use.
    """

    budget_bytes: int = 1 << 30
    progress: Progress = field(default_factory=SilentProgress)
    scratch_folder: Path | None = None
    warnings: list[str] = field(default_factory=list)
    held_bytes: int = 0
    accelerator: Accelerator | None = None
    _scratch: list[ScratchCube] = field(default_factory=list)

    @property
    def free_bytes(self) -> int:
        """Part of the budget that is not yet held, at least 16 MiB so that a block always fits."""
        return max(self.budget_bytes - self.held_bytes, 16 << 20)

    @contextmanager
    def part(self, start: float, stop: float) -> Iterator[None]:
        """Let what runs inside count its progress from 0 to 1 within the part [start, stop] of the run."""
        whole = self.progress
        self.progress = ProgressSpan(whole, start, stop)
        try:
            yield
        finally:
            self.progress = whole

    def warn(self, message: str) -> None:
        """Keep a warning for log and metadata, once."""
        if message not in self.warnings:
            self.warnings.append(message)
            logger.warning(message)

    def scratch_cube(self, n_rows: int, n_cols: int, n_bands: int, dtype: np.dtype[Any] = FLOAT32) -> ScratchCube:
        """Return a scratch cube: in memory where it takes at most half of the free budget, else in a file.

        Close it when it is no longer needed; all of them go with the run at the latest.
        """
        size = n_rows * n_cols * n_bands * dtype.itemsize
        path = None
        if self.scratch_folder is None or size <= self.free_bytes // 2:
            self.held_bytes += size
        else:
            path = self.scratch_folder / f"scratch{len(self._scratch)}"
        self._scratch.append(ScratchCube(n_rows, n_cols, n_bands, path, dtype))
        return self._scratch[-1]

    def close(self) -> None:
        """Release all scratch cubes."""
        while self._scratch:
            self._scratch.pop().close()
