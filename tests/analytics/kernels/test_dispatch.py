import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import air as naive
from naive.dispatch import Bounds, naive_dispatch

from analytics.kernels.dispatch import Curves, best_choice, choice_of, convex_slopes, greedy_choice


def curves(*machines: tuple[float, list[float]]) -> Curves:
    """Return machines of (idle kW, slope of each m3/min)."""
    k = max(len(s) for _, s in machines)
    width = np.array([[1.0] * len(s) + [0.0] * (k - len(s)) for _, s in machines])
    slope = np.array([s + [s[-1]] * (k - len(s)) for _, s in machines])
    return Curves(np.array([idle for idle, _ in machines]), width, slope)


MACHINES = st.lists(
    st.tuples(st.floats(0, 50), st.lists(st.floats(0, 20), min_size=1, max_size=4).map(sorted)), min_size=1, max_size=4
)


@given(MACHINES, st.integers(0, 16))
def test_it_equals_trying_everything(machines: list[tuple[float, list[float]]], demand: int) -> None:
    tables = [[idle + sum(s[:q]) for q in range(len(s) + 1)] for idle, s in machines]
    wanted = naive_dispatch(tables, demand)
    found = best_choice(curves(*machines), float(demand))
    if wanted is None:
        assert found is None
        return
    assert found is not None
    assert found.total_kw == pytest.approx(wanted)
    assert found.flow_m3_min.sum() == pytest.approx(demand)
    assert not found.flow_m3_min[~found.run].any()
    assert not found.power_kw[~found.run].any()


@given(st.data(), MACHINES, st.integers(0, 12))
def test_with_reserve_forecast_run_times_and_starts_it_equals_trying_everything(
    data: st.DataObject, machines: list[tuple[float, list[float]]], demand: int
) -> None:
    def each(values: st.SearchStrategy[float]) -> list[float]:
        return data.draw(st.lists(values, min_size=len(machines), max_size=len(machines)))

    held = each(st.sampled_from([0, 0, 0, 1, -1]))
    must_run, must_stop = [h > 0 for h in held], [h < 0 for h in held]
    start_kw = each(st.sampled_from([0.0, 3.0, 12.5]))
    cover = data.draw(st.sampled_from([0.0, 4.5, 9.0]))
    storage = data.draw(st.sampled_from([None, 0.0, 2.0, 5.0]))
    tables = [[idle + sum(s[:q]) for q in range(len(s) + 1)] for idle, s in machines]
    wanted = naive_dispatch(tables, demand, Bounds(must_run, must_stop, start_kw, cover, storage))
    found = best_choice(
        curves(*machines), float(demand), cover_m3_min=cover, storage_m3_min=storage, must_run=np.array(must_run),
        must_stop=np.array(must_stop), start_kw=np.array(start_kw),
    )
    assert (found is None) == (wanted is None)
    if found is not None:
        assert found.total_kw + (found.run * np.array(start_kw)).sum() == pytest.approx(wanted)


@given(MACHINES, st.floats(0, 16))
def test_it_is_never_worse_than_the_fewest_machines(machines: list[tuple[float, list[float]]], demand: float) -> None:
    made = curves(*machines)
    best, rule = best_choice(made, demand), greedy_choice(made, demand)
    assert (best is None) == (rule is None)
    if best is not None and rule is not None:
        assert best.total_kw <= rule.total_kw + 1e-9


BIG, SMALL, TRIM = (10.0, [5.0] * 10), (4.0, [5.0] * 4), (2.0, [4.0, 4.5, 6.0, 7.0])


def test_the_trim_machine_takes_the_cheap_part_only() -> None:
    found = best_choice(curves(BIG, TRIM), 11.0)
    assert found is not None
    assert found.flow_m3_min == pytest.approx([9.0, 2.0])
    assert found.power_kw == pytest.approx([10 + 45, 2 + 8.5])


def test_reserve_forecast_and_run_times_bind() -> None:
    made = curves(BIG, SMALL, SMALL)

    def run(demand: float, **how: object) -> list[bool] | None:
        found = best_choice(made, demand, **how)  # type: ignore[arg-type]
        return None if found is None else found.run.tolist()

    assert run(4.0) == [False, True, False]
    assert run(4.0, cover_m3_min=9.0) == [True, False, False]
    assert run(4.0, storage_m3_min=4.0) == [False, True, False]
    assert run(4.0, storage_m3_min=0.0) == [False, True, True]
    assert run(4.0, must_run=np.array([True, False, False])) == [True, False, False]
    assert run(4.0, must_stop=np.array([False, True, True])) == [True, False, False]
    assert run(4.0, start_kw=np.array([0.0, 7.0, 7.0])) == [True, False, False]
    assert run(9.0, storage_m3_min=0.0) is None
    assert run(19.0) is None


def test_a_set_that_is_too_small_delivers_what_it_can() -> None:
    found = choice_of(curves(BIG, SMALL), np.array([False, True]), 9.0)
    assert found.flow_m3_min.tolist() == [0.0, 4.0]


def test_too_many_machines_are_refused() -> None:
    with pytest.raises(ValueError, match="13 machines"):
        best_choice(curves(*[SMALL] * 13), 1.0)


@given(st.lists(st.tuples(st.floats(-10, 30), st.floats(0.1, 5)), min_size=1, max_size=8))
def test_pooled_slopes_do_not_fall_and_keep_the_ends(segments: list[tuple[float, float]]) -> None:
    slopes, widths = (np.array(c) for c in zip(*segments, strict=True))
    found = convex_slopes(slopes, widths)
    assert (np.diff(found) >= -1e-12).all()
    assert (found >= 0).all()
    if (np.diff(slopes) >= 0).all() and slopes[0] >= 0:
        assert found == pytest.approx(slopes)
    if found[0] > 0:
        assert (found * widths).sum() == pytest.approx((slopes * widths).sum())


@given(st.lists(st.tuples(st.floats(-10, 30), st.floats(0.1, 5)), min_size=1, max_size=8))
def test_pooled_slopes_are_those_of_the_twin(segments: list[tuple[float, float]]) -> None:
    slopes, widths = ([s[i] for s in segments] for i in range(2))
    assert convex_slopes(np.array(slopes), np.array(widths)) == pytest.approx(naive.pooled(slopes, widths), abs=1e-9)


@given(MACHINES, st.floats(0, 16))
def test_the_rule_of_thumb_is_that_of_the_twin(machines: list[tuple[float, list[float]]], demand: float) -> None:
    made = curves(*machines)
    found = greedy_choice(made, demand)
    full_kw = [idle + sum(slopes) for idle, slopes in machines]
    expected = naive.fewest([float(len(s)) for _, s in machines], full_kw, demand)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert int(found.run.sum()) == expected[0]
        assert sum(k for k, run in zip(full_kw, found.run, strict=True) if run) == pytest.approx(expected[1])
