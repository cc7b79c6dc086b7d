import threading

import pytest

from simulators.control import Orders, order
from simulators.scenario import load_scenario
from simulators.simulation import Simulation
from telemetry.errors import ConfigError, VoltairError


@pytest.fixture
def running(tmp_path):
    """A simulation that looks for orders in a folder until the test ends."""
    scenario = load_scenario("demo")
    simulation = Simulation(scenario, 1, scenario.start_ms, None)
    folder, stop = tmp_path / "orders", threading.Event()
    messages = simulation.messages(Orders(folder, simulation).look)
    next(messages)

    def run():
        while not stop.is_set():
            next(messages)

    thread = threading.Thread(target=run)
    thread.start()
    yield folder, simulation
    stop.set()
    thread.join()


def test_a_fault_begins_in_the_running_simulation_where_it_fits(running):
    folder, simulation = running
    assert order(folder, {"kind": "leak", "lasts": "2m"}).startswith("leak at isle for 2m: a hole")
    frozen = {"kind": "sensor_frozen", "device": "v1", "station": "isle"}
    assert order(folder, frozen).startswith("sensor_frozen at isle v1")
    assert order(folder, {"kind": "port_fault"}).startswith("port_fault at harbour p01")
    injected = simulation.faults[-3:]
    assert [fault.kind for fault in injected] == ["leak", "sensor_frozen", "port_fault"]
    assert list(folder.iterdir()) == []
    rows = [row for row in simulation.truth().faults if row.fault == "sensor_frozen"]
    assert [(row.device, row.rule) for row in rows] == [("v1", None)]


def test_a_device_names_its_station(running):
    assert order(running[0], {"kind": "clock_skew", "device": "p14"}).startswith("clock_skew at harbour p14")


@pytest.mark.parametrize(
    ("fault", "part"),
    [({"kind": "earthquake"}, "there are: port_fault"), ({"kind": "port_fault", "device": "p99"}, "p99"),
     ({"kind": "leak", "station": "harbour"}, "none of port_fault"), ({"kind": "leak", "lasts": "long"}, "lasts")],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_reason(running, fault, part):
    with pytest.raises(ConfigError, match=part):
        order(running[0], fault)


def test_without_a_demo_the_order_says_so(tmp_path, monkeypatch):
    with pytest.raises(VoltairError, match="voltair demo"):
        order(tmp_path / "orders", {"kind": "leak"})
    (tmp_path / "orders").mkdir()
    monkeypatch.setattr("simulators.control._ANSWER_S", 0.1)
    with pytest.raises(VoltairError, match="still running"):
        order(tmp_path / "orders", {"kind": "leak"})
    assert list((tmp_path / "orders").iterdir()) == []
