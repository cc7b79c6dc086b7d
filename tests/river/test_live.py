"""Live mode: alerts reach a receiver at once, and a backlog that is uploaded late mends the key figures."""

import time
from pathlib import Path

import pytest
from river.receiver import Receiver, receiving
from river.stack import Stack, stack

from simulators.message import Message, telemetry, telemetry_topic
from telemetry.times import MINUTE_MS, format_time

pytestmark = [pytest.mark.server, pytest.mark.slow]

STATIONS = """
[stations.harbour]
kind = "charging"
[[stations.harbour.ports]]
id = "p1"
rated_kw = 7
"""
LIMIT_S = 2.0
"""From the MQTT message to the webhook."""


def port(time_ms: int, **values: float | str) -> Message:
    return telemetry(telemetry_topic("harbour", "port", "p1"), time_ms, values)


def publish_and_wait(river: Stack, receiver: Receiver, message: Message, type_: str) -> float:
    """Publish one message and return the seconds until the webhook that it causes."""
    began_s = time.monotonic()
    river.publish([message])
    river.wait_for(lambda: bool(receiver.find(type_, "port_faulted", "p1")), type_, 30)
    return receiver.find(type_, "port_faulted", "p1")[0].received_s - began_s


def test_a_fault_and_its_end_reach_the_receiver_within_two_seconds(tmp_path: Path) -> None:
    with receiving() as receiver, stack(
        tmp_path, clock="live", stations=STATIONS, sections=receiver.section
    ) as river:
        fired_ms = int(time.time() * 1000)
        river.publish([port(fired_ms - 1000, status="Available")])
        fault = port(fired_ms, status="Faulted", error_code="GroundFailure")
        fired_s = publish_and_wait(river, receiver, fault, "alert.firing")
        resolved_s = publish_and_wait(
            river, receiver, port(int(time.time() * 1000), status="Available"), "alert.resolved"
        )
        print(f"webhook after {fired_s:.2f} s and {resolved_s:.2f} s")  # noqa: T201 - shown with -s
        assert fired_s < LIMIT_S
        assert resolved_s < LIMIT_S
        assert receiver.refused == []
        first, second = (p for p in receiver.posts if p.body["data"]["rule"] == "port_faulted")
        assert first.webhook_id != second.webhook_id
        assert first.body["data"]["id"] == second.body["data"]["id"]
        assert (first.body["data"]["sequence"], second.body["data"]["sequence"]) == (1, 2)
        assert first.body["data"]["since"] == first.body["data"]["fired_at"] == format_time(fired_ms)
        assert second.body["data"]["resolved_at"] is not None
        listed = river.items("alerts", station="harbour")
        assert [(a["rule"], a["state"]) for a in listed] == [("port_faulted", "resolved")]
        events = river.get("events", after=0)["items"]
        assert len(events) == 2
        assert river.client.get("/readyz").status_code == 200


def test_a_backlog_inside_an_offline_gap_changes_the_key_figures(tmp_path: Path) -> None:
    minute_ms = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
    from_ms, to_ms = minute_ms - 60 * MINUTE_MS, minute_ms - 10 * MINUTE_MS
    with stack(tmp_path, clock="live", stations=STATIONS) as river:
        river.publish([
            port(from_ms, status="Charging", energy_kwh=100.0),
            port(to_ms, status="Charging", energy_kwh=105.0),
        ])
        river.wait_drained()
        before = river.kpis("harbour", from_ms, to_ms)["kpis"]
        # Heard once, then silent: five minutes of Charging, and the rest is offline.
        assert before["charging_h"] == pytest.approx(5 / 60)
        assert before["offline_h"] == pytest.approx(45 / 60)
        assert before["energy_kwh"] == pytest.approx(5.0)
        backlog = [
            port(time_ms, status="Charging" if time_ms < from_ms + 30 * MINUTE_MS else "SuspendedEV",
                 energy_kwh=100.0 + min(5.0, (time_ms - from_ms) / MINUTE_MS / 6))
            for time_ms in range(from_ms + 2 * MINUTE_MS, to_ms, 2 * MINUTE_MS)
        ]  # fmt: skip
        river.publish(reversed(backlog))
        progress = river.wait_drained()
        assert progress["too_late"] == 0
        after = river.kpis("harbour", from_ms, to_ms)
        assert after["coverage"] == 1.0
        assert after["kpis"]["offline_h"] == 0.0
        assert after["kpis"]["charging_h"] == pytest.approx(30 / 60)
        assert after["kpis"]["idle_h"] == pytest.approx(20 / 60)
        assert after["kpis"]["energy_kwh"] == pytest.approx(5.0)
