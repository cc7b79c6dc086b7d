"""Windows over a state.db that the real engine wrote."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from journalled import T0, River, port
from naive.streams import reading

from analytics.loading import load_sessions, load_window
from analytics.sessions import sessions_ending, sessions_of
from analytics.uptime import uptime_of
from analytics.window import Window
from store.state import StateReader

_PORTS = [{"id": "p1"}]


def window_after(river: River) -> Window:
    """Return the first hour as the API would load it."""
    river.work()
    river.analytics.commit()
    reader = StateReader.open(river.config.data / "state.db")
    return load_window(reader, river.analytics.engine.registry, "s", T0, T0 + 3_600_000)


def test_the_newest_reading_ends_a_session(tmp_path: Path) -> None:
    stream = [
        port("p1", 0, "Charging", energy_kwh=1.0), port("p1", 600, "Charging", energy_kwh=2.0),
        reading("port", "p1", T0 + 660_000, values={}, codes={"status": "Available", "stop_reason": "Local"}),
    ]
    river = River(tmp_path, stream)
    river.write(stream)
    (session,) = sessions_ending(window_after(river))
    assert (session.end_ms, session.outcome, session.stop_reason) == (T0 + 660_000, "success", "Local")


def test_a_session_that_begins_with_the_newest_reading_is_open(tmp_path: Path) -> None:
    stream = [port("p1", 0, "Available"), port("p1", 60, "Charging")]
    river = River(tmp_path, stream)
    river.write(stream)
    runs = window_after(river).runs["port"]
    assert list(zip(runs.state, runs.end_ms.tolist(), strict=True)) == [
        ("Available", T0 + 60_000), ("Charging", T0 + 60_000),
    ]


def test_a_last_state_holds_as_long_as_the_registry_says_now(tmp_path: Path) -> None:
    stream = [port("p1", 0, "Charging"), port("p2", 200, "Available")]
    river = River(tmp_path, stream)
    river.write(stream)
    assert window_after(river).runs["port"].end_ms.tolist() == [T0 + 200_000, T0 + 200_000]
    river.put_registry({"stations": {"s": {"kind": "charging", "offline_after_s": 60, "ports": _PORTS}}})
    assert window_after(river).runs["port"].end_ms.tolist() == [T0 + 60_000, T0 + 200_000]


def test_outages_alone_give_the_same_uptime(tmp_path: Path) -> None:
    # Deaths by last will, silences, a fault, a return, over two days.
    stream = [port("p1", 60 * i, "Faulted" if 300 <= i < 330 else "Available") for i in range(2_000)
              if not 100 <= i < 140 and not 900 <= i < 1_000]
    stream += [{**port("p1", 60 * 1_500 + 1), "online": 0}]
    stream = sorted((r for r in stream if not 1_500 < (r["time_ms"] - T0) / 60_000 - 0.02 < 1_520),
                    key=lambda r: r["time_ms"])
    river = River(tmp_path, stream)
    for i in range(0, len(stream), 500):
        river.write(stream[i : i + 500])
    for _ in range(8):
        river.tick()
    river.work()
    river.analytics.commit()
    reader = StateReader.open(river.config.data / "state.db")
    span = (T0, T0 + 2_000 * 60_000)
    registry = river.analytics.engine.registry
    whole = uptime_of(load_window(reader, registry, "s", *span))
    assert uptime_of(load_window(reader, registry, "s", *span, with_minutes=False)) == whole
    assert [(o.cause, round((o.to_ms - o.from_ms) / 60_000)) for o in whole[0].outages] == [
        ("offline", 41), ("faulted", 30), ("offline", 101), ("offline", 21),
    ]


def test_sessions_alone_are_those_of_the_whole_window(tmp_path: Path) -> None:
    """One charges, one has a register that stands still, one is measured only while it is free, one never."""
    stream = []
    for i in range(300):
        at, busy = 60 * i, i % 50 >= 20
        status = "Charging" if busy else "Available"
        stream += [
            port("flows", at, status, energy_kwh=0.1 * i), port("stands", at, status, energy_kwh=5.0),
            port("rarely", at, status, **({} if busy else {"energy_kwh": 5.0})), port("never", at, status),
        ]
    river = River(tmp_path, stream)
    river.write(stream)
    whole = window_after(river)
    reader = StateReader.open(river.config.data / "state.db")
    found = sessions_of(load_sessions(reader, river.analytics.engine.registry, "s", T0, T0 + 3_600_000))
    assert found == sessions_of(whole)
    assert {s.port: s.flags for s in found} == {
        "flows": (), "stands": (), "rarely": (), "never": ("energy_unknown",),
    }
