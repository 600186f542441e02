"""Many rasters in one go: one bad file does not stop the rest, and what is whole and current is not done again."""

from __future__ import annotations

from .inputs import BatchInput, find_inputs
from .jobs import Job, JobResult
from .report import BatchReport
from .run import run_batch

__all__ = ["BatchInput", "BatchReport", "Job", "JobResult", "find_inputs", "run_batch"]
