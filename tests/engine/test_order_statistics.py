"""Order statistics in two passes, against a sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from ferd_engine.order_statistics import kth_smallest


@given(
    st_numpy.arrays(np.float32, st.integers(1, 60), elements=st.floats(width=32, allow_nan=False)),
    st.integers(1, 7),
    st.data(),
)
def test_the_kth_smallest_is_that_of_a_sort(values: np.ndarray, n_parts: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(values)))
    assert kth_smallest(lambda: np.array_split(values, n_parts), k) == np.sort(values)[k - 1]


def test_nan_are_passed_over() -> None:
    values = np.array([np.nan, 2.0, -np.inf, np.nan, 1.0], dtype=np.float32)
    assert kth_smallest(lambda: [values], 2) == 1.0
    with pytest.raises(ValueError, match="The 4-th of 3 values"):
        kth_smallest(lambda: [values], 4)


def test_equal_values() -> None:
    values = np.array([[0.0, -0.0], [0.0, 3.0]], dtype=np.float32)
    assert [kth_smallest(lambda: [values], k) for k in (1, 2, 3, 4)] == [0.0, 0.0, 0.0, 3.0]
