"""Checks of torch archives before torch sees them: bounded, plain, and TorchScript with known operations only.

A .pt file is a zip archive: a pickle of the object, raw tensor data and, for TorchScript, source text that torch
compiles and runs. A state dict is later read with torch's restricted unpickler. TorchScript can do more than compute
(it has operations that read and write files), so its source is parsed here, without running anything, and every
operation in it must be on a list of operations that only compute.
"""

from __future__ import annotations

import ast
import zipfile
import zlib
from pathlib import Path

from ..errors import ModelError

MAX_ARCHIVE_BYTES = 1 << 28
MAX_MEMBERS = 4096
MAX_SOURCE_BYTES = 1 << 22

# Attributes of `torch` in serialised TorchScript that compute on their arguments and touch nothing else.
_TORCH_NAMES = """
    __and__ __contains__ __getitem__ __is__ __isnot__ __not__ __or__ _convolution abs add add_ append batch_norm cat
    clamp clamp_ clamp_min clamp_min_ clone constant_pad_nd contiguous conv2d detach device dim div div_ dropout eq
    expand flatten floordiv format frobenius_norm ge gt item le len linalg_matrix_norm linalg_norm linalg_vector_norm
    list lt max maximum mean min minimum mul mul_ narrow ne neg norm nuclear_norm numel ones_like pad permute pow
    reflection_pad2d relu relu_ remainder reshape rsub select size slice sqrt squeeze stack sub sub_ sum to transpose
    type_as unsqueeze view warn zeros_like
"""
_TORCH_OPERATIONS = frozenset(_TORCH_NAMES.split())
_PRIM_NAMES = "RaiseException data device dtype is_cuda layout max min type unchecked_cast"
_PRIM_OPERATIONS = frozenset(_PRIM_NAMES.split())
_STATE_HOOKS = ("__setstate__", "__getstate__", "__new__", "__init__")


def check_archive(path: Path) -> list[zipfile.ZipInfo]:
    """Return the members of a .pt archive; raises `ModelError` where it is damaged or not as torch writes it.

    Members of more bytes than `MAX_ARCHIVE_BYTES` in all, twice the same name, paths that leave the archive and
    compressed data (torch stores tensors uncompressed, so only a bomb gains by it) are refused.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ModelError(
            f"The file {path.name} is not a torch archive (zip), or is damaged: save it again with a torch of 1.6 or "
            "later, or get it again."
        ) from error
    names = [member.filename for member in members]
    if len(names) > MAX_MEMBERS or len(set(names)) != len(names):
        raise ModelError(f"The file {path.name} is no FEN: it has too many members or one name twice; get it again.")
    if sum(member.file_size for member in members) > MAX_ARCHIVE_BYTES:
        raise ModelError(f"The file {path.name} would unpack to more than {MAX_ARCHIVE_BYTES >> 20} MiB: it is no FEN.")
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if ".." in parts or "" in parts[:-1] or ":" in parts[0]:
            raise ModelError(f"The file {path.name} has a member whose path leaves the archive; do not use it.")
        if "data" in parts[1:-1] and member.compress_type != zipfile.ZIP_STORED:
            raise ModelError(f"The file {path.name} has compressed tensors, which torch does not write; do not use it.")
    return members


def repack(path: Path) -> None:
    """Write a checked archive anew, member by member, so that torch reads what was checked and nothing else.

    Two zip readers can see two archives in one file made for it (bytes before or behind, a second directory); after
    this there is one. Raises `ModelError` where a member is damaged.
    """
    fresh = path.with_name(path.name + ".fresh")
    try:
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(fresh, "w", zipfile.ZIP_STORED) as new:
            for member in old.infolist():
                new.writestr(zipfile.ZipInfo(member.filename), old.read(member))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"The file {path.name} is damaged: get it again from where it came.") from error
    fresh.replace(path)


def check_state_dict_archive(path: Path) -> None:
    """Raise `ModelError` unless the archive is a bounded one without TorchScript."""
    for member in check_archive(path):
        if "/code/" in member.filename or member.filename.endswith("constants.pkl"):
            raise ModelError(f"The file {path.name} is TorchScript where a state dict is expected: get the file again.")


def check_torchscript_archive(path: Path) -> None:
    """Raise `ModelError` unless every operation of a TorchScript archive is one that only computes."""
    members = check_archive(path)
    sources = [member for member in members if "/code/" in member.filename and member.filename.endswith(".py")]
    if not sources:
        raise ModelError(f"The file {path.name} holds no TorchScript; a state dict is named convh.pt, enc.pt or pc.pt.")
    if any(member.filename.endswith("bytecode.pkl") for member in members):
        raise ModelError(
            f"The file {path.name} holds bytecode, which cannot be checked: import its state dicts instead."
        )
    if sum(member.file_size for member in sources) > MAX_SOURCE_BYTES:
        raise ModelError(f"The file {path.name} holds more than {MAX_SOURCE_BYTES >> 20} MiB of source: it is no FEN.")
    with zipfile.ZipFile(path) as archive:
        for member in sources:
            try:
                _SourceCheck(path.name).visit(ast.parse(archive.read(member).decode("utf-8")))
            except ModelError:
                raise
            except (ValueError, SyntaxError, RecursionError, MemoryError, zipfile.BadZipFile) as error:
                raise ModelError(f"The TorchScript in {path.name} cannot be parsed; get the file again.") from error


class _SourceCheck(ast.NodeVisitor):
    """Visits serialised TorchScript, whose syntax is Python's, and refuses what does more than compute."""

    def __init__(self, file_name: str) -> None:
        self._file_name = file_name

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Check a dotted name as a whole; what it hangs on, if not a plain name, is visited."""
        parts = [node.attr]
        value = node.value
        while isinstance(value, ast.Attribute):
            parts.append(value.attr)
            value = value.value
        if not isinstance(value, ast.Name):
            self.visit(value)
        elif not _only_computes(value.id, parts[::-1]):
            self._refuse(f"uses the operation {'.'.join([value.id, *parts[::-1]])[:80]}")

    def visit_Name(self, node: ast.Name) -> None:
        """Refuse the operations' modules by themselves: behind another name they could not be followed."""
        if node.id in ("torch", "ops"):
            self._refuse(f"passes {node.id} on under another name")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Refuse functions that run on loading."""
        if node.name in _STATE_HOOKS:
            self._refuse(f"defines {node.name}, which runs on loading")
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """Refuse imports."""
        self._refuse(f"imports {node.names[0].name[:80]}")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Refuse imports."""
        self._refuse(f"imports from {str(node.module)[:80]}")

    def _refuse(self, what: str) -> None:
        raise ModelError(
            f"The TorchScript in {self._file_name} {what}, and only scripts that do nothing but compute are run: "
            "import the state dicts or the safetensors of this model instead."
        )


def _only_computes(root: str, parts: list[str]) -> bool:
    if root == "torch":
        return len(parts) == 1 and parts[0] in _TORCH_OPERATIONS
    if root == "ops":
        known = {"prim": _PRIM_OPERATIONS, "aten": _TORCH_OPERATIONS}
        return len(parts) == 2 and parts[1] in known.get(parts[0], ())
    return not (root == "__torch__" and parts[:2] == ["torch", "classes"])
