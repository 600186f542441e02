"""Error types of the engine: each message is one sentence that says what is wrong, where, and what to do."""

from __future__ import annotations

import errno

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


OUT_OF_MEMORY = "Memory ran out: give a smaller --memory, or close other programs."
# What the system, the loader of libraries and Python say where memory ran out. CPython 3.11 has no exception at hand
# when a call finds no room on its stack, and complains of that instead.
_MEMORY_WORDS = (
    "cannot allocate memory",
    "failed to map segment",
    "can't start new thread",
    "error return without exception set",
)


def tells_of_memory(error: BaseException | None) -> bool:
    """Say whether an error, or one that it arose from, is lack of memory in whatever form it came."""
    while error is not None:
        is_memory = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
        if is_memory or any(words in str(error).lower() for words in _MEMORY_WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False


def unforeseen(error: Exception, advice: str) -> str:
    """Return a sentence for an error that nobody raised on purpose; `advice` says what to do, without a full stop.

    For the borders of programs, where every error must become a sentence.
    """
    if tells_of_memory(error):
        return OUT_OF_MEMORY
    what = " ".join(str(error).split())[:300].rstrip(".") or "no reason given"
    return f"The run stopped ({type(error).__name__}: {what}), and no output is left half written; {advice}."
