import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive.electrical import naive_demand, naive_imbalance, naive_line_current, naive_power

from analytics.kernels.electrical import line_currents, nema_imbalance, power_of_currents, rolling_demand

NAN = float("nan")
amps = st.floats(0, 100)
maybe = st.one_of(st.just(NAN), st.floats(0, 400))
three = st.tuples(maybe, maybe, maybe)


@given(st.lists(st.tuples(amps, amps, amps), min_size=1, max_size=5))
def test_imbalance_equals_its_twin(lines: list[tuple[float, float, float]]) -> None:
    assert nema_imbalance(np.array(lines)) == pytest.approx([naive_imbalance(x) for x in lines], nan_ok=True)


def test_a_lost_phase_is_100_percent() -> None:
    assert nema_imbalance(np.array([1.0, 1.0, 0.0])) == pytest.approx(1.0)


@given(st.lists(st.tuples(st.integers(-1, 1), amps, st.sampled_from([30.0, 150.0, -90.0])), min_size=1, max_size=6))
def test_line_currents_equal_their_twin(loads: list[tuple[int, float, float]]) -> None:
    row, load, angle = (list(x) for x in zip(*loads, strict=True))
    found = line_currents(np.array([row], float), np.array(load)[:, None], np.array(angle))
    assert found[0, 0] == pytest.approx(naive_line_current(row, load, angle), abs=1e-9)


@given(st.lists(st.one_of(st.just(NAN), st.floats(-50, 50)), max_size=40), st.integers(1, 15))
def test_rolling_demand_equals_its_twin(power: list[float], width: int) -> None:
    expected = naive_demand(power, width)
    assert rolling_demand(np.array(power, float), width) == pytest.approx(expected, nan_ok=True, abs=1e-9)


@given(maybe, three, maybe, three, st.integers(1, 3))
def test_power_of_currents_equals_its_twin(
    current: float, lines: tuple[float, ...], volts: float, line_volts: tuple[float, ...], phases: int
) -> None:
    found = power_of_currents(np.array([current]), np.array([lines]), np.array([volts]), np.array([line_volts]),
                              np.array([230.0]), np.array([phases]))
    expected = naive_power(current, lines, volts, line_volts, 230.0, phases)
    assert found[0] == pytest.approx(expected, nan_ok=True, abs=1e-9)


def load_acn(data_dir: Path, name: str) -> dict[str, Any]:
    """Return the arrays of a simulation: rates [A] (54, steps), sessions, network."""
    with gzip.open(data_dir / "acn-sim" / f"three_phase-{name}.json.gz", "rt") as file:
        outer = json.load(file)
    outer = json.loads(outer) if isinstance(outer, str) else outer
    context = outer["context_dict"]

    def attributes(key: str) -> dict[str, Any]:
        return dict(context[key]["attributes"])

    simulator = attributes(outer["id"])
    network = attributes(simulator["network"])
    return {
        "rates": np.array(simulator["charging_rates"], float),
        "evs": [attributes(e) for e in simulator["ev_history"].values()],
        "matrix": np.array(network["constraint_matrix"], float),
        "limits": np.array(network["magnitudes"], float),
        "names": list(network["constraint_index"]),
        "volts": np.array(network["_voltages"], float),
        "angles": np.array(network["_phase_angles"], float),
    }


NO_VIOLATION = (0,) * 8


@pytest.mark.parametrize(("name", "cap", "delivered", "met", "peak", "violations"), [
    ("Unctrl-50", 50, 99.88, 96.96, 99.00, (124, 360, 804, 752, 118, 463, 894, 287)),
    ("LLF-40", 40, 97.51, 86.58, 39.6, NO_VIOLATION),
    ("RR-20", 20, 69.21, 55.14, 19.97, NO_VIOLATION),
])
def test_figures_of_the_acn_simulations(
    data_dir: Path, name: str, cap: int, delivered: float, met: float, peak: float, violations: tuple[int, ...]
) -> None:
    acn = load_acn(data_dir, name)
    requested = np.array([e["_requested_energy"] for e in acn["evs"]])
    given_kwh = np.array([e["_energy_delivered"] for e in acn["evs"]])
    assert len(requested) == 954
    power_kw = acn["rates"] * acn["volts"][:, None] / 1000
    assert power_kw.sum() * 5 / 60 == pytest.approx(given_kwh.sum(), rel=1e-6)
    assert round(100 * given_kwh.sum() / requested.sum(), 2) == delivered
    assert round(100 * float((requested - given_kwh < 0.1).mean()), 2) == met
    site_kw = power_kw.sum(axis=0)
    assert site_kw.max() == pytest.approx(peak, abs=0.01)
    assert site_kw.max() / cap == pytest.approx(peak / cap, abs=0.001)
    lines = line_currents(acn["matrix"], acn["rates"], acn["angles"])
    over = (lines > acn["limits"][:, None] + 1e-6).sum(axis=1)
    named = dict(zip(acn["names"], over.tolist(), strict=True))
    order = ("CC Pod", "AV Pod", *(f"{side} {k}" for side in ("Secondary", "Primary") for k in "ABC"))
    assert tuple(named[n] for n in order) == violations


def test_imbalance_of_the_uncontrolled_simulation_by_both_definitions(data_dir: Path) -> None:
    acn = load_acn(data_dir, "Unctrl-50")
    lines = line_currents(acn["matrix"], acn["rates"], acn["angles"])
    secondary = lines[[acn["names"].index(f"Secondary {k}") for k in "ABC"]].T
    secondary = secondary[secondary.mean(axis=1) > 0]
    mean = secondary.mean(axis=1)
    assert round(100 * float(((secondary.max(axis=1) - mean) / mean).mean()), 2) == 42.59
    assert round(100 * float(nema_imbalance(secondary).mean()), 2) == 72.62
