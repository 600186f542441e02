"""Detectors through torch, on its CPU device: the same scores as by LAPACK, and the options that lead there."""

from __future__ import annotations

import sys
from typing import Any, cast

import numpy as np
import pytest

from ferd_engine import accelerator as accelerator_module
from ferd_engine import detect
from ferd_engine.accelerator import Accelerator, open_accelerator
from ferd_engine.context import RunContext
from ferd_engine.detectors import DETECTORS, make_detector
from ferd_engine.errors import MissingPackageError, RunError, UsageError
from ferd_engine.statistics import Moments

from .arrays import ArraySink, cube_of, moments_of, naive_grx, scene
from .test_crd import naive_crd
from .test_lrx import naive_lrx
from .test_slrx import naive_slrx

torch = pytest.importorskip("torch")

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(params=DEVICES)
def context(request: pytest.FixtureRequest) -> RunContext:
    from ferd_engine.torch_accelerator import TorchAccelerator

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    return RunContext(accelerator=TorchAccelerator(request.param))


def run(name: str, array: np.ndarray, context: RunContext, **options: object) -> np.ndarray:
    moments = Moments(array.shape[2], context.accelerator)
    pixels = array.reshape(-1, array.shape[2])
    moments.add(pixels[~np.isnan(pixels[:, 0])])
    sink = ArraySink(*array.shape[:2])
    make_detector(name, **options).score(cube_of(array), moments, sink, context)
    assert (sink.written == 1).all()
    return sink.scores


@pytest.mark.parametrize(("shape", "holes"), [((17, 24, 8), 0.0), ((31, 13, 40), 0.2), ((9, 5, 60), 0.1)])
def test_grx(shape: tuple[int, int, int], holes: float, context: RunContext) -> None:
    array = scene(*shape, holes=holes)
    np.testing.assert_allclose(run("grx", array, context), naive_grx(array), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("covariance", ["ledoit-wolf", "oas", "pca:3", "trimmed:5"])
def test_grx_covariances_are_those_of_the_processor(covariance: str, context: RunContext) -> None:
    array = scene(23, 34, 9, holes=0.1)
    expected = run("grx", array, RunContext(), covariance=covariance)
    np.testing.assert_allclose(run("grx", array, context, covariance=covariance), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "block", "holes"),
    [((18, 23, 40), 2, 0.0), ((18, 23, 40), 2, 0.3), ((23, 34, 6), 7, 0.1), ((10, 11, 5), 20, 0.0)],
)
def test_slrx(shape: tuple[int, int, int], block: int, holes: float, context: RunContext) -> None:
    array = scene(*shape, holes=holes)
    expected = naive_slrx(array, block)
    scores = run("slrx", array, context, block=block)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6 * np.nanmax(expected))


@pytest.mark.parametrize("kind", ["empirical", "ledoit-wolf", "oas"])
@pytest.mark.parametrize(
    ("shape", "inner", "outer", "holes"),
    [((17, 24, 8), 3, 9, 0.0), ((17, 24, 8), 1, 7, 0.2), ((6, 40, 4), 3, 11, 0.0), ((40, 5, 4), 3, 11, 0.1)],
)
def test_lrx(kind: str, shape: tuple[int, int, int], inner: int, outer: int, holes: float, context: RunContext) -> None:
    array = scene(*shape, seed=inner, holes=holes)
    scores = run("lrx", array, context, inner=inner, outer=outer, covariance=kind)
    np.testing.assert_allclose(scores, naive_lrx(array, inner, outer, kind), rtol=1e-6)


def test_lrx_where_rings_are_short_of_rank_or_lonely(context: RunContext) -> None:
    array = scene(20, 26, 4)
    array[:12, :14] = array[0, 0]
    array[12:, 16:] = np.nan
    array[17, 22] = 300.0
    options = {"inner": 3, "outer": 7, "covariance": "empirical"}
    there, here = context, RunContext()
    np.testing.assert_allclose(run("lrx", array, there, **options), run("lrx", array, here, **options), rtol=1e-6)
    assert there.warnings == here.warnings != []


def test_lrx_beside_a_hot_pixel(context: RunContext) -> None:
    array = scene(25, 31, 6)
    array[9, 20] *= np.float32(1e6)
    options = {"inner": 3, "outer": 9, "covariance": "empirical"}
    np.testing.assert_allclose(
        run("lrx", array, context, **options), run("lrx", array, RunContext(), **options), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("shape", "inner", "outer", "holes"),
    [((17, 24, 30), 3, 7, 0.0), ((17, 24, 30), 1, 5, 0.3), ((5, 40, 60), 3, 9, 0.1), ((19, 8, 12), 5, 11, 0.0)],
)
def test_crd(shape: tuple[int, int, int], inner: int, outer: int, holes: float, context: RunContext) -> None:
    array = scene(*shape, holes=holes)
    expected = naive_crd(array, inner, outer)
    scores = run("crd", array, context, inner=inner, outer=outer)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6 * np.nanmax(expected))


