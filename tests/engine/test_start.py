"""The first and the last words of the command, when there is hardly memory to say them."""

from __future__ import annotations

import errno

import pytest

from ferd_engine import cli, start
from ferd_engine.errors import OUT_OF_MEMORY, tells_of_memory, unforeseen

LOST = SystemError("error return without exception set")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory", "scene.tif"),
        ImportError("libblas.so.3: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        LOST,
    ],
)
def test_lack_of_memory_is_one_sentence_in_whatever_form_it_comes(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start.signal, "signal", lambda number, handler: None)

    def fail() -> int:
        raise error

    monkeypatch.setattr(cli, "main", fail)
    assert start.main() == 1
    assert capfd.readouterr().err == f"ferd: {OUT_OF_MEMORY}\n"
    assert unforeseen(error, "report this") == OUT_OF_MEMORY


def test_what_an_error_arose_from_may_be_lack_of_memory() -> None:
    error = ImportError("numpy could not be imported")
    error.__cause__ = ImportError("_core.so: Cannot allocate memory")
    assert tells_of_memory(error)
    assert not tells_of_memory(ImportError("numpy could not be imported"))
    assert not tells_of_memory(OSError(errno.ENOSPC, "No space left on device"))


def test_other_errors_are_not_put_down_to_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.signal, "signal", lambda number, handler: None)

    def fail() -> int:
        raise SystemError("bad argument to internal function")

    monkeypatch.setattr(cli, "main", fail)
    with pytest.raises(SystemError, match="bad argument"):
        start.main()
