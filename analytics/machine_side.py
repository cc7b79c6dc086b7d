"""What is lost at the machines, day by day: air that they delivered and that never came to the main.

It needs a flow meter at every machine and in the main, the machines' energy, and customers' meters. Such a balance
holds no use, so it is that of the whole day before each night: a machine may stand still at night. Meters are told from
leaks by what else they would change: a machine whose meter reads more seems to need less energy per m3, and where the
main reads less, less is left over for the network.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.air import AirMinutes, side_of
from analytics.counted import counted
from analytics.kernels.grid import ratio
from analytics.kernels.intervals import Int64
from telemetry.channels import MACHINE_STATE
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS

Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_MS = 12 * HOUR_MS
"""Known time that makes a day."""
LEAST_SHARE = 0.03
"""A loss smaller than this share of the station's flow drowns in the meters of its machines."""
RIDGE = 1e-3
"""Machines that always run together share what is lost."""


@dataclass(frozen=True, slots=True, eq=False)
class MachineSide:
    """The machines of a station by days that end with a night; NaN where a day is not known."""

    machines: tuple[str, ...]
    loss: Float64
    """(days,) delivered less supplied [m3/min]."""
    supplied: Float64
    """(days,) [m3/min]"""
    metered_root: Float64
    """(days,) root of the sum of squares of the meters' flows [m3/min]."""
    left_over: Float64
    """(days,) supplied less metered by customers [m3/min]."""
    flow: Float64
    """(days, machines) delivered [m3/min]."""
    kwh_per_m3: Float64
    """(days, machines) of the loaded minutes, by the machine's own meters."""
    hours_loss: Float64
    """(days, 24) loss of each hour [m3/min]."""
    hours_loaded: Float64
    """(days, 24, machines) share of each hour in which the machine was loaded."""

    def refusal(self, machine: int, before: Int64, after: Int64, growth: float, flow: float) -> str:
        """Return why a growth of the loss is no leak of this machine, "" where it is.

        Parameters
        ----------
        machine
            Its place in `machines`.
        before, after
            Days before and after the step; one alone may have been vented.
        growth, flow
            Of the loss, and mean flow of the station [m3/min].
        """
        if len(after) == 1 or growth < LEAST_SHARE * flow:
            return "one day alone, or less than the meters of the machines could tell"
        if self._drift(before, after) > growth / 2:
            return "the machines' energy or the customers' air say that a meter has drifted, not a leak"
        steady, own = self._shares(before, after)
        if steady + own.sum() < growth / 2:
            return "other machines run than before, and their meters differ: not a leak"
        # Of a loss that does not stop, only a machine that does not stop either may be the cause.
        loaded = np.nanmean(self.hours_loaded[after], axis=(0, 1))
        chosen = own if own.max() >= growth / 2 else loaded + 1e-6 * np.nanmean(self.flow[after], axis=0)
        if int(chosen.argmax()) != machine:
            return f"it goes with machine {self.machines[int(chosen.argmax())]}"
        seen = ~np.isnan(self.kwh_per_m3[before][:, machine])
        return "" if seen.any() else "the machine was not seen loaded before"

    def _drift(self, before: Int64, after: Int64) -> float:
        """Return how much of a growth the meters of machines and main may have added by themselves [m3/min]."""
        old, new = _middle(self.kwh_per_m3[before]), _middle(self.kwh_per_m3[after])
        machines = float(np.nansum(np.nanmean(self.flow[after], axis=0) * (1 - new / old)))
        return machines + float(_middle(self.left_over[before]) - _middle(self.left_over[after]))

    def _shares(self, before: Int64, after: Int64) -> tuple[float, Float64]:
        """Return how much more is lost whatever runs, and with each machine, by hours [m3/min]."""
        old, new = (self._fit(days) for days in (before, after))
        loaded = np.nanmean(self.hours_loaded[after].reshape(-1, len(self.machines)), axis=0)
        return float(new[0] - old[0]), (new[1:] - old[1:]) * loaded

    def _fit(self, days: Int64) -> Float64:
        loss = self.hours_loss[days].ravel()
        table = self.hours_loaded[days].reshape(-1, len(self.machines))
        known = ~np.isnan(loss) & ~np.isnan(table).any(axis=1)
        table = np.concatenate((np.ones((int(known.sum()), 1)), table[known]), axis=1)
        squares = table.T @ table + RIDGE * max(len(table), 1) * np.eye(table.shape[1])
        return np.asarray(np.linalg.solve(squares, table.T @ loss[known]))


