import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.ledger import Ledger
from store.schema import checked_aggregation
from store.series import SeriesQuery
from store.series_sqlite import SqliteSeries, read_series
from telemetry.errors import StoreError
from telemetry.points import NO_INT, Column, Points

T0 = 1_732_240_000_000 // 60_000 * 60_000


def make(
    fields: dict[str, Column],
    times: list[int],
    *,
    seq: list[int] | None = None,
    device: list[str] | None = None,
    measurement: str = "port",
    connector: list[str | None] | None = None,
) -> Points:
    n = len(times)
    tags: dict[str, tuple[str | None, ...]] = {
        "station": ("harbour",) * n,
        "device": tuple(device or ["p1"] * n),
        **({"connector": tuple(connector)} if connector else {}),
    }
    seqs = np.array(seq or [-1] * n, np.int64)
    return Points(measurement, tags, T0 + np.array(times, np.int64), seqs, fields)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "series.db"


def put(path: Path, *batches: Points, cutoff: Callable[[str], int] | None = None) -> int:
    ledger = Ledger(path)
    store = SqliteSeries(ledger.db, cutoff)
    beyond = 0
    for points in batches:
        with ledger.transaction():
            beyond += store.put([points]).beyond_retention
    ledger.close()
    return beyond


def read(
    path: Path, field: str, step_ms: int | None = None, agg: str | None = None, **more: object
) -> list[tuple[object, ...]]:
    query = SeriesQuery(
        "port", field, T0, T0 + 600_000, step_ms=step_ms, aggregation=checked_aggregation("port", field, agg), **more,
    )
    return [(item.time_ms - T0, item.device, item.value) for item in read_series(path, query)]


def test_every_type_reads_back(path: Path) -> None:
    put(
        path,
        make(
            {
                "power_kw": np.array([6.9, np.nan, 1.0]),
                "status": ("Charging", None, "Faulted"),
                "departure": np.array([NO_INT, T0, NO_INT]),
                "seq": np.array([4, NO_INT, 6]),
            },
            [0, 10, 20],
            seq=[4, -1, 6],
        ),
    )
    assert read(path, "power_kw") == [(0, "p1", 6.9), (20, "p1", 1.0)]
    assert read(path, "status") == [(0, "p1", "Charging"), (20, "p1", "Faulted")]
    assert read(path, "departure") == [(10, "p1", T0)]
    assert read(path, "seq") == [(0, "p1", 4), (20, "p1", 6)]
    assert read(path, "no_such_field") == []


def test_the_same_identity_merges_and_the_later_value_stays(path: Path) -> None:
    put(
        path,
        make({"power_kw": np.array([1.0, 2.0, np.nan]), "energy_kwh": np.array([5.0, np.nan, np.nan])}, [0, 0, 0]),
        make({"status": ("Charging",)}, [0]),
        make({"power_kw": np.array([np.nan]), "status": ("Finishing",)}, [0]),
        make({"power_kw": np.array([9.0])}, [0], seq=[1]),
    )
    assert read(path, "power_kw") == [(0, "p1", 2.0), (0, "p1", 9.0)]
    assert read(path, "energy_kwh") == [(0, "p1", 5.0)]
    assert read(path, "status") == [(0, "p1", "Finishing")]


def test_points_and_cursor_are_one_transaction(path: Path) -> None:
    ledger = Ledger(path)
    store = SqliteSeries(ledger.db)

    def settle_and_die() -> None:
        with ledger.transaction():
            store.put([make({"power_kw": np.array([1.0])}, [0])])
            ledger["raw_cursor"] = 7
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        settle_and_die()
    store.reset()
    assert ledger["raw_cursor"] == 0
    assert read(path, "power_kw") == []
    with ledger.transaction():
        store.put([make({"power_kw": np.array([1.0])}, [0])])
        ledger["raw_cursor"] = 7
    ledger.close()
    assert Ledger(path)["raw_cursor"] == 7
    assert read(path, "power_kw") == [(0, "p1", 1.0)]


@pytest.mark.parametrize(
    ("agg", "expected"),
    [
        ("mean", [(0, 2.0), (120_000, 10.0)]),
        ("sum", [(0, 6.0), (120_000, 10.0)]),
        ("min", [(0, 1.0), (120_000, 10.0)]),
        ("max", [(0, 3.0), (120_000, 10.0)]),
        ("last", [(0, 2.0), (120_000, 10.0)]),
        ("count", [(0, 3), (120_000, 1)]),
        ("difference", [(0, 1.5), (120_000, 8.0)]),
        (None, [(0, 2.0), (120_000, 10.0)]),
    ],
)
def test_steps(path: Path, agg: str | None, expected: list[tuple[int, float]]) -> None:
    values = np.array([0.25, 0.5, 1.0, 3.0, 2.0, 10.0])
    put(path, make({"power_kw": values}, [-90_000, -1, 0, 30_000, 59_999, 120_000]))
    assert [(t, v) for t, _, v in read(path, "power_kw", 60_000, agg)] == expected


def test_of_several_values_at_one_time_the_greatest_seq_is_last(path: Path) -> None:
    put(path, make({"energy_kwh": np.array([7.0, 5.0, 6.0])}, [0, 0, 0], seq=[9, -1, 3]))
    assert read(path, "energy_kwh", 60_000, "last") == [(0, "p1", 7.0)]


