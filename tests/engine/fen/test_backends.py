"""Both backends against the network by definition, for any shape, block size and number of threads."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferd_engine.errors import MissingPackageError, RunError, UsageError
from ferd_engine.fen import backend as backend_module
from ferd_engine.fen import blas, engine, jobs
from ferd_engine.fen.backend import Carry, Work, open_backend
from ferd_engine.fen.bundle import Model
from ferd_engine.fen.network import Architecture
from ferd_engine.fen.numpy_backend import NumpyBackend
from ferd_engine.fen.torch_tiles import TorchTiles
from ferd_engine.windows import tiles
from tests.engine.fen.reference import enhanced, mirrored, random_image, random_weights, relative_difference

ROOT = Path(__file__).resolve().parents[3]
TOLERANCE = 3e-5
NAMES = ["numpy", "torch"]


def _open(name: str, architecture: Architecture, weights: dict[str, Any], threads: int | None = None) -> Any:
    if name == "torch":
        pytest.importorskip("torch")
    model = Model("test", architecture, weights)
    return open_backend(model, name, "cpu", threads)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (9, 9), (37, 20), (2, 60), (100, 37)])
@pytest.mark.parametrize("n_bands", [50, 61, 100, 177, 200])
def test_equals_the_definition(name: str, shape: tuple[int, int], n_bands: int) -> None:
    architecture = Architecture(n_bands)
    weights = random_weights(architecture, n_bands)
    image = random_image(*shape, n_bands)
    block = mirrored(image, architecture.halo_px)
    untouched = block.copy()
    found = _open(name, architecture, weights).enhance(block)
    assert found.dtype == np.float32
    assert np.array_equal(block, untouched)
    assert relative_difference(found, enhanced(image, weights, 3)) < TOLERANCE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bottlenecks", [1, 2, 3, 4])
@pytest.mark.parametrize("n_rows", [1, 2, 5, 12, 31])
def test_any_depth_and_any_number_of_rows(name: str, bottlenecks: int, n_rows: int) -> None:
    architecture = Architecture(9, bottlenecks, entry=5, inner=6, outer=11, hidden=7)
    weights = random_weights(architecture, bottlenecks)
    image = random_image(n_rows, 13, 9)
    found = _open(name, architecture, weights).enhance(mirrored(image, architecture.halo_px))
    assert relative_difference(found, enhanced(image, weights, bottlenecks)) < TOLERANCE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tile", [(1, 100), (4, 33), (37, 1), (7, 11), (29, 64), (37, 100)])
def test_block_size_changes_nothing(name: str, tile: tuple[int, int]) -> None:
    architecture = Architecture(12, entry=16, inner=24, outer=32, hidden=20)
    weights = random_weights(architecture, 5)
    image = random_image(37, 100, 12)
    halo_px = architecture.halo_px
    padded = mirrored(image, halo_px)
    backend = _open(name, architecture, weights)
    result = np.full_like(image, np.nan)
    for window in tiles(37, 100, *tile):
        rows = slice(window.row_start, window.row_stop + 2 * halo_px)
        cols = slice(window.col_start, window.col_stop + 2 * halo_px)
        block = np.ascontiguousarray(padded[rows, cols])
        result[window.row_start : window.row_stop, window.col_start : window.col_stop] = backend.enhance(block)
    assert relative_difference(result, enhanced(image, weights, 3)) < TOLERANCE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("heights", [(1,) * 12, (2, 1, 9), (3, 4, 5), (4, 4, 4), (8, 3, 1), (12,)])
@pytest.mark.parametrize("ahead", [False, True])
def test_blocks_that_carry_on_from_the_one_above_change_nothing(
    name: str, threads: int, heights: tuple[int, ...], ahead: bool
) -> None:
    architecture = Architecture(6, entry=8, inner=8, outer=16, hidden=8)
    weights = random_weights(architecture, 1)
    image = random_image(sum(heights), 301, 6)
    padded = mirrored(image, architecture.halo_px)
    backend = _open(name, architecture, weights, threads)
    # Two images in turn: what one carries does not show in the other.
    for _ in range(2):
        carry, row, works = Carry(), 0, []
        for height in heights:
            block = padded[row : row + height + 2 * architecture.halo_px]
            works.append(Work(block, np.empty((height, 301, 6), np.float32), carry))
            row += height
        if ahead:
            found = list(backend.enhance_each(works))
        else:
            found = [backend.enhance(*work[:2], carry=carry) for work in works]
        assert relative_difference(np.concatenate(found), enhanced(image, weights, 3)) < TOLERANCE


@pytest.mark.parametrize(("cols", "n_strips"), [(40, 1), (300, 2)])
def test_blocks_that_carry_on_compute_no_row_twice(cols: int, n_strips: int, monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = Architecture(6, entry=8, inner=8, outer=16, hidden=8)
    entered: list[tuple[int, ...]] = []
    enter = engine.Workspace._enter
    monkeypatch.setattr(
        engine.Workspace, "_enter", lambda self, rows: entered.append(rows.shape[:2]) or enter(self, rows)
    )
    padded = mirrored(random_image(50, cols, 6), 3)
    backend = NumpyBackend(architecture, random_weights(architecture, 1), threads=2)
    carry = Carry()
    for row in range(0, 50, 10):
        backend.enhance(padded[row : row + 16], carry=carry)
    assert sum(rows * width for rows, width in entered) == (50 + 6) * (cols + 6 * n_strips)


@pytest.mark.parametrize("name", NAMES)
def test_images_wider_than_a_strip(name: str) -> None:
    architecture = Architecture(6, entry=8, inner=8, outer=16, hidden=8)
    weights = random_weights(architecture, 1)
    image = random_image(70, 2 * jobs.STRIP_COLS + 5, 6)
    found = _open(name, architecture, weights).enhance(mirrored(image, architecture.halo_px))
    assert relative_difference(found, enhanced(image, weights, 3)) < TOLERANCE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_number_of_threads_changes_nothing(name: str, threads: int) -> None:
    architecture = Architecture(10, entry=8, inner=8, outer=16, hidden=8)
    weights = random_weights(architecture, 1)
    image = random_image(150, 40, 10)
    found = _open(name, architecture, weights, threads).enhance(mirrored(image, architecture.halo_px))
    assert relative_difference(found, enhanced(image, weights, 3)) < TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_buffers_of_one_call_do_not_show_in_the_next(name: str) -> None:
    architecture = Architecture(7, entry=8, inner=8, outer=16, hidden=8)
    weights = random_weights(architecture, 2)
    used = _open(name, architecture, weights, 1)
    for shape in [(9, 31), (40, 12), (1, 1), (6, 50), (9, 31)]:
        block = mirrored(random_image(*shape, 7, seed=shape[1]), architecture.halo_px)
        fresh = _open(name, architecture, weights, 1)
        assert np.array_equal(used.enhance(block), fresh.enhance(block))


def test_concurrent_calls_of_one_backend_do_not_mix() -> None:
    architecture = Architecture(7, entry=8, inner=8, outer=16, hidden=8)
    backend = NumpyBackend(architecture, random_weights(architecture, 2), threads=2)
    blocks = [mirrored(random_image(60 + 7 * i, 40, 7, seed=i), 3) for i in range(4)]
    alone = [backend.enhance(block) for block in blocks]
    together: list[Any] = [None] * 4

    def work(index: int) -> None:
        for _ in range(5):
            together[index] = backend.enhance(blocks[index])

    workers = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(np.array_equal(a, b) for a, b in zip(alone, together))


def test_an_error_in_a_job_reaches_the_caller_and_leaves_the_backend_usable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    architecture = Architecture(7, entry=8, inner=8, outer=16, hidden=8)
    backend = NumpyBackend(architecture, random_weights(architecture, 2), threads=2)
    block = mirrored(random_image(64, 40, 7), 3)
    before = backend.enhance(block)
    with monkeypatch.context() as patch:

        def fail(*_: Any) -> None:
            raise MemoryError

        patch.setattr(engine.Workspace, "run", fail)
        with pytest.raises(MemoryError):
            backend.enhance(block)
    assert np.array_equal(backend.enhance(block), before)


def _works(n: int, cols: int) -> list[Work]:
    carry = Carry()
    return [Work(np.zeros((14, cols + 6, 7), np.float32), np.empty((8, cols, 7), np.float32), carry) for _ in range(n)]


def test_the_next_block_is_begun_while_a_strip_of_the_last_one_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = Architecture(7, entry=8, inner=8, outer=16, hidden=8)
    backend = NumpyBackend(architecture, random_weights(architecture, 2), threads=2)
    works = _works(2, 3 * jobs.STRIP_COLS)
    second, begun = works[1].block, threading.Event()
    ran: list[tuple[int, int]] = []

    def run(self: Any, block: Any, out: Any, job: Any, check: Any, carried: Any) -> None:
        if block is second:
            begun.set()
        elif job.col + job.n_cols == out.shape[1]:
            # The other thread ends the three other strips and goes on to the next block.
            assert begun.wait(60)
        ran.append((0 if block is not second else 1, job.col))

    monkeypatch.setattr(engine.Workspace, "run", run)
    for _ in backend.enhance_each(works):
        pass
    cols = sorted({col for _, col in ran})
    assert len(cols) == 4
    assert len(ran) == 8
    assert all(ran.index((0, col)) < ran.index((1, col)) for col in cols)


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_in_one_of_several_blocks_ends_the_others(failing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = Architecture(7, entry=8, inner=8, outer=16, hidden=8)
    backend = NumpyBackend(architecture, random_weights(architecture, 2), threads=2)
    works = _works(4, 40)

    def run(self: Any, block: Any, *_: Any) -> None:
        if block is works[failing].block:
            raise MemoryError

    monkeypatch.setattr(engine.Workspace, "run", run)
    results = backend.enhance_each(works)
    for _ in range(failing):
        next(results)
    with pytest.raises(MemoryError):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ferd-fen")]


def test_after_an_error_jobs_of_the_last_block_that_have_not_begun_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = Architecture(7, entry=8, inner=8, outer=16, hidden=8)
    backend = NumpyBackend(architecture, random_weights(architecture, 2), threads=1)
    (work,) = _works(1, 8 * jobs.STRIP_COLS)
    begun: list[int] = []

    def run(self: Any, block: Any, out: Any, job: Any, *_: Any) -> None:
        begun.append(job.col)
        if not job.col:
            raise MemoryError
        # Time for the caller to see the error.
        time.sleep(0.2)

    monkeypatch.setattr(engine.Workspace, "run", run)
    with pytest.raises(MemoryError):
        next(backend.enhance_each([work]))
    assert len(begun) < 8


@pytest.mark.parametrize("shape", [(40, 30), (3, 7), (129, 70)])
def test_without_a_direct_product_the_wrapper_does_the_work(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(blas, "direct_binder", lambda: None)
    architecture = Architecture(50)
    weights = random_weights(architecture, 4)
    image = random_image(*shape, 50)
    with caplog.at_level(logging.WARNING, "ferd"):
        backend = NumpyBackend(architecture, weights, threads=2)
    assert "threads" in caplog.text
    assert "BLAS's own threads" in backend.describe()
    assert relative_difference(backend.enhance(mirrored(image, 3)), enhanced(image, weights, 3)) < TOLERANCE


@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("shape", "n_bands"), [((1, 1), 50), ((64, 64), 50), ((30, 300), 200), ((100, 700), 100)])
def test_working_bytes_bound_what_numpy_allocates(
    shape: tuple[int, int], n_bands: int, threads: int, carried: bool
) -> None:
    architecture = Architecture(n_bands)
    backend = NumpyBackend(architecture, random_weights(architecture, 0), threads=threads)
    block = mirrored(random_image(*shape, n_bands), 3)
    gc.collect()
    tracemalloc.start()
    try:
        backend.enhance(block, carry=Carry() if carried else None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    bound = backend.working_bytes(*shape)
    assert peak <= bound
    # A bound far above the truth would make the pipeline's blocks needlessly small.
    assert carried or bound <= 1.5 * peak + (1 << 20)


@pytest.mark.parametrize("name", NAMES)
def test_working_bytes_bound_what_the_process_grows_by(name: str) -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system does not tell a process's peak memory")
    if name == "torch":
        pytest.importorskip("torch")
    code = f"""
