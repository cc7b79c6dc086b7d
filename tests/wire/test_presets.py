"""Presets read the examples that the makers of the devices publish."""

import json

import msgspec
import pytest

from telemetry.channels import KIND_BY_NAME
from telemetry.decoders import DecoderConfig
from telemetry.errors import ConfigError
from wire.foreign import ForeignDecoders
from wire.presets import preset_names

NOW = 1_795_316_400_500


def compiled(**table):
    return ForeignDecoders([msgspec.convert(table, DecoderConfig)], "voltair/v1")


def read(decoders, topic, payload):
    data = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
    outcome = decoders.match(topic).read(data, "", NOW)
    assert outcome.refused == []
    for reading in outcome.readings:
        assert all(k == "ts" or reading.kind.channel(k) for k in reading.element)
    return [(r.kind.name, r.device, r.presence, r.element) for r in outcome.readings]


def test_evcc():
    evcc = compiled(preset="evcc", station="home")
    assert "evcc/loadpoints/+/chargePower" in evcc.filters
    assert evcc.match("evcc/loadpoints/1/chargePower/set") is None

    def say(topic, text):
        ((kind, device, _, element),) = read(evcc, f"evcc/{topic}", text)
        return kind, device, element

    assert say("loadpoints/1/chargePower", "11040") == ("port", "lp1", {"power_kw": 11.04})
    assert say("loadpoints/1/chargedEnergy", "5250.5") == ("port", "lp1", {"energy_kwh": 5.2505})
    assert say("loadpoints/1/connected", "true") == ("port", "lp1", {})
    assert say("loadpoints/1/charging", "false") == ("port", "lp1", {})
    assert say("loadpoints/1/enabled", "true") == ("port", "lp1", {"status": "SuspendedEV"})
    assert say("loadpoints/1/charging", "true") == ("port", "lp1", {"status": "Charging"})
    assert say("loadpoints/1/chargeCurrents/l2", "16") == ("port", "lp1", {"current_l2_a": 16})
    assert say("loadpoints/1/vehicleSoc", "64") == ("port", "lp1", {"soc_pct": 64})
    assert say("loadpoints/1/charging", "false") == ("port", "lp1", {"status": "SuspendedEV"})
    assert say("loadpoints/1/connected", "false") == ("port", "lp1", {"status": "Available"})
    assert say("site/grid/power", "-2300") == ("site_meter", "grid", {"power_kw": -2.3})


def test_everest():
    everest = compiled(preset="everest", station="depot")
    meter = {
        "current_A": {"L1": 16.113445281982422, "L2": 16.1, "L3": 16.2, "N": 0.20141807198524475},
        "energy_Wh_import": {"L1": 1537.3, "L2": 1537.3, "L3": 1537.3, "total": 4611.9541015625},
        "frequency_Hz": {"L1": 50.03734588623047}, "meter_id": "YETI_POWERMETER", "phase_seq_error": False,
        "power_W": {"L1": 3602.5, "L2": 3602.5, "L3": 3602.5, "total": 10807.64453125}, "timestamp": 1665509120.0,
        "voltage_V": {"L1": 223.5740509033203, "L2": 223.6, "L3": 223.7},
    }  # fmt: skip
    assert read(everest, "everest_api/evse_manager/var/powermeter", meter) == [
        ("port", "evse_manager", False, {
            "power_kw": 10.80764453125, "energy_kwh": 4.6119541015625, "ts": 1_665_509_120_000,
            "current_l1_a": 16.113445281982422, "current_l2_a": 16.1, "current_l3_a": 16.2,
            "voltage_l1_v": 223.5740509033203, "voltage_l2_v": 223.6, "voltage_l3_v": 223.7,
        })
    ]  # fmt: skip
    session = {
        "charged_energy_wh": 0, "charging_duration_s": 84, "datetime": "2022-10-11T16:48:35.747Z",
        "discharged_energy_wh": 0, "latest_total_w": 0.0, "state": "Unplugged", "active_permanent_faults": [],
        "active_errors": [],
    }  # fmt: skip
    topic = "everest_api/evse_manager/var/session_info"
    assert read(everest, topic, session)[0][3] == {"status": "Available", "ts": 1_665_506_915_747}
    faults = [{"type": "evse_board_support/DiodeFault", "description": "Diode Fault", "severity": "High"}]
    found = read(everest, topic, session | {"active_permanent_faults": faults})[0][3]
    assert (found["status"], found["error_code"]) == ("Faulted", "evse_board_support/DiodeFault")
    states = "Unplugged Disabled Preparing Reserved AuthRequired WaitingForEnergy Charging ChargingPausedEV"
    for state in [*states.split(), "ChargingPausedEVSE", "Finished"]:
        status = read(everest, topic, session | {"state": state})[0][3]["status"]
        assert status in KIND_BY_NAME["port"].codes[0].states
    assert read(everest, "everest_api/evse_manager/var/telemetry", {"fan_rpm": 0.0, "temperature": 30.7})[0][3] == {
        "temperature_c": 30.7
    }


