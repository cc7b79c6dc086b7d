"""The engine over a real journal: restarts at any checkpoint, silence, corrections, backlogs."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from naive.fold import naive_fold
from naive.readings import Reading
from naive.streams import Stream, deliveries, reading, streams

sys.path.insert(0, str(Path(__file__).parent))
from folding import registry_of
from journalled import T0, River, port

from analytics.loading import load_window
from store.state import StateReader


def once(readings: Sequence[Reading]) -> list[Reading]:
    """Return the first reading of each identity."""
    found = {(r["device"], r["time_ms"], r["seq"], r["codes"].get("connector", "")): r for r in reversed(readings)}
    return sorted(found.values(), key=lambda r: r["time_ms"])


# Shrinking a stream takes minutes; the seed that fails is printed and can be shrunk by hand.
@settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(st.data(), streams(max_steps=12))
def test_killed_at_any_entry_it_ends_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, stream: Stream
) -> None:
    # Two readings of one identity that contradict each other may be told apart or not; no device sends them.
    stream = Stream(once(stream.readings), stream.devices)
    batches = data.draw(deliveries(stream))
    rivers = [River(tmp_path_factory.mktemp("calm"), stream.readings),
              River(tmp_path_factory.mktemp("killed"), stream.readings)]
    for river in rivers:
        for batch in batches:
            river.write(batch)
            river.tick()
        for _ in range(7):
            river.tick()
    calm, killed = rivers
    calm.work()
    calm.analytics.commit()
    while killed.analytics.engine.cursor < killed.analytics.reader.head()[2]:
        killed.work(data.draw(st.integers(1, 4)))
        what = data.draw(st.sampled_from(["go on", "checkpoint", "kill", "checkpoint and kill"]))
        if "checkpoint" in what:
            killed.analytics.commit()
        # A kill without a checkpoint loses work but never repeats it; a step that gets nowhere would never end.
        if "kill" in what and ("checkpoint" in what or data.draw(st.integers(0, 3)) == 0):
            killed.kill()
    killed.analytics.commit()
    for mine, wanted in zip(killed.everything(), calm.everything(), strict=True):
        assert mine == wanted
    minutes, _ = naive_fold([r for b in batches for r in b], {})
    assert calm.minutes() == minutes


def test_a_fault_fires_and_resolves_with_its_readings(tmp_path: Path) -> None:
    stream = [port("p1", 0, "Available"), port("p1", 10, "Faulted"), port("p1", 20, "Available")]
    river = River(tmp_path, stream)
    for r in stream:
        river.write([r])
    river.work()
    assert river.told() == [("port_faulted", "firing", T0 + 10_000), ("port_faulted", "resolved", T0 + 20_000)]


def test_what_the_broker_delivers_again_after_a_kill_is_not_too_late(tmp_path: Path) -> None:
    stream = [port("p1", 60 * i, "Available", power_kw=i) for i in range(60)]
    late = port("p1", 90, power_kw=7)
    river = River(tmp_path, [*stream, late])
    for batch in (stream[:30], [*stream[30:], *stream[:5]], [late]):
        river.write(batch)
    river.work()
    assert river.analytics.engine.counters["too_late"] == 1
    river.analytics.commit()
    river.kill()
    river.write([*stream, late, late])
    river.work()
    assert river.analytics.engine.counters["too_late"] == 1
    river.write([port("p1", 91, power_kw=7), port("p1", 3_600), port("p1", 91, power_kw=7)])
    river.work()
    assert river.analytics.engine.counters["too_late"] == 2


def test_the_watermark_waits_for_what_the_broker_kept_while_ingest_was_away(tmp_path: Path) -> None:
    river = River(tmp_path, [port("p1", 0, "Available")])
    river.write([port("p1", 0, "Available")])
    river.tick(step_ms=30_000, connected=False)
    river.tick(step_ms=10)
    river.work()
    assert river.analytics.engine.watermark_ms[0] < T0
    river.analytics.commit()
    river.kill()
    for _ in range(6):
        river.tick()
    river.work()
    assert river.analytics.engine.watermark_ms[0] == T0
    river.write([port("p1", 60, "Available")])
    river.tick(step_ms=60_000)  # ingest was not there, and says so by no tick at all
    river.work()
    assert river.analytics.engine.watermark_ms[0] == T0


def test_rules_change_with_the_journal_and_a_broken_text_changes_nothing(tmp_path: Path) -> None:
    stream = [port("p1", 0, "Available"), port("p1", 10, "Faulted"), port("p1", 20, "Available"),
              port("p1", 30, "Faulted"), port("p1", 40, "Unavailable"), port("p1", 50, "Faulted")]
    river = River(tmp_path, stream)
    river.write(stream[:2])
    river.put_rules("[port_faulted]\nseverity = 'dire'\n")
    river.work()
    assert "rules.toml, line 1: [port_faulted]" in (river.analytics.engine.rules_problem or "")
    river.analytics.commit()
    river.kill()
    assert "'dire'" in (river.analytics.engine.rules_problem or "")
    river.put_rules("[port_faulted]\nenabled = false\n")
    river.write(stream[2:4])
    river.work()
    # The alert of a rule that is gone ends with what was known last.
    told = [("port_faulted", "firing", T0 + 10_000), ("port_faulted", "resolved", T0 + 10_000)]
    assert river.told() == told
    assert river.analytics.engine.rules_problem is None
    river.put_rules("")
    river.write(stream[4:])
    river.work()
    assert river.told() == [*told, ("port_unavailable", "firing", T0 + 40_000), ("port_faulted", "firing", T0 + 50_000),
                            ("port_unavailable", "resolved", T0 + 50_000)]


def test_a_station_with_wrong_numbers_of_its_own_has_those_of_the_rules(tmp_path: Path) -> None:
    stream = [port("p1", 0, "Available"), port("p1", 10, "Faulted")]
    river = River(tmp_path, stream)
    river.put_registry({"stations": {"s": {"kind": "charging", "rules": {"port_falted": {"enabled": False}}}}})
    river.write(stream)
    river.work()
    assert river.told() == [("port_faulted", "firing", T0 + 10_000)]
    assert "there is no rule 'port_falted'" in river.analytics.engine.alerts.problems["s"]


def test_an_unlisted_station_with_devices_of_both_kinds_has_the_rules_of_both(tmp_path: Path) -> None:
    machine = reading("compressor", "c1", T0, codes={"state": "loaded"})
    stream = [machine, port("p1", 0, "Available"), port("p1", 10, "Faulted"), port("p1", 20, "Available")]
    river = River(tmp_path, stream)
    river.write(stream[:1])
    river.write(stream[1:])
    river.work()
    assert [rule for rule, _, _ in river.told()] == ["port_faulted", "port_faulted"]


def test_a_correction_never_fires(tmp_path: Path) -> None:
    stream = [port("p1", 0, "Available"), port("p1", 30, "Available"), port("p1", 10, "Faulted")]
    for batches in ([stream], [stream[:2], stream[2:]]):
        river = River(tmp_path / str(len(batches)), stream)
        for batch in batches:
            river.write(batch)
        river.work()
        river.analytics.commit()
        assert river.told() == []
        assert river.minutes()["p1", T0]["Faulted_ms"] == 20_000


def test_live_silence_of_one_port_waits_five_seconds(tmp_path: Path) -> None:
    stream = [port(d, 0, "Available") for d in ("p1", "p2")]
    river = River(tmp_path, stream, mode="live")
    river.write(stream)
    for s in range(320):
        if s % 60 == 0:
            river.write([port("p2", s + 1)])
        river.tick()
    river.work()
    assert river.told() == [("device_offline", "firing", T0 + 305_000)]


def test_live_deafness_is_no_silence(tmp_path: Path) -> None:
    stream = [port("p1", 0, "Available")]
    river = River(tmp_path, stream, mode="live")
    river.write(stream)
    for s in range(400):
        river.tick(connected=s < 100 or s > 390)
    river.work()
    river.analytics.commit()
    assert river.told() == []
    assert np.diff(StateReader.open(tmp_path / "state.db").deaf(0, 2 * T0)).tolist() == [[292_000]]


def test_event_mode_waits_for_the_watermark_and_then_moves_up_when_idle(tmp_path: Path) -> None:
    stream = [port("p1", 0, "Available"), port("p2", 0, "Available"), port("p2", 3_000, "Available")]
    river = River(tmp_path, stream)
    river.write(stream)
    river.tick()
    river.work()
    assert river.told() == []
    for _ in range(6):
        river.tick()
    river.work()
    assert [(rule, state) for rule, state, _ in river.told()] == [
        ("station_offline", "firing"), ("station_offline", "resolved"),
    ]


def test_a_repetition_after_a_gap_does_not_hide_its_end(tmp_path: Path) -> None:
    stream = [port("p2", 60 * m, "Available") for m in range(8)]
    stream += [port("p1", s, "Available") for s in (0, 400, 410)]
    river = River(tmp_path, stream)
    river.write(stream)
    river.work()
    river.write([port("p1", 410, "Available")])
    for _ in range(6):
        river.tick()
    river.work()
    assert river.told() == [
        ("device_offline", "firing", T0 + 305_000), ("device_offline", "resolved", T0 + 400_000),
    ]


def test_a_backlog_inside_a_gap_is_exact_and_a_repetition_changes_nothing(tmp_path: Path) -> None:
    before = [port("p1", 60 * m, "Charging", power_kw=6.0, energy_kwh=100 + m / 10) for m in range(30)]
    backlog = [port("p1", 60 * m, "Charging", power_kw=6.0, energy_kwh=100 + m / 10) for m in range(30, 150)]
    after = [port("p1", 60 * m, "Charging", power_kw=6.0, energy_kwh=100 + m / 10) for m in range(150, 200)]
    river = River(tmp_path, before)
    river.write(before)
    river.write(after)
    river.work()
    river.analytics.engine.kinds["port"].shelf.compact()
    for part in (backlog[60:], backlog[:60], backlog[20:90]):
        river.write(part)
        river.work()
        river.analytics.engine.kinds["port"].shelf.compact()
    river.analytics.commit()
    minutes, _ = naive_fold(before + backlog + after, {})
    assert river.minutes() == minutes
    assert river.analytics.engine.counters["too_late"] == 0


@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_backlog_says_last_holds_until_the_next_state(tmp_path: Path, restarted: bool) -> None:
    before = [port("p1", 60 * m, "Available", power_kw=0.0) for m in range(5)]
    backlog = [port("p1", 60 * m, "Charging", power_kw=6.0) for m in range(20, 30)]
    # Hours in which the port says its power and no status.
    after = [port("p1", 60 * m, power_kw=6.0) for m in range(40, 300)]
    after += [port("p1", 60 * m, "Finishing", power_kw=0.0) for m in range(300, 330)]
    river = River(tmp_path, before)
    river.write(before + after)
    for _ in range(6):
        river.tick()
    river.work()
    told = river.told()
    river.analytics.commit()
    if restarted:
        river.kill()
    river.write(backlog)
    river.work()
    river.analytics.commit()
    minutes, runs = naive_fold(before + after + backlog, {})
    assert river.minutes() == minutes
    assert [r.state for r in runs["p1"]] == ["Available", "Charging", "Charging", "Finishing"]
    assert river.told() == told


def test_a_backlog_of_a_device_that_is_silent_again_tells_nothing(tmp_path: Path) -> None:
    others = [port("p1", 30 * k, "Available") for k in range(300)]
    heard = [port("p2", 30 * k, "Available") for k in (*range(10), *range(40, 60), *range(90, 120))]
    backlog = [port("p2", 30 * k, "Charging") for k in range(10, 25)]
    river = River(tmp_path, [*others, *heard, *backlog])
    river.write(sorted([*others, *heard], key=lambda r: r["time_ms"]))
    for _ in range(7):
        river.tick()
    river.work()
    told = river.told()
    assert [state for _, state, _ in told] == ["firing", "resolved"] * 2 + ["firing"]
    river.write(backlog + [port("p1", 30 * k, "Available") for k in range(300, 320)])
    for _ in range(7):
        river.tick()
    river.work()
    assert river.told() == told


def test_a_backlog_that_reaches_now_ends_the_silence_also_when_the_watermark_stands(tmp_path: Path) -> None:
    others = [port("p1", 30 * k, "Available") for k in range(41)]
    silent = [port("p2", 30 * k, "Available") for k in range(11)]
    backlog = [port("p2", 30 * k, "Charging") for k in range(11, 41)]
    river = River(tmp_path, [*others, *silent, *backlog])
    river.write(others + silent)
    for _ in range(7):
        river.tick()
    river.write(backlog)
    for _ in range(7):
        river.tick()
    river.work()
    at = [(rule, state, (t - T0) // 1000) for rule, state, t in river.told()]
    assert at == [("device_offline", "firing", 605), ("device_offline", "resolved", 1200)]


def test_what_is_older_than_the_reorder_time_and_in_no_gap_is_too_late(tmp_path: Path) -> None:
    stream = [port("p1", 60 * m, "Available") for m in range(30)]
    river = River(tmp_path, stream)
    river.write(stream)
    river.write([port("p1", 90, "Faulted")])
    river.work()
    river.analytics.commit()
    assert river.analytics.engine.counters["too_late"] == 1
    assert river.minutes() == naive_fold(stream, {})[0]


def test_a_kind_that_differs_from_the_registry_is_set_aside(tmp_path: Path) -> None:
    stream = [port("p1", 0, "Available"), reading("site_meter", "p2", T0, values={"power_kw": 1.0})]
    river = River(tmp_path, stream)
    river.put_registry({"stations": {"s": {"kind": "charging", "ports": [{"id": "p1"}, {"id": "p2"}]}}})
    river.write(stream)
    river.work()
    river.analytics.commit()
    assert river.analytics.engine.counters["kind_mismatch"] == 1
    assert {device for device, _ in river.minutes()} == {"p1"}


def test_a_window_holds_what_is_still_open(tmp_path: Path) -> None:
    stream = [port("p1", 0, "Charging"), port("p2", 0, "Available"), port("p2", 200, "Available")]
    river = River(tmp_path, stream)
    river.put_registry({"stations": {"s": {"kind": "charging", "ports": [{"id": "p1", "offline_after_s": 120}]}}})
    river.write(stream)
    river.work()
    river.analytics.commit()
    reader = StateReader.open(tmp_path / "state.db")
    window = load_window(reader, registry_of(stream, {}), "s", T0, T0 + 600_000)
    ports = window.minutes["port"]
    assert dict(zip(ports.devices, ports.per_device("Charging_ms").tolist(), strict=True)) == {
        "p1": 120_000, "p2": 0,
    }
    assert window.now_ms == T0 + 200_000
    runs = window.runs["port"]
    assert runs.end_ms.tolist() == [T0 + 120_000, T0 + 200_000]
