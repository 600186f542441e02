"""Progress within parts of a run, cancelling, and the bar on a terminal and in a log file."""

from __future__ import annotations

import io
import os
import signal
import sys

import pytest

import ferd_engine.cli.progress_bar
from ferd_engine.cli.progress_bar import ProgressBar, stopping_on_signals
from ferd_engine.context import RunContext
from ferd_engine.errors import Cancelled
from ferd_engine.progress import ProgressSpan

from .detectors.arrays import RecordingProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that goes on by a step at each look."""

    def __init__(self, step_s: float) -> None:
        self._now, self._step_s = 100.0, step_s

    def monotonic(self) -> float:
        self._now += self._step_s
        return self._now


def drawn(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, step_s: float, n_updates: int) -> str:
    monkeypatch.setattr(ferd_engine.cli.progress_bar, "time", Clock(step_s))
    bar = ProgressBar(stream)
    for i in range(n_updates):
        bar.update(i / n_updates, "FEN")
    bar.clear()
    return stream.getvalue()


def test_parts_of_parts() -> None:
    whole = RecordingProgress()
    context = RunContext(progress=whole)
    with context.part(0.2, 0.6):
        span = ProgressSpan(context.progress, 0.5, 1.0)
        for fraction in (-1.0, 0.0, 0.5, 1.0, 3.0):
            span.step(fraction, "x")
    assert whole.fractions == pytest.approx([0.4, 0.4, 0.5, 0.6, 0.6])
    assert context.progress is whole


def test_a_step_raises_when_the_user_asked_to_stop() -> None:
    span = ProgressSpan(RecordingProgress(cancel_after=2), 0.0, 1.0)
    span.step(0.1, "x")
    with pytest.raises(Cancelled):
        span.step(0.2, "x")


def test_the_bar_on_a_terminal_shows_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(monkeypatch, Terminal(), 1.0, 100)
    lines = text.split("\r")
    assert "[" + "#" * 15 + "." * 15 + "]  50% FEN      0:51 left" in [line.rstrip() for line in lines]
    assert lines[-2].strip() == ""
    assert "\n" not in text


def test_the_bar_is_not_drawn_more_often_than_an_eye_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, Terminal(), 0.01, 100).count("[") <= 10


def test_a_log_file_gets_a_line_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(monkeypatch, io.StringIO(), 1.0, 21).splitlines()
    assert len(lines) == 4
    assert lines[0].split() == ["19%", "FEN", "0:21", "left"]


def test_a_short_run_adds_nothing_to_a_log_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, io.StringIO(), 0.1, 40) == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_to_stop_and_a_second_one_insists(number: int) -> None:
    bar = ProgressBar(io.StringIO())
    before = signal.getsignal(number)
    with stopping_on_signals(bar):
        os.kill(os.getpid(), number)
        assert bar.cancelled()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
