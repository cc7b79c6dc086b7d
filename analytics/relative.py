"""Telling the log, once per port, that its energy register counts the energy of one session."""

import logging
from collections.abc import Sequence

import numpy as np

from analytics.folded import Folded
from store.journal import DeviceKey

log = logging.getLogger("voltair.analytics")


class RelativeRegisters:
    """Which ports have been told of since the process began."""

    def __init__(self) -> None:
        self._told: set[int] = set()

    def see(self, folded: Folded, keys: Sequence[DeviceKey]) -> None:
        """Log the ports of a fold whose register began anew with a session."""
        for column, at in zip(folded.columns, folded.keys, strict=True):
            if column != "energy_session_resets":
                continue
            for device in set(np.unique(at >> 28).tolist()) - self._told:
                self._told.add(device)
                log.info(
                    "%s/%s: its energy register begins anew with a session, so it is taken as relative to the session; "
                    "sessions keep their energy and port_meter_reset does not fire for it. Send the lifetime register "
                    "if the charger has one: what flows between its last value and the next session is known by power "
                    "alone", keys[device].station, keys[device].device,
                )
