"""What a run tells about itself: for the log, `--json` and the output's metadata. Band numbers count from 1."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ._version import __version__
from .options import DetectOptions, EnhanceOptions

if TYPE_CHECKING:
    from .decisions import Decision
    from .pipeline import Outcome
    from .raster import Source


@dataclass(frozen=True)
class RunReport:
    """One finished run.

    `output` is the score raster or enhanced cube, `files` are all files that were written. `threshold` is the score,
    `n_anomalies` the number of pixels above it and `n_objects` that of the polygons; each is None where it was not
    asked for. `model`, `scaling` (the values that become -0.1 and 0.1) and `backend` are None without enhancement.
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
        beside = [file for file in self.files if file != self.output]
        facts.append(f"Done in {self.seconds:.1f} s: {', '.join([self.output, *beside])}")
        return facts


def output_metadata(
    source: Source,
    settings: EnhanceOptions,
    outcome: Outcome,
    warnings: Sequence[str],
    decision: Decision | None,
) -> dict[str, str]:
    """Return what a score raster or enhanced cube says in its metadata of how it was made."""
    plan = outcome.plan
    metadata = {
        "FERD_VERSION": __version__,
        "FERD_INPUT": Path(source.path).name,
        **settings.as_metadata(),
        "FERD_BANDS": format_band_list(plan.selection.numbers),
        "FERD_BAND_SELECTION": plan.selection.method,
    }
    if outcome.raw_bands:
        metadata["FERD_RAW_BANDS"] = format_band_list(outcome.raw_bands)
    metadata["FERD_VALID_PIXELS"] = str(plan.scan.n_valid)
    if plan.model is not None:
        metadata.update(FERD_MODEL=plan.model.name, FERD_MODEL_SHA256=plan.model.sha256)
    if outcome.backend is not None:
        # What ran, in place of what was asked for; not its threads, on which no value depends.
        metadata["FERD_BACKEND"] = outcome.backend.partition(",")[0]
    if warnings:
        metadata["FERD_WARNINGS"] = " ".join(warnings)
    if plan.scan.scaling is not None:
        metadata["FERD_SCALING_RANGE"] = f"{plan.scan.scaling.low!r} {plan.scan.scaling.high!r}"
    if outcome.distribution is not None:
        metadata[outcome.distribution.METADATA_KEY] = outcome.distribution.to_text()
    if decision is not None:
        metadata["FERD_THRESHOLD_SCORE"] = repr(decision.threshold)
    return metadata


def run_report(
    output: str,
    files: tuple[str, ...],
    seconds: float,
    source: Source,
    settings: EnhanceOptions,
    outcome: Outcome,
    warnings: Sequence[str],
    decision: Decision | None,
) -> RunReport:
    """Return the report of a run whose files are in their places."""
    plan, scaling = outcome.plan, outcome.plan.scan.scaling
    return RunReport(
        output=output,
        files=files,
        seconds=seconds,
        rows=source.n_rows,
        cols=source.n_cols,
        bands=len(plan.selection.numbers),
        bands_used=format_band_list(plan.selection.numbers),
        band_selection=plan.selection.method,
        bad_bands=format_band_list(plan.bad),
        dead_bands=format_band_list(plan.scan.dead),
        valid_pixels=plan.scan.n_valid,
        model=None if plan.model is None else plan.model.name,
        model_trained=None if plan.model is None else plan.model.trained,
        scaling=None if scaling is None else (scaling.low, scaling.high),
        detector=settings.detector if isinstance(settings, DetectOptions) else None,
        threshold=None if decision is None else decision.threshold,
        n_anomalies=None if decision is None else decision.n_anomalies,
        n_objects=None if decision is None else decision.n_objects,
        backend=outcome.backend,
        memory_budget_bytes=settings.budget_bytes,
        peak_memory_bytes=peak_memory_bytes(),
        warnings=tuple(warnings),
    )


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
