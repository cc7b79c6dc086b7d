"""A day of two stations, by known numbers, for the page over a whole running Voltair."""

import json
from collections.abc import Iterator

from simulators.message import Message, telemetry_topic
from telemetry.times import HOUR_MS, MINUTE_MS

TO = 1_795_320_000_000
"""2026-11-22 04:00 UTC, noon in Shanghai."""
FROM = TO - 25 * HOUR_MS
GRAFANA = "https://grafana.example"

STATIONS = """
[stations.harbour]
kind = "charging"
name = "Harbour stacked car park"
timezone = "Asia/Shanghai"
groups = ["zhoushan"]
transformer_kva = 40
contract_kw = 36
[[stations.harbour.ports]]
id = "p001"
rated_kw = 7
[[stations.harbour.ports]]
id = "p002"
rated_kw = 7
[[stations.harbour.ports]]
id = "p003"
rated_kw = 7

[stations.isle]
kind = "compressed_air"
name = "Isle air works"
timezone = "Asia/Shanghai"
groups = ["zhoushan"]
contract_pressure_bar = [6.3, 7.0]
tariff_per_kwh = 0.65
currency = "CNY"
idle_hours = "Mon-Sun 00:00-05:00"
[[stations.isle.compressors]]
id = "c1"
name = "Compressor 1"
rated_kw = 160
rated_flow_m3_min = 28
rated_pressure_bar = 7
[[stations.isle.compressors]]
id = "c2"
name = "Compressor 2"
rated_kw = 110
rated_flow_m3_min = 19
rated_pressure_bar = 7
[[stations.isle.air_mains]]
id = "main"
[[stations.isle.customers]]
id = "plastics"
meters = ["am1"]
price_per_m3 = 0.105
baseline_kwh_per_m3 = 0.1248
"""

IDLE_FLOW, DAY_FLOW = 4.0, 24.0
"""m3/min: what leaks, and what is used with it."""


def _idle(ts: int) -> bool:
    return (ts // HOUR_MS + 8) % 24 < 5  # local hours of Shanghai


def _port(i: int, ts: int, energy_kwh: float) -> dict[str, object]:
    """Charge for three hours of every six, then stay for half an hour; p003 has been faulted in the last hour."""
    into = (ts - FROM + i * HOUR_MS) % (6 * HOUR_MS)
    status = "Charging" if into < 3 * HOUR_MS else "SuspendedEV" if into < 3.5 * HOUR_MS else "Available"
    if i == 3 and ts >= TO - HOUR_MS:
        return {"ts": ts, "status": "Faulted", "error_code": "GroundFailure", "power_kw": 0.0, "energy_kwh": energy_kwh}
    return {"ts": ts, "status": status, "power_kw": 6.6 if status == "Charging" else 0.0, "energy_kwh": energy_kwh}


def day() -> Iterator[Message]:
    """Yield a reading per minute and device, an array per device and hour; then what needs an operator."""
    energy = {i: 100.0 * i for i in (1, 2, 3)}
    volume = {"main": 0.0, "am1": 0.0}
    kwh = {"c1": 0.0, "c2": 0.0}
    for begin in range(FROM, TO, HOUR_MS):
        rows: dict[tuple[str, str, str], list[dict[str, object]]] = {}
        for ts in range(begin, begin + HOUR_MS, MINUTE_MS):
            for i, so_far in energy.items():
                row = _port(i, ts, round(so_far, 4))
                rows.setdefault(("harbour", "port", f"p{i:03d}"), []).append(row)
                energy[i] = so_far + float(str(row["power_kw"])) / 60
            flow = IDLE_FLOW if _idle(ts) else DAY_FLOW
            wave = 0.1 * ((ts // MINUTE_MS) % 30) / 30
            main = {"pressure_bar": round(6.5 + wave, 4), "flow_m3_min": flow, "volume_m3": round(volume["main"], 3)}
            rows.setdefault(("isle", "air_main", "main"), []).append({"ts": ts, **main})
            sold = flow - IDLE_FLOW
            rows.setdefault(("isle", "air_meter", "am1"), []).append(
                {"ts": ts, "flow_m3_min": sold, "volume_m3": round(volume["am1"], 3), "pressure_bar": 6.45}
            )
            volume["main"] += flow
            volume["am1"] += sold
            for name, power in (("c1", 30.0 if _idle(ts) else 150.0), ("c2", 0.0)):
                state = "stopped" if name == "c2" else "unloaded" if _idle(ts) else "loaded"
                rows.setdefault(("isle", "compressor", name), []).append(
                    {"ts": ts, "state": state, "power_kw": power, "energy_kwh": round(kwh[name], 4)}
                )
                kwh[name] += power / 60
        for (station, kind, device), array in rows.items():
            yield Message(begin, telemetry_topic(station, kind, device), json.dumps(array).encode())
    last = json.dumps({"ts": TO, "power_kw": 1.0}).encode()
    yield Message(TO, telemetry_topic("isle", "auxiliary", "fan7"), last)
    yield Message(TO, telemetry_topic("shed", "port", "x1"), last)
    yield Message(TO, telemetry_topic("harbour", "port", "p001"), b"{not json")
    for station, kind, device in (("harbour", "port", "p001"), ("isle", "air_main", "main")):
        yield Message(TO, telemetry_topic(station, kind, device), json.dumps({"ts": TO}).encode())
