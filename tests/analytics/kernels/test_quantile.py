import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive.kpis import naive_block_means, naive_quantile

from analytics.kernels.quantile import block_means, quantile, quantile_range

number = st.one_of(st.just(math.nan), st.floats(-100, 100))


@given(st.lists(number, max_size=30), st.floats(0, 1))
def test_quantile_leaves_missing_values_out(values: list[float], q: float) -> None:
    assert quantile(np.array(values), q) == pytest.approx(naive_quantile(values, q), nan_ok=True, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 3_000), number, st.sampled_from([0.0, 1.0, 2.5])), max_size=40))
def test_block_means(rows: list[tuple[int, float, float]]) -> None:
    rows.sort(key=lambda r: r[0])
    times, values, weights = (list(c) for c in zip(*rows, strict=True)) if rows else ([], [], [])
    found = block_means(np.array(times, np.int64), np.array(values, float), np.array(weights, float), 500)
    expected = naive_block_means(times, values, weights, 500)
    assert found[0].tolist() == [e[0] for e in expected]
    assert found[1] == pytest.approx([e[1] for e in expected], abs=1e-9)
    assert found[2] == pytest.approx([e[2] for e in expected])


def test_range_holds_the_true_quantile_about_19_times_in_20() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(400):
        low, high = quantile_range(rng.random(60), 0.1)
        hits += low <= 0.1 <= high
    assert hits / 400 > 0.92
