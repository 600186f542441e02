"""Error types of the engine: each message is one sentence that says what is wrong, where, and what to do."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class FerdError(Exception):
    """Root of every error that the engine raises on purpose."""

    exit_code = EXIT_FAILED


class UsageError(FerdError, ValueError):
    """An option that does not exist, does not fit another one, or has an unusable value."""

    exit_code = EXIT_USAGE


class InputError(FerdError, ValueError):
    """An input file or array that cannot be used: missing, damaged, too few bands, nothing valid."""

    exit_code = EXIT_USAGE


class OutputError(FerdError, ValueError):
    """An output that may not be written there: it exists, equals the input, or its folder is missing."""

    exit_code = EXIT_USAGE


class ModelError(FerdError, ValueError):
    """A model that is unknown, damaged, of the wrong shape, or not what its checksum says."""

    exit_code = EXIT_USAGE


class MissingPackageError(FerdError, ImportError):
    """An optional package that the chosen option needs and that is not installed."""

    exit_code = EXIT_USAGE


class RunError(FerdError, RuntimeError):
    """A run that began well and failed on the way: disk full, unreadable block, singular statistics."""


class DamagedInputError(InputError, RunError):
    """An input that turned out to be damaged on the way: unusable, like one that cannot be opened."""


class Cancelled(FerdError):
    """The user asked the run to stop; nothing was left behind."""

    exit_code = EXIT_INTERRUPTED


def unforeseen(error: Exception, advice: str) -> str:
    """Return a sentence for an error that nobody raised on purpose; `advice` says what to do, without a full stop.

    For the borders of programs, where every error must become a sentence.
    """
    what = " ".join(str(error).split())[:300].rstrip(".") or "no reason given"
    if isinstance(error, MemoryError) or "can't start new thread" in what:
        return "Memory ran out: give a smaller --memory, or close other programs."
    return f"The run stopped ({type(error).__name__}: {what}), and no output is left half written; {advice}."