from pathlib import Path
import numpy as np
from ferd_engine.fen.backend import Carry, Work, open_backend
from ferd_engine.fen.bundle import Model
from ferd_engine.fen.network import Architecture, untrained_weights
architecture = Architecture(200)
backend = open_backend(Model("test", architecture, untrained_weights(architecture, 0)), "{name}", "cpu", 2)
block = np.full((306, 406, 200), 0.01, np.float32)
def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key + ":"))
# The first products bring in code of the libraries, as much on one machine as on another, which is no part of a block.
backend.enhance(block[:14, :14].copy())
# "5" sets the peak back to what is in use now.
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
backend.enhance(block)
print(status("VmHWM") - before, backend.working_bytes(300, 400))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    grown, bound = (int(value) for value in done.stdout.split())
    assert 300 * 400 * 200 * 4 * 0.9 < grown <= bound


def test_describe_names_library_and_threads() -> None:
    architecture = Architecture(8, entry=4, inner=4, outer=4, hidden=4)
    weights = random_weights(architecture, 0)
    assert "numpy" in _open("numpy", architecture, weights).describe()
    assert "3 threads" in _open("torch", architecture, weights, 3).describe()


class TestChoice:
    """Which backend `open_backend` takes, and what it refuses."""

    model = Model("test", Architecture(8, entry=4, inner=4, outer=4, hidden=4), {})

    @pytest.fixture(autouse=True)
    def _weights(self) -> None:
        weights = random_weights(self.model.architecture, 0)
        self.model = Model("test", self.model.architecture, weights)

    def test_auto_takes_torch_where_it_is(self) -> None:
        pytest.importorskip("torch")
        assert open_backend(self.model).name == "torch"

    def test_auto_takes_numpy_without_torch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(backend_module, "torch_installed", lambda: False)
        assert open_backend(self.model).name == "numpy"

    def test_torch_without_torch_says_how_to_add_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(backend_module, "torch_installed", lambda: False)
        with pytest.raises(MissingPackageError, match="pip install"):
            open_backend(self.model, "torch")
        with pytest.raises(MissingPackageError, match="cuda needs the package torch"):
            open_backend(self.model, "auto", "cuda")

    def test_unfitting_options_are_refused(self) -> None:
        with pytest.raises(UsageError, match="backend 'jax'"):
            open_backend(self.model, "jax")
        with pytest.raises(UsageError, match="device 'tpu'"):
            open_backend(self.model, device="tpu")
        with pytest.raises(UsageError, match="threads is 0"):
            open_backend(self.model, threads=0)
        with pytest.raises(UsageError, match="numpy backend has no device cuda"):
            open_backend(self.model, "numpy", "cuda")

    def test_cuda_without_a_device_is_refused(self) -> None:
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("this machine has a CUDA device")
        with pytest.raises(UsageError, match="no CUDA device"):
            open_backend(self.model, "torch", "cuda")


