"""Products that accumulate in place."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.fen import blas

BINDERS = [pytest.param(blas.bind_wrapped, id="wrapped")]
if blas.direct_binder() is not None:
    BINDERS.append(pytest.param(blas.direct_binder(), id="direct"))


def _matrix(n: int, m: int, seed: int) -> blas.Float32Array:
    return np.random.RandomState(seed).normal(size=(n, m)).astype(np.float32)


@pytest.mark.parametrize("bind", BINDERS)
@pytest.mark.parametrize(
    ("n", "k", "m"), [(1, 1, 1), (5, 3, 7), (1, 61, 64), (300, 128, 128), (8, 8, 40001), (6, 8, 16384), (1, 3, 400003)]
)
def test_product_and_accumulation(bind: blas.Binder, n: int, k: int, m: int) -> None:
    a, b, c = _matrix(n, k, 0), _matrix(k, m, 1), _matrix(n, m, 2)
    before = c.astype(np.float64)
    product = a.astype(np.float64) @ b.astype(np.float64)
    bind(a, b, c, True)()
    np.testing.assert_allclose(c, before + product, rtol=0, atol=1e-4)
    # A product does not read its output: NaN in it must vanish.
    c.fill(np.nan)
    step = bind(a, b, c, False)
    step()
    np.testing.assert_allclose(c, product, rtol=0, atol=1e-4)
    a *= 2
    step()
    np.testing.assert_allclose(c, 2 * product, rtol=0, atol=1e-4)


@pytest.mark.parametrize("bind", BINDERS)
def test_unusable_operands_are_refused(bind: blas.Binder) -> None:
    a, b, c = _matrix(4, 3, 0), _matrix(3, 2, 0), _matrix(4, 2, 0)
    with pytest.raises(ValueError, match="make no product"):
        bind(a, b[:2], c, False)
    with pytest.raises(ValueError, match="make no product"):
        bind(a[:0], b, c[:0], False)
    with pytest.raises(ValueError, match="contiguous"):
        bind(np.asfortranarray(a), b, c, False)
    with pytest.raises(ValueError, match="contiguous"):
        bind(a.astype(np.float64), b, c, False)  # type: ignore[arg-type]


@pytest.mark.parametrize("bind", BINDERS)
def test_operands_live_as_long_as_the_product(bind: blas.Binder) -> None:
    c = np.zeros((200, 200), np.float32)
    step = bind(np.ones((200, 300), np.float32), np.ones((300, 200), np.float32), c, False)
    # Fresh arrays of the same sizes would take the operands' memory if nothing held it.
    clutter = [np.full((200, 300), 7, np.float32) for _ in range(20)]
    step()
    assert (c == 300).all()
    assert len(clutter) == 20
