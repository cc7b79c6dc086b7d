"""A garage in a closed loop: the arrivals of an ACN-Sim recording, its network, and a rule that sets the currents.

The stays are real, the currents simulated; https://github.com/caltech-netlab/acnportal-experiments.
"""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analytics.kernels.course import Course, Site, Stays, follow
from analytics.kernels.electrical import line_currents
from analytics.kernels.ordered import Float64

STEP_H = 5 / 60
MET_KWH = 0.1
"""A demand is met that misses less."""


@dataclass(frozen=True, slots=True, eq=False)
class Garage:
    """One recording."""

    site: Site
    stays: Stays
    most: Float64
    """(k,) of each line [A]."""
    matrix: Float64
    """(k, n) with signs, without phase angles."""
    angle_deg: Float64
    pilot_a: Float64
    """(n, steps) currents that the recorded control set."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a control achieved."""

    delivered: float
    """Of what was requested."""
    met: float
    """Share of the stays whose demand was met."""
    peak_kw: float
    violations: int
    """Line x step in which the current that was drawn is above the limit."""


def read_garage(path: Path) -> Garage:
    """Read a recording (gzip of JSON text saved as a JSON string)."""
    with gzip.open(path, "rt") as file:
        outer = json.loads(json.load(file))
    context = outer["context_dict"]

    def attributes(reference: Any) -> dict[str, Any]:
        return dict(context[reference["id"] if isinstance(reference, dict) else reference]["attributes"])

    simulator = attributes(outer["id"])
    network = attributes(simulator["network"])
    row = {name: k for k, name in enumerate(network["_EVSEs"])}
    vehicles = [attributes(e) for e in simulator["ev_history"].values()]
    matrix, angle = np.array(network["constraint_matrix"], float), np.array(network["_phase_angles"], float)
    stays = Stays(
        port=np.array([row[v["_station_id"]] for v in vehicles]),
        first=np.array([v["_arrival"] for v in vehicles]),
        end=np.array([v["_departure"] for v in vehicles]),
        missing_kwh=np.array([v["_requested_energy"] for v in vehicles]),
        most_kw=np.array([attributes(v["_battery"])["_max_power"] for v in vehicles]),
        known=np.ones(len(vehicles), np.bool_),
    )
    site = Site(
        rates_a=[np.array(attributes(e)["allowable_rates"], float) for e in network["_EVSEs"].values()],
        kw_per_a=np.array(network["_voltages"], float) / 1000,
        weight=matrix * np.exp(1j * np.deg2rad(angle)),
    )
    pilot_a = np.array(simulator["pilot_signals"], float)
    return Garage(site, stays, np.array(network["magnitudes"], float), matrix, angle, pilot_a)


def run(garage: Garage, steps: int, *, known: bool = True, capped: bool = True) -> tuple[Course, Score]:
    """Follow the first steps of a garage; stays that begin later are left out.

    Parameters
    ----------
    known
        Whether departures and requests are known to the rule.
    capped
        False: the least-laxity-first of the recordings, which takes every vehicle for as strong as its port.
    """
    own = np.flatnonzero(garage.stays.first < steps)
    all_ = garage.stays
    stays = Stays(all_.port[own], all_.first[own], all_.end[own], all_.missing_kwh[own], all_.most_kw[own],
                  np.full(len(own), known))
    most = np.repeat(garage.most[:, None], steps, axis=1)
    course = follow(garage.site, most, stays, STEP_H, capped=capped)
    lines = line_currents(garage.matrix, course.power_kw / garage.site.kw_per_a[:, None], garage.angle_deg)
    return course, Score(
        delivered=float(1 - course.missing_kwh.sum() / stays.missing_kwh.sum()),
        met=float((course.missing_kwh < MET_KWH).mean()),
        peak_kw=float(course.power_kw.sum(axis=0).max()),
        violations=int((lines > garage.most[:, None] + 1e-5).sum()),
    )
