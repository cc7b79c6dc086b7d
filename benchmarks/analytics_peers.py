"""Hourly utilisation by DuckDB and by polars, one thread each, from a Parquet file of device, time and state.

`python -m benchmarks.analytics_peers NAME READINGS HOURS` writes (device, hour, occupied ms) into the file HOURS and
prints the CPU seconds that it took. A state holds until the next reading of its device, for five minutes at most.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from telemetry.channels import OCCUPIED_STATUS, PORT_STATUS

OCCUPIED = [PORT_STATUS.index(s) for s in OCCUPIED_STATUS]
HOLD_MS = 300_000

_SQL = f"""
WITH heard AS (
    SELECT device, time_ms, status, lead(time_ms) OVER (PARTITION BY device ORDER BY time_ms) AS next_ms
    FROM read_parquet(?)
), held AS (
    SELECT device, time_ms AS begin_ms, least(next_ms, time_ms + {HOLD_MS}) AS end_ms, time_ms // 3600000 AS hour
    FROM heard WHERE next_ms IS NOT NULL AND status IN ({", ".join(map(str, OCCUPIED))})
), cut AS (
    SELECT device, hour, least(end_ms, (hour + 1) * 3600000) - begin_ms AS ms FROM held
    UNION ALL
    SELECT device, hour + 1, end_ms - (hour + 1) * 3600000 FROM held WHERE end_ms > (hour + 1) * 3600000
)
SELECT device, hour, sum(ms)::BIGINT AS ms FROM cut GROUP BY device, hour ORDER BY device, hour
"""  # noqa: S608 - numbers of our own


def by_duckdb(readings: Path) -> NDArray[np.int64]:
    import duckdb

    with duckdb.connect(config={"threads": 1}) as db:
        found = db.execute(_SQL, [str(readings)]).fetchnumpy()
    return np.stack([np.asarray(found[name], np.int64) for name in ("device", "hour", "ms")])


def by_polars(readings: Path) -> NDArray[np.int64]:
    import polars as pl

    hour_end_ms = (pl.col("hour") + 1) * 3_600_000
    held = (
        pl.scan_parquet(readings)
        .sort("device", "time_ms")
        .with_columns(next_ms=pl.col("time_ms").shift(-1).over("device"), hour=pl.col("time_ms") // 3_600_000)
        .filter(pl.col("next_ms").is_not_null() & pl.col("status").is_in(OCCUPIED))
        .with_columns(end_ms=pl.min_horizontal("next_ms", pl.col("time_ms") + HOLD_MS))
    )
    ms = pl.min_horizontal("end_ms", hour_end_ms) - pl.col("time_ms")
    beyond = held.filter(pl.col("end_ms") > hour_end_ms)
    cut = pl.concat([
        held.select("device", "hour", ms=ms),
        beyond.select("device", hour=pl.col("hour") + 1, ms=pl.col("end_ms") - hour_end_ms),
    ])
    found = cut.group_by("device", "hour").agg(pl.col("ms").sum()).sort("device", "hour").collect()
    return np.stack([found[name].to_numpy().astype(np.int64) for name in ("device", "hour", "ms")])


PEERS: dict[str, Callable[[Path], NDArray[np.int64]]] = {"duckdb": by_duckdb, "polars": by_polars}


if __name__ == "__main__":
    name, readings_file, hours_file = sys.argv[1:]
    __import__(name)  # loading it is no part of the work
    began_s = time.process_time()
    hours = PEERS[name](Path(readings_file))
    print(time.process_time() - began_s)
    np.save(hours_file, hours)