def test_crd_of_a_pixel_without_a_ring_and_in_small_batches(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferd_engine.torch_accelerator._BATCH_BYTES", 100_000)
    array = scene(20, 21, 25)
    array[:9, :9] = np.nan
    array[3, 3] = scene(1, 1, 25, seed=3)[0, 0]
    expected = run("crd", array, RunContext(), inner=3, outer=5)
    np.testing.assert_allclose(run("crd", array, context, inner=3, outer=5), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("utd", {}),
        ("rxd-utd", {"covariance": "pca:5"}),
        ("qlrx", {"inner": 3, "outer": 9}),
        ("aed", {"inner": 3}),
    ],
)
def test_detectors_that_give_it_their_products(name: str, options: dict[str, Any], context: RunContext) -> None:
    array = scene(23, 34, 9, holes=0.1)
    expected = run(name, array, RunContext(), **options)
    scores = run(name, array, context, **options)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6 * np.nanstd(expected))


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_detector_uses_it(name: str, monkeypatch: pytest.MonkeyPatch, context: RunContext) -> None:
    """Beyond the moments, which are made before."""
    used = []

    class Watched:
        def __getattr__(self, called: str) -> Any:
            used.append(called)
            return getattr(context.accelerator, called)

    watched = RunContext(accelerator=cast("Accelerator", Watched()))
    array, sink = scene(40, 31, 6), ArraySink(40, 31)
    detector = make_detector(name, **({"components": "raw:grx"} if name == "fusion" else {}))
    detector.score(cube_of(array), moments_of(array), sink, watched)
    assert used


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments(offset: float, context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferd_engine.statistics._DEVICE_VALUES", 500)
    pixels = scene(40, 17, 12).reshape(-1, 12).astype(np.float64) + offset
    pixels[:, 3] = 7.25
    moments = Moments(12, context.accelerator)
    moments.add(pixels[:1])
    moments.add(pixels[:0])
    moments.add(pixels[1:])
    np.testing.assert_allclose(moments.mean, pixels.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(moments.covariance(), np.cov(pixels.T), rtol=1e-9, atol=1e-7)
    assert (moments.covariance()[3] == 0.0).all()
    assert moments.count == len(pixels)
    np.testing.assert_array_equal(moments.maximum, pixels.max(axis=0))


def test_a_fusion_in_one_run(context: RunContext) -> None:
    array = scene(23, 34, 6)
    options = {"components": "raw:grx,raw:lrx:oas", "inner": 3, "outer": 9}
    expected = run("fusion", array, RunContext(), **options)
    np.testing.assert_allclose(run("fusion", array, context, **options), expected, rtol=1e-6, atol=1e-6)


def test_a_full_gpu_is_told(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    monkeypatch.setattr(context.accelerator, "_there", full)
    with pytest.raises(RunError, match="use --device cpu"):
        run("grx", scene(12, 11, 3), context)


def test_values_that_are_not_finite_are_told(context: RunContext) -> None:
    assert context.accelerator is not None
    with pytest.raises(RunError, match="not positive definite"):
        context.accelerator.own_squared(np.full((2, 3, 5), np.inf), np.ones((2, 3), dtype=bool), 1e-6)


def test_without_a_gpu_the_processor_does_it() -> None:
    assert open_accelerator("numpy", "auto") is None
    assert open_accelerator("torch", "cpu") is None
    if not torch.cuda.is_available():
        assert open_accelerator("auto", "auto") is None
        assert open_accelerator("torch", "auto") is None


def test_a_device_that_is_not_there_is_refused_with_and_without_enhancement() -> None:
    cube = scene(12, 11, 6)
    with pytest.raises(UsageError, match="numpy backend has no device cuda"):
        detect(cube, enhance=False, backend="numpy", device="cuda")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no CUDA device"):
            detect(cube, enhance=False, device="cuda")


def test_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(accelerator_module, "_driver_found", lambda: True)
    assert open_accelerator() is None
    with pytest.raises(MissingPackageError, match="pip install"):
        open_accelerator(device="cuda")


def test_options_lead_to_the_gpu(monkeypatch: pytest.MonkeyPatch, context: RunContext) -> None:
    used = []

    def opened(backend: str, device: str) -> object:
        used.append((backend, device))
        return context.accelerator

    monkeypatch.setattr("ferd_engine.pipeline.open_accelerator", opened)
    array = scene(23, 34, 6)
    scores = detect(array, enhance=False, detector="lrx", inner=3, outer=9, covariance="empirical", backend="torch")
    assert used == [("torch", "auto")]
    np.testing.assert_allclose(scores, naive_lrx(array, 3, 9, "empirical"), rtol=1e-6)