class TestTorch:
    """What only the torch backend does."""

    architecture = Architecture(8, entry=4, inner=4, outer=4, hidden=4)

    @pytest.fixture(autouse=True)
    def _torch(self) -> None:
        self.torch = pytest.importorskip("torch")

    def test_settings_are_left_as_they_were(self) -> None:
        before = self.torch.get_num_threads()
        backend = _open("torch", self.architecture, random_weights(self.architecture, 0), before + 1)
        backend.enhance(np.zeros((7, 7, 8), np.float32))
        assert self.torch.get_num_threads() == before
        assert self.torch.is_grad_enabled()

    @pytest.mark.parametrize("tile_pixels", [1, 50, 300, 1 << 20])
    @pytest.mark.parametrize("shape", [(1, 1), (3, 7), (37, 20), (5, 90)])
    def test_tiles_equal_the_definition(self, shape: tuple[int, int], tile_pixels: int) -> None:
        weights = random_weights(self.architecture, 0)
        image = random_image(*shape, 8)
        tiled = TorchTiles(self.architecture, weights, self.torch.device("cpu"), tile_pixels)
        assert relative_difference(tiled.enhance(mirrored(image, 3)), enhanced(image, weights, 3)) < TOLERANCE

    @pytest.mark.parametrize("bottlenecks", [1, 2, 3, 4])
    def test_tiles_of_any_depth(self, bottlenecks: int) -> None:
        architecture = Architecture(61, bottlenecks)
        weights = random_weights(architecture, 0)
        image = random_image(12, 9, 61)
        tiled = TorchTiles(architecture, weights, self.torch.device("cpu"), 40)
        found = tiled.enhance(mirrored(image, bottlenecks))
        assert relative_difference(found, enhanced(image, weights, bottlenecks)) < TOLERANCE

    def test_out_of_gpu_memory_halves_the_rows(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        weights = random_weights(self.architecture, 0)
        tiled = TorchTiles(self.architecture, weights, self.torch.device("cpu"), 1 << 20)
        forward, sizes = tiled._forward, []

        def limited(x: Any) -> Any:
            sizes.append(x.shape[0] - 6)
            if sizes[-1] > 5:
                raise self.torch.cuda.OutOfMemoryError("CUDA out of memory")
            return forward(x)

        monkeypatch.setattr(tiled, "_forward", limited)
        image = random_image(19, 6, 8)
        with caplog.at_level(logging.WARNING, "ferd"):
            found = tiled.enhance(mirrored(image, 3))
        assert sizes == [19, 10, 5, 5, 9, 5, 4]
        assert "Out of GPU memory" in caplog.text
        assert relative_difference(found, enhanced(image, weights, 3)) < TOLERANCE

    def test_out_of_gpu_memory_for_one_row_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        weights = random_weights(self.architecture, 0)
        tiled = TorchTiles(self.architecture, weights, self.torch.device("cpu"), 1 << 20)

        def never(x: Any) -> Any:
            raise self.torch.cuda.OutOfMemoryError("CUDA out of memory")

        monkeypatch.setattr(tiled, "_forward", never)
        with pytest.raises(RunError, match="--device cpu"):
            tiled.enhance(mirrored(random_image(4, 6, 8), 3))

    @pytest.mark.gpu
    def test_cuda_equals_the_definition(self) -> None:
        if not self.torch.cuda.is_available():
            pytest.skip("no CUDA device")
        architecture = Architecture(200)
        weights = random_weights(architecture, 0)
        image = random_image(37, 50, 200)
        backend = open_backend(Model("test", architecture, weights), "torch", "cuda")
        assert relative_difference(backend.enhance(mirrored(image, 3)), enhanced(image, weights, 3)) < TOLERANCE
