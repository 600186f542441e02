"""What a run tells about itself: for the log, `--json` and the output's metadata."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunReport:
    """One finished run.

    Band numbers count from 1. `threshold` is the score, `n_anomalies` the number of pixels above it and `n_objects`
    that of the polygons; each is None where it was not asked for.
    """

    output: str
    files: tuple[str, ...]
    seconds: float
    rows: int
    cols: int
    bands: int
    bands_used: str
    band_selection: str
    bad_bands: str
    dead_bands: str
    valid_pixels: int
    model: str | None
    model_trained: bool | None
    scaling: tuple[float, float] | None
    detector: str | None
    threshold: float | None
    n_anomalies: int | None
    n_objects: int | None
    backend: str | None
    memory_budget_bytes: int
    peak_memory_bytes: int | None
    warnings: tuple[str, ...]

    def to_json(self) -> str:
        """Return one JSON object on one line."""
        return json.dumps(asdict(self))

    def lines(self) -> list[str]:
        """Return what an analyst wants to read in the log, one fact per line."""
        facts = [
            f"Input: {self.rows} rows x {self.cols} columns, {self.valid_pixels} valid pixels",
            f"Bands used: {self.bands} ({self.bands_used}), selection: {self.band_selection}",
            f"Bands marked bad: {self.bad_bands or 'none'}; wholly nodata or constant: {self.dead_bands or 'none'}",
        ]
        if self.model is not None and self.scaling is not None:
            kind = "" if self.model_trained else " (untrained control)"
            facts.append(
                f"Model: {self.model}{kind}; values {self.scaling[0]:g} to {self.scaling[1]:g} scaled to -0.1 to 0.1"
            )
            facts.append(f"Backend: {self.backend}")
        if self.detector is not None:
            facts.append(f"Detector: {self.detector}")
        if self.threshold is not None:
            objects = "" if self.n_objects is None else f", in {self.n_objects} objects"
            facts.append(f"Threshold: score {self.threshold:g}; {self.n_anomalies} pixels above it{objects}")
        peak = "unknown" if self.peak_memory_bytes is None else f"{self.peak_memory_bytes / 2**20:.0f} MiB"
        facts.append(f"Memory: budget {self.memory_budget_bytes / 2**20:.0f} MiB, process peak {peak}")
        facts.append(f"Done in {self.seconds:.1f} s: {self.output}")
        return facts


def format_band_list(numbers: Iterable[int]) -> str:
    """Return band numbers as `--bands` takes them, runs joined.

    >>> format_band_list([1, 2, 3, 7, 9, 10])
    '1-3,7,9-10'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def peak_memory_bytes() -> int | None:
    """Return the largest resident size that this process ever had; None where the system does not tell (Windows)."""
    try:
        # Linux lets a process inherit ru_maxrss from the one that started it; this counts from its own start.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:", 1)[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts in bytes, the others in KiB.
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
