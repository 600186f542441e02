"""One background for all rasters of a batch: taken once, and kept in the batch's state for --resume."""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from .._version import __version__
from ..context import RunContext
from ..fen.bundle import card_of
from ..fen.store import model_family
from ..mosaic import FILE_SUFFIX, names_of
from ..mosaic_passes import mosaic_background
from ..options import DetectOptions, EnhanceOptions
from ..progress import Progress
from ..threads import limited_threads
from .records import RecordFolder
from .signature import files_behind, stat_file


def with_background(
    settings: EnhanceOptions, strips: EnhanceOptions, records: RecordFolder, progress: Progress
) -> EnhanceOptions:
    """Return the options with the background's file in place of the names of rasters, where there are any.

    strips : the options of a run in strips, which name the cluster that there is. The background is taken again where
    one of its rasters has changed. Raises `FerdError`.
    """
    if not isinstance(settings, DetectOptions) or settings.background_of is None:
        return settings
    if settings.background_of.endswith(FILE_SUFFIX):
        return settings
    paths = names_of(settings.background_of, records.folder, [] if settings.mask is None else [settings.mask])
    place = records.state_folder / f"background-{_key(paths, settings)}{FILE_SUFFIX}"
    if not place.exists():
        with tempfile.TemporaryDirectory(prefix="background-", dir=records.state_folder) as scratch:
            context = RunContext(settings.array_bytes, progress, Path(scratch))
            with closing(context), limited_threads(settings.threads):
                if settings.scheduler is None:
                    found = mosaic_background(paths, settings, context)
                else:
                    from ..scale.distributed_run import distributed_mosaic

                    found = distributed_mosaic(
                        paths, replace(settings, **{name: getattr(strips, name) for name in _SHARED}), context
                    )
                found.save(place)
    return replace(settings, background_of=str(place))


_SHARED = ("scheduler", "threads", "memory")
# What of the options FEN's result follows from, besides the model.
_OF_FEN = ("band_selection", "scaling", "backend", "precision")


def _key(paths: list[str], settings: DetectOptions) -> str:
    """Return a name that changes with the rasters, as far as the system tells, and with what is taken of them."""
    files = [stat_file(file) for path in paths for file in files_behind(path, replace(settings, background_of=None))]
    taken = {name: getattr(settings, name) for name in ("bands", "variable")}
    if settings.enhance:
        taken.update({name: getattr(settings, name) for name in _OF_FEN})
        taken["models"] = [card_of(model, model.sha256) for model in model_family(settings.model)]
    facts = {"ferd": __version__, "files": files, "taken": taken}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
