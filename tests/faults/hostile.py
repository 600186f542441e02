"""Commands on odd and hostile files: each ends in a right result, or one sentence and exit code 2."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
BUDGET_BYTES = 64 << 20
# Of interpreter, libraries, and what a run may take beside its budget.
MOST_BYTES = BUDGET_BYTES + (300 << 20)
# Machines at work on other things are slow; what hangs does not end in any time.
LIMIT_S = 30.0
# Relative to each score, or to 1: scores are written in float32, from pixels in float32.
TOLERANCE = 1e-4

# Bytes to be changed: (where, as a part of the places, new value). The same examples each time.
CHANGES = st.lists(st.tuples(st.floats(0.0, 1.0, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)
FUZZ = settings(
    phases=(Phase.explicit, Phase.generate),
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=25,
    suppress_health_check=list(HealthCheck),
)


def change(content: bytearray, changes: Sequence[tuple[float, int]], places: Sequence[int] | None = None) -> None:
    """Change bytes of a file in place, any of them or those at `places`."""
    places = range(len(content)) if places is None else places
    for where, byte in changes:
        content[places[int(where * len(places))]] = byte


@dataclass(frozen=True)
class Ended:
    """How a command ended; `deviation` from the plain result, None where it was not compared."""

    code: int
    said: str
    deviation: float | None

    @property
    def gave_a_result(self) -> bool:
        return self.code == 0


@dataclass(repr=False)
class Trials:
    """Runs commands through the driver, holds each to the promise and counts the distinct cases."""

    driver: subprocess.Popen[str]
    seen: set[str] = field(default_factory=set, repr=False)
    n_results: int = 0
    n_compared: int = 0
    n_refused: int = 0
    most_bytes: int = 0
    most_seconds: float = 0.0

    def detect(self, path: Path | str, *arguments: str, compare: bool = True, **plain: str) -> Ended:
        """Score a file of a folder of its own by global RX without FEN, and compare with the plain result."""
        output = Path(path).parent / "result-of-it.tif" if not plain.get("output") else Path(plain["output"])
        output.unlink(missing_ok=True)
        argv = ["detect", str(path), str(output), "--no-enhance", *arguments]
        reference = {**plain, "path": str(path), "output": str(output)} if compare else None
        return self.run(argv, Path(path), output, reference)

    def enhance(self, path: Path | str, model: Path, *arguments: str) -> Ended:
        """Enhance a file by a small model."""
        output = Path(path).parent / "result-of-it.tif"
        output.unlink(missing_ok=True)
        argv = ["enhance", str(path), str(output), "--backend", "numpy", "--model", str(model), *arguments]
        return self.run(argv, Path(path), output)

    def info(self, path: Path | str, *arguments: str) -> Ended:
        """Describe a file."""
        return self.run(["info", str(path), "--json", *arguments], Path(path))

    def run(
        self, argv: list[str], path: Path, output: Path | None = None, plain: dict[str, str] | None = None
    ) -> Ended:
        """Run a command on `path` and check what must hold whatever the file is."""
        folder = path.parent
        if argv[0] != "info":
            argv = [*argv, "--memory", str(BUDGET_BYTES), "--threads", "1"]
        key = self._key(argv, folder)
        job = {"argv": argv, "folder": str(folder), "limit_s": LIMIT_S, "plain": plain}
        assert self.driver.stdin is not None
        assert self.driver.stdout is not None
        print(json.dumps(job), file=self.driver.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.driver.stdout.readline())
        code, said = answer["code"], answer["said"]
        assert code in (0, 2), (code, argv, said)
        assert "Traceback" not in said, said
        assert answer["peak_bytes"] <= MOST_BYTES, (answer["peak_bytes"] >> 20, argv, said)
        assert not list(folder.glob(".ferd-*")), argv
        if code == 2:
            # A name with a line break in it breaks the sentence's line.
            sentences = [line for line in said.splitlines() if line.startswith("ferd")]
            assert sentences, (argv, said)
            assert said.endswith(".\n"), (argv, said)
            assert output is None or not output.exists(), argv
        else:
            deviation = answer["plain"]
            assert deviation is None or deviation <= TOLERANCE, (deviation, argv, said)
        if key not in self.seen:
            self.seen.add(key)
            self.n_results += code == 0
            self.n_refused += code != 0
            self.n_compared += answer["plain"] is not None
        self.most_bytes = max(self.most_bytes, answer["peak_bytes"])
        self.most_seconds = max(self.most_seconds, answer["seconds"])
        return Ended(code, said, answer["plain"])

    @staticmethod
    def _key(argv: list[str], folder: Path) -> str:
        """Return what tells a case from others: the command without its folder, and the files that it may read."""
        digest = hashlib.sha256(repr([part.replace(str(folder), "") for part in argv]).encode())
        for file in sorted(folder.iterdir()):
            if file.is_file():
                with file.open("rb") as opened:
                    digest.update(repr((file.name, file.stat().st_size)).encode())
                    digest.update(opened.read(1 << 20))
        return digest.hexdigest()

    def line(self) -> str:
        """Return the counts in words."""
        return (
            f"hostile and odd inputs tried {len(self.seen)}: {self.n_results} gave results, {self.n_compared} of them "
            f"compared with plain ones, {self.n_refused} refused; most memory {self.most_bytes >> 20} MiB, longest "
            f"{self.most_seconds:.1f} s"
        )


@contextmanager
def trials(scratch: Path) -> Iterator[Trials]:
    """Start the driver, and end it."""
    command = [sys.executable, "-m", "tests.faults.hostile_driver", str(scratch)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        try:
            yield Trials(driver)
        finally:
            assert driver.stdin is not None
            driver.stdin.close()
            driver.wait(timeout=LIMIT_S)
