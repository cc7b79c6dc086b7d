"""What really happened in a simulation, as a table for JSON; `docs/simulators.md` describes each key."""

from typing import Any

from simulators.faults import Fault
from simulators.scenario import Scenario
from telemetry.times import format_time

SCHEMA = "voltair.truth.1"
"""Named in every file; changes only by adding keep it."""


def truth_table(
    scenario: Scenario,
    *,
    seed: int,
    begin_ms: int,
    length_ms: int,
    faults: list[tuple[Fault, dict[str, Any]]],
    key_figures: dict[str, dict[str, float | None]],
    devices: dict[str, dict[str, str]],
) -> dict[str, Any]:
    """Return the truth of one run.

    Parameters
    ----------
    scenario
        What was simulated.
    seed
        Its seed.
    begin_ms, length_ms
        Its time.
    faults
        Each fault and what the model knows of it: `place`, `size`, `unit`.
    key_figures
        Station -> true key figures by the names of the contract.
    devices
        Station -> device -> kind.
    """
    rows = [
        {
            "station": fault.station,
            "device": fault.device if fault.device in devices[fault.station] else None,
            "device_kind": devices[fault.station].get(fault.device),
            "fault": fault.kind,
            "text": fault.traits.text,
            "from": format_time(begin_ms + since),
            "to": format_time(begin_ms + until),
            "place": "",
            "size": fault.full_size,
            "unit": fault.traits.unit,
            **known,
            "rule": fault.expect or None,
            "category": fault.category or None,
        }
        for fault, known in faults
        for since, until in fault.spans(length_ms)
    ]
    return {
        "schema": SCHEMA,
        "scenario": scenario.name,
        "seed": seed,
        "from": format_time(begin_ms),
        "to": format_time(begin_ms + length_ms),
        "faults": sorted(rows, key=lambda row: (row["from"], row["station"], row["fault"], str(row["device"]))),
        "stations": [
            {"station": name, "kpis": dict(sorted(found.items()))}
            for name, found in key_figures.items()
        ],
    }
