"""A machine against its own past: wear is told, more demand and higher pressure are not."""

import numpy as np
import pytest
from naive.windows import air_window, station_of

from analytics.detectors.degraded import EFFICIENCY_DEGRADED
from analytics.detectors.signal import Signal

DAYS = 8
MINUTES = DAYS * 1440
STATION = station_of("compressed_air", compressors=[{"id": "c1"}, {"id": "c2"}], air_mains=[{"id": "main"}])


def signal(worse: float = 0.0, more: float = 1.0, higher: float = 0.0, silent_days: int = 0) -> Signal:
    """Return the verdict on a last day of so much more energy, air and pressure."""
    minute = np.arange(MINUTES)
    last = minute >= MINUTES - 1440
    chance = np.random.default_rng(1)
    flow = (15 + 8 * np.sin(minute / 229) + np.repeat(chance.normal(0, 1, MINUTES // 60), 60)) * np.where(last, more, 1)
    pressure = 6.6 + 0.3 * np.sin(minute / 611) + np.where(last, higher, 0.0)
    power = (30 + 5.5 * flow + 4 * (pressure - 6.6) + np.repeat(chance.normal(0, 1, MINUTES // 60), 60)) * np.where(
        last, 1 + worse, 1)
    unknown = minute < silent_days * 1440
    window = air_window(STATION, MINUTES, {
        ("compressor", "c1"): {
            "power_kw": [None if u else p for u, p in zip(unknown, power.tolist(), strict=True)],
            "flow_m3_min": flow.tolist(),
        },
        ("air_main", "main"): {"pressure_bar": pressure.tolist()},
    })
    assert window.to_ms - window.from_ms == EFFICIENCY_DEGRADED.lookback_ms
    return EFFICIENCY_DEGRADED.find(window, window.to_ms - 60_000, window.to_ms)


def test_wear_is_measured() -> None:
    found = signal(worse=0.08)
    assert found.devices == ("c1", "c2")
    assert found.value[0] == pytest.approx(0.08, abs=0.01)
    assert found.coverage.tolist() == [1.0, 0.0]
    assert np.isnan(found.value[1])
    assert found.explain(0)["cusum_max"] > 5


def test_more_air_at_a_higher_pressure_is_no_wear() -> None:
    assert abs(signal(more=1.3, higher=0.3).value[0]) < 0.01
    assert signal().explain(0)["cusum_max"] < 5


def test_without_two_days_of_work_there_is_no_verdict() -> None:
    found = signal(worse=0.5, silent_days=6)
    assert found.coverage[0] == 0
    assert np.isnan(found.value[0])
