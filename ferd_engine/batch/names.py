"""Which name each result gets: of its raster, never twice, and the same in every run."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import UsageError
from ..options import DetectOptions, EnhanceOptions
from ..polygons import check_polygon_name
from ..raster.writer import check_output_name, file_names
from .inputs import BatchInput
from .jobs import Job
from .records import Record, RecordFolder
from .signature import is_unchanged

NAME = "{name}"
DEFAULT_NAMES = {"detect": "{name}_score.tif", "enhance": "{name}_enhanced.tif"}


def check_template(option: str, template: str) -> None:
    """Raise `UsageError` for a name of results that would be the same for two rasters, or lie elsewhere."""
    if NAME not in template or "/" in template or "\\" in template:
        raise UsageError(
            f"The {option} {template!r} is no name for the results of many rasters: write {NAME} where each raster's "
            f"name goes, and no folder, such as {NAME}_{option.strip('-').split('-')[0]}.tif."
        )


class Namer:
    """Gives the jobs of a batch their outputs, by templates of file names in which {name} stands for the raster's."""

    def __init__(self, task: str, options: EnhanceOptions, folder: Path, name: str | None) -> None:
        self._task = task
        self._options = options
        self._folder = folder
        self._template = DEFAULT_NAMES[task] if name is None else name
        check_template("--name", self._template)
        check_output_name(self._template)
        if isinstance(options, DetectOptions):
            for option, template, check in (
                ("--mask-out", options.mask_out, check_output_name),
                ("--polygons", options.polygons, check_polygon_name),
            ):
                if template is not None:
                    check_template(option, template)
                    check(template)
        probe = self._job(BatchInput("probe"), "probe")
        if len(self._files(probe)) < sum(len(file_names(output.name)) for output in probe.outputs):
            raise UsageError(
                "Two outputs of each raster would have the same name: give --name, --mask-out and "
                "--polygons different ones."
            )

    def jobs(self, inputs: Sequence[BatchInput], records: RecordFolder) -> list[Job]:
        """Return one job per raster.

        A raster keeps the name that a record gives it. Otherwise its own is tried, then, where another raster has or
        had that name, the one with its ending (scene_bsq), then one with a hash of its path.
        """
        choices = [[self._job(one, name) for name in _names(one.path)] for one in inputs]
        chosen: list[Job | None] = [self._owned(jobs, records) for jobs in choices]
        used = {name for job in chosen if job is not None for name in self._files(job)}
        for rank in range(3):
            # Rasters that want the same name all step back, so that no order decides.
            open_ones = [index for index, job in enumerate(chosen) if job is None]
            wanted = Counter(name for index in open_ones for name in self._files(choices[index][rank]))
            for index in open_ones:
                job = choices[index][rank]
                names = self._files(job)
                shared = rank < 2 and any(wanted[name] > 1 for name in names)
                if not shared and used.isdisjoint(names) and not self._is_foreign(job, records):
                    chosen[index] = job
                    used.update(names)
        stuck = next((jobs[0].input for jobs, job in zip(choices, chosen) if job is None), None)
        if stuck is not None:
            raise UsageError(f"There is no free name for the result of {stuck}: choose another --name or folder.")
        return [job for job in chosen if job is not None]

    def _job(self, one: BatchInput, name: str) -> Job:
        folder = self._folder if one.folder == "." else self._folder / one.folder
        options = self._options
        if isinstance(options, DetectOptions):
            options = replace(
                options,
                mask_out=_filled(options.mask_out, name, folder),
                polygons=_filled(options.polygons, name, folder),
            )
        return Job(one.path, folder / self._template.replace(NAME, name), self._task, options)

    def _files(self, job: Job) -> set[str]:
        """Return the names that a job writes, without case, which Windows and macOS do not tell apart."""
        paths = (output.with_name(name) for output in job.outputs for name in file_names(output.name))
        return {str(path).casefold() for path in paths}

    def _owned(self, jobs: Iterable[Job], records: RecordFolder) -> Job | None:
        for job in jobs:
            record = records.read(job.output)
            if record is not None and record.input == job.input:
                return job
        return None

    def _is_foreign(self, job: Job, records: RecordFolder) -> bool:
        record = records.read(job.output)
        return record is not None and record.state != "damaged" and not is_same_raster(record, job.input)


def is_same_raster(record: Record, path: str) -> bool:
    """Say whether a record is of this raster: by its path, or by its content where the files were moved."""
    if record.input == path:
        return True
    return any(is_unchanged(file, path, lambda: None) for file in record.inputs if file["path"] == record.input)


def _names(path: str) -> tuple[str, str, str]:
    """Return what {name} may stand for, the plainest first.

    >>> _names("/data/scene.v2.tif")[:2]
    ('scene.v2', 'scene.v2_tif')
    """
    # GDAL's own names of parts of files hold what no file's name may.
    last = re.sub(r'[<>:"|?*\x00-\x1f]+', "_", os.path.basename(path.rstrip("/\\"))) or "raster"  # noqa: PTH119
    stem, suffix = os.path.splitext(last)  # noqa: PTH122
    longer = f"{stem}_{suffix[1:]}" if suffix else stem
    return stem, longer, f"{longer}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"


def _filled(template: str | None, name: str, folder: Path) -> str | None:
    return None if template is None else str(folder / template.replace(NAME, name))
