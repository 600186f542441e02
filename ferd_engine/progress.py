"""Progress and cancel as one two-method protocol that every long loop polls once per block."""

from __future__ import annotations

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
