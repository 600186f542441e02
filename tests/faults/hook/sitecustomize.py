"""Counts the points of a run and does harm at one of them; loaded by any Python whose PYTHONPATH has this folder.

A point is a report of progress, or a call that makes, renames or removes a file in the watched folders, or the loading
of a part of the engine: what a run goes through in the same order each time, however fast the machine is.
FERD_FAULT : a file with JSON {"folders": [...], "record": file | null, "point": n | null, "action": name, "input":
file}. With `record` the points are written there, one a line.
"""

import contextlib
import importlib.abc
import importlib.util
import json
import os
import signal
import sys
import threading

_FILE_EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}


def _fill(folder):
    with contextlib.suppress(OSError), open(os.path.join(folder, "filler"), "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
    with contextlib.suppress(OSError), open(os.path.join(folder, "filler"), "ab", buffering=0) as file:
        while True:
            file.write(bytes(512))


def _limit_size(folder):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, resource.RLIM_INFINITY))


def _limit_memory(folder):
    import resource

    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 20), resource.RLIM_INFINITY))


def _remove(folder):
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _spoil(path):
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.seek(size // 3)
        file.write(b"\xff" * (size // 3))


class _Fault:
    def __init__(self, job):
        self._job = job
        self._folders = tuple(job["folders"])
        self._record = open(job["record"], "w") if job["record"] else None  # noqa: SIM115
        self._count = 0
        self._busy = False
        self._lock = threading.RLock()

    def audit(self, event, arguments):
        if event in _FILE_EVENTS and isinstance(arguments[0], (str, bytes)):
            path = os.fsdecode(arguments[0])
            if path.startswith(self._folders):
                self.reach(f"{event} {os.path.basename(path)}")
        elif event == "import" and "ferd_engine." in arguments[0]:
            self.reach(f"import {arguments[0].rpartition('ferd_engine.')[2]}")

    def reach(self, name):
        with self._lock:
            if self._busy:
                return
            self._busy = True
            try:
                self._count += 1
                if self._record is not None:
                    self._record.write(name + "\n")
                    self._record.flush()
                if self._count == self._job["point"]:
                    self._act()
            finally:
                # Once only.
                self._busy = self._count == self._job["point"]

    def _act(self):
        action, folder, path = self._job["action"], self._folders[0], self._job["input"]
        if action.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, action))
        elif action == "truncated":
            os.truncate(path, os.path.getsize(path) // 2)
        elif action == "spoiled":
            _spoil(path)
        elif action == "denied":
            os.chmod(folder, 0o555)
        else:
            {"full": _fill, "size limit": _limit_size, "memory": _limit_memory, "removed": _remove}[action](folder)
        with open(self._job["done"], "w") as file:
            file.write("done")


class _ProgressFinder(importlib.abc.MetaPathFinder):
    """Lets each report of progress be a point."""

    def __init__(self, fault):
        self._fault = fault

    def find_spec(self, name, path, target=None):
        if not name.endswith("ferd_engine.progress"):
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run, fault = spec.loader.exec_module, self._fault

        def run_and_patch(module):
            run(module)
            update = module.ProgressSpan.update

            def reported(span, fraction, message):
                fault.reach(f"progress {message}")
                update(span, fraction, message)

            module.ProgressSpan.update = reported

        spec.loader.exec_module = run_and_patch
        return spec


if "FERD_FAULT" in os.environ:
    with open(os.environ["FERD_FAULT"]) as _file:
        _fault = _Fault(json.load(_file))
    sys.meta_path.insert(0, _ProgressFinder(_fault))
    sys.addaudithook(_fault.audit)
