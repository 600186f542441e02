"""What scripts/audit.py makes of the databases' answers: silence is no clean result."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {"name": "a", "version": "1", "vulns": []}
HIT = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "scripts" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_locked_package_is_asked_about(audit: ModuleType) -> None:
    packages = audit.locked_packages()
    assert len(packages) > 40
    assert {"torch", "pytest", "huggingface-hub"} <= set(packages)
    assert "+" not in packages["torch"]


@pytest.mark.parametrize(
    ("answer", "n_packages", "code", "words"),
    [
        ([CLEAN], 1, 0, "1 packages, 0 advisories, 0 of them"),
        ([CLEAN, HIT], 2, 1, "NOT EXPLAINED; fixed in 3"),
        ([CLEAN, UNKNOWN], 2, 2, "could be asked about: c"),
        ([CLEAN], 2, 2, "some are missing"),
        ([HIT, UNKNOWN], 2, 1, "b 2: CVE-1"),
    ],
)
def test_verdicts(
    audit: ModuleType,
    answer: list[dict[str, Any]],
    n_packages: int,
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert audit.judge(answer, n_packages, "pypi") == code
    assert words in capsys.readouterr().out


def test_an_explained_advisory_is_shown_and_passes(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(audit.EXPLAINED, "CVE-1", "the part is not used")
    assert audit.judge([HIT], 1, "pypi") == 0
    assert "CVE-1: the part is not used" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (json.dumps({"dependencies": [CLEAN, UNKNOWN]}), [CLEAN, UNKNOWN]),
        # A mirror without advisories knows none of the packages, an unreachable service gives no JSON.
        (json.dumps({"dependencies": [UNKNOWN, UNKNOWN]}), None),
        ("", None),
        ("[]", None),
    ],
)
def test_a_service_that_cannot_answer_is_told_from_one_that_finds_nothing(
    audit: ModuleType, tmp_path: Path, output: str, expected: Any
) -> None:
    fake = [sys.executable, "-c", f"print({output!r})"]
    assert audit.ask(fake, tmp_path / "packages.txt", "pypi") == expected
