"""Power of ports that only measure current, where their owner has declared `power_from = "current"`."""

import numpy as np

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
    missing = ~np.isnan(devices.current_v[table.device]) & np.isnan(table.values[:, column["power_kw"]])
    if not missing.any():
        return table
    values = table.values.copy()
    rows = values[missing]
    device = table.device[missing]

    def lines(name: str, unit: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.stack([rows[:, column[f"{name}_l{k}_{unit}"]] for k in (1, 2, 3)], axis=1)

    rows[:, column["power_kw"]] = power_of_currents(
        rows[:, column["current_a"]], lines("current", "a"), rows[:, column["voltage_v"]], lines("voltage", "v"),
        devices.current_v[device], devices.phases[device],
    )
    values[missing] = rows
    return table.put(values=values)
