"""One run with a fault at one of its points, and what must hold afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HOOK = Path(__file__).with_name("hook")
ROOT = Path(__file__).parents[2]
NOBODY = 65534
TMPFS_BYTES = 16 << 20
LIMIT_S = 20

SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT")
FAULTS = (*SIGNALS, "full", "size limit", "truncated", "spoiled", "denied", "removed", "memory")


def hashes(folder: Path) -> dict[str, str]:
    """Return the hash of each file below a folder by its path there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass(frozen=True)
class Ended:
    code: int
    said: str
    # Whether the run got as far as the fault.
    hit: bool
    # Without memory GDAL may crash and OpenBLAS wait for ever, and nobody is left to say so.
    wordless: bool = False


@dataclass
class Place:
    """Folders of one run: input and output, the latter perhaps a small file system of its own."""

    base: Path
    scene: Path
    out: Path = field(init=False)
    mounted: bool = False

    def __post_init__(self) -> None:
        self.out = self.base / "out"
        self.out.mkdir()

    @contextmanager
    def small_disk(self) -> Iterator[bool]:
        """Let the output's folder be a file system of `TMPFS_BYTES`, where this user may mount one."""
        command = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", str(self.out)]
        may = shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0
        try:
            yield may
        finally:
            if may:
                subprocess.run(["umount", "-l", str(self.out)], check=True, capture_output=True)


@contextmanager
def fresh_place(scene: Sequence[Path]) -> Iterator[Place]:
    """Give folders that any user may read, with a copy of the files of a scene, of which the first is the input."""
    base = Path(tempfile.mkdtemp(prefix="faults-"))
    base.chmod(0o755)
    (base / "in").mkdir()
    for file in scene:
        shutil.copy(file, base / "in")
    try:
        yield Place(base, base / "in" / scene[0].name)
    finally:
        for folder in base.rglob("*"):
            if folder.is_dir():
                folder.chmod(0o755)
        shutil.rmtree(base)


class Command:
    """A program that makes `names` in a folder of a scene; the last of them is what the user asked for."""

    def __init__(self, label: str, argv: Sequence[str], names: Sequence[str], environment: dict[str, str]) -> None:
        self.label = label
        self._argv = tuple(argv)
        self.names = tuple(names)
        self._environment = environment
        self.is_ferd = "ferd_engine" in argv

    def run(
        self, place: Place, *, fault: str | None = None, point: int | None = None, record: Path | None = None
    ) -> Ended:
        """Run to the end, with a fault at a point, or with the points recorded."""
        job, done = place.base / "fault.json", place.base / "done"
        done.unlink(missing_ok=True)
        watched = [str(place.out), str(place.scene.parent)]
        record_to = None if record is None else str(record)
        facts = {"folders": watched, "record": record_to, "point": point, "action": fault, "input": str(place.scene)}
        job.write_text(json.dumps({**facts, "done": str(done)}))
        # A user who may not write everywhere, as root may.
        as_nobody = fault == "denied" and os.geteuid() == 0
        if as_nobody:
            for path in (place.base, *place.base.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        with subprocess.Popen(
            [part.format(input=place.scene, out=place.out) for part in self._argv],
            cwd=place.base,
            env={**os.environ, **self._environment, "FERD_FAULT": str(job)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **({"user": NOBODY, "group": NOBODY, "extra_groups": []} if as_nobody else {}),
        ) as process:
            try:
                said, _ = process.communicate(timeout=LIMIT_S)
            except subprocess.TimeoutExpired as error:
                process.kill()
                said, _ = process.communicate()
                if fault != "memory":
                    raise AssertionError(f"{fault} at {point}: no end after {LIMIT_S} s: {said}") from error
        if place.out.is_dir():
            place.out.chmod(0o755)
        wordless = fault == "memory" and process.returncode < 0
        return Ended(process.returncode, said, done.exists() or fault in SIGNALS, wordless)


def ferd(label: str, names: Sequence[str], *arguments: str) -> Command:
    """Return the command line."""
    argv = (sys.executable, "-m", "ferd_engine", *arguments, "--threads", "1", "--memory", "64MiB", "--overwrite")
    paths = os.pathsep.join((str(HOOK), str(ROOT)))
    return Command(label, argv, names, {"PYTHONPATH": paths, "FERD_MODELS": "/nonexistent"})


def spread(n_points: int, count: int, shift: float) -> list[int]:
    """Return up to `count` points (from 1) spread evenly over a run, moved on by a part of their distance."""
    return sorted({min(int((index + shift) * n_points / count) + 1, n_points) for index in range(count)})


def check_end(command: Command, fault: str, end: Ended, whole: bool) -> None:
    """Check exit code and words; `whole` says whether the new outputs are there."""
    if end.wordless:
        return
    assert "Traceback" not in end.said, end.said
    if fault == "SIGKILL":
        assert end.code == -signal.SIGKILL
        return
    if not command.is_ferd:
        # QGIS installs no handlers; what a signal ends has no word to say.
        if fault in SIGNALS:
            assert end.code in (-getattr(signal, fault), 0)
        else:
            assert (end.code == 0) == whole, end.said
        return
    if whole and end.code == 0:
        return
    assert end.code in ((130,) if fault in SIGNALS else (1, 2)), (end.code, end.said)
    sentences = [line for line in end.said.splitlines() if line.startswith("ferd: ")]
    assert sentences, end.said
    assert sentences[-1].endswith("."), end.said
