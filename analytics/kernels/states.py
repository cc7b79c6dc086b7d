"""Which state a port is in, from the states of its connectors."""

import numpy as np
from numpy.typing import NDArray

from telemetry.channels import OCCUPIED_STATUS, PORT_STATUS

_RANKED = (
    "Faulted",
    "Unavailable",
    "Available",
    "Reserved",
    "Occupied",
    "Preparing",
    "Finishing",
    "SuspendedEV",
    "SuspendedEVSE",
    "Charging",
)
"""Lowest first: a port is occupied if one connector is, Faulted or Unavailable only if all are."""

STATUS_RANK = np.array([_RANKED.index(s) for s in PORT_STATUS], np.int8)
"""Rank of each status code."""
STATUS_OF_RANK = np.array([PORT_STATUS.index(s) for s in _RANKED], np.int8)
"""Status code of each rank."""
IS_OCCUPIED = np.array([s in OCCUPIED_STATUS for s in PORT_STATUS])
"""Whether a status code holds a vehicle."""

AVAILABLE = PORT_STATUS.index("Available")
CHARGING = PORT_STATUS.index("Charging")
OCCUPIED = PORT_STATUS.index("Occupied")
UNAVAILABLE = PORT_STATUS.index("Unavailable")

CHARGING_KW = 0.05
"""Power above this counts as charging where the status does not say."""


def port_state(
    status: NDArray[np.int64], power_kw: NDArray[np.float64], whole: NDArray[np.bool_]
) -> tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.int8]]:
    """Return the state of ports and whether they charge.

    Parameters
    ----------
    status
        (n, connectors) last status code, -1 where none was ever sent.
    power_kw
        (n, connectors) last power, NaN where none.
    whole
        (n,) whether every connector of the port has sent a status; until then no other one makes it Faulted or
        Unavailable: its state is not known.

    Returns
    -------
    state : (n,) status code of the highest connector, -1 where it is not known.
    charging : (n,) status Charging; for Occupied, and where no status was ever sent, power above 0.05 kW.
    rank : (n, connectors) place of each connector's state in the order of `STATUS_OF_RANK`, -1 unknown.
    """
    with np.errstate(invalid="ignore"):
        powered = power_kw > CHARGING_KW
    by_power = np.where(np.isnan(power_kw), -1, np.where(powered, STATUS_RANK[CHARGING], STATUS_RANK[AVAILABLE]))
    by_status = np.where(status >= 0, STATUS_RANK[status], -1)
    rank = np.where((status >= 0).any(axis=1, keepdims=True), by_status, by_power).astype(np.int8)
    highest = rank.max(axis=1)
    known = (highest >= 0) & (whole | (highest > STATUS_RANK[UNAVAILABLE]))
    state = np.where(known, STATUS_OF_RANK[highest], -1).astype(np.int8)
    return state, (state == CHARGING) | ((state == OCCUPIED) & powered.any(axis=1)), rank
