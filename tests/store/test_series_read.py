"""A window read in spans holds the same items as one read at once."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store import series_read
from store.ledger import Ledger
from store.schema import Aggregation
from store.series import SeriesQuery
from store.series_sqlite import SqliteSeries
from telemetry.config import Config
from telemetry.points import Points
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS

T0 = 1_732_240_000_123


def put(folder: Path, readings: list[tuple[int, str, int]]) -> None:
    """Store values of a register: the time after T0, the device and a number of its own."""
    times, devices, seq = zip(*sorted(set(readings)), strict=True)
    tags = {"station": ("harbour",) * len(times), "device": tuple(devices)}
    at = T0 + np.array(times, np.int64)
    ledger = Ledger(folder / "series.db")
    with ledger.transaction():
        values = np.cumsum(np.arange(1.0, len(times) + 1))
        SqliteSeries(ledger.db).put([Points("port", tags, at, np.array(seq, np.int64), {"energy_kwh": values})])
    ledger.close()


spread = st.one_of(st.integers(0, 2_000), st.integers(0, 3 * HOUR_MS), st.integers(0, 40 * DAY_MS))
readings = st.lists(st.tuples(spread, st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=60)


@settings(max_examples=40, deadline=None)
@given(
    readings, st.integers(1, 7), st.sampled_from([None, 7, 1_000, MINUTE_MS, HOUR_MS, DAY_MS]),
    st.sampled_from(list(Aggregation)),
)
def test_spans_lose_and_double_nothing(
    rows: list[tuple[int, str, int]], piece: int, step_ms: int | None, aggregation: Aggregation
) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        put(Path(name), rows)
        config = Config(data_dir=name)
        query = SeriesQuery(
            "port", "energy_kwh", T0 - 5 * MINUTE_MS, T0 + 41 * DAY_MS, step_ms=step_ms, aggregation=aggregation
        )
        whole = series_read.read_series(config, query)
        patch.setattr(series_read, "_PIECE", piece)
        assert list(series_read.stream_series(config, query)) == whole
