"""Logger export of a compressor room: power of each machine and the header's pressure, one row a minute.

Stamps are cut to the minute although the logger's step is a little shorter, so some occur twice with different
values. Each row carries its number as `seq`: every row is a point of its own.
"""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from simulators.files import reading_file
from simulators.message import Message, telemetry, telemetry_topic
from telemetry.times import to_ms

BAR_PER_PSI = 0.0689475729
_MACHINE = re.compile(r"Compressor\s+([A-Za-z]+)\s*(\d+)\s*\(kW\)")
_PRESSURE = "Pressure (psig)"


def measur_log_messages(path: Path, station: str) -> Iterator[Message]:
    """Yield the messages of a logger export, row by row; times without a zone are read as UTC.

    A row gives one reading of each compressor (`power_kw`) and one of the supply header `main` (`pressure_bar`);
    an empty cell gives none.

    Raises
    ------
    VoltairError
        If the file cannot be read or is no such export.
    """
    with (
        reading_file(path, "logger export of compressors", ValueError, csv.Error),
        path.open(encoding="utf-8-sig", newline="") as file,
    ):
        yield from _read(csv.reader(file), station)


def _read(rows: Iterator[list[str]], station: str) -> Iterator[Message]:
    header = [name.strip() for name in next(rows, [])]
    columns: list[tuple[int, str, str, float]] = []
    for k, name in enumerate(header):
        machine = _MACHINE.fullmatch(name)
        if machine is not None:
            topic = telemetry_topic(station, "compressor", machine[1] + machine[2])
            columns.append((k, topic, "power_kw", 1.0))
        elif name == _PRESSURE:
            columns.append((k, telemetry_topic(station, "air_main", "main"), "pressure_bar", BAR_PER_PSI))
    if header[:1] != ["DateTime"] or not columns:
        msg = f"its first line is {','.join(header)[:80]!r}, not 'DateTime,Compressor ... (kW),...,{_PRESSURE}'"
        raise ValueError(msg)
    for seq, row in enumerate(rows):
        if not row:
            continue
        time_ms = to_ms(datetime.strptime(row[0].strip(), "%m/%d/%Y %H:%M").replace(tzinfo=UTC))
        for k, topic, channel, factor in columns:
            cell = row[k].strip() if k < len(row) else ""
            if cell:
                yield telemetry(topic, time_ms, {"seq": seq, channel: float(cell) * factor})
