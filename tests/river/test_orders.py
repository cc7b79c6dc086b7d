"""The same readings in any order within fifteen minutes, repeated, or in arrays: the same key figures."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from river.stack import Json, Stack, stack

from simulators.message import Message, telemetry_topic
from telemetry.times import HOUR_MS, MINUTE_MS, SECOND_MS

pytestmark = [pytest.mark.server, pytest.mark.slow]

FROM_MS = 1_780_243_200_000
TO_MS = FROM_MS + 3 * HOUR_MS
SEED = 7
DELAY_MS = 15 * MINUTE_MS - SECOND_MS
VARIANTS = ("ordered", "shuffled", "repeated", "arrays")

Values = dict[str, Any]
Reading = tuple[int, str, str, Values]
"""ts, kind, device, values."""


def stations() -> str:
    text = ""
    for variant in VARIANTS:
        text += f"""
[stations.{variant}]
kind = "charging"
transformer_kva = 100
ports = [{{ id = "p1", rated_kw = 7 }}, {{ id = "p2", rated_kw = 7 }}, {{ id = "p3", rated_kw = 7 }}]
[stations.{variant}-air]
kind = "compressed_air"
contract_pressure_bar = [6.3, 7.0]
compressors = [{{ id = "c1", rated_kw = 160, rated_flow_m3_min = 28 }}]
air_mains = [{{ id = "main" }}]
"""
    return text


def port_readings(chance: random.Random, device: str) -> Iterator[Reading]:
    """Yield sessions with pauses, a fault, a silence, and a register that is reset once."""
    energy_kwh, session, left, status = 1000.0, 0, 0, "Available"
    time_ms = FROM_MS + chance.randrange(MINUTE_MS)
    while time_ms < TO_MS:
        if left == 0:
            status = chance.choice(["Available", "Preparing", "Charging", "Charging", "SuspendedEV", "Faulted"])
            session += status == "Preparing"
            left = chance.randint(5, 60)
        left -= 1
        power_kw = round(chance.uniform(3, 7), 3) if status == "Charging" else 0.0
        values: Values = {"status": status, "power_kw": power_kw, "energy_kwh": round(energy_kwh, 6)}
        if status not in ("Available", "Faulted"):
            values["session_id"] = f"{device}-{session}"
        yield time_ms, "port", device, values
        step_ms = chance.randint(5_000, 40_000)
        if device == "p2" and time_ms < FROM_MS + HOUR_MS <= time_ms + step_ms:
            energy_kwh = 0.0
        if device == "p3" and time_ms < FROM_MS + HOUR_MS <= time_ms + step_ms:
            step_ms = 9 * MINUTE_MS
        energy_kwh += power_kw * step_ms / HOUR_MS
        time_ms += step_ms


def air_readings(chance: random.Random) -> Iterator[Reading]:
    state, volume_m3 = "loaded", 5000.0
    for time_ms in range(FROM_MS, TO_MS, 10_000):
        if chance.random() < 0.1:
            state = chance.choice(["loaded", "unloaded", "stopped"])
        flow = round(chance.uniform(20, 28), 3) if state == "loaded" else 0.0
        power_kw = {"loaded": 150.0, "unloaded": 45.0, "stopped": 0.0}[state]
        volume_m3 += flow / 6
        yield time_ms, "compressor", "c1", {
            "state": state, "power_kw": power_kw, "flow_m3_min": flow, "volume_m3": round(volume_m3, 6),
        }  # fmt: skip
        yield time_ms + 3_000, "air_main", "main", {"pressure_bar": round(chance.uniform(6.2, 7.1), 3)}


def arrivals(variant: str, readings: list[Reading]) -> list[tuple[int, Reading]]:
    """Return readings with the times of their arrival, in that order."""
    if variant == "ordered":
        return [(reading[0], reading) for reading in readings]
    chance = random.Random(f"{SEED} {variant}")  # noqa: S311 - a test's stream
    found = [(reading[0] + chance.randint(0, DELAY_MS), reading) for reading in readings]
    if variant == "repeated":
        again = [(r[0] + chance.randint(0, DELAY_MS), r) for r in readings if chance.random() < 0.3]
        found += [*again, *again[::2]]
    return sorted(found, key=lambda item: item[0])


def messages(variant: str, station: str, found: list[tuple[int, Reading]]) -> Iterator[Message]:
    """Yield messages in order of arrival; as arrays, up to ten readings of a device travel together."""
    waiting: dict[str, list[Values]] = {}
    limit = 10 if variant == "arrays" else 1
    arrival_ms = 0
    for arrival_ms, (time_ms, kind, device, values) in found:
        topic = telemetry_topic(station, kind, device)
        elements = waiting.setdefault(topic, [])
        elements.append({"ts": time_ms, **values})
        if len(elements) == limit:
            yield Message(arrival_ms, topic, msgspec.json.encode(elements if limit > 1 else elements[0]))
            elements.clear()
    for topic, elements in waiting.items():
        if elements:
            yield Message(arrival_ms, topic, msgspec.json.encode(elements))


def stream() -> tuple[list[Message], int]:
    """Return the messages of all stations by arrival, and the number of their readings."""
    chance = random.Random(SEED)  # noqa: S311 - a test's stream
    ports = sorted(
        (r for device in ("p1", "p2", "p3") for r in port_readings(chance, device)), key=lambda r: r[0]
    )
    air = sorted(air_readings(chance), key=lambda r: r[0])
    made: list[Message] = []
    count = 0
    for variant in VARIANTS:
        for station, readings in ((variant, ports), (f"{variant}-air", air)):
            found = arrivals(variant, readings)
            count += len(found)
            made += messages(variant, station, found)
    return sorted(made, key=lambda m: m.time_ms), count


def asked(river: Stack, station: str) -> list[Json]:
    """Return all answers about a station, without its name."""
    windows = [(FROM_MS, TO_MS), (FROM_MS + 50 * MINUTE_MS, FROM_MS + 75 * MINUTE_MS)]
    answers = [river.kpis(station, *window) for window in windows]
    if not station.endswith("-air"):
        answers += [{"sessions": river.sessions(station, *window)} for window in windows]
        answers.append(river.get(f"stations/{station}/uptime", from_=FROM_MS, to=TO_MS))
    return [{name: value for name, value in answer.items() if name != "station"} for answer in answers]


def test_order_repetition_and_arrays_do_not_matter(tmp_path: Path) -> None:
    sent, readings = stream()
    with stack(tmp_path, stations=stations()) as river:
        assert river.publish(sent, speed=3600.0) == len(sent)  # so that analytics sees many small batches
        progress = river.wait_drained()
        river.report()
        assert progress["journalled"] == readings
        assert progress["too_late"] == progress["dead_lettered"] == 0
        charging, air = asked(river, "ordered"), asked(river, "ordered-air")
        kpis = charging[0]["kpis"]
        assert kpis["sessions"] > 5
        assert min(kpis[name] for name in ("charging_h", "faulted_h", "offline_h", "energy_kwh")) > 0
        assert min(air[0]["kpis"][name] for name in ("loaded_h", "volume_m3", "kwh_per_m3")) > 0
        for variant in VARIANTS[1:]:
            assert asked(river, variant) == charging, variant
            assert asked(river, f"{variant}-air") == air, variant
