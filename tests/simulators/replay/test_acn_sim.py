"""The numbers of the recordings, computed from the published messages with plain loops."""

import gzip
import json
from collections import defaultdict
from itertools import islice, pairwise

import msgspec
import pytest

from simulators.replay import replay_messages
from telemetry.errors import VoltairError

START = 1_551_427_200_000  # 2019-03-01T08:00:00Z
STEP = 300_000
STEPS = 10_732
OCCUPIED = {"Charging", "SuspendedEV", "SuspendedEVSE"}


class Reading(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    ts: int
    status: str
    power_kw: float
    energy_kwh: float
    current_a: float
    offered_a: float
    voltage_v: float
    session_id: str | None = None


def _path(data_dir, name):
    return data_dir / "acn-sim" / f"three_phase-{name}.json.gz"


@pytest.fixture(scope="module", params=[("LLF-40", 0.02907, 39.6), ("Unctrl-50", 0.02869, 99.0)], ids=lambda p: p[0])
def replayed(request, data_dir):
    name, charging_share, peak_kw = request.param
    ports = defaultdict(list)
    order = []
    decode = msgspec.json.Decoder(Reading).decode
    for message in replay_messages(_path(data_dir, name), "acn-sim"):
        device = message.topic.removeprefix("voltair/v1/acn/port/").removesuffix("/telemetry")
        assert "/" not in device
        reading = decode(message.payload)
        assert reading.ts == message.time_ms
        ports[device].append(reading)
        order.append((reading.ts, device))
    assert order == sorted(order)
    return _path(data_dir, name), ports, charging_share, peak_kw


def test_every_port_reports_at_every_step_and_at_the_end(replayed):
    _, ports, _, _ = replayed
    assert len(ports) == 54
    for readings in ports.values():
        assert [v.ts for v in readings] == [START + k * STEP for k in range(STEPS + 1)]
        assert readings[-1].status == "Available"


def test_time_shares_are_those_of_the_recording(replayed):
    _, ports, charging_share, _ = replayed
    occupied = charging = 0
    for readings in ports.values():
        for a, b in pairwise(readings):
            occupied += (b.ts - a.ts) * (a.status in OCCUPIED)
            charging += (b.ts - a.ts) * (a.status == "Charging")
    window = 54 * STEPS * STEP
    assert occupied / window == pytest.approx(0.12849, abs=5e-6)
    assert charging / window == pytest.approx(charging_share, abs=5e-6)


def test_sessions_are_told_apart_by_their_id(replayed):
    _, ports, _, _ = replayed
    by_id = runs = 0
    for readings in ports.values():
        before, occupied = None, False
        for values in readings:
            session = values.session_id
            assert (session is not None) == (values.status in OCCUPIED)
            by_id += session is not None and session != before
            runs += session is not None and not occupied
            before, occupied = session, session is not None
    assert (by_id, runs) == (954, 948)


def test_the_register_is_the_integral_of_the_current_and_the_energy_delivered(replayed):
    path, ports, _, peak_kw = replayed
    per_session = defaultdict(float)
    total_kw = [0.0] * (STEPS + 1)
    for readings in ports.values():
        integral = 0.0
        for k, values in enumerate(readings):
            assert abs(values.energy_kwh - integral) < 2e-9 + 1e-12 * integral
            assert abs(values.power_kw - values.current_a * values.voltage_v / 1000) < 1e-12
            integral += values.current_a * 208 / 1000 / 12
            total_kw[k] += values.power_kw
        for a, b in pairwise(readings):
            if a.session_id is not None:
                per_session[a.session_id] += b.energy_kwh - a.energy_kwh
            else:
                assert b.energy_kwh == a.energy_kwh
    assert max(total_kw) == pytest.approx(peak_kw, abs=0.05)
    context = json.loads(json.loads(gzip.decompress(path.read_bytes())))["context_dict"]
    vehicles = [v["attributes"] for v in context.values() if v["class"].endswith(".EV")]
    assert len(vehicles) == 954
    for vehicle in vehicles:
        assert per_session[vehicle["_session_id"]] == pytest.approx(vehicle["_energy_delivered"], abs=1e-6)


def test_a_second_run_gives_the_same_bytes(data_dir):
    first, second = (
        list(islice(replay_messages(_path(data_dir, "LLF-40"), "acn-sim", "garage"), 20_000)) for _ in range(2)
    )
    assert first == second
    assert first[0].topic == "voltair/v1/garage/port/CA-148/telemetry"


@pytest.mark.parametrize("content", [b"", b"{}", b'"[1, 2]"', b"\x1f\x8b broken"])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, content):
    path = tmp_path / "other.json.gz"
    path.write_bytes(content)
    with pytest.raises(VoltairError, match=r"other\.json\.gz is no result of ACN-Sim"):
        list(replay_messages(path, "acn-sim"))
