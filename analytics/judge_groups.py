"""Rules on key figures of a group of stations: judged each quarter of an hour that all its stations have passed."""

from collections.abc import Callable, Sequence

from analytics.alerts import AlertKey, Alerts
from analytics.figures import KpiAnswer
from analytics.groups import group_id, group_kpis
from analytics.kpis import station_kpis
from analytics.rules.evaluate import threshold_of, value_sample
from analytics.rules.types import KpiInput
from analytics.window import Window
from telemetry.registry import Station
from telemetry.times import QUARTER_MS


def judge_group(
    alerts: Alerts, group: str, members: Sequence[Station], heard: Sequence[str],
    load: Callable[[str, int, int], Window], from_ms: int, to_ms: int,
) -> None:
    """Give every rule on the group its samples of the quarters of an hour that end in `(from_ms, to_ms]`.

    Parameters
    ----------
    alerts
        Takes the samples.
    group, members
        Name of the group, and its stations.
    heard
        Those of them that were ever heard; of the others nothing is known, so they lower the coverage.
    load
        (station, from, to) -> window.
    from_ms, to_ms
        Multiples of a quarter of an hour.
    """
    station = group_id(group)
    for rule in alerts.rules_of(station).values():
        assert isinstance(rule.input, KpiInput)  # noqa: S101 - the only source with this scope
        window_ms = rule.input.window_ms
        of_kind = [m for m in members if m.kind == rule.station_kind]
        known = [m.id for m in of_kind if m.id in heard]
        if not known or window_ms is None:
            continue
        for end in range(from_ms + QUARTER_MS, to_ms + 1, QUARTER_MS):
            answers: list[KpiAnswer] = [station_kpis(load(m, end - window_ms, end)) for m in known]
            coverage, kpis, _ = group_kpis(rule.station_kind, answers)
            share = (coverage or 0.0) * len(known) / len(of_kind)
            evidence = {"stations": known, "window_s": window_ms // 1000}
            sample = value_sample(
                rule, end, kpis[rule.input.kpi], threshold_of(rule, of_kind[0]), share, evidence
            )
            alerts.sample(rule, AlertKey(rule.name, station, "", ""), sample)
    alerts.advance(station, to_ms)
