"""Ask the advisory databases about every package of the lock; needs a network, and installs pip-audit for itself.

Exit 0: no known vulnerability but those that are explained here. 1: a vulnerability. 2: the question could not be
asked, or not for every package, which is no clean result.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-torch.lock")
SERVICES = ("pypi", "osv")
# Advisory and why it does not touch this project; SECURITY.md says who reviews them.
EXPLAINED: dict[str, str] = {}


def main() -> int:
    packages = locked_packages()
    with tempfile.TemporaryDirectory() as scratch:
        audit = install_audit(Path(scratch) / "venv")
        names = Path(scratch) / "packages.txt"
        names.write_text("".join(f"{name}=={version}\n" for name, version in packages.items()), encoding="utf-8")
        for service in SERVICES:
            answer = ask(audit, names, service)
            if answer is not None:
                return judge(answer, len(packages), service)
    print(f"None of {', '.join(SERVICES)} could be asked about {len(packages)} packages: run this where they can.")
    return 2


def locked_packages() -> dict[str, str]:
    """Return name and version of each locked package; a build of torch for the CPU has the advisories of torch."""
    text = "".join((ROOT / "scripts" / lock).read_text(encoding="utf-8") for lock in LOCKS)
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s+]+)", text, re.MULTILINE))


def install_audit(folder: Path) -> list[str]:
    """Install pip-audit into an environment of its own, and return the command that runs it."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    subprocess.run([python, "-m", "pip", "install", "-qq", "pip-audit"], check=True)
    return [str(python), "-m", "pip_audit"]


def ask(audit: list[str], names: Path, service: str) -> list[dict[str, Any]] | None:
    """Return pip-audit's answer on each package; None where the service cannot be reached."""
    options = ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "30"]
    found = subprocess.run(
        [*audit, "-r", str(names), "-s", service, *options], capture_output=True, text=True, check=False
    )
    try:
        answer: list[dict[str, Any]] = json.loads(found.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        print(f"{service}: {(found.stderr.strip().splitlines() or ['no answer'])[-1][:200]}", file=sys.stderr)
        return None
    # A mirror that has files but no advisories says of each package that it knows nothing.
    return None if answer and all("skip_reason" in package for package in answer) else answer


def judge(answer: list[dict[str, Any]], n_packages: int, service: str) -> int:
    """Print each advisory, and return the exit code."""
    skipped = [package["name"] for package in answer if "skip_reason" in package]
    found = [
        (package["name"], package["version"], vulnerability["id"], vulnerability.get("fix_versions", []))
        for package in answer
        for vulnerability in package.get("vulns", [])
    ]
    for name, version, advisory, fixes in found:
        why = EXPLAINED.get(advisory, f"NOT EXPLAINED; fixed in {', '.join(fixes) or 'no release'}")
        print(f"{name} {version}: {advisory}: {why}")
    open_ones = [entry for entry in found if entry[2] not in EXPLAINED]
    print(f"{service}: {n_packages} packages, {len(found)} advisories, {len(open_ones)} of them not explained.")
    if skipped or len(answer) < n_packages:
        print(f"Not every package could be asked about: {', '.join(skipped) or 'some are missing in the answer'}.")
    return 1 if open_ones else 2 if skipped or len(answer) < n_packages else 0


if __name__ == "__main__":
    sys.exit(main())
