"""Every dialect is read back by the decoders that the documents name for it, and says what the native reading says."""

from collections import defaultdict

import msgspec
import pytest
from dialects_support import DECODERS, NAMES, native, read
from river.stack import stack

from simulators.commands import publish
from simulators.dialects import speak
from simulators.message import telemetry, telemetry_topic
from simulators.scenario import load_scenario
from telemetry.errors import ConfigError
from telemetry.times import MINUTE_MS, format_time


def last_values(readings):
    """Return what each device said last on each channel, and how often it spoke."""
    found = defaultdict(dict)
    for station, kind, device, element in readings:
        found[station, kind, device] |= {k: v for k, v in element.items() if k not in ("ts", "seq")}
    return found


def test_senml_says_the_same_of_every_device_at_the_same_time():
    sent = native(20)
    expected = []
    for message in sent:
        *_, station, kind, device, _ = message.topic.split("/")
        values = msgspec.json.decode(message.payload)
        values.pop("seq", None)
        expected.append((station, kind, device, {k: v for k, v in values.items() if k in (*NAMES, "ts")}))
    assert list(read(speak(sent, "senml"), "senml")) == expected
    assert len(expected) > 500


def test_ocpp_says_the_same_of_ports_and_leaves_the_rest_native():
    sent = native(60)
    spoken = list(speak(sent, "ocpp"))
    assert [m for m in spoken if m.topic.startswith("voltair/")] == [m for m in sent if "/port/" not in m.topic]
    expected = last_values(
        (*m.topic.split("/")[2:5], msgspec.json.decode(m.payload)) for m in sent if "/port/" in m.topic
    )
    found = last_values(read(spoken, "ocpp"))
    assert set(found) == set(expected)
    for port, values in expected.items():
        for name in ("status", "power_kw", "energy_kwh"):
            assert found[port].get(name) == pytest.approx(values.get(name), abs=0.001), (port, name)


def test_evcc_says_what_evcc_knows():
    messages = [
        telemetry(telemetry_topic("harbour", "port", port), time_ms, values)
        for port, time_ms, values in (
            ("b", 1, {"status": "Available", "power_kw": 0.0, "energy_kwh": 10.0}),
            ("a", 2, {"status": "Charging", "power_kw": 7.4, "energy_kwh": 5.0, "session_id": "x", "soc_pct": 40}),
            ("a", 3, {"status": "SuspendedEVSE", "energy_kwh": 5.5, "session_id": "x", "current_l1_a": 0.1}),
        )
    ]
    found = last_values(read(speak(messages, "evcc"), "evcc", live=True))
    assert found == {
        ("harbour", "port", "lp1"): {"status": "Available", "power_kw": 0.0, "energy_kwh": 0.0},
        ("harbour", "port", "lp2"): {
            "status": "SuspendedEVSE", "power_kw": 7.4, "energy_kwh": 0.5, "soc_pct": 40.0, "current_l1_a": 0.1,
        },
    }  # fmt: skip


def test_an_unknown_dialect_is_refused():
    assert list(speak(native(1), "native")) == native(1)
    with pytest.raises(ConfigError, match="native, evcc, ocpp, senml, sparkplug"):
        speak([], "klingon")


@pytest.mark.server
def test_dialects_give_the_key_figures_of_the_native_station(tmp_path):
    sent, names = native(60), ("native", "ocpp", "senml", "sparkplug")
    answers, stations = {}, load_scenario("charging-day").stations_toml()
    begin_ms, end_ms = sent[0].time_ms, sent[-1].time_ms
    tables = "\n".join(stations.replace("harbour", name) for name in names)
    with stack(tmp_path, stations=tables, sections="\n".join(DECODERS[name] for name in names[1:])) as river:
        for name in names:
            renamed = [m._replace(topic=m.topic.replace("harbour", name)) for m in sent]
            assert publish(renamed, river.broker.url, None, "test", dialect=name) >= len(sent)
        assert river.wait_drained(60.0)["dead_lettered"] == 0
        for name in names:
            answers[name] = river.kpis(name, format_time(begin_ms), format_time(end_ms // MINUTE_MS * MINUTE_MS))
    kpis = {name: answer["kpis"] for name, answer in answers.items()}
    assert kpis["native"]["energy_kwh"] > 1.0
    assert kpis["senml"] == kpis["sparkplug"] == kpis["native"]
    for name in ("energy_kwh", "occupied_h", "charging_h", "sessions"):
        assert kpis["ocpp"][name] == pytest.approx(kpis["native"][name], rel=0.001), name
