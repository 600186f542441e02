"""The FEN on a CPU: matrix products on data that stays in cache, one pass over the rows, no row computed twice.

A job is a strip of the image, worked off downwards in groups of rows (`workspace`). What it keeps from group to group
`Carry` keeps from block to block too, so that low blocks cost no more than high ones. Jobs run in Python threads, each
with single-threaded products.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from .backend import Carry, Work
from .blas import Binder
from .floors import with_floors
from .jobs import Job, jobs_of_parts, jobs_of_strips
from .network import Architecture, Weights, fold
from .workspace import Workspace

Float32Array = NDArray[np.float32]


@dataclass
class _Strip:
    """What a strip of one block leaves for the one below: rows, and the job that stores them."""

    rows: list[Float32Array] = field(default_factory=list)
    job: Future[None] | None = None


class RowEngine:
    """Runs a FEN on blocks with a given kind of product; its buffers are kept from call to call.

    bind : prepares products, see `blas`. workers : threads that work on one block.
    job_context : entered around each job, in the thread that does it.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: Weights,
        bind: Binder,
        workers: int,
        job_context: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._network = with_floors(fold(architecture, weights))
        self._architecture = architecture
        self._bind = bind
        self._workers = workers
        self._job_context = job_context
        self._spare: list[Workspace] = []
        self._lock = Lock()

    def enhance(
        self,
        block: Float32Array,
        out: Float32Array | None = None,
        check: Callable[[], None] | None = None,
        carry: Carry | None = None,
    ) -> Float32Array:
        """Return the enhanced block; see `backend.Backend.enhance`."""
        if out is None:
            out = np.empty((*self._core_shape(block), block.shape[2]), np.float32)
        with closing(self.enhance_each([Work(block, out, carry)], check)) as results:
            return next(results)

    def enhance_each(
        self, works: Iterable[Work], check: Callable[[], None] | None = None
    ) -> Generator[Float32Array, None, None]:
        """Yield the results; see `backend.Backend.enhance_each`."""
        under_way: deque[tuple[Work, list[Future[None]]]] = deque()
        with ThreadPoolExecutor(self._workers, "ferd-fen") as pool:
            try:
                for work in works:
                    under_way.append((work, self._submit(pool, work, check or _nothing)))
                    if len(under_way) > 1:
                        yield _result(*under_way[0])
                        under_way.popleft()
                while under_way:
                    yield _result(*under_way[0])
                    under_way.popleft()
            finally:
                # After an error or an interrupt, jobs that have not begun must not hold up the caller.
                for _, futures in under_way:
                    for future in futures:
                        future.cancel()

    def _core_shape(self, block: Float32Array) -> tuple[int, int]:
        halo_px = self._architecture.halo_px
        return block.shape[0] - 2 * halo_px, block.shape[1] - 2 * halo_px

    def _submit(self, pool: ThreadPoolExecutor, work: Work, check: Callable[[], None]) -> list[Future[None]]:
        """Hand the jobs of a block to the pool, whose threads begin them in the order in which they came."""
        shape = self._core_shape(work.block)
        if work.carry is None:
            jobs = jobs_of_parts(*shape, self._workers)
            return [pool.submit(self._run, work, job, check, None, None) for job in jobs]
        jobs = jobs_of_strips(*shape, self._workers)
        work.carry.state = work.carry.state or [_Strip() for _ in jobs]
        for strip, job in zip(work.carry.state, jobs):
            strip.job = pool.submit(self._run, work, job, check, strip.rows, strip.job)
        return [strip.job for strip in work.carry.state]

    def _run(
        self,
        work: Work,
        job: Job,
        check: Callable[[], None],
        carried: list[Float32Array] | None,
        above: Future[None] | None,
    ) -> None:
        """Compute one job, once the job `above` that fills what it carries is done."""
        if above is not None:
            above.result()
        workspace = self._take(job.n_cols + 2 * self._architecture.halo_px)
        try:
            # Unused pixels at the rows' ends may overflow; so may all with weights that `check_runs` refuses.
            with np.errstate(over="ignore", invalid="ignore"), self._job_context():
                workspace.run(work.block, work.out, job, check, carried)
        finally:
            with self._lock:
                self._spare.append(workspace)

    def _take(self, width: int) -> Workspace:
        with self._lock:
            workspace = self._spare.pop() if self._spare else None
        if workspace is None or workspace.max_width < width:
            # The narrow one is released before the wide one is made.
            del workspace
            workspace = Workspace(self._network, self._bind, width)
        return workspace

    def working_bytes(self, rows: int, cols: int) -> int:
        """Return an upper bound of what `enhance` allocates; see `backend.Backend.working_bytes`."""
        a = self._architecture
        jobs = jobs_of_parts(rows, cols, self._workers)
        width = max(job.n_cols for job in jobs) + 2 * a.halo_px
        # A `Carry` has three rows of each bottleneck, and as many columns as all strips together.
        strips = jobs_of_strips(rows, cols, self._workers)
        carried = 4 * a.bottlenecks * (2 * a.inner + a.outer) * (cols + 2 * a.halo_px * len(strips))
        n_workspaces = min(self._workers, len(jobs))
        return rows * cols * a.n_bands * 4 + carried + n_workspaces * Workspace.working_bytes(a, width)


def _result(work: Work, futures: list[Future[None]]) -> Float32Array:
    """Return the result of a block when all of its jobs are done; raises what one of them raised."""
    for future in futures:
        future.result()
    return work.out


def _nothing() -> None:
    """Check nothing."""
