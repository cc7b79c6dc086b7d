import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive.kpis import Tick, naive_sessions
from naive.windows import ENERGY_N_PER_S, START_MS, port_window, runs_of, station_of, window_of

from analytics.sessions import Session, sessions_ending, sessions_of

STATES = [None, None, "Available", "Preparing", "Charging", "Charging", "Finishing", "Faulted"]


def to_line(pieces: list[tuple[str | None, str, int]]) -> list[Tick]:
    """Return 10 minutes of ticks; only charging and finishing ports send a session id."""
    line: list[Tick] = []
    for state, sent, seconds in pieces:
        tick = None if state is None else (state, sent if state in ("Charging", "Finishing") else "")
        line += [tick] * seconds
    return (line + [None] * 600)[:600]


pieces = st.lists(st.tuples(st.sampled_from(STATES), st.sampled_from(["", "A", "B"]), st.integers(1, 90)), max_size=12)


@settings(max_examples=200, deadline=None)
@given(pieces.map(to_line))
def test_sessions_equal_a_walk_through_the_seconds(line: list[Tick]) -> None:
    found = sessions_of(port_window({"a": line}, station_of("charging")))
    expected = naive_sessions(line)
    assert [(s.start_ms - START_MS) // 1000 for s in found] == [e["start"] for e in expected]
    assert [None if s.end_ms is None else (s.end_ms - START_MS) // 1000 for s in found] == [e["end"] for e in expected]
    assert [s.session_id or "" for s in found] == [e["id"] for e in expected]
    assert [s.charging_s for s in found] == [e["charging"] for e in expected]
    assert [s.idle_s for s in found] == [e["idle"] for e in expected]
    assert [s.outcome == "interrupted" for s in found] == [e["after"] == "Faulted" for e in expected]
    for session, naive in zip(found, expected, strict=True):
        assert session.energy_kwh == pytest.approx(naive["charging"] * ENERGY_N_PER_S / 1e9)


def one(*runs: dict[str, object]) -> list[Session]:
    rows = [{"device": "a", "start_ms": START_MS + 1000 * r["at"], "end_ms": START_MS + 1000 * r["to"],
             **{k: v for k, v in r.items() if k not in ("at", "to")}} for r in runs]
    return sessions_of(window_of(station_of("charging"), 60, runs={"port": runs_of(rows)}))


def test_a_new_session_id_splits_at_once() -> None:
    first, second = one(
        {"at": 0, "to": 60, "state": "Charging", "session_id": "A", "energy_n": 10**9},
        {"at": 60, "to": 90, "state": "Charging", "session_id": "B", "energy_n": 10**8},
    )
    assert (first.session_id, first.end_ms, first.outcome) == ("A", START_MS + 60_000, "success")
    assert (second.session_id, second.end_ms, second.outcome) == ("B", None, "open")


def test_an_id_that_comes_or_goes_within_a_stay_does_not_split() -> None:
    (session,) = one(
        {"at": 0, "to": 10, "state": "Preparing"},
        {"at": 10, "to": 60, "state": "Charging", "session_id": "A", "energy_n": 10**9, "peak_kw": 7.0},
        {"at": 60, "to": 90, "state": "Finishing"},
        {"at": 90, "to": 100, "state": "Available", "stop_reason": "Local"},
    )
    assert session.item() == {
        "port": "a", "session_id": "A", "start": "2024-11-22T00:00:00.000Z", "charging_end": "2024-11-22T00:01:00.000Z",
        "end": "2024-11-22T00:01:30.000Z", "energy_kwh": 1.0, "peak_kw": 7.0, "mean_kw": 72.0, "charging_s": 50.0,
        "idle_s": 40.0,
        "stop_reason": "Local", "outcome": "success", "error_code": None, "cause": None, "overstay": None, "flags": [],
    }


def test_silence_does_not_end_a_session_that_comes_back() -> None:
    (session,) = one(
        {"at": 0, "to": 60, "state": "Charging", "session_id": "A", "energy_n": 10**9},
        {"at": 600, "to": 660, "state": "Charging", "session_id": "A", "energy_n": 10**9},
        {"at": 660, "to": 700, "state": "Available"},
    )
    assert session.flags == ("offline",)
    assert session.end_ms == START_MS + 660_000
    assert session.charging_s == 120
    assert session.energy_kwh == 2


@pytest.mark.parametrize(("state", "sent"), [("Charging", "B"), ("SuspendedEV", "A")])
def test_silence_ends_a_session_that_comes_back_as_another(state: str, sent: str) -> None:
    first, second = one(
        {"at": 0, "to": 60, "state": "Charging", "session_id": "A", "energy_n": 10**9},
        {"at": 600, "to": 660, "state": state, "session_id": sent},
    )
    assert first.end_ms == START_MS + 60_000
    assert second.start_ms == START_MS + 600_000


@pytest.mark.parametrize(
    ("energy_n", "reason", "after", "outcome"),
    [
        (10**9, "", "Available", "success"),
        (10**9, "EVDisconnected", "Available", "success"),
        (10**8, "", "Available", "zero_energy"),
        (10**8 + 1, "", "Available", "success"),
        (10**9, "EmergencyStop", "Available", "failed"),
        (10**9, "Local", "Unavailable", "interrupted"),
        (0, "", "Available", "unknown"),
    ],
)
def test_outcomes(energy_n: int, reason: str, after: str, outcome: str) -> None:
    (session,) = one(
        {"at": 0, "to": 60, "state": "Charging", "energy_n": energy_n, "stop_reason": reason},
        {"at": 60, "to": 90, "state": after},
    )
    assert session.outcome == outcome


def test_the_reason_of_the_next_session_is_not_taken() -> None:
    first, _ = one(
        {"at": 0, "to": 60, "state": "Charging", "session_id": "A", "energy_n": 10**9},
        {"at": 60, "to": 90, "state": "Charging", "session_id": "B", "stop_reason": "EmergencyStop"},
    )
    assert first.stop_reason is None


def test_sessions_overlap_or_end_in_the_window() -> None:
    rows = [
        {"device": "a", "start_ms": START_MS - 120_000, "end_ms": START_MS - 60_000, "state": "Charging"},
        {"device": "a", "start_ms": START_MS - 60_000, "end_ms": START_MS - 30_000, "state": "Available"},
        {"device": "a", "start_ms": START_MS - 30_000, "end_ms": START_MS + 30_000, "state": "Charging"},
        {"device": "a", "start_ms": START_MS + 30_000, "end_ms": START_MS + 90_000, "state": "Available"},
        {"device": "b", "start_ms": START_MS, "end_ms": START_MS + 60_000, "state": "Charging"},
        {"device": "b", "start_ms": START_MS + 60_000, "end_ms": START_MS + 90_000, "state": "Available"},
    ]
    window = window_of(station_of("charging"), 1, runs={"port": runs_of(rows)}, now_ms=START_MS + 90_000)
    assert [s.port for s in sessions_of(window)] == ["a", "b"]
    # The session of b ends at the window's end, which does not belong to it.
    assert [s.port for s in sessions_ending(window)] == ["a"]


@pytest.mark.parametrize(("runs", "cause"), [
    ([{"state": "Charging", "energy_n": 10**9}, {"state": "Faulted"}], "charger"),
    ([{"state": "Charging", "energy_n": 10**9}, {"state": "Faulted", "error_code": "UnderVoltage"}], "grid"),
    ([{"state": "Charging", "energy_n": 10**9, "stop_reason": "EmergencyStop"}, {"state": "Available"}], "user"),
    ([{"state": "Charging", "energy_n": 10**9, "stop_reason": "PowerLoss"}, {"state": "Available"}], "grid"),
    ([{"state": "Charging", "energy_n": 10**9, "stop_reason": "x"}, {"state": "Available"}], None),
    ([{"state": "Preparing", "energy_n": 1}, {"state": "Available"}], "user"),
    ([{"state": "SuspendedEV", "energy_n": 1}, {"state": "Available"}], "vehicle"),
    ([{"state": "SuspendedEVSE", "energy_n": 1}, {"state": "Available"}], "charger"),
    ([{"state": "Charging", "energy_n": 1, "error_code": "EVCommunicationError"}, {"state": "Available"}], "vehicle"),
    # A success has no cause, whatever was said on the way.
    ([{"state": "Charging", "energy_n": 10**9, "error_code": "WeakSignal"}, {"state": "Available"}], None),
])
def test_a_session_that_was_no_success_names_its_cause(runs: list[dict[str, object]], cause: str | None) -> None:
    (session,) = one(*({"at": 60 * i, "to": 60 * i + 60, **r} for i, r in enumerate(runs)))
    assert session.cause == cause
