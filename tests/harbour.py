"""Readings and points of a small harbour, for the tests of the store."""

from pathlib import Path

import numpy as np

from store.journal import DeviceKey, JournalWriter
from telemetry.channels import PORT, PORT_STATUS
from telemetry.frame import NO_CODE, Frame
from telemetry.points import Points

T0 = 1_732_240_020_000
"""A full minute."""
DEVICES = tuple(DeviceKey("harbour", "port", f"p{i}") for i in range(10))


def frame(n: int, first: int = 0) -> Frame:
    """Return n readings of ten ports, one a second in turn; reading i differs from all others."""
    i = np.arange(first, first + n)
    values = np.full((n, len(PORT.values)), np.nan)
    values[:, PORT.value_index["power_kw"]] = i % 70 / 10
    values[:, PORT.value_index["energy_kwh"]] = i * 0.001
    values[i % 3 == 0, PORT.value_index["departure"]] = T0
    codes = np.full((n, len(PORT.codes)), NO_CODE, np.int32)
    codes[:, PORT.code_index["status"]] = i % len(PORT_STATUS)
    codes[i % 2 == 0, PORT.code_index["session_id"]] = 0
    return Frame(
        PORT,
        (i % 10).astype(np.int32),
        T0 + i * 1000,
        np.where(i % 5 == 0, i, -1),
        np.zeros(n, np.uint16),
        values,
        codes,
        ('say "x", \\ a=b 中',),
    )


class Journal:
    """A journal that grows by readings that all differ."""

    def __init__(self, data: Path, clock_mode: str = "event") -> None:
        self.writer = JournalWriter.open(data / "journal", clock_mode=clock_mode)
        self.count = 0

    def grow(self, n: int, per_entry: int = 500) -> None:
        for begin in range(0, n, per_entry):
            more = min(per_entry, n - begin)
            self.writer.append(
                [frame(more, self.count)],
                now_ms=T0 + self.count,
                totals=self.writer.totals.plus(journalled=more),
                new_devices=[] if self.count else [(key, i) for i, key in enumerate(DEVICES)],
            )
            self.count += more


def minutes(n: int, measurement: str = "port_1h") -> Points:
    """Return n derived rows of one device."""
    return Points(
        measurement,
        {"station": ("harbour",) * n, "device": ("p1",) * n},
        T0 + np.arange(n) * 60_000,
        np.full(n, -1, np.int64),
        {"energy_kwh": np.arange(n) * 0.5, "status": ("Charging",) * n},
        derived=True,
    )
