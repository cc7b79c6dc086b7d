"""The energy code of an air station, its machines and customers: green, yellow or red, with the reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.air import air_minutes
from analytics.customers import branch_end_bar, minutes_outside
from analytics.figures import KpiAnswer, round_figure
from analytics.rules.evaluate import baseline_kwh_per_m3
from analytics.statement import customer_coverage
from analytics.window import Window
from telemetry.times import MINUTE_MS

COLOURS = ("green", "yellow", "red")
LIMITS: Mapping[str, tuple[float, float]] = {
    "kwh_per_m3_of_baseline": (1.0, 1.1),
    "leak_share": (0.10, 0.30),
    "unloaded_energy_share": (0.15, 0.30),
    "unaccounted_share": (0.05, 0.15),
    "grade": (2.0, 3.0),
    "isentropic_efficiency": (float("inf"), 1.0),
    "fault_share": (0.0, 0.05),
    "outside_contract_share": (0.01, 0.05),
    "missing_share": (0.05, 0.20),
}
"""Figure -> values above which it is yellow, and red."""


@dataclass(frozen=True, slots=True)
class EnergyCode:
    """One subject's colour: that of its worst reason."""

    subject: str
    """`station`, `machine:{id}` or `customer:{id}`."""
    code: str
    """green, yellow, red; grey where nothing is known."""
    reasons: tuple[dict[str, Any], ...]
    """`{figure, value, limit, code}` of each figure that is not green, worst first."""


def energy_codes(window: Window, answer: KpiAnswer) -> list[EnergyCode]:
    """Return the codes of the station, then of its machines, then of its customers.

    Parameters
    ----------
    window, answer
        A compressed-air station and its key figures over that window.
    """
    kpis = answer.kpis
    ratio, baseline = kpis["kwh_per_m3"], baseline_kwh_per_m3(window.station)
    names = ("leak_share", "unloaded_energy_share", "unaccounted_share", "isentropic_efficiency")
    station = {name: kpis[name] for name in names}
    station["kwh_per_m3_of_baseline"] = None if ratio is None or not baseline else round_figure(ratio / baseline)
    found = [_code("station", station)]
    for device in answer.devices:
        if device.kind == "compressor":
            figures = {name: device.kpis[name] for name in ("grade", "unloaded_energy_share", "isentropic_efficiency")}
            known_h = device.kpis["known_h"]
            figures["fault_share"] = _fault_h(window, device.device) / known_h if known_h else None
            found.append(_code(f"machine:{device.device}", figures))
    length_min = (window.to_ms - window.from_ms) / MINUTE_MS
    air = air_minutes(window)
    for customer, rows in air.customers:
        bar, band = branch_end_bar(air, rows), window.station.contract_pressure_bar
        outside = None if band is None or np.isnan(bar).all() else minutes_outside(air, bar, band) / length_min
        coverage = customer_coverage(air, customer, rows)
        found.append(_code(f"customer:{customer.id}", {
            "outside_contract_share": None if outside is None else round_figure(outside),
            "missing_share": None if coverage is None else round_figure(1.0 - coverage),
        }))
    return found


def _fault_h(window: Window, machine: str) -> float:
    runs = window.runs.get("compressor")
    if runs is None:
        return 0.0
    return sum(
        max(0, min(int(runs.end_ms[i]), window.to_ms) - max(int(runs.start_ms[i]), window.from_ms))
        for i, state in enumerate(runs.state) if state == "fault" and runs.devices[runs.device[i]] == machine
    ) / (60 * MINUTE_MS)


def _code(subject: str, figures: Mapping[str, float | None]) -> EnergyCode:
    reasons, worst = [], 0
    for figure, value in figures.items():
        if value is None:
            continue
        yellow, red = LIMITS[figure]
        rank = 2 if value > red else int(value > yellow)
        worst = max(worst, rank)
        if rank:
            limit = red if rank == 2 else yellow
            reasons.append({"figure": figure, "value": value, "limit": limit, "code": COLOURS[rank]})
    reasons.sort(key=lambda r: -COLOURS.index(r["code"]))
    known = any(value is not None for value in figures.values())
    return EnergyCode(subject, COLOURS[worst] if known else "grey", tuple(reasons))
