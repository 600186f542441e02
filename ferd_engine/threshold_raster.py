"""From a score raster on disk, of this program or another, to a mask and polygons."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .bands import candidates
from .context import RunContext
from .cube import ScratchCube
from .decisions import DecisionOutputs
from .detectors.distribution import ScoreDistribution
from .errors import InputError, UsageError
from .options import DetectOptions
from .outputs import commit_all
from .progress import Progress, SilentProgress
from .raster import Source, open_source
from .raster.gdal_setup import gdal, gdal_exceptions
from .windows import tiles

_WINDOW_PIXELS = 1 << 20
# Reading the scores takes this part of the run.
_READ_PART = 0.3


@dataclass(frozen=True)
class ThresholdReport:
    """One finished decision: the score, how many of the scores lie above it, and in how many objects."""

    output: str
    files: tuple[str, ...]
    seconds: float
    rows: int
    cols: int
    n_scores: int
    rule: str
    threshold: float
    n_anomalies: int
    n_objects: int | None
    warnings: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return one JSON object on one line."""
        return json.dumps(asdict(self))

    def lines(self) -> list[str]:
        """Return what an analyst wants to read in the log, one fact per line."""
        objects = "" if self.n_objects is None else f", in {self.n_objects} objects"
        return [
            f"Input: {self.rows} rows x {self.cols} columns, {self.n_scores} scores",
            f"Threshold: {self.rule}, score {self.threshold:g}; {self.n_anomalies} pixels above it{objects}",
            f"Done in {self.seconds:.1f} s: {', '.join(self.files)}",
        ]


def threshold_raster(
    scores: str | Path,
    *,
    threshold: str,
    mask_out: str | Path | None = None,
    polygons: str | Path | None = None,
    spectra: str | Path | None = None,
    connectedness: int = 8,
    min_pixels: int = 1,
    memory: str = "1GiB",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ThresholdReport:
    """Write a mask, polygons or both for a score raster of one band; the options are those of `detect_raster`.

    scores : compared as float32; nodata and what is not finite has no score. spectra : a raster on the same grid whose
    good bands give each polygon its mean spectrum, which is empty without it. The threshold chi2 needs a score raster
    that `detect_raster` wrote for a detector whose scores have a known distribution. Raises `FerdError` with one
    sentence; nothing is written then.
    """
    started = time.perf_counter()
    given = {name: None if path is None else str(path) for name, path in (("mask", mask_out), ("polygons", polygons))}
    settings = DetectOptions(
        threshold=threshold,
        mask_out=given["mask"],
        polygons=given["polygons"],
        connectedness=connectedness,
        min_pixels=min_pixels,
        memory=memory,
        overwrite=overwrite,
    )
    if not any(given.values()):
        raise UsageError("A threshold without an output leads to nothing: name a file for the mask or the polygons.")
    context = RunContext(budget_bytes=settings.budget_bytes, progress=progress or SilentProgress())
    with ExitStack() as opened:
        opened.callback(context.close)
        source = opened.enter_context(closing(_open_scores(str(scores))))
        described = source
        numbers: tuple[int, ...] = ()
        if spectra is not None:
            described = opened.enter_context(closing(_open_spectra(str(spectra), source)))
            numbers = candidates(described.bands, None)
        inputs = source.files + described.files
        extra = opened.enter_context(DecisionOutputs(settings, Path(scores).absolute(), inputs))
        context.scratch_folder = extra.folder
        with context.part(0.0, _READ_PART):
            plane, n_scores = _copy(source, context)
        with context.part(_READ_PART, 1.0):
            decision = extra.decide(plane, _distribution(source.path), described, numbers, context)
        files = commit_all(extra.finished)
    return ThresholdReport(
        output=files[0],
        files=files,
        seconds=round(time.perf_counter() - started, 3),
        rows=plane.n_rows,
        cols=plane.n_cols,
        n_scores=n_scores,
        rule=threshold,
        threshold=decision.threshold,
        n_anomalies=decision.n_anomalies,
        n_objects=decision.n_objects,
        warnings=tuple(context.warnings),
    )


def _distribution(path: str) -> ScoreDistribution | None:
    """Return how the scores of normal background are distributed, where the run that made the raster wrote it there."""
    with gdal_exceptions():
        text = gdal.OpenEx(path, gdal.OF_RASTER).GetMetadataItem(ScoreDistribution.METADATA_KEY)
    return ScoreDistribution.from_text(text or "")


def _open_scores(path: str) -> Source:
    source = open_source(path)
    if len(source.bands) == 1:
        return source
    source.close()
    raise InputError(f"The raster {path} has {len(source.bands)} bands: give a score raster, which has one.")


def _open_spectra(path: str, scores: Source) -> Source:
    source = open_source(path)
    if (source.n_rows, source.n_cols) == (scores.n_rows, scores.n_cols):
        return source
    source.close()
    raise InputError(
        f"The raster {path} has {source.n_rows} rows and {source.n_cols} columns, but the scores have {scores.n_rows} "
        f"and {scores.n_cols}: give the raster that the scores were made of."
    )


def _copy(source: Source, context: RunContext) -> tuple[ScratchCube, int]:
    """Return the scores as a scratch cube of one band, and how many there are; raises `InputError` where none is."""
    plane, n_scores = context.scratch_cube(source.n_rows, source.n_cols, 1), 0
    rows = max(min(_WINDOW_PIXELS, context.free_bytes // 64) // source.n_cols, 1)
    for window in tiles(source.n_rows, source.n_cols, rows, source.n_cols):
        context.progress.update(window.row_start / source.n_rows, "Scores")
        values = source.read(window, (1,)).values.astype(np.float32)
        n_scores += int(np.count_nonzero(~np.isnan(values)))
        plane.write(window, values)
    if not n_scores:
        raise InputError(f"The raster {source.path} has no valid score: check that it is the right file.")
    return plane, n_scores
