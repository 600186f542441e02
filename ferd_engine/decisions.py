"""What follows from the scores of a run: a threshold, and a mask and polygons that are whole or absent."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from .bands import BandInfo
from .context import RunContext
from .cube import Float32Array, ScoreSink, ScratchCube
from .detectors.distribution import ScoreDistribution
from .errors import OutputError
from .options import DetectOptions
from .outputs import OutputFolder
from .polygons import check_polygon_name, write_polygons
from .progress import ProgressSpan
from .raster import Source
from .raster.writer import RasterSpec, RasterWriter, check_output_name
from .threshold import find_threshold
from .threshold_rule import parse_threshold
from .windows import Window, tiles

_WINDOW_PIXELS = 1 << 18


@dataclass(frozen=True)
class Decision:
    """The threshold, how many pixels have a score above it, and, where polygons were written, how many objects."""

    threshold: float
    n_anomalies: int
    n_objects: int | None


class KeptScores:
    """Passes scores on and keeps them for the threshold."""

    def __init__(self, sink: ScoreSink, plane: ScratchCube) -> None:
        self._sink = sink
        self.plane = plane

    def write(self, window: Window, scores: Float32Array) -> None:
        """Take scores (rows, cols)."""
        self.plane.write(window, scores[:, :, None])
        self._sink.write(window, scores)


class DecisionOutputs:
    """The mask and the polygons of a run, in scratch folders beside their places until they are committed."""

    def __init__(self, settings: DetectOptions, scores: Path, inputs: tuple[str, ...]) -> None:
        self._settings = settings
        self._mask, self._polygons = (
            None if name is None else OutputFolder(name, overwrite=settings.overwrite, inputs=inputs, check=check)
            for name, check in ((settings.mask_out, check_output_name), (settings.polygons, check_polygon_name))
        )
        paths = [scores, *(folder.path for folder in (self._mask, self._polygons) if folder is not None)]
        if len(set(paths)) < len(paths):
            raise OutputError(f"Two outputs of the run have the name {paths[-1]}: give each its own.")
        self.finished: list[tuple[OutputFolder, tuple[Path, ...]]] = []
        self._open = ExitStack()

    def __enter__(self) -> DecisionOutputs:
        with ExitStack() as opened:
            for folder in (self._mask, self._polygons):
                if folder is not None:
                    opened.enter_context(folder)
            self._open = opened.pop_all()
        return self

    @property
    def folder(self) -> Path:
        """A scratch folder, which goes at the end; where there is an output."""
        return next(output.folder for output in (self._mask, self._polygons) if output is not None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def decide(
        self,
        scores: ScratchCube,
        distribution: ScoreDistribution | None,
        source: Source,
        numbers: tuple[int, ...],
        context: RunContext,
    ) -> Decision:
        """Find the threshold of the option and write what was asked for, to stay aside until they are committed.

        scores : (rows, cols, 1), NaN where there is none. numbers : the bands whose mean spectrum an object gets.
        """
        n_pixels = max(min(context.free_bytes // 4 // (8 * len(numbers) + 32), _WINDOW_PIXELS), 1)
        rows = max(n_pixels // scores.n_cols, 1)
        windows = list(tiles(scores.n_rows, scores.n_cols, rows, min(scores.n_cols, n_pixels)))
        rule = parse_threshold(self._settings.threshold or "")
        threshold = find_threshold(rule, lambda: (scores.read_values(window) for window in windows), distribution)
        n_anomalies = sum(int(np.count_nonzero(scores.read_values(window) > threshold)) for window in windows)
        if self._mask is not None:
            self.finished.append((self._mask, self._write_mask(self._mask, scores, threshold, source)))
        n_objects = None
        if self._polygons is not None:
            path = self._polygons.raster_folder / self._polygons.path.name
            n_objects = write_polygons(
                path,
                scores,
                threshold,
                source,
                numbers,
                windows=windows,
                connectedness=self._settings.connectedness,
                min_pixels=self._settings.min_pixels,
                progress=ProgressSpan(context.progress, 0.0, 1.0),
            )
            self.finished.append((self._polygons, (path,)))
        return Decision(threshold, n_anomalies, n_objects)

    def _write_mask(
        self, folder: OutputFolder, scores: ScratchCube, threshold: float, source: Source
    ) -> tuple[Path, ...]:
        spec = RasterSpec(
            scores.n_rows,
            scores.n_cols,
            (BandInfo(1, "Anomalies"),),
            source.georeference,
            {"FERD_THRESHOLD": self._settings.threshold or "", "FERD_THRESHOLD_SCORE": repr(threshold)},
            is_mask=True,
            cog=self._settings.cog,
        )
        writer = RasterWriter(folder.path.name, folder.raster_folder, spec)
        try:
            # Whole rows of tiles, so that none is compressed twice.
            for window in tiles(
                scores.n_rows, scores.n_cols, spec.tile_rows, max(_WINDOW_PIXELS // 256 // 256 * 256, 256)
            ):
                plane = scores.read_values(window)[:, :, 0]
                writer.write(window, np.where(np.isnan(plane), plane, plane > threshold).astype(np.float32))
            return writer.finish()
        finally:
            writer.abandon()
