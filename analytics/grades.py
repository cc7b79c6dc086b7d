"""Energy grades of compressors by GB 19153-2019, from a table that says where each number comes from."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from telemetry.registry import Device

MOTOR_STEPS_KW = (75.0, 90.0, 110.0, 132.0, 160.0, 185.0, 200.0, 220.0, 250.0)
"""Motor ratings of the standard between the smallest and the largest that are transcribed; some lack numbers."""
PRESSURE_STEPS_MPA = (0.5, 0.7, 0.8, 1.0)
WORSE = 4
"""Grade of a machine that misses grade 3, the legal minimum."""
_LIQUID = ("liquid", "water")


@dataclass(frozen=True, slots=True)
class Grade:
    """The grade of one machine."""

    grade: int | None
    """1 (best) to 3, 4 where it misses grade 3; None where the table does not tell."""
    reason: str
    """Why there is none, and what to do; "" where there is one."""


@cache
def _table() -> dict[tuple[str, float, float, str], tuple[float | None, ...]]:
    """Return (control, motor kW, MPa, cooling) -> limits of grades 1 to 3 [kW/(m3/min)]; None not transcribed."""
    text = files("analytics").joinpath("data/gb19153_2019.csv").read_text("utf-8")
    return {
        (row["control"], float(row["motor_kw"]), float(row["pressure_mpa"]), row["cooling"]): tuple(
            float(row[f"grade_{g}"]) if row[f"grade_{g}"] else None for g in (1, 2, 3)
        )
        for row in csv.DictReader(text.splitlines())
    }


def grade_of(machine: Device | None, kw_per_m3_min: float) -> Grade:
    """Return the grade of a machine by its specific power.

    Ratings between two steps of the standard take the next higher step.

    Parameters
    ----------
    machine
        `rated_kw`, `rated_pressure_bar`, `control` and `cooling` choose the row; None: not listed.
    kw_per_m3_min
        Package input power over free air delivery, loaded.
    """
    needed = ("rated_kw", "rated_pressure_bar", "control", "cooling")
    missing = [n for n in needed if machine is None or getattr(machine, n) is None]
    if machine is None or machine.rated_kw is None or machine.rated_pressure_bar is None or missing:
        return Grade(None, f"{', '.join(missing)} of the machine is missing: set it in stations.toml")
    cooling = "liquid" if machine.cooling in _LIQUID else str(machine.cooling)
    motor_kw = next((s for s in MOTOR_STEPS_KW if s >= machine.rated_kw), None)
    pressure_mpa = next((s for s in PRESSURE_STEPS_MPA if s >= machine.rated_pressure_bar / 10 - 1e-9), None)
    place = f"{machine.control}, {machine.rated_kw:g} kW, {machine.rated_pressure_bar / 10:g} MPa, {cooling}-cooled"
    limits = None
    if motor_kw is not None and pressure_mpa is not None and machine.rated_kw >= MOTOR_STEPS_KW[0]:
        limits = _table().get((str(machine.control), motor_kw, pressure_mpa, cooling))
    if limits is None:
        return Grade(None, f"{place} is outside the part of GB 19153-2019 that is transcribed; "
                           "see analytics/data/gb19153_2019.csv")
    for grade, limit in enumerate(limits, 1):
        if limit is None:
            return Grade(None, f"{place}: the limit of grade {grade} is not transcribed, the machine misses grade "
                               f"{grade - 1}; see analytics/data/gb19153_2019.csv")
        if kw_per_m3_min <= limit + 1e-9:
            return Grade(grade, "")
    return Grade(WORSE, "")
