"""The progress bar with the time left, on stderr; and the signals that stop a run."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_WIDTH = 30
_REDRAW_SECONDS = 0.1
# Without a terminal a line is written this often, so that a short run adds nothing to a log file.
_LINE_SECONDS = 5.0


class ProgressBar:
    """Draws one line that is overwritten on a terminal; in a log file a line every five seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._started = time.monotonic()
        self._drawn_at = 0.0 if self._terminal else self._started
        self._stopped = False

    def update(self, fraction: float, message: str) -> None:
        """Draw, unless that was done a moment ago."""
        now = time.monotonic()
        if self._terminal:
            if now - self._drawn_at < _REDRAW_SECONDS:
                return
            self._drawn_at = now
            filled = int(_WIDTH * fraction)
            bar = "#" * filled + "." * (_WIDTH - filled)
            self._stream.write(f"\r[{bar}] {fraction:4.0%} {message:<8} {self._left(fraction, now):<24}")
            self._stream.flush()
        elif now - self._drawn_at >= _LINE_SECONDS:
            self._drawn_at = now
            self._stream.write(f"{fraction:4.0%} {message} {self._left(fraction, now)}\n")
            self._stream.flush()

    def cancelled(self) -> bool:
        """Say whether an interrupt has come."""
        return self._stopped

    def stop(self) -> None:
        """Ask the run to end at its next block."""
        self._stopped = True

    def clear(self) -> None:
        """Remove the bar from a terminal."""
        if self._terminal and self._drawn_at:
            self._stream.write("\r" + " " * (_WIDTH + 48) + "\r")
            self._stream.flush()

    def _left(self, fraction: float, now: float) -> str:
        spent = now - self._started
        if fraction < 0.02 or spent < 1.0:
            return ""
        left = spent * (1.0 - fraction) / fraction
        return f"{int(left) // 60}:{int(left) % 60:02d} left"


@contextmanager
def stopping_on_signals(bar: ProgressBar) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the run at its next block; a second one ends it at once."""

    def stop(number: int, frame: Any) -> None:
        if bar.cancelled():
            raise KeyboardInterrupt
        bar.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
