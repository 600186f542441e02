"""Export of models for other programs: TorchScript in the hub's layout, torch.export, and safetensors with a card.

Every export is read back and run on a probe before it takes its place, and refused where it differs from the engine.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RunError, UsageError
from .backend import require_torch
from .bundle import BUNDLE_FILES, Model, write_bundle
from .folders import check_free, whole_folder
from .importers import TORCHSCRIPT_FILES
from .numpy_backend import NumpyBackend
from .torch_parts import MIN_SIDE_PX, build_parts, build_whole

if TYPE_CHECKING:
    from torch import Tensor

Float32Array = NDArray[np.float32]
logger = logging.getLogger("ferd")

FORMATS = ("torchscript", "safetensors", "pt2")
PROGRAM_FILE = "fen.pt2"
# Largest difference on the probes, relative to the output's largest magnitude.
TOLERANCE = 1e-4
# Probes of two sizes show that rows and columns are free; the second is as small as reflection allows.
_PROBE_SHAPES = ((11, 9), (MIN_SIDE_PX, 14))
_REPLACEABLE = frozenset({*TORCHSCRIPT_FILES, *BUNDLE_FILES, PROGRAM_FILE})


@dataclass(frozen=True)
class Export:
    """What was written: the files in their order, and the largest relative difference from the engine on the probes.

    `difference` is None for safetensors, whose numbers are the model's own, bit by bit.
    """

    folder: Path
    format: str
    files: tuple[str, ...]
    difference: float | None


def export_model(model: Model, folder: str | Path, format: str = "torchscript", *, overwrite: bool = False) -> Export:
    """Write a model into a new folder, whole or not at all.

    format : "torchscript", the hub's three files, used as `enhanced, _ = fpl(rnl(cwl(hsi)), hsi)`; "pt2", one program
        of torch.export, used as `enhanced = program.module()(hsi)`; "safetensors", our own bundle with its card.
        hsi is float32 (1, B, rows, cols), scaled to [-0.1, 0.1], rows and cols 5 or more; batch size 1 in "pt2".
    Raises `UsageError` for another format, `MissingPackageError` without torch where it is needed, `OutputError`
    where the folder may not be written, `RunError` where what was written differs from the engine.
    """
    if format not in FORMATS:
        raise UsageError(f"There is no export format {format!r}: choose one of {', '.join(FORMATS)}.")
    target = Path(folder).absolute()
    check_free(target, overwrite=overwrite, replaceable=_REPLACEABLE)
    if format != "safetensors":
        require_torch(f"Exporting to {format}")
    difference = None
    with whole_folder(target, overwrite=overwrite, replaceable=_REPLACEABLE) as fresh:
        if format == "torchscript":
            files = _write_torchscript(model, fresh)
            difference = _compare(model, _open_torchscript(fresh))
        elif format == "pt2":
            files = _write_program(model, fresh)
            difference = _compare(model, _open_program(fresh))
        else:
            files = BUNDLE_FILES
            write_bundle(model, fresh)
    logger.info("Exported %s as %s into %s", model.name, format, target)
    return Export(target, format, files, difference)


def _write_torchscript(model: Model, folder: Path) -> tuple[str, ...]:
    import torch

    jit: Any = torch.jit
    with _quiet():
        for name, part in zip(TORCHSCRIPT_FILES, build_parts(model.architecture, model.weights)):
            buffer = io.BytesIO()
            jit.save(jit.script(part), buffer)
            # Written here, since torch reports a full disk in its own ways.
            (folder / name).write_bytes(buffer.getvalue())
    return TORCHSCRIPT_FILES


def _open_torchscript(folder: Path) -> Any:
    import torch

    jit: Any = torch.jit
    with _quiet():
        cwl, rnl, fpl = (jit.load(str(folder / name), map_location="cpu").eval() for name in TORCHSCRIPT_FILES)
    return lambda hsi: fpl(rnl(cwl(hsi)), hsi)[0]


def _write_program(model: Model, folder: Path) -> tuple[str, ...]:
    import torch

    rows, cols = (torch.export.Dim(name, min=MIN_SIDE_PX) for name in ("rows", "cols"))
    example = torch.zeros(1, model.n_bands, *_PROBE_SHAPES[0])
    with _quiet():
        program = torch.export.export(
            build_whole(model.architecture, model.weights), (example,), dynamic_shapes=({2: rows, 3: cols},)
        )
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
    (folder / PROGRAM_FILE).write_bytes(buffer.getvalue())
    return (PROGRAM_FILE,)


def _open_program(folder: Path) -> Any:
    import torch

    with _quiet():
        return torch.export.load(folder / PROGRAM_FILE).module()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's notices about the future of its own formats away from people who asked for one of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _compare(model: Model, network: Any) -> float:
    """Return the largest relative difference from the engine on the probes; raises `RunError` above the tolerance."""
    import torch

    largest = 0.0
    for seed, shape in enumerate(_PROBE_SHAPES):
        probe = np.random.RandomState(seed).uniform(-0.1, 0.1, (*shape, model.n_bands)).astype(np.float32)
        hsi: Tensor = torch.from_numpy(probe).permute(2, 0, 1)[None].contiguous()
        with torch.inference_mode():
            found = network(hsi)[0].permute(1, 2, 0).numpy().astype(np.float64)
        halo_px = model.architecture.halo_px
        padded = np.pad(probe, ((halo_px, halo_px), (halo_px, halo_px), (0, 0)), mode="reflect")
        expected = NumpyBackend(model.architecture, model.weights, threads=1).enhance(np.ascontiguousarray(padded))
        largest = max(largest, float(np.abs(found - expected).max() / np.abs(expected).max()))
    # Written so that NaN refuses the export too.
    if not largest <= TOLERANCE:
        raise RunError(
            f"The exported model differs from the engine by {largest:.1e} of the largest output on a probe, more than "
            f"{TOLERANCE:g}, so nothing was written: update torch, or report this with the output of ferd doctor."
        )
    return largest
