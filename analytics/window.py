"""What key figures are computed from: one station, one window."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.buckets import Buckets
from telemetry.registry import Station

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Maximal intervals in which a device was heard and kept one state, sorted by device, then start."""

    devices: tuple[str, ...]
    """Device ids; `device` indexes them."""
    device: Int64
    """(n,)"""
    start_ms: Int64
    start_seq: Int64
    """Orders runs that start in the same millisecond; -1 where the reading had no `seq`."""
    end_ms: Int64
    """End of the run, at most `now`."""
    last_ms: Int64
    """Last message of the run: its end, or before that where a silence ended it."""
    state: tuple[str, ...]
    """(n,) name of the state; "" where unknown."""
    in_charge: NDArray[np.bool_]
    """(n,) whether the port was charging."""
    session_id: tuple[str, ...]
    """(n,) "" where none."""
    energy_n: Int64
    """(n,) energy of register or power intervals that began in the run [10^-9 kWh]."""
    peak_kw: NDArray[np.float64]
    """(n,) highest power value in the run; NaN where none."""
    stop_reason: tuple[str, ...]
    """(n,) the last `stop_reason` sent in the run; "" where none."""
    error_code: tuple[str, ...]
    """(n,) the last `error_code` or `fault_code` sent in the run; "" where none."""

    def __len__(self) -> int:
        return len(self.device)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Everything about one station in `[from_ms, to_ms)` that analytics has analysed, up to `now_ms`."""

    station: Station
    listed: bool
    """Whether the station stands in stations.toml."""
    from_ms: int
    to_ms: int
    now_ms: int
    minutes: Mapping[str, Buckets]
    """Kind of device -> minute buckets that lie in the window (a kind never seen is absent)."""
    runs: Mapping[str, Runs]
    """Kind of device -> runs that overlap the window, not clipped to it."""
    first_heard_ms: Mapping[tuple[str, str], int]
    """(kind, device) -> first message ever; absent: never heard."""
    last_heard_ms: Mapping[tuple[str, str], int]
    """(kind, device) -> last message so far."""
    deaf_ms: Int64
    """(k, 2) intervals in which Voltair itself had no connection to the broker."""
