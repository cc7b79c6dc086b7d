"""Whether Voltair does its work: `/readyz` and the numbers of `/metrics`."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.desk import Desk
from api.outbox import STATES
from api.progress import read_progress
from store.roles import ROLES, RoleStatus, read_status, wall_ms

FRESH_MS = 5_000
"""A role that has said nothing for this long does not run."""


def readiness(data: Path, own: RoleStatus | None = None) -> tuple[bool, dict[str, Any]]:
    """Return whether all roles run and the body of `/readyz`.

    A dead series store or receiver is degraded, and still ready.

    Parameters
    ----------
    data
        The data directory.
    own
        What this process says of itself; None: read from its file.
    """
    reasons: list[str] = []
    degraded: list[str] = []
    roles: dict[str, Any] = {}
    now_ms = wall_ms()
    for role in ROLES:
        status = own if own is not None and role == own.role else read_status(data, role)
        age_ms = None if status is None else now_ms - status.updated_ms
        runs = age_ms is not None and age_ms < FRESH_MS
        roles[role] = {
            "running": runs, "ready": runs and status is not None and status.ready,
            "problems": status.problems if status is not None else [],
        }
        if status is None:
            reasons.append(f"{role} has never run on {data}; start 'voltair run' or 'voltair {role}'")
        elif not runs:
            last = "; ".join(status.problems) or "see its log, or start it"
            reasons.append(f"{role} has been silent for {(age_ms or 0) / 1000:.0f} s; {last}")
        elif role == "ingest" and not status.ready:
            reasons += [f"ingest: {p}" for p in status.problems] or ["ingest is not subscribed yet"]
        elif role == "analytics" and not status.ready:
            reasons += [f"analytics: {p}" for p in status.problems]
        else:
            degraded += [f"{role}: {p}" for p in status.problems]
    state = "not ready" if reasons else "degraded" if degraded else "ready"
    return not reasons, {"status": state, "reasons": reasons + degraded, "roles": roles}


class RiverCollector(Collector):
    """Metrics from the files of every role, read when they are asked for."""

    def __init__(self, data: Path, desk: Desk) -> None:
        self._data = data
        self._desk = desk

    def collect(self) -> Iterable[Metric]:
        """Yield all metrics."""
        db = self._desk.reader
        states = dict(db.execute("SELECT state, count(*) FROM delivery GROUP BY state"))
        progress = read_progress(self._data, states.get("pending", 0))
        totals = {
            "messages_received": (progress.received, "MQTT messages received"),
            "messages_acknowledged": (progress.acknowledged, "MQTT messages acknowledged after their commit"),
            "messages_dead_lettered": (progress.dead_lettered, "messages with a part that could not be read"),
            "values_rejected": (progress.rejected, "values of the wrong type or out of range"),
            "readings_journalled": (progress.journalled, "readings in the journal"),
            "readings_written": (progress.written, "readings settled in the series store"),
            "readings_analysed": (progress.analysed, "readings settled in analytics"),
            "readings_too_late": (progress.too_late, "readings older than corrections reach"),
            "readings_future": (progress.future, "readings ahead of the clock"),
            "readings_lost": (progress.lost, "readings of damaged journal entries"),
            "readings_kind_mismatch": (progress.kind_mismatch, "readings of a kind that the registry denies"),
        }
        for name, (value, text) in totals.items():
            yield CounterMetricFamily(f"voltair_{name}", text, value)
        yield GaugeMetricFamily("voltair_connected", "whether ingest hears the broker", int(progress.connected))
        yield GaugeMetricFamily("voltair_derived_pending", "derived rows to be written", progress.derived_pending)
        deliveries = GaugeMetricFamily("voltair_deliveries", "webhook deliveries by state", labels=["state"])
        for state in STATES:
            deliveries.add_metric([state], states.get(state, 0))
        yield deliveries
        firing = GaugeMetricFamily("voltair_alerts_firing", "alerts that fire now", labels=["rule", "severity"])
        for rule, severity, count in db.execute(
            "SELECT rule, severity, count(*) FROM alert WHERE state = 'firing' GROUP BY rule, severity"
        ):
            firing.add_metric([rule, severity], count)
        yield firing
        yield from self._roles()

    def _roles(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("voltair_role_up", "whether a role runs", labels=["role"])
        ready = GaugeMetricFamily("voltair_role_ready", "whether a role does its work", labels=["role"])
        now_ms = wall_ms()
        for role in ROLES:
            status = read_status(self._data, role)
            runs = status is not None and now_ms - status.updated_ms < FRESH_MS
            up.add_metric([role], int(runs))
            ready.add_metric([role], int(runs and status is not None and status.ready))
            if status is None or not runs:
                continue
            for name, value in status.gauges.items():
                yield GaugeMetricFamily(f"voltair_{role}_{_safe(name)}", f"{name} of {role}", value)
            for name, count in status.counters.items():
                yield CounterMetricFamily(
                    f"voltair_{role}_{_safe(name)}", f"{name} of {role} since its process started", count
                )
        yield up
        yield ready


def _safe(name: str) -> str:
    """Return a name that Prometheus takes; it wants units in full."""
    return re.sub(r"_s$", "_seconds", re.sub(r"[^a-zA-Z0-9_]", "_", name))
