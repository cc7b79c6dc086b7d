"""Power from current: only where it is declared, and only where none is measured."""

import sys
from pathlib import Path

import pytest
from naive.streams import reading

sys.path.insert(0, str(Path(__file__).parent))
from journalled import T0, River


@pytest.mark.parametrize(("device", "values", "kw"), [
    ({"power_from": "current"}, {"current_a": 10.0, "voltage_v": 220.0}, 2.2),
    ({"power_from": "current"}, {"current_a": 10.0}, 2.3),
    ({"power_from": "current", "phases": 3, "nominal_voltage_v": 220}, {"current_a": 10.0}, 6.6),
    ({"power_from": "current"}, {"current_l1_a": 10.0, "current_l2_a": 10.0, "voltage_l1_v": 200.0}, 4.3),
    ({"power_from": "current"}, {"current_a": 10.0, "power_kw": 1.0}, 1.0),
    ({}, {"current_a": 10.0}, None),
])
def test_power_from_current(tmp_path: Path, device: dict[str, object], values: dict[str, float], kw: float) -> None:
    stream = [reading("port", "p", T0 + 30_000 * i, values=values) for i in range(5)]
    river = River(tmp_path, stream)
    river.put_registry({"stations": {"s": {"kind": "charging", "ports": [{"id": "p", **device}]}}})
    river.write(stream)
    river.work()
    river.analytics.commit()
    minute = river.minutes()["p", T0]
    if kw is None:
        assert "power_kw_i" not in minute
        assert "energy_n" not in minute
    else:
        assert minute["power_kw_i"] == pytest.approx(kw * 1e6 * 60_000, rel=1e-6)
        assert minute["energy_n"] == pytest.approx(kw / 60 * 1e9, rel=1e-6)