def machine_side(air: AirMinutes, spans: Int64, clear: Bools) -> MachineSide | None:
    """Return the machines' side of the nights `spans`, None where it is not measured.

    Parameters
    ----------
    air
        The station's minutes.
    spans
        (days, 2) quiet times; each ends its day.
    clear
        (times,) minutes in which no dryer blows air off.
    """
    machines = counted(air.window, "compressor")
    mains = {kind for kind, _ in air.supply.devices} == {"air_main"}
    if not machines or not mains or not air.supply.any_amount or not air.meters.any_amount:
        return None
    named = [("compressor", m) for m in machines]
    volume, energy = (side_of(air.window, air.times_ms, named, what) for what in ("volume", "energy"))
    if volume.never_known or energy.never_known or not volume.any_amount:
        return None
    known = volume.known & energy.known & air.supply.known & air.meters.known & clear
    flow = np.where(volume.serves, ratio(volume.amount_n, volume.covered_ms, MINUTE_MS / 1e9), 0.0)
    supplied = air.supply.rate_per_min
    loss = np.where(known, flow.sum(axis=0) - supplied, np.nan)
    states = np.array([air.sums("compressor", machines, f"{s}_ms") for s in MACHINE_STATE])
    loaded_ms = states[MACHINE_STATE.index("loaded")]
    # Without states a machine counts as loaded while it delivers.
    loaded = np.where(states.sum(axis=0) > 0, loaded_ms / np.maximum(air.width_ms, 1), flow > 0)
    used = np.where(known & (loaded >= 1), energy.amount_n, 0), np.where(known & (loaded >= 1), volume.amount_n, 0)
    each = np.concatenate([s.amount_n / np.maximum(s.covered_ms, 1) for s in (volume, air.supply)]) * (MINUTE_MS / 1e9)
    days, count = len(spans), len(machines)
    one = {n: np.full(days, np.nan) for n in ("loss", "supplied", "metered_root", "left_over")}
    own = {n: np.full((days, count), np.nan) for n in ("flow", "kwh_per_m3")}
    hours_loss, hours_loaded = np.full((days, 24), np.nan), np.full((days, 24, count), np.nan)
    for i, end_ms in enumerate(spans[:, 1].tolist()):
        at = np.arange(*np.searchsorted(air.times_ms, (end_ms - DAY_MS, end_ms)))
        at = at[known[at]]
        weight = air.width_ms[at]
        if weight.sum() < LEAST_MS:
            continue
        one["loss"][i], one["supplied"][i] = (np.average(v[at], weights=weight) for v in (loss, supplied))
        one["left_over"][i] = np.average(supplied[at] - air.meters.rate_per_min[at], weights=weight)
        one["metered_root"][i] = np.sqrt((each[:, at].mean(axis=1) ** 2).sum())
        own["flow"][i] = np.average(flow[:, at], axis=1, weights=weight)
        own["kwh_per_m3"][i] = ratio(used[0][:, at].sum(axis=1), used[1][:, at].sum(axis=1))
        hour = (air.times_ms[at] - (end_ms - DAY_MS)) // HOUR_MS
        for h in np.unique(hour).tolist():
            inside = at[hour == h]
            hours_loss[i, h], hours_loaded[i, h] = loss[inside].mean(), loaded[:, inside].mean(axis=1)
    return MachineSide(tuple(machines), **one, **own, hours_loss=hours_loss, hours_loaded=hours_loaded)


def _middle(values: Float64) -> Float64:
    """Return the median of what is known along the first axis; NaN where nothing is."""
    out = np.full(values.shape[1:], np.nan)
    known = ~np.isnan(values).all(axis=0)
    out[known] = np.nanmedian(values[..., known] if values.ndim > 1 else values, axis=0)
    return out
