"""Power of ports that only measure current, where their owner has declared `power_from = "current"`."""

import numpy as np
from numpy.typing import NDArray

from analytics.folded import Devices
from analytics.kernels.electrical import power_of_currents
from analytics.table import Table
from telemetry.channels import PORT


def with_power(table: Table, devices: Devices) -> Table:
    """Return the readings with `power_kw` filled in from the currents of the same reading.

    The voltage is that of the same reading, else the nominal one: a reading says nothing of other readings, so the
    order of arrival changes nothing.
    """
    if devices.kind is not PORT or not len(table):
        return table
    column = PORT.value_index
    missing = ~np.isnan(devices.current_v[table.device]) & np.isnan(table.values[column["power_kw"]])
    if not missing.any():
        return table
    device = table.device[missing]

    def own(name: str) -> NDArray[np.float64]:
        return table.values[column[name]][missing]

    def lines(name: str, unit: str) -> NDArray[np.float64]:
        return np.stack([own(f"{name}_l{k}_{unit}") for k in (1, 2, 3)], axis=1)

    power = table.values[column["power_kw"]].copy()
    power[missing] = power_of_currents(
        own("current_a"), lines("current", "a"), own("voltage_v"), lines("voltage", "v"),
        devices.current_v[device], devices.phases[device],
    )
    at = column["power_kw"]
    return table.put(values=(*table.values[:at], power, *table.values[at + 1 :]))
