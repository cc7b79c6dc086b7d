"""Ordered charging in a closed loop on the arrivals of the ACN-Sim recordings: what the advice delivers."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.garage import Garage, read_garage, run
from telemetry.errors import VoltairError

RECORDINGS = {40: "three_phase-LLF-40", 50: "three_phase-Unctrl-50"}
"""Limit of the garage [kW] -> the recording that holds its network."""


def data_folder() -> Path:
    """Return the folder of recordings: $VOLTAIR_TEST_DATA, else ../shared/data beside the clone.

    Raises
    ------
    VoltairError
        If there is none.
    """
    folder = Path(os.environ.get("VOLTAIR_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "acn-sim").is_dir():
        msg = f"no recordings in {folder}; set VOLTAIR_TEST_DATA"
        raise VoltairError(msg)
    return folder


def measure_advice() -> Iterator[tuple[str, str]]:
    """Yield what was measured, as text for people."""
    controls = {
        "least laxity first": {"capped": False},
        "advice, all departures known": {},
        "advice, none known": {"known": False},
    }
    for limit_kw, name in RECORDINGS.items():
        garage = read_garage(data_folder() / "acn-sim" / f"{name}.json.gz")
        for control, options in controls.items():
            began_s = time.process_time()
            course, score = run(garage, garage.pilot_a.shape[1], **options)
            took_s = time.process_time() - began_s
            same = "" if limit_kw != 40 or options != {"capped": False} else _same(garage, course.current_a)
            yield f"{limit_kw} kW, {control}", (
                f"delivered {100 * score.delivered:.2f} %, met {100 * score.met:.2f} %, peak {score.peak_kw:.2f} kW, "
                f"{score.violations} violations, {int(course.curtailed.sum()) * 5:,} min curtailed; "
                f"{1000 * took_s / garage.pilot_a.shape[1]:.2f} ms of CPU a step{same}"
            )


def _same(garage: Garage, current_a: np.ndarray) -> str:
    return f"; currents other than recorded: {int((current_a != garage.pilot_a).sum())} of {current_a.size:,}"
