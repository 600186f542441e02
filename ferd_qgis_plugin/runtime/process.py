"""Another program under QGIS: its output line by line, a cancel that ends it, and no variables that QGIS set."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from qgis.core import QgsBlockingProcess, QgsFeedback
from qgis.PyQt.QtCore import QProcess

# What a program needs to find its home, its temporary folder, the network and the graphics card. What QGIS set for
# itself (PYTHONHOME, PYTHONPATH, LD_LIBRARY_PATH, GDAL_DATA, PROJ_LIB, QT_PLUGIN_PATH, ...) stays behind, and so does
# all that would turn the check of certificates off.
_KEPT = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP"),
    *("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "PIP_PROXY"),
    *("PIP_CONFIG_FILE", "PIP_CACHE_DIR"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "FERD_MODELS"),
    # Windows.
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
    *("PROGRAMDATA", "PROGRAMFILES", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE"),
}
# OSGeo4W's Python finds GDAL through them.
_KEPT_ON_WINDOWS = {"USE_PATH_FOR_GDAL_PYTHON", "GDAL_DATA", "PROJ_LIB", "PROJ_DATA"}
_KEPT_PREFIXES = ("LC_",)
_ENV = "/usr/bin/env"
_HAS_ENV = Path(_ENV).is_file()
_POLL_SECONDS = 0.05
_ERROR_LINES = 60


@dataclass(frozen=True)
class Ended:
    """How a program ended: not started at all, killed (by a signal, or a crash), or with an exit code."""

    started: bool
    killed: bool
    exit_code: int
    errors: str


def dropped_variables(names: Iterable[str]) -> list[str]:
    """Return those of the environment variables that a program shall not get."""
    kept = _KEPT | (_KEPT_ON_WINDOWS if sys.platform == "win32" else set())
    return sorted(name for name in names if name.upper() not in kept and not name.upper().startswith(_KEPT_PREFIXES))


class Lines:
    """Cuts what comes in chunks of bytes into lines of text."""

    def __init__(self, receive: Callable[[str], None]) -> None:
        self._receive = receive
        self._rest = b""

    def add(self, chunk: bytes) -> None:
        """Take a chunk; whole lines are passed on."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            self._pass(line)

    def end(self) -> None:
        """Pass on what came without an end of line."""
        rest, self._rest = self._rest, b""
        if rest:
            self._pass(rest)

    def _pass(self, line: bytes) -> None:
        self._receive(line.decode("utf-8", "replace").rstrip("\r"))


class Program:
    """One run of a program; `run` blocks, in the main thread as well as in others, while QGIS stays responsive."""

    def __init__(self, program: str, arguments: list[str], on_line: Callable[[str], None]) -> None:
        command = [program, *arguments]
        if _HAS_ENV:
            # QgsBlockingProcess hands QGIS's environment on, and the dynamic linker reads it before the program could
            # drop anything.
            drop = [part for name in dropped_variables(os.environ) for part in ("-u", name)]
            command = [_ENV, *drop, *command]
        self._process = QgsBlockingProcess(command[0], command[1:])
        self._errors: deque[str] = deque(maxlen=_ERROR_LINES)
        self._out, self._err = Lines(on_line), Lines(self._errors.append)
        # QgsBlockingProcess holds no reference to its handlers.
        self._handlers = (self._take_out, self._take_err)
        self._process.setStdOutHandler(self._handlers[0])
        self._process.setStdErrHandler(self._handlers[1])

    def run(
        self,
        is_cancelled: Callable[[], bool],
        request: Callable[[], None] | None = None,
        patience: Callable[[], float] = lambda: 0.0,
    ) -> Ended:
        """Run to the end.

        Once `is_cancelled` says so, `request` asks the program to stop by itself; it is killed where it is still there
        after `patience` seconds.
        """
        own, done = QgsFeedback(), threading.Event()

        def watch() -> None:
            while not done.wait(_POLL_SECONDS):
                if is_cancelled():
                    break
            else:
                return
            if request is not None:
                request()
            waited = 0.0
            while waited < patience() and not done.wait(_POLL_SECONDS):
                waited += _POLL_SECONDS
            if not done.is_set():
                own.cancel()

        watcher = threading.Thread(target=watch, name="ferd-cancel", daemon=True)
        watcher.start()
        try:
            code = self._process.run(own)
        finally:
            done.set()
            watcher.join()
        self._out.end()
        self._err.end()
        started = self._process.processError() != QProcess.ProcessError.FailedToStart
        # The codes of `env` for a program that it could not start.
        if _HAS_ENV and code in (126, 127):
            started = False
        killed = self._process.exitStatus() == QProcess.ExitStatus.CrashExit
        return Ended(started, killed, code, "\n".join(self._errors))

    def _take_out(self, chunk: Any) -> None:
        self._out.add(bytes(chunk))

    def _take_err(self, chunk: Any) -> None:
        self._err.add(bytes(chunk))