def test_shelly():
    shelly = compiled(preset="shelly", station="isle", kind="auxiliary")
    status = {
        "src": "shellyplus1pm-a8032ab12345", "dst": "shellyplus1pm-a8032ab12345/events", "method": "NotifyStatus",
        "params": {
            "ts": 1678018620.04,
            "switch:0": {
                "id": 0, "apower": 952.3, "voltage": 236.3, "current": 4.1,
                "aenergy": {"total": 32406.879, "by_minute": [0.0, 0.0, 0.0], "minute_ts": 1678018619},
            },
        },
    }  # fmt: skip
    topic = "shellyplus1pm-a8032ab12345/events/rpc"
    device = "shellyplus1pm-a8032ab12345"
    assert read(shelly, topic, status) == [
        (
            "auxiliary", device, False,
            {"power_kw": pytest.approx(0.9523), "energy_kwh": 32.406879, "ts": 1_678_018_620_040},
        )
    ]
    off = {"method": "NotifyStatus", "params": {"ts": 1678018620.04, "switch:0": {"id": 0, "apower": 0.0}}}
    assert read(shelly, topic, off)[0][3] == {"power_kw": 0.0, "ts": 1_678_018_620_040}
    event = {"method": "NotifyEvent", "params": {"ts": 1678018621.0, "events": [{"component": "input:0"}]}}
    assert read(shelly, topic, event) == [("auxiliary", device, False, {"ts": 1_678_018_621_000})]
    assert read(shelly, f"{device}/online", "false") == [("auxiliary", device, True, {"online": 0})]
    pro = compiled(preset="shelly", station="isle", kind="site_meter", root="meters/main", device="m1")
    em = {
        "params": {
            "ts": 1678018620.0,
            "em:0": {
                "a_current": 1.5, "a_voltage": 230.0, "b_current": 2.1, "b_voltage": 229.5, "c_current": 0.8,
                "c_voltage": 231.0, "total_act_power": 1011.0,
            },
        }
    }  # fmt: skip
    assert read(pro, "meters/main/events/rpc", em) == [
        ("site_meter", "m1", False, {
            "power_kw": 1.011, "ts": 1_678_018_620_000, "current_l1_a": 1.5, "current_l2_a": 2.1, "current_l3_a": 0.8,
            "voltage_l1_v": 230.0, "voltage_l2_v": 229.5, "voltage_l3_v": 231.0,
        })
    ]  # fmt: skip


def test_tasmota():
    tasmota = compiled(preset="tasmota", station="isle", kind="compressor")
    sensor = {
        "Time": "2018-01-02T17:13:17",
        "ENERGY": {
            "Total": 13.091, "Yesterday": 0.060, "Today": 0.046, "Period": 0.2, "Power": 9.8, "Factor": 0.49,
            "Voltage": 206.8, "Current": 0.096,
        },
    }  # fmt: skip
    assert read(tasmota, "tele/pow1/SENSOR", sensor) == [
        (
            "compressor", "pow1", False,
            {"power_kw": pytest.approx(0.0098), "energy_kwh": 13.091, "motor_current_a": 0.096},
        )
    ]
    assert read(tasmota, "tele/pow1/SENSOR", {"Time": "2018-01-02T17:13:17", "Switch1": "ON"})[0][3] == {}
    assert read(tasmota, "tele/pow1/LWT", "Offline") == [("compressor", "pow1", True, {"online": 0})]
    meter = compiled(preset="tasmota", station="isle", kind="site_meter")
    phases = {"ENERGY": {"Total": 1.5, "Power": [100, 200, 300], "Voltage": [230, 231, 232], "Current": [1, 2, 3]}}
    assert read(meter, "tele/m1/SENSOR", phases)[0][3] == {
        "power_kw": 0.6, "energy_kwh": 1.5, "current_l1_a": 1, "current_l2_a": 2, "current_l3_a": 3,
        "voltage_l1_v": 230, "voltage_l2_v": 231, "voltage_l3_v": 232,
    }  # fmt: skip


@pytest.mark.parametrize("kind", [k.name for k in KIND_BY_NAME.values() if k.channel("power_kw")])
@pytest.mark.parametrize("name", ["shelly", "tasmota"])
def test_a_meter_may_stand_for_any_kind_that_takes_power(name, kind):
    assert len(compiled(preset=name, station="s", kind=kind).filters) == 2


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"preset": "acme"}, "none of evcc, everest, shelly, tasmota"),
        ({"preset": "evcc"}, "no level {station}"),
        ({"preset": "evcc", "station": "s", "kind": "port"}, "settles kind itself"),
        ({"preset": "shelly", "station": "s", "topic": "x"}, "settles topic itself"),
        ({"preset": "shelly", "station": "s"}, "no level {kind}"),
        ({"preset": "shelly", "station": "s", "kind": "air_main"}, "no fields"),
        ({"root": "x", "topic": "y"}, "root goes with preset"),
    ],
)
def test_a_wrong_use_is_refused(table, words):
    with pytest.raises(ConfigError, match=words):
        compiled(**table)


def test_every_file_has_its_test_here():
    assert {f"test_{name}" for name in preset_names()} <= set(globals())
