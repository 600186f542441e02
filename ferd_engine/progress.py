"""Progress and cancel as one two-method protocol that every long loop polls once per block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

from .errors import Cancelled


class Progress(Protocol):
    """What the engine tells its caller, and asks of it, while it runs."""

    def update(self, fraction: float, message: str) -> None:
        """Receive the part done so far (0 to 1, never falling) and what is being done."""

    def cancelled(self) -> bool:
        """Say whether the run should stop at the next block."""


class SilentProgress:
    """Progress that nobody watches and nobody cancels."""

    def update(self, fraction: float, message: str) -> None:
        """Drop the report."""

    def cancelled(self) -> bool:
        """Never cancel."""
        return False


class ProgressSpan:
    """The part [start, stop] of another progress, so that each pass counts from 0 to 1 by itself."""

    def __init__(self, parent: Progress, start: float, stop: float) -> None:
        self._parent = parent
        self._start = start
        self._stop = stop

    def update(self, fraction: float, message: str) -> None:
        """Report to the parent, scaled into the span."""
        self._parent.update(self._start + (self._stop - self._start) * min(max(fraction, 0.0), 1.0), message)

    def cancelled(self) -> bool:
        """Ask the parent."""
        return self._parent.cancelled()

    def check(self) -> None:
        """Raise `Cancelled` if the user asked to stop."""
        if self.cancelled():
            raise Cancelled("The run was cancelled; nothing was written.")

    def step(self, fraction: float, message: str) -> None:
        """Report, then raise `Cancelled` if the user asked to stop: the one call of a block loop."""
        self.update(fraction, message)
        self.check()


class SharedProgress:
    """Progress of several threads that work on the pixels of one image."""

    def __init__(self, progress: Progress, n_pixels: int) -> None:
        self._span = ProgressSpan(progress, 0.0, 1.0)
        self._n_pixels = n_pixels
        self._done = 0
        self._stopped = False
        self._lock = Lock()

    def step(self, n_pixels: int, message: str) -> bool:
        """Report that so many more are being worked on; False where another thread has failed and this one should end.

        Raises `Cancelled` if the user asked to stop.
        """
        with self._lock:
            if not self._stopped:
                self._span.step(self._done / self._n_pixels, message)
                self._done += n_pixels
            return not self._stopped

    @contextmanager
    def stops_all(self) -> Iterator[None]:
        """Let an error inside end the work of the other threads too."""
        try:
            yield
        except BaseException:
            self._stopped = True
            raise
