"""The minutes of a compressed-air station as dense tables (devices, times), ready for its balances."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.counted import counted, service_span
from analytics.kernels.flow import AirState, conversion, state_of
from analytics.kernels.grid import dense, ratio
from analytics.kernels.intervals import Int64, contains, span
from analytics.window import Window
from store.buckets import Buckets, empty_buckets
from telemetry.registry import Customer, Station
from telemetry.times import MINUTE_MS

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]

AIR_KINDS = ("compressor", "dryer", "auxiliary", "air_main", "air_meter")


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One side of a balance: devices whose amounts are added up, minute by minute."""

    devices: tuple[tuple[str, str], ...]
    """(kind, device) of each row; a meter may stand in several rows, one for each customer."""
    amount_n: Int64
    """(devices, times) energy [10^-9 kWh] or volume [10^-9 m3]; 0 where the device does not serve."""
    covered_ms: Int64
    """(devices, times) time that the amount covers."""
    serves: Bools
    """(devices, times) whether the device counts in that minute."""

    @property
    def known(self) -> Bools:
        """(times,) whether every device that serves is known and there is one; its row of a window never 0."""
        return np.asarray(((self.covered_ms > 0) | ~self.serves).all(axis=0) & self.serves.any(axis=0))

    @property
    def any_amount(self) -> bool:
        """Whether any device reported an amount in the window."""
        return bool((self.covered_ms > 0).any() or self.amount_n.any())

    @property
    def total(self) -> float:
        """All that is known [kWh or m3]."""
        return int(self.amount_n.sum()) / 1e9

    def only(self, rows: Int64) -> "Side":
        """Return the chosen rows as a side of their own."""
        devices = tuple(self.devices[i] for i in rows.tolist())
        return Side(devices, self.amount_n[rows], self.covered_ms[rows], self.serves[rows])

    def over(self, minutes: Bools) -> float:
        """Return the sum over the chosen times [kWh or m3]."""
        return int(self.amount_n[:, minutes].sum()) / 1e9

    @property
    def shortest_ms(self) -> Int64:
        """(times,) time that every serving device covers at least."""
        cover = np.where(self.serves, self.covered_ms, np.iinfo(np.int64).max)
        return np.where(self.known, cover.min(axis=0, initial=np.iinfo(np.int64).max), 0)

    @property
    def rate_per_min(self) -> Float64:
        """(times,) sum of the devices' mean rates [amount per minute]; NaN where the side is not known."""
        each = np.where(self.serves, ratio(self.amount_n, self.covered_ms, MINUTE_MS / 1e9), 0.0)
        return np.where(self.known, each.sum(axis=0), np.nan)

    @property
    def never_known(self) -> list[str]:
        """The devices that should count but are known in no minute, e.g. `compressor c3`."""
        lost = np.flatnonzero(self.serves.any(axis=1) & ~(self.covered_ms > 0).any(axis=1))
        return [" ".join(self.devices[i]) for i in lost.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class AirMinutes:
    """Everything that the figures of a compressed-air station are made of."""

    window: Window
    times_ms: Int64
    """(times,) starts of the minutes of which anything is known."""
    width_ms: Int64
    """(times,)"""
    energy: Side
    """Compressors, dryers and auxiliaries."""
    supply: Side
    """Mains, or compressors where no main measures flow."""
    meters: Side
    """Meters of customers (all meters where no customer is listed)."""
    customers: tuple[tuple[Customer, Int64], ...]
    """Each customer with its rows of `meters`."""

    @property
    def balance_known(self) -> Bools:
        """(times,) whether energy and supply are both known."""
        return self.energy.known & self.supply.known

    @property
    def kwh_per_m3(self) -> float | None:
        """Energy of all devices per m3 supplied, over the minutes that know both; None without such air."""
        energy_kwh, volume_m3 = self.paired
        return energy_kwh / volume_m3 if volume_m3 > 0 else None

    @property
    def paired(self) -> tuple[float, float]:
        """Energy [kWh] and supplied air [m3] of the minutes that know both."""
        known = self.balance_known
        return self.energy.over(known), self.supply.over(known)

    @property
    def missing(self) -> str:
        """Which devices keep the balance of energy and air from being known, and what to do."""
        lost = list(dict.fromkeys([*self.energy.never_known, *self.supply.never_known]))
        if lost:
            return (f"neither energy nor flow known in the window from {', '.join(lost)}: mend what is silent, "
                    "or take it from stations.toml")
        return "no minute in the window in which energy and supplied air are both known"

    @property
    def flow_mean_m3_min(self) -> float | None:
        """Mean supplied flow over the minutes that know it; None where there is none."""
        weight = self.supply.shortest_ms
        total_ms = int(weight.sum())
        return float(np.nansum(self.supply.rate_per_min * weight)) / total_ms if total_ms else None

    @property
    def coverage_ms(self) -> int:
        """Time in which all that a station measures at all is known."""
        sides = [s for s in (self.energy, self.supply) if s.any_amount]
        if not sides:
            return 0
        return int(np.minimum.reduce([s.shortest_ms for s in sides]).sum())

    def rows(self, kind: str) -> Buckets:
        """Return the rows of one kind of device."""
        return self.window.minutes.get(kind, empty_buckets())

    def means(self, kind: str, devices: Sequence[str], gauge: str) -> Float64:
        """Return (devices, times) means of a gauge in its unit; NaN where not known."""
        integral = table_of(self.rows(kind), devices, f"{gauge}_i", self.times_ms)
        return ratio(integral, table_of(self.rows(kind), devices, f"{gauge}_ms", self.times_ms)) / 1e6

    def sums(self, kind: str, devices: Sequence[str], column: str) -> Int64:
        """Return (devices, times) values of a sum column; 0 where a device has no row."""
        return table_of(self.rows(kind), devices, column, self.times_ms)


def to_state(station: Station, wanted: AirState) -> float:
    """Return the volume in another state of 1 m3 in the station's `flow_reference`."""
    inlet = station.inlet
    own = None if inlet is None else AirState(inlet.temperature_c, inlet.pressure_bar, inlet.humidity)
    return conversion(state_of(station.flow_reference, own), wanted)


def air_minutes(window: Window) -> AirMinutes:
    """Arrange the minutes of a compressed-air station."""
    parts = [window.minutes[k] for k in AIR_KINDS if k in window.minutes]
    start = np.concatenate([p.start_ms for p in parts] or [np.empty(0, np.int64)])
    times, first = np.unique(start, return_index=True)
    width = np.concatenate([p.width_ms for p in parts] or [np.empty(0, np.int64)])[first]
    machines = [("compressor", d) for d in counted(window, "compressor")]
    helpers = [(k, d) for k in ("dryer", "auxiliary") for d in counted(window, k) if _may_use(window, k, d)]
    mains = [("air_main", d) for d in counted(window, "air_main")]
    main_side = side_of(window, times, [m for m in mains if _may_deliver(window, m[1])], "volume")
    meters, customers = _meters(window, times)
    return AirMinutes(
        window=window,
        times_ms=times,
        width_ms=width,
        energy=side_of(window, times, machines + helpers, "energy"),
        supply=main_side if main_side.any_amount else side_of(window, times, machines, "volume"),
        meters=meters,
        customers=customers,
    )


def _may_use(window: Window, kind: str, device: str) -> bool:
    """Return False for a dryer or auxiliary that has no meter: not yet heard, or heard without power and energy.

    One that was heard before but not in this window may have a meter, so it keeps the balance unknown.
    """
    if window.first_heard_ms.get((kind, device), window.to_ms) >= window.to_ms:
        return False
    return _total(window, kind, device, "energy_ms") > 0 or _total(window, kind, device, "heard_ms") == 0


def _may_deliver(window: Window, main: str) -> bool:
    """Return False for a main that only measures pressure: heard in the window, but without flow and volume."""
    return _total(window, "air_main", main, "volume_ms") > 0 or _total(window, "air_main", main, "heard_ms") == 0


def _total(window: Window, kind: str, device: str, column: str) -> int:
    rows = window.minutes.get(kind)
    if rows is None or device not in rows.devices or column not in rows.columns:
        return 0
    return int(rows.columns[column][rows.device == rows.devices.index(device)].sum())


def table_of(rows: Buckets, devices: Sequence[str], column: str, times: Int64) -> Int64:
    """Return (devices, times) values of a sum column; 0 where a device has no row."""
    if column not in rows.columns:
        return np.zeros((len(devices), len(times)), np.int64)
    place = np.array([devices.index(d) if d in devices else -1 for d in rows.devices], np.int64)
    return dense(place[rows.device], rows.start_ms, rows.columns[column], times, len(devices))


def side_of(window: Window, times: Int64, devices: Sequence[tuple[str, str]], what: str) -> Side:
    """Return the `energy` or `volume` of (kind, device) pairs at `times`, each while it is in service."""
    amount = np.zeros((len(devices), len(times)), np.int64)
    covered = np.zeros_like(amount)
    serves = np.zeros(amount.shape, np.bool_)
    for kind in dict.fromkeys(k for k, _ in devices):
        at = [i for i, (k, _) in enumerate(devices) if k == kind]
        names = [devices[i][1] for i in at]
        rows = window.minutes.get(kind, empty_buckets())
        listed = window.station.listed(kind)
        amount[at] = table_of(rows, names, f"{what}_n", times)
        covered[at] = table_of(rows, names, f"{what}_ms", times)
        serves[at] = [contains(service_span(window, listed.get(n)), times) for n in names]
    return Side(tuple(devices), np.where(serves, amount, 0), np.where(serves, covered, 0), serves)


def _meters(window: Window, times: Int64) -> tuple[Side, tuple[tuple[Customer, Int64], ...]]:
    """Return the customers' meters, each in its own time, and which rows belong to which customer."""
    station = window.station
    if not station.customers:
        return side_of(window, times, [("air_meter", d) for d in counted(window, "air_meter")], "volume"), ()
    devices: list[tuple[str, str]] = []
    turns: list[Bools] = []
    customers: list[tuple[Customer, Int64]] = []
    for customer in station.customers:
        spans = customer.spans()
        customers.append((customer, np.arange(len(devices), len(devices) + len(spans))))
        for meter in spans:
            first, until = station.moment(meter.from_), station.moment(meter.until)
            devices.append(("air_meter", meter.id))
            turns.append(contains(span(
                window.from_ms if first is None else max(first - first % MINUTE_MS, window.from_ms),
                window.to_ms if until is None else min(until - until % MINUTE_MS, window.to_ms),
            ), times))
    # A meter may stand in several rows, so each row is arranged for itself.
    rows = [side_of(window, times, [device], "volume") for device in devices]
    turn = np.array(turns, np.bool_).reshape(len(devices), len(times))
    serves = turn & np.concatenate([r.serves for r in rows] or [turn])
    amount = np.concatenate([r.amount_n for r in rows] or [np.zeros(turn.shape, np.int64)])
    covered = np.concatenate([r.covered_ms for r in rows] or [np.zeros(turn.shape, np.int64)])
    return Side(tuple(devices), np.where(serves, amount, 0), np.where(serves, covered, 0), serves), tuple(customers)
