"""The events of a small fleet at one moment, in the shapes of docs/stream.md."""

from typing import Any

from page_server import NOW, Event

_STATES = ["Charging"] * 13 + ["SuspendedEV"] * 3 + ["Preparing", "Finishing"] + ["Available"] * 20


def _before(seconds: int) -> str:
    minute, second = divmod(4 * 60 + 5 - seconds, 60)
    return f"2026-11-22T03:{minute:02d}:{second:02d}.000Z"


def device(kind: str, device_id: str, state: str | None, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "device": device_id,
        "kind": kind,
        "name": "",
        "online": True,
        "state": state,
        "last_seen": _before(2),
        "registered": True,
        "values": values,
    } | more


def ports() -> list[dict[str, Any]]:
    rows = []
    for i, state in enumerate(_STATES[7:] + _STATES[:7]):
        power = round(3.6 + i * 37 % 35 / 10, 1) if state == "Charging" else 0.0
        rows.append(
            device(
                "port",
                f"p{i + 1:03d}",
                state,
                {"power_kw": power, "energy_kwh": 10234.5 + i},
                name=f"Level {1 + i // 10}, bay {i % 10 + 1}",
                last_seen=_before(1 + i % 5),
            )
        )
    rows.append(device("port", "p039", "Faulted", {"power_kw": 0.0, "error_code": "GroundFailure"}))
    rows.append(
        device("port", "p040", "Charging", {"power_kw": 6.9}, online=False, last_seen="2026-11-22T02:41:00.000Z")
    )
    return rows


def station(name: str, kind: str, label: str, health: str, **more: Any) -> dict[str, Any]:
    return {
        "station": name,
        "kind": kind,
        "name": label,
        "groups": ["zhoushan"],
        "health": health,
        "last_seen": _before(1),
        "firing": {"critical": 0, "warning": 0, "info": 0},
        "timezone": "Asia/Shanghai",
        "now": NOW,
        "devices": {"total": 10, "online": 9, "offline": 1, "unregistered": 0},
    } | more


def kpi(item: dict[str, Any], kpis: dict[str, float | None], reasons: dict[str, str] | None = None) -> Event:
    return "kpi", {
        "station": item,
        "from": "2026-11-22T02:04:00.000Z",
        "to": "2026-11-22T03:04:00.000Z",
        "coverage": 0.99,
        "kpis": kpis,
        "reasons": reasons or {},
    }


def alert(
    name: str,
    severity: str,
    station_id: str,
    where: str | None,
    kind: str | None,
    summary: tuple[str, str],
    remedy: tuple[str, str],
    **more: Any,
) -> dict[str, Any]:
    return {
        "id": name,
        "fingerprint": "f" + name,
        "sequence": 1,
        "rule": more.pop("rule", name),
        "category": "fault",
        "severity": severity,
        "state": "firing",
        "station": station_id,
        "device": where,
        "device_kind": kind,
        "since": _before(190),
        "fired_at": _before(190),
        "resolved_at": None,
        "value": None,
        "threshold": None,
        "unit": "",
        "summary": {"en": summary[0], "zh": summary[1]},
        "remedy": {"en": remedy[0], "zh": remedy[1]},
        "evidence": {},
        "acknowledgement": None,
        "links": {"page": f"/?alert={name}", "api": f"/api/v1/alerts/{name}"},
    } | more


PORT_FAULTED = alert(
    "a1",
    "critical",
    "harbour",
    "p039",
    "port",
    ("Port p039 reports Faulted (GroundFailure)", "充电桩 p039 报告故障（GroundFailure）"),
    ("Inspect cable and earth leakage protection, then reset the port.", "检查电缆与漏电保护，然后复位充电桩。"),
    rule="port_faulted",
    evidence={"error_code": "GroundFailure", "connector": "1"},
)
LEAK = alert(
    "a2",
    "warning",
    "isle",
    "main",
    "air_main",
    ("Leakage grew by 3.1 m³/min in the network", "管网泄漏增加 3.1 m³/min"),
    (
        "Walk the branch lines at the next idle hour with an ultrasonic detector.",
        "在下次停产时段用超声检漏仪巡检支管。",
    ),
    rule="leak",
    category="leak",
    value=3.1,
    threshold=2.4,
    unit="m3/min",
    since="2026-11-22T01:12:00.000Z",
    evidence={"leak_m3_min": 3.1, "total_m3_min": 7.4, "place": "network"},
)
OFFLINE = alert(
    "a3",
    "warning",
    "harbour",
    "p040",
    "port",
    ("Port p040 has been silent for more than 300 s", "充电桩 p040 静默超过 300 秒"),
    ("Check power and network of the charge point.", "检查充电桩的电源与网络。"),
    rule="device_offline",
    since="2026-11-22T02:46:00.000Z",
)

HARBOUR = station("harbour", "charging", "Harbour stacked car park", "red")
ISLE = station("isle", "compressed_air", "Isle air works", "yellow")


def air_devices() -> list[dict[str, Any]]:
    return [
        *(
            device("compressor", f"c{i}", state, {"power_kw": power, "flow_m3_min": flow}, name=f"Compressor {i}")
            for i, (state, power, flow) in enumerate(
                [("loaded", 158.2, 27.6), ("loaded", 121.7, 20.9), ("unloaded", 44.8, 0.0), ("stopped", 0.0, 0.0)],
                1,
            )
        ),
        device("dryer", "d1", "running", {"power_kw": 4.1, "dew_point_c": 3.4}, name="Refrigeration dryer"),
        device("air_main", "main", None, {"pressure_bar": 6.72, "flow_m3_min": 48.1}, name="Supply header"),
        *(
            device("air_meter", f"am{i}", None, {"flow_m3_min": flow}, name=name, registered=i < 4)
            for i, (name, flow) in enumerate(
                [("Plastics", 18.2), ("Textile", 12.4), ("Cannery", 10.1), ("", 0.4)], 1
            )
        ),
    ]


def snapshot() -> list[Event]:
    """Return what a stream says on connect."""
    return [
        (
            "hello",
            {
                "time": NOW,
                "version": "0.1.0",
                "demo": True,
                "stations": ["harbour", "isle"],
                "alerts": ["a1", "a2", "a3"],
            },
        ),
        kpi(HARBOUR, {"occupied_utilisation": 0.4125, "energy_kwh": 71.84}),
        (
            "device",
            {
                "station": "harbour",
                "devices": [device("site_meter", "m1", None, {"power_kw": 214.6}, name="Transformer T1"), *ports()],
            },
        ),
        kpi(ISLE, {"kwh_per_m3": 0.1124}),
        ("device", {"station": "isle", "devices": air_devices()}),
        *(("alert", a) for a in (LEAK, OFFLINE, PORT_FAULTED)),
    ]
