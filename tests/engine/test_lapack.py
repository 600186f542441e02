"""Row-major BLAS and LAPACK against numpy, through the published addresses and through scipy's wrappers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.linalg import cython_blas

from ferd_engine import lapack
from ferd_engine.published import published_routine

ROUTINES = ("_syrk", "_syr", "_syr2k", "_trmm", "_trsm", "_potrf", "_gemm")


@pytest.fixture(params=["published", "wrapped"])
def _path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "wrapped":
        for name in ROUTINES:
            monkeypatch.setattr(lapack, name, None)
    assert lapack.runs_unlocked() == (request.param == "published")


def positive_definite(n: int) -> np.ndarray:
    rows = np.random.default_rng(n).standard_normal((3 * n, n))
    return rows.T @ rows


@pytest.mark.usefixtures("_path")
def test_gram_matrices() -> None:
    rows = np.random.default_rng(0).standard_normal((7, 5))
    gram = np.full((5, 5), 2.0)
    lapack.add_gram(rows, gram)
    np.testing.assert_allclose(np.triu(gram), np.triu(rows.T @ rows + 2.0), rtol=1e-13, atol=1e-14)
    assert (gram[np.tril_indices(5, -1)] == 2.0).all()
    before = gram.copy()
    lapack.add_gram(rows[5:], gram, leaving=True)
    np.testing.assert_allclose(gram, before - np.triu(rows[5:].T @ rows[5:]), rtol=1e-13, atol=1e-13)
    gram = np.full((7, 7), np.nan)
    lapack.row_gram(rows, gram)
    np.testing.assert_allclose(gram[np.triu_indices(7)], (rows @ rows.T)[np.triu_indices(7)], rtol=1e-13, atol=1e-14)


@pytest.mark.usefixtures("_path")
def test_differences_of_gram_matrices() -> None:
    rng = np.random.default_rng(4)
    entering, leaving = rng.standard_normal((2, 3, 4, 5))
    leaving[:, 2] = entering[:, 2]
    before = np.triu(rng.standard_normal((3, 5, 5)))
    expected = before + np.triu(entering.swapaxes(1, 2) @ entering - leaving.swapaxes(1, 2) @ leaving)
    gram = before.copy()
    lapack.add_gram_differences(entering.copy(), leaving.copy(), gram)
    np.testing.assert_allclose(gram, expected, rtol=1e-13, atol=1e-13)
    gram = before.copy()
    lapack.add_gram_differences(entering.copy(), entering.copy(), gram)
    np.testing.assert_array_equal(gram, before)


@pytest.mark.usefixtures("_path")
def test_products() -> None:
    rng = np.random.default_rng(2)
    left, right = rng.standard_normal((4, 7)), rng.standard_normal((9, 7))
    np.testing.assert_allclose(lapack.row_products(left, right), left @ right.T, rtol=1e-13, atol=1e-14)
    assert lapack.row_products(left[:0], right).shape == (0, 9)
    np.testing.assert_allclose(lapack.combinations(left, right[:7]), left @ right[:7], rtol=1e-13, atol=1e-14)
    assert lapack.combinations(left[:0], right[:7]).shape == (0, 7)


@pytest.mark.usefixtures("_path")
def test_products_with_a_moving_window() -> None:
    rng = np.random.default_rng(5)
    blocks, windows = rng.standard_normal((4, 3, 7)), rng.standard_normal((5, 3, 7))
    products = np.full((4, 10, 3), 2.0)
    lapack.window_products(blocks, windows, products, 2)
    for block, first, second, stored in zip(blocks, windows, windows[1:], products):
        np.testing.assert_allclose(stored[2:8], np.concatenate([first, second]) @ block.T, rtol=1e-13, atol=1e-14)
    assert (products[:, [0, 1, 8, 9]] == 2.0).all()


@pytest.mark.usefixtures("_path")
def test_cholesky_and_solve() -> None:
    matrix = positive_definite(6)
    factor = np.triu(matrix)
    assert lapack.cholesky(factor)
    np.testing.assert_allclose(np.triu(factor).T @ np.triu(factor), matrix, rtol=1e-12, atol=1e-12)
    rows = np.random.default_rng(1).standard_normal((4, 6))
    solved = rows.copy()
    lapack.solve_rows(factor, solved)
    reference = np.einsum("ij,jk,ik->i", rows, np.linalg.inv(matrix), rows)
    np.testing.assert_allclose((solved**2).sum(axis=1), reference, rtol=1e-12)
    lapack.solve_rows(factor, solved, back=True)
    np.testing.assert_allclose(solved, rows @ np.linalg.inv(matrix), rtol=1e-11, atol=1e-13)
    product = rows.copy()
    lapack.multiply_rows(product, factor)
    np.testing.assert_allclose(product, rows @ np.triu(factor), rtol=1e-13, atol=1e-13)


@pytest.mark.usefixtures("_path")
def test_stacks_are_their_matrices() -> None:
    rng = np.random.default_rng(3)
    left, right = rng.standard_normal((2, 3, 4, 6)), rng.standard_normal((2, 3, 5, 6))
    np.testing.assert_allclose(lapack.row_products(left, right), left @ right.swapaxes(2, 3), rtol=1e-13, atol=1e-14)
    grams = np.zeros((2, 3, 4, 4))
    lapack.row_gram(left, grams)
    np.testing.assert_allclose(grams, np.triu(left @ left.swapaxes(2, 3)), rtol=1e-13, atol=1e-14)
    rows = rng.standard_normal((2, 3, 7, 4))
    reference = np.einsum("xyki,xyij,xykj->xyk", rows, np.linalg.inv(left @ left.swapaxes(2, 3)), rows)
    assert lapack.cholesky(grams)
    lapack.solve_rows(grams, rows)
    np.testing.assert_allclose((rows**2).sum(axis=3), reference, rtol=1e-10)
    assert not lapack.cholesky(np.stack([np.eye(2), -np.eye(2), np.eye(2)]))
    assert lapack.row_products(left[:0], right[:0]).shape == (0, 3, 4, 5)


@pytest.mark.usefixtures("_path")
def test_an_indefinite_matrix_is_told() -> None:
    assert not lapack.cholesky(np.diag([1.0, -1.0, 2.0]))


def test_other_layouts_are_refused() -> None:
    with pytest.raises(ValueError, match="C-contiguous float64"):
        lapack.cholesky(np.asfortranarray(positive_definite(3)[:, ::-1].copy().T[:, ::-1]))
    with pytest.raises(ValueError, match="C-contiguous float64"):
        lapack.add_gram(np.ones((4, 3), dtype=np.float32), np.zeros((3, 3)))


def test_another_signature_is_not_called() -> None:
    assert published_routine(cython_blas, "dsyrk", "cciiddidd") is None
    assert published_routine(cython_blas, "ssyrk", "cciiddiddi") is None
    assert published_routine(cython_blas, "no_such_routine", "i") is None


def test_threads_factor_different_matrices_at_once() -> None:
    matrices = [positive_definite(40) + i * np.eye(40) for i in range(200)]
    factors = [np.triu(matrix) for matrix in matrices]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lapack.cholesky, factors))
    for matrix, factor in zip(matrices, factors):
        np.testing.assert_allclose(np.triu(factor).T @ np.triu(factor), matrix, rtol=1e-10, atol=1e-10)
