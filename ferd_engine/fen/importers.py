"""Import of foreign models: our own network is built from their state, and refused where the two differ on a probe.

Layouts: the published state dicts (convh.pt, enc.pt, pc.pt), the hub's TorchScript parts (cwl_script.pt,
rnl_script.pt, fpl_script.pt; enhanced, _ = fpl(rnl(cwl(image)), image)), a safetensors file with the published tensor
names, and our own bundle folder. torch files are checked as archives first and then read in a process of their own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import math
import os
import shutil
import subprocess  # nosec B404 - one fixed command, without a shell; see _run_worker
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, RunError
from . import archives, safetensors
from .backend import require_torch
from .bundle import BUNDLE_FILES, CARD_FILE, Model, check_name, check_runs, check_weights, load_model, save_model
from .folders import check_free
from .import_worker import PROBE_SHAPE
from .network import Architecture, infer_architecture
from .numpy_backend import NumpyBackend
from .store import DEFAULT_NAMES, user_folder

Float32Array = NDArray[np.float32]
logger = logging.getLogger("ferd")

STATE_DICT_FILES = ("convh.pt", "enc.pt", "pc.pt")
TORCHSCRIPT_FILES = ("cwl_script.pt", "rnl_script.pt", "fpl_script.pt")
# Largest difference on the probe, relative to the output's largest magnitude.
PROBE_TOLERANCE = 1e-4
_SEARCH_DEPTH = 3
_WORKER_MEMORY_BYTES = 4 << 30
# What a child process needs to find its libraries; tokens and other secrets stay here.
_KEPT_ENVIRONMENT = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME", "USERPROFILE"),
    *("SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "OMP_NUM_THREADS"),
)


@dataclass(frozen=True)
class _Source:
    """What was found at the place that the user named."""

    kind: str
    files: tuple[Path, ...]


def import_model(
    src: str | Path,
    name: str,
    *,
    overwrite: bool = False,
    licence: str = "not stated",
    sensor: str | None = None,
    wavelengths: tuple[float, ...] | None = None,
    imported_from: str | None = None,
    interpreter: str | None = None,
    timeout_s: float = 180.0,
) -> Model:
    """Import a model into the user's folder under a name, and return it.

    src : a folder or file in one of the layouts of this module; a folder is searched three levels deep.
    wavelengths : n_bands centres in nanometres, where known.
    imported_from : what the card says of the origin, by default the folder's name; a bundle keeps its own card.
    interpreter : the Python, with torch, that reads torch files; by default this one.
    Raises `ModelError` where nothing fits, a file is damaged or our network differs from the source on the probe,
    `MissingPackageError` where torch is needed and absent, `OutputError` where the name is taken.
    """
    if check_name(name) in DEFAULT_NAMES:
        raise ModelError(f"{name} is the name of an embedded model: choose another name for the import.")
    target = user_folder() / name
    check_free(target, overwrite=overwrite, replaceable=BUNDLE_FILES)
    source = find_source(Path(src))
    if source.kind == "bundle":
        model = replace(load_model(source.files[0].parent), name=name)
    else:
        details = {"licence": licence, "sensor": sensor, "wavelengths": wavelengths}
        origin = imported_from or source.files[0].resolve().parent.name
        model = _read_foreign(source, name, details, origin, interpreter, timeout_s)
    check_runs(model)
    saved = save_model(model, target, overwrite=overwrite)
    logger.info("Imported %s (%s, %d bands) into %s", name, source.kind, saved.n_bands, saved.folder)
    return saved


def find_source(src: Path) -> _Source:
    """Return which layout lies at a path; raises `ModelError` where none or more than one does."""
    if src.is_file():
        if src.suffix == ".safetensors":
            return _Source("safetensors", (src,))
        raise ModelError(f"The file {src} is no model: name a folder with a model in it, or a .safetensors file.")
    if not src.is_dir():
        raise ModelError(f"There is no folder or file {src}: check the path of the model to import.")
    found: list[_Source] = []
    try:
        for folder in _folders(src, _SEARCH_DEPTH):
            found += _sources_in(folder)
    except OSError as error:
        raise ModelError(f"Cannot look into {error.filename} ({error.strerror}): check its permissions.") from error
    if len(found) == 1:
        return found[0]
    if found:
        places = ", ".join(sorted({str(source.files[0].parent) for source in found})[:5])
        raise ModelError(f"There is more than one model below {src}: name one of the folders {places}.")
    raise ModelError(
        f"There is no model in {src}: expected are {', '.join(STATE_DICT_FILES)}, or {', '.join(TORCHSCRIPT_FILES)}, "
        f"or {CARD_FILE}, or a .safetensors file."
    )


def _folders(folder: Path, depth: int) -> list[Path]:
    folders = [folder]
    if depth:
        for child in sorted(folder.iterdir()):
            if child.is_dir() and not child.is_symlink():
                folders += _folders(child, depth - 1)
    return folders


def _sources_in(folder: Path) -> list[_Source]:
    if (folder / CARD_FILE).is_file():
        return [_Source("bundle", (folder / CARD_FILE,))]
    found = []
    for kind, names in (("state-dict", STATE_DICT_FILES), ("torchscript", TORCHSCRIPT_FILES)):
        if all((folder / name).is_file() for name in names):
            found.append(_Source(kind, tuple(folder / name for name in names)))
    return found + [_Source("safetensors", (path,)) for path in sorted(folder.glob("*.safetensors"))]


def _read_foreign(
    source: _Source, name: str, details: dict[str, Any], origin: str, interpreter: str | None, timeout_s: float
) -> Model:
    """Return the model of a source that is not a bundle, compared with its peer where it has one."""
    with tempfile.TemporaryDirectory(prefix="ferd-import-") as scratch:
        # What is checked is a copy that nobody else changes between the checks and the reading.
        copies = [_copy(path, Path(scratch)) for path in source.files]
        training: dict[str, Any] = {
            "imported_from": origin,
            "layout": source.kind,
            "files_sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in copies},
        }
        if source.kind == "safetensors":
            content = safetensors.read_weights_file(copies[0])
            weights = safetensors.decode_named(content, f"The file {source.files[0]}")
            expected = None
        else:
            require_torch("Importing torch files")
            check = archives.check_state_dict_archive
            if source.kind == "torchscript":
                check = archives.check_torchscript_archive
            for path in copies:
                check(path)
                archives.repack(path)
            weights = _run_worker(source.kind, copies, Path(scratch), interpreter or sys.executable, timeout_s)
            expected = weights.pop("probe.output", None)
    architecture = infer_architecture({tensor: values.shape for tensor, values in weights.items()})
    check_weights(architecture, weights)
    if expected is not None:
        training.update(_compare(architecture, weights, expected))
    return Model(
        name=name,
        architecture=architecture,
        weights=weights,
        description=f"Imported from {source.kind} files; see training for where they came from.",
        training=training,
        **details,
    )


def _copy(path: Path, folder: Path) -> Path:
    try:
        if path.stat().st_size > archives.MAX_ARCHIVE_BYTES:
            raise ModelError(f"The file {path} is larger than {archives.MAX_ARCHIVE_BYTES >> 20} MiB: it is no FEN.")
        return Path(shutil.copyfile(path, folder / path.name))
    except OSError as error:
        raise ModelError(f"Cannot read {path} ({error.strerror}): check the file's permissions.") from error


def _run_worker(
    kind: str, files: list[Path], scratch: Path, interpreter: str, timeout_s: float
) -> dict[str, Float32Array]:
    """Read the files in another process and return its tensors; raises `ModelError` with its reason."""
    output = scratch / "output"
    output.mkdir()
    job = {
        "kind": kind,
        "files": [str(path) for path in files],
        "output": str(output),
        "packages": _package_folders() if interpreter == sys.executable else [],
        "memory_bytes": _WORKER_MEMORY_BYTES,
    }
    job_file = scratch / "job.json"
    job_file.write_text(json.dumps(job), encoding="utf-8")
    environment = {key: os.environ[key] for key in _KEPT_ENVIRONMENT if key in os.environ}
    environment["CUDA_VISIBLE_DEVICES"] = ""
    command = [interpreter, "-I", str(Path(__file__).with_name("import_worker.py")), str(job_file)]
    try:
        # The command is this Python, our own script and a path that we made: nothing in it comes from the files.
        finished = subprocess.run(  # nosec B603
            command, env=environment, cwd=scratch, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"Reading {files[0].name} and its companions took longer than {timeout_s:g} s and was stopped; the files "
            "may be damaged or hostile."
        ) from error
    except OSError as error:
        raise RunError(f"Cannot start {interpreter} ({error.strerror}): name a Python that has torch.") from error
    if finished.returncode != 0:
        raise ModelError(f"The files could not be read: {_reason(output, finished)}; get them again.")
    try:
        return _read_output(output)
    except ModelError:
        raise
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The process that read {files[0].name} left no usable result; get the files again."
        ) from error


def _package_folders() -> list[str]:
    """Return where this process finds torch and numpy, which -I may hide from a child (a user's site-packages)."""
    folders = []
    for package in ("torch", "numpy"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            folders.append(str(Path(next(iter(spec.submodule_search_locations))).parent))
    return folders


def _reason(output: Path, finished: subprocess.CompletedProcess[bytes]) -> str:
    error_file = output / "error.txt"
    if error_file.is_file():
        text = error_file.read_bytes()[:4096].decode("utf-8", "replace")
    else:
        lines = finished.stderr.decode("utf-8", "replace").strip().splitlines()
        text = lines[-1] if lines else f"the reader ended with code {finished.returncode}"
    first_line = text.strip().splitlines()[0] if text.strip() else "no reason given"
    return first_line[:300].rstrip(".:; ")


def _read_output(output: Path) -> dict[str, Float32Array]:
    """Return the worker's tensors, whose names, shapes and sizes are as untrusted as the files were."""
    data_file = output / "tensors.bin"
    if data_file.stat().st_size > archives.MAX_ARCHIVE_BYTES:
        raise ModelError(f"The files hold over {archives.MAX_ARCHIVE_BYTES >> 20} MiB of weights: they are no FEN.")
    values = np.frombuffer(data_file.read_bytes(), dtype="<f4")
    tensors: dict[str, Float32Array] = {}
    position = 0
    for name, shape in json.loads((output / "tensors.json").read_bytes()[: 1 << 20]).items():
        size = math.prod(shape)
        tensors[name] = values[position : position + size].reshape(shape).astype(np.float32)
        position += size
    return tensors


def _compare(architecture: Architecture, weights: dict[str, Float32Array], expected: Float32Array) -> dict[str, Any]:
    """Return what the probe showed; raises `ModelError` where our network and the source's differ.

    The published AVIRIS head divides its output by the L2 norm over the whole image. That factor would differ from
    tile to tile and means nothing to a detector of the RX family, so it is left out here and allowed for in the
    comparison.
    """
    halo_px = architecture.halo_px
    probe = np.random.RandomState(0).uniform(-0.1, 0.1, (*PROBE_SHAPE, architecture.n_bands)).astype(np.float32)
    padded = np.pad(probe, ((halo_px, halo_px), (halo_px, halo_px), (0, 0)), mode="reflect")
    ours = NumpyBackend(architecture, weights, threads=1).enhance(np.ascontiguousarray(padded)).astype(np.float64)
    if ours.shape != expected.shape:
        raise ModelError(
            f"The source gives an image of shape {expected.shape} where {ours.shape} is expected: it is no FEN, check "
            "which files were given."
        )
    norm = float(np.linalg.norm(ours))
    differences = {
        normalised: float(np.abs(expected * factor - ours).max() / np.abs(ours).max())
        for normalised, factor in ((False, 1.0), (True, norm))
    }
    normalised = min(differences, key=lambda key: differences[key])
    # Written so that NaN in the source's output refuses it too.
    if not differences[normalised] <= PROBE_TOLERANCE:
        raise ModelError(
            f"The network built from these files differs from the files' own by {differences[normalised]:.1e} of the "
            f"largest output on a probe, more than {PROBE_TOLERANCE:g}: it is another network than FEN."
        )
    return {"probe_difference": differences[normalised], "source_divides_by_norm": normalised}
