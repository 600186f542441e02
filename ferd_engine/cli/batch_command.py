"""`ferd batch`."""

from __future__ import annotations

import argparse
import io
import sys
from dataclasses import fields
from typing import TYPE_CHECKING

from ..errors import EXIT_INTERRUPTED, UsageError
from ..options import DetectOptions, EnhanceOptions
from .progress_bar import ProgressBar, stopping_on_signals
from .run_commands import detect_options, enhance_options

if TYPE_CHECKING:
    from ..batch import JobResult


def run_batch_command(arguments: argparse.Namespace) -> int:
    """Work on many rasters, say on stderr what each came to, and print the table."""
    options = _options(arguments)
    bar = ProgressBar()

    def tell(result: JobResult, settled: int, total: int) -> None:
        bar.clear()
        print(f"[{settled}/{total}] {result.status} {result.job.input} {result.reason}".rstrip(), file=sys.stderr)

    try:
        with stopping_on_signals(bar):
            # Loaded under the handlers: an interrupt inside the loading of a library may be lost.
            from ..batch import run_batch
            from ..batch.report import check_table, write_table

            if arguments.table is not None:
                check_table(arguments.table, arguments.overwrite, arguments.source)
            report = run_batch(
                arguments.source,
                arguments.output_folder,
                task=arguments.task,
                options=options,
                resume=arguments.resume,
                name=arguments.name,
                patterns=arguments.pattern,
                recursive=arguments.recursive,
                isolate=arguments.isolate,
                progress=bar,
                on_result=tell,
            )
    except KeyboardInterrupt:
        print("ferd: Interrupted; --resume goes on from here, and no result is there in part.", file=sys.stderr)
        return EXIT_INTERRUPTED
    finally:
        bar.clear()
    if arguments.table is not None:
        write_table(report, arguments.table)
    # A name that this terminal cannot show must not cost the table.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    print(report.to_json() if arguments.json else "\n".join(report.lines()))
    sys.stdout.flush()
    return report.exit_code


def _options(arguments: argparse.Namespace) -> EnhanceOptions:
    if arguments.task == "detect":
        return detect_options(arguments)
    shared = {field.name for field in fields(EnhanceOptions)}
    for field in fields(DetectOptions):
        default = None if field.name == "detector" else field.default
        if field.name not in shared and getattr(arguments, field.name) != default:
            option = "--no-enhance" if field.name == "enhance" else f"--{field.name.replace('_', '-')}"
            raise UsageError(f"The option {option} is for --task detect, and this one enhances: drop one of the two.")
    return enhance_options(arguments)
