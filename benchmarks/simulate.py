"""What the simulators cost: a week of the largest station and of an air station, on one core."""

import time
from collections.abc import Iterator

from simulators.scenario import load_scenario
from simulators.simulation import Simulation
from telemetry.times import DAY_MS


def measure_simulate(days: float) -> Iterator[tuple[str, str]]:
    """Yield scenario -> messages, CPU time, and the time that a week takes."""
    for name in ("carpark-week", "air-shared"):
        scenario = load_scenario(name)
        begin_s = time.process_time()
        simulation = Simulation(scenario, scenario.seed, scenario.start_ms, round(days * DAY_MS))
        count = sum(1 for _ in simulation.messages())
        used_s = time.process_time() - begin_s
        yield name, f"{days:g} days, {count:,} messages, {used_s:.1f} s of CPU, {count / used_s:,.0f} messages/s"
