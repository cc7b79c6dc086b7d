"""A port's state from its connectors: occupied if one is, Faulted or Unavailable only if all are."""

import numpy as np
import pytest

from analytics.kernels.states import port_state
from telemetry.channels import PORT_STATUS


@pytest.mark.parametrize(
    ("connectors", "power_kw", "state", "charging"),
    [
        (("Available", "Charging"), (np.nan, 7.0), "Charging", True),
        (("Faulted", "Available"), (np.nan, np.nan), "Available", False),
        (("Faulted", "Unavailable"), (np.nan, np.nan), "Unavailable", False),
        (("Faulted", "Faulted"), (np.nan, np.nan), "Faulted", False),
        (("Occupied", "Available"), (0.06, 0.0), "Occupied", True),
        (("Occupied", "Available"), (0.05, 0.0), "Occupied", False),
        (("SuspendedEV", "Available"), (5.0, 0.0), "SuspendedEV", False),
        (("Faulted", None), (np.nan, 9.0), "Faulted", False),
        ((None, None), (0.06, np.nan), "Charging", True),
        ((None, None), (0.0, np.nan), "Available", False),
        ((None, None), (np.nan, np.nan), None, False),
    ],
)
def test_the_highest_connector_speaks(
    connectors: tuple[str | None, ...], power_kw: tuple[float, ...], state: str | None, charging: bool
) -> None:
    codes = np.array([[-1 if c is None else PORT_STATUS.index(c) for c in connectors]], np.int64)
    found, found_charging, _ = port_state(codes, np.array([power_kw]), np.array([True]))
    assert found.tolist() == [-1 if state is None else PORT_STATUS.index(state)]
    assert found_charging.tolist() == [charging]


@pytest.mark.parametrize(("status", "known"), [
    ("Faulted", False), ("Unavailable", False), ("Available", True), ("Charging", True), ("SuspendedEV", True),
])
def test_a_connector_that_was_not_heard_yet_may_be_the_good_one(status: str, known: bool) -> None:
    codes = np.array([[PORT_STATUS.index(status)]], np.int64)
    found, _, _ = port_state(codes, np.array([[np.nan]]), np.array([False]))
    assert found.tolist() == [PORT_STATUS.index(status) if known else -1]