def test_the_first_step_of_a_register_without_history_has_no_difference(path: Path) -> None:
    put(path, make({"energy_kwh": np.array([5.0, 7.0, 4.0])}, [0, 60_000, 120_000]))
    assert read(path, "energy_kwh", 60_000) == [(60_000, "p1", 2.0), (120_000, "p1", -3.0)]
    assert read(path, "energy_kwh", 60_000, limit=1) == [(60_000, "p1", 2.0)]


def test_connectors_of_a_port_are_one_device(path: Path) -> None:
    put(path, make({"energy_kwh": np.array([5.0, 7.0])}, [-5, -10], connector=["1", "2"]))
    put(path, make({"energy_kwh": np.array([9.0])}, [0], connector=[None]))
    assert read(path, "energy_kwh", 60_000) == [(0, "p1", 4.0)]


def test_filters_order_and_limit(path: Path) -> None:
    put(path, make({"power_kw": np.arange(4.0)}, [10, 0, 0, 10], device=["p2", "p2", "p1", "p1"]))
    assert read(path, "power_kw") == [(0, "p1", 2.0), (0, "p2", 1.0), (10, "p1", 3.0), (10, "p2", 0.0)]
    assert read(path, "power_kw", device="p2") == [(0, "p2", 1.0), (10, "p2", 0.0)]
    assert read(path, "power_kw", station="elsewhere") == []
    assert read(path, "power_kw", limit=2) == [(0, "p1", 2.0), (0, "p2", 1.0)]


def test_a_missing_file_has_no_values(tmp_path: Path) -> None:
    assert read(tmp_path / "none.db", "power_kw") == []


def test_retention_counts_what_comes_too_late_and_removes_what_grew_old(path: Path) -> None:
    cutoff = {"harbour": T0}
    beyond = put(path, make({"power_kw": np.arange(3.0)}, [-1, 0, 1]), cutoff=lambda station: cutoff[station])
    assert beyond == 1
    assert put(path, make({"power_kw": np.arange(1.0)}, [-1], measurement="port_1h"), cutoff=lambda _: T0) == 0
    put(path, make({"power_kw": np.arange(6_000.0)}, list(range(6_000)), device=["p2"] * 6_000))
    ledger = Ledger(path)
    store = SqliteSeries(ledger.db, lambda _: T0 + 5_500)
    rounds = 1
    while store.expire():
        rounds += 1
    assert 2 <= rounds <= 5
    ledger.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*), min(time_ms) FROM port").fetchone() == (500, T0 + 5_500)
        assert db.execute("SELECT count(*) FROM port_1h").fetchone() == (1,)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["p1", "p2"]), st.integers(0, 3), st.sampled_from([-1, 5, 6]),
            st.none() | st.floats(-9, 9), st.none() | st.sampled_from(["Charging", "Available"]), st.booleans(),
        ),
        max_size=40,
    )
)
@settings(max_examples=40, deadline=None)
def test_any_batching_merges_like_one_reading_after_the_other(
    readings: list[tuple[str, int, int, float | None, str | None, bool]],
) -> None:
    naive: dict[tuple[int, str, int], dict[str, float | str]] = {}
    batches: list[list[tuple[str, int, int, float | None, str | None, bool]]] = [[]]
    for reading in readings:
        device, time, seq, power, status, cut = reading
        merged = naive.setdefault((time, device, seq), {})
        merged |= {k: v for k, v in (("power_kw", power), ("status", status)) if v is not None}
        batches[-1].append(reading)
        if cut:
            batches.append([])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.db"
        put(
            path,
            *(
                make(
                    {
                        "power_kw": np.array([np.nan if r[3] is None else r[3] for r in batch]),
                        "status": tuple(r[4] for r in batch),
                    },
                    [r[1] for r in batch],
                    seq=[r[2] for r in batch],
                    device=[r[0] for r in batch],
                )
                for batch in batches if batch
            ),
        )
        for field in ("power_kw", "status"):
            expected = [(t, d, naive[t, d, q][field]) for t, d, q in sorted(naive) if field in naive[t, d, q]]
            assert read(path, field) == expected


def test_another_journal_is_refused(path: Path) -> None:


    ledger = Ledger(path)
    ledger.belong_to("aa")
    ledger.belong_to("aa")
    with pytest.raises(StoreError, match="belongs to journal aa, but journal/ is bb"):
        ledger.belong_to("bb")


def test_fields_that_differ_in_case_or_are_named_like_a_key_stay_apart(path: Path) -> None:
    put(path, make({"Occupied_s": np.array([1.0]), "occupied_s": np.array([2.0]), "time_ms": np.array([3.0])}, [0]))
    put(path, make({"occupied_s": np.array([4.0]), "OCCUPIED_S": np.array([5.0])}, [1]))
    assert read(path, "Occupied_s") == [(0, "p1", 1.0)]
    assert read(path, "occupied_s") == [(0, "p1", 2.0), (1, "p1", 4.0)]
    assert read(path, "OCCUPIED_S") == [(1, "p1", 5.0)]
    assert read(path, "time_ms") == [(0, "p1", 3.0)]
    assert read(path, "occupied_S") == []
