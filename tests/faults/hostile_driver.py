"""Runs commands of `ferd`, each in a process forked for it, with its memory and its time measured and bounded.

A program of its own, so that a crash of a library ends one case and not the tests, and so that what Python and GDAL
load is loaded once. One JSON object a line on stdin (argv, folder, limit_s, plain) gives one on stdout (code, said,
seconds, peak_bytes, plain).
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

# Before NumPy: a forked process has none of the threads that BLAS has started.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", FERD_TRACEBACK="1", FERD_MODELS="/nonexistent")

from ferd_engine.cli import main
from tests.faults.plain import deviation

# What a command loads when it is needed, loaded once for all.
for _name in ("cli.run_commands", "cli.other_commands", "runs", "describe", "fen.numpy_backend", "fen.engine"):
    import_module(f"ferd_engine.{_name}")
for _name in ("io.matlab", "linalg", "sparse", "ndimage"):
    import_module(f"scipy.{_name}")

# No case may ask the machine for more than this, whatever it declares.
_MOST_BYTES = 8 << 30


def _run(job: dict[str, Any], said: Path, told: int) -> None:
    """Be the child: run the command, compare its result and tell about it."""
    signal.setitimer(signal.ITIMER_REAL, job["limit_s"])
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(job["folder"])
    with said.open("wb", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    started = time.perf_counter()
    try:
        code = main(job["argv"])
    except SystemExit as end:
        code = int(end.code or 0)
    facts: dict[str, Any] = {"seconds": time.perf_counter() - started}
    facts["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if code == 0 and job["plain"] is not None:
        facts["plain"] = deviation(**job["plain"])
    os.write(told, json.dumps({"code": code, **facts}).encode())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _serve(job: dict[str, Any], said: Path) -> dict[str, Any]:
    listening, telling = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _run(job, said, telling)
        finally:
            # Only an error of the driver itself gets here.
            import traceback

            traceback.print_exc(file=sys.__stderr__)
            os._exit(70)
    os.close(telling)
    with open(listening, "rb") as pipe:
        told = pipe.read()
    _, status, used = os.wait4(child, 0)
    facts = {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": 0.0,
        "peak_bytes": used.ru_maxrss * 1024,
        "plain": None,
    }
    facts.update(json.loads(told or "{}"))
    return {**facts, "said": said.read_text(errors="replace") if said.exists() else ""}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(_serve(json.loads(line), folder / "said")), flush=True)
