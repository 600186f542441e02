"""Checks of torch archives, which run before torch sees a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ferd_engine.errors import ModelError
from ferd_engine.fen import archives
from ferd_engine.fen.archives import check_archive, check_state_dict_archive, check_torchscript_archive, repack

HARMLESS = """
class Head(Module):
  conv : __torch__.torch.nn.modules.conv.Conv2d
  def forward(self: __torch__.Head,
    x: Tensor) -> Tensor:
    conv = self.conv
    _0 = __torch__.torch.nn.functional.relu((conv).forward(x, ), False, )
    if torch.ne(torch.dim(_0), 4):
      ops.prim.RaiseException("wrong", "builtins.ValueError")
    else:
      pass
    return ops.aten.add(getattr(self, "0"), torch.slice(_0, 2, 4, -4))
"""


def _archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _script(path: Path, source: str) -> Path:
    return _archive(path, {"m/data.pkl": b"", "m/data/0": b"", "m/code/__torch__.py": source.encode("utf-8")})


def test_ordinary_archives_pass(tmp_path: Path) -> None:
    check_state_dict_archive(_archive(tmp_path / "a.pt", {"a/data.pkl": b"x", "a/data/0": b"abcd", "a/version": b"3"}))
    check_torchscript_archive(_script(tmp_path / "b.pt", HARMLESS))


@pytest.mark.parametrize("content", [b"", b"\x80\x02}q\x00.", b"PK\x03\x04" + bytes(40)])
def test_files_that_are_no_archive_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(ModelError, match="not a torch archive"):
        check_archive(tmp_path / "a.pt")


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/passwd", "C:/evil", "a\\..\\evil"])
def test_paths_that_leave_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="leaves the archive"):
        check_archive(_archive(tmp_path / "a.pt", {name: b"x"}))


def test_bombs_are_refused_without_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = _archive(tmp_path / "a.pt", {"a/data/0": bytes(1 << 20)}, zipfile.ZIP_DEFLATED)
    assert packed.stat().st_size < 5000
    with pytest.raises(ModelError, match="compressed tensors"):
        check_archive(packed)
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 1 << 19)
    with pytest.raises(ModelError, match="unpack to more than"):
        check_archive(packed)


def test_one_name_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"harmless")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a/data.pkl", b"other")
    with pytest.raises(ModelError, match="one name twice"):
        check_archive(path)


def test_each_kind_is_told_from_the_other(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="TorchScript where a state dict"):
        check_state_dict_archive(_script(tmp_path / "a.pt", HARMLESS))
    with pytest.raises(ModelError, match="holds no TorchScript"):
        check_torchscript_archive(_archive(tmp_path / "b.pt", {"b/data.pkl": b"x"}))


def test_repacking_leaves_one_archive_in_the_file(tmp_path: Path) -> None:
    hidden = _archive(tmp_path / "hidden.pt", {"a/data.pkl": b"hidden"}).read_bytes()
    path = _archive(tmp_path / "a.pt", {"a/data.pkl": b"shown", "a/data/0": bytes(range(256))}, zipfile.ZIP_DEFLATED)
    path.write_bytes(hidden + path.read_bytes() + hidden[-10:])
    repack(path)
    assert path.read_bytes()[:4] == b"PK\x03\x04"
    assert b"hidden" not in path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a/data.pkl": b"shown",
            "a/data/0": bytes(range(256)),
        }
    assert [other.name for other in tmp_path.iterdir() if other.suffix == ".fresh"] == []


def test_members_that_are_damaged_are_refused(tmp_path: Path) -> None:
    path = _archive(tmp_path / "a.pt", {"a/data.pkl": b"0123456789"})
    path.write_bytes(path.read_bytes().replace(b"0123456789", b"0123456780"))
    with pytest.raises(ModelError, match="is damaged"):
        repack(path)
    path = _archive(tmp_path / "b.pt", {"a/data.pkl": bytes(1000)}, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    content[45:50] = b"\xff" * 5
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is damaged"):
        repack(path)


def test_bytecode_is_refused(tmp_path: Path) -> None:
    members = {"m/code/__torch__.py": HARMLESS.encode(), "m/bytecode.pkl": b"x"}
    with pytest.raises(ModelError, match="bytecode"):
        check_torchscript_archive(_archive(tmp_path / "a.pt", members))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ('torch.save(x, "/tmp/evil")', r"operation torch\.save"),
        ('torch.from_file("/etc/passwd")', r"operation torch\.from_file"),
        ("ops.aten.save(x)", r"operation ops\.aten\.save"),
        ("ops.profiler._record_function_enter(x)", r"operation ops\.profiler"),
        ("ops.prim.Print(x)", r"operation ops\.prim\.Print"),
        ("torch.add.save(x)", r"operation torch\.add\.save"),
        ("(torch).save(x)", r"operation torch\.save"),
        ('getattr(torch, "save")(x)', "passes torch on"),
        ("_1 = torch", "passes torch on"),
        ("_1 = ops.aten", r"operation ops\.aten"),
        ("_1 = [ops]", "passes ops on"),
        ("__torch__.torch.classes.evil.Runner()", "operation __torch__"),
        ("import os", "imports os"),
        ("from os import system", "imports from os"),
        ("f(torch.save(x)).y", r"operation torch\.save"),
    ],
)
def test_operations_that_do_more_than_compute_are_refused(tmp_path: Path, statement: str, message: str) -> None:
    source = HARMLESS.replace("    conv = self.conv\n", f"    conv = self.conv\n    {statement}\n")
    with pytest.raises(ModelError, match=message):
        check_torchscript_archive(_script(tmp_path / "a.pt", source))


@pytest.mark.parametrize("hook", ["__setstate__", "__getstate__", "__init__"])
def test_functions_that_run_on_loading_are_refused(tmp_path: Path, hook: str) -> None:
    source = HARMLESS + f"  def {hook}(self: __torch__.Head, state: Tensor) -> NoneType:\n    return None\n"
    with pytest.raises(ModelError, match=hook):
        check_torchscript_archive(_script(tmp_path / "a.pt", source))


@pytest.mark.parametrize("source", ["def (", "\0", "x = " + "(" * 5000 + ")" * 5000, "x" + ".y" * 50_000])
def test_source_that_cannot_be_parsed_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(ModelError, match=r"cannot be parsed|uses the operation"):
        check_torchscript_archive(_script(tmp_path / "a.pt", HARMLESS + source))
