"""The `ferd` command: words in, one call to the engine, words out."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Callable

from ..errors import EXIT_FAILED, EXIT_INTERRUPTED, FerdError, unforeseen
from ..threads import THREAD_VARIABLES
from .parser import build_parser

_ADVICE = "run it again with the variable FERD_TRACEBACK set to 1, and report what it prints"

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage or unusable input, 130 interrupted."""
    arguments = build_parser().parse_args(argv)
    # From here on SIGTERM ends like Ctrl-C, with its own exit code and sentence.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    _set_threads(getattr(arguments, "threads", None))
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="ferd: %(message)s")
    # A cluster's library lowers the level of its own loggers, whose records come here too.
    logging.getLogger().handlers[0].setLevel(logging.WARNING)
    try:
        return _command(arguments)(arguments)
    except FerdError as error:
        print(f"ferd: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("ferd: Interrupted; no output is left half written.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has gone, as `ferd models list | head` does: no more output, and no complaint at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    # The border of the program: what nobody foresaw is a sentence too.
    except Exception as error:  # noqa: BLE001
        if os.environ.get("FERD_TRACEBACK"):
            traceback.print_exc()
        print(f"ferd: {unforeseen(error, _ADVICE)}", file=sys.stderr)
        return EXIT_FAILED


def _set_threads(threads: int | None) -> None:
    """Tell the BLAS libraries, which read this when numpy loads them, as nothing has loaded it yet."""
    if threads is not None and threads >= 1:
        for name in THREAD_VARIABLES:
            os.environ[name] = str(threads)


# Module and function of each command. A module is loaded when its command runs: what loads NumPy must come after the
# number of threads is set and, for long runs, after their signal handlers are.
_COMMANDS = {
    "detect": ("run_commands", "run_detect"),
    "enhance": ("run_commands", "run_enhance"),
    "batch": ("batch_command", "run_batch_command"),
    "threshold": ("run_commands", "run_threshold"),
    "info": ("other_commands", "run_info"),
    "evaluate": ("other_commands", "run_evaluate"),
    "models": ("model_commands", "run_models"),
    "detectors": ("model_commands", "run_detectors"),
    "sample": ("other_commands", "run_sample"),
    "doctor": ("other_commands", "run_doctor"),
}


def _command(arguments: argparse.Namespace) -> Command:
    module, function = _COMMANDS[arguments.command]
    command: Command = getattr(import_module(f".{module}", __name__), function)
    return command
