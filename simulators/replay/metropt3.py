"""MetroPT-3: the air production unit of a metro train, one compressor, its dryer and the reservoirs it fills.

Loaded is COMP 0 (the intake is open) and DV_eletric 1 (the valve towards the dryer is open); with the motor's current
at rest it is stopped, else unloaded. Times are read as UTC. One phase of the motor is measured and no voltage, so there
is no power. Columns are found by their names, so an excerpt and the whole data set (UCI 791, CSV or zip) are read
alike, whatever the counter of rows is called.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from simulators.files import reading_file
from simulators.message import Message, telemetry, telemetry_topic
from telemetry.times import to_ms

REST_A = 2.0
"""Motor current: about 0 A at rest, 4 A unloaded, 6 A loaded."""
_NEEDED = ("timestamp", "TP2", "DV_pressure", "Reservoirs", "Oil_temperature", "Motor_current", "COMP", "DV_eletric")


def metropt3_messages(path: Path, station: str) -> Iterator[Message]:
    """Yield the messages of a file of MetroPT-3, row by row: compressor `apu`, supply header `main`, `dryer`.

    Raises
    ------
    VoltairError
        If the file cannot be read or is no such file.
    """
    wrong = (ValueError, TypeError, csv.Error, zipfile.BadZipFile)
    with reading_file(path, "file of MetroPT-3", *wrong), _text(path) as file:
        yield from _read(csv.DictReader(file), station)


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    if path.suffix != ".zip":
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive:
        name = next((n for n in archive.namelist() if n.endswith(".csv")), None)
        if name is None:
            msg = "there is no CSV in the zip"
            raise ValueError(msg)
        with archive.open(name) as raw:
            yield io.TextIOWrapper(raw, "utf-8-sig", newline="")


def _read(rows: "csv.DictReader[str]", station: str) -> Iterator[Message]:
    apu, main = telemetry_topic(station, "compressor", "apu"), telemetry_topic(station, "air_main", "main")
    dryer = telemetry_topic(station, "dryer", "dryer")
    missing = [name for name in _NEEDED if name not in (rows.fieldnames or ())]
    if missing:
        msg = f"it has no column {missing[0]!r}"
        raise ValueError(msg)
    for row in rows:
        time_ms = to_ms(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC))
        yield telemetry(apu, time_ms, _compressor(row))
        yield telemetry(main, time_ms, {"pressure_bar": float(row["Reservoirs"])})
        yield telemetry(dryer, time_ms, {"purge_pressure_bar": float(row["DV_pressure"])})


def metropt3_tables(path: Path, station: str) -> dict[str, Any]:
    """Return the tables of the `stations.toml` that belongs to the data set."""
    del path
    table = {
        "kind": "compressed_air",
        "compressors": [{"id": "apu", "control": "fixed"}],
        "air_mains": [{"id": "main"}],
        "dryers": [{"id": "dryer"}],
        # This dryer shows no pressure at all while the machine is loaded: two minutes of it are a leak.
        "rules": {"purge_leak": {"threshold": 2}},
    }
    return {"stations": {station: table}}


def _compressor(row: dict[str, str]) -> dict[str, float | int | str]:
    current_a = float(row["Motor_current"])
    if float(row["COMP"]) == 0.0 and float(row["DV_eletric"]) == 1.0:
        state = "loaded"
    else:
        state = "stopped" if current_a < REST_A else "unloaded"
    return {
        "state": state,
        "discharge_pressure_bar": float(row["TP2"]),
        "oil_temperature_c": float(row["Oil_temperature"]),
        "motor_current_a": current_a,
    }
