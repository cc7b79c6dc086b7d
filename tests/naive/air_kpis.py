"""Key figures of a compressed-air station written out: one minute, one device after the other, no numpy.

What it is given are the minutes and runs of the naive fold; leaks have twins of their own.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from naive.air import conversion
from naive.kpis import naive_quantile
from naive.readings import Minutes, Run

MINUTE_MS = 60_000
UNLOADED = ("unloaded", "loading", "unloading")
STATES = ("stopped", "starting", *UNLOADED, "loaded", "stopping", "running", "fault")
FLOW_STATES = {"NORMAL": (0.0, 1.01325, 0.0), "ANR": (20.0, 1.0, 0.0), "FAD": (20.0, 1.01325, 0.0)}
"""Temperature [C], pressure [bar], humidity; free air without a declared inlet is that of the isentropic work."""

GRADES_75_KW_7_BAR_AIR = (5.9, 6.4, 7.0)
"""Upper limits of the grades 1 to 3 of GB 19153-2019 for a fixed-speed, air-cooled 75 kW at 0.7 MPa [kW/(m3/min)]."""
SUMS = ("energy_kwh", "volume_m3", "supplied_m3", "metered_m3", "loaded_h", "unloaded_h", "stopped_h", "known_h",
        "unaccounted_m3", "savings_kwh", "savings_co2_kg")
"""What adds up over the stations of a group."""

Figures = dict[str, float | None]


@dataclass(frozen=True)
class MeterTime:
    """A meter in the time in which it is a customer's; whole minutes."""

    meter: str
    from_ms: int | None = None
    until_ms: int | None = None

    def serves(self, start: int) -> bool:
        return (self.from_ms is None or start >= self.from_ms) and (self.until_ms is None or start < self.until_ms)


@dataclass(frozen=True)
class Customer:
    """Who buys air."""

    meters: tuple[MeterTime, ...]
    price: Callable[[int], float]
    """Price at the start of a minute [per m3]."""
    baseline: float | None = None
    """[kWh/m3]"""


@dataclass(frozen=True)
class AirStation:
    """What `stations.toml` says."""

    kinds: Mapping[str, str]
    """Listed device -> kind; a dryer or auxiliary only if it was ever heard."""
    customers: Mapping[str, Customer]
    flow_reference: str
    contract_bar: tuple[float, float]
    dew_point_max_c: float
    tariff: Callable[[int], float]
    """Price at the start of a minute [per kWh]."""
    co2_kg_per_kwh: float

    def of(self, kind: str) -> list[str]:
        return sorted(d for d, k in self.kinds.items() if k == kind)

    def meter_times(self) -> list[MeterTime]:
        return [m for c in self.customers.values() for m in c.meters]


class NaiveAir:
    """A window of a station, asked column by column."""

    def __init__(self, station: AirStation, minutes: Minutes, runs: Mapping[str, Sequence[Run]],
                 window: tuple[int, int]) -> None:
        self.station, self.minutes, self.runs = station, minutes, runs
        self.from_ms, self.to_ms = window
        self.starts = range(self.from_ms, self.to_ms, MINUTE_MS)

    def get(self, device: str, start: int, column: str) -> int:
        return self.minutes.get((device, start), {}).get(column, 0)

    def total(self, devices: Iterable[str], column: str, starts: Iterable[int] | None = None) -> int:
        return sum(self.get(d, t, column) for d in devices for t in (self.starts if starts is None else starts))

    def said(self, devices: Sequence[str], what: str) -> bool:
        """Whether anything is known; a register that steps within a millisecond counts and covers no time."""
        return any(self.get(d, t, f"{what}_{part}") for d in devices for t in self.starts for part in ("ms", "n"))

    def mean(self, device: str, start: int, gauge: str) -> float:
        ms = self.get(device, start, f"{gauge}_ms")
        return self.get(device, start, f"{gauge}_i") / 1e6 / ms if ms else math.nan

    def all_known(self, devices: Sequence[str], what: str) -> set[int]:
        """Return the minutes in which each of the devices is known; none where there is no device."""
        return {t for t in self.starts if devices and all(self.get(d, t, f"{what}_ms") for d in devices)}

    def users(self) -> list[str]:
        """Return what counts in the energy: machines, and helpers that have a meter or were not heard at all."""
        return self.station.of("compressor") + [
            d for kind in ("dryer", "auxiliary") for d in self.station.of(kind)
            if self.total([d], "energy_ms") or not self.total([d], "heard_ms")
        ]

    def suppliers(self) -> list[str]:
        mains = [d for d in self.station.of("air_main")
                 if self.total([d], "volume_ms") or not self.total([d], "heard_ms")]
        return mains if self.total(mains, "volume_ms") else self.station.of("compressor")

    def network_bar(self) -> dict[int, float]:
        """Return the pressure of each minute that knows one: of the mains, where none is known of the machines."""
        for kind, gauge in (("air_main", "pressure_bar"), ("compressor", "discharge_pressure_bar")):
            found = {}
            for t in self.starts:
                values = [v for d in self.station.of(kind) if not math.isnan(v := self.mean(d, t, gauge))]
                if values:
                    found[t] = math.fsum(values) / len(values)
            if found:
                return found
        return {}

    def figures(self) -> Figures:
        """Return the station's key figures by their names in the contract, and `coverage`."""
        station, out = self.station, Figures()
        users, suppliers = self.users(), self.suppliers()
        out["energy_kwh"] = known_sum(self, users, "energy")
        out["volume_m3"] = out["supplied_m3"] = known_sum(self, suppliers, "volume")
        out["metered_m3"] = self.metered(station.meter_times())
        supplied = self.all_known(suppliers, "volume")
        both = self.all_known(users, "energy") & supplied
        energy, volume = self.total(users, "energy_n", both) / 1e9, self.total(suppliers, "volume_n", both) / 1e9
        ratio = energy / volume if volume > 0 else None
        out["kwh_per_m3"], out["kw_per_m3_min"] = ratio, None if ratio is None else 60 * ratio
        bar = self.network_bar()
        out["isentropic_efficiency"] = self.efficiency(users, suppliers, both, bar)
        out["flow_mean_m3_min"] = self.flow_mean(suppliers, supplied)
        known_bar = list(bar.values())
        out.update(levels(known_bar))
        low, high = station.contract_bar
        out["pressure_in_band"] = over(sum(low <= v <= high for v in known_bar), len(known_bar))
        dew = self.dew_points()
        out["dew_point_max_c"] = max(dew, default=None)
        out["dew_point_in_band"] = over(sum(v <= station.dew_point_max_c for v in dew), len(dew))
        out.update(self.running(station.of("compressor")))
        lost, given = self.losses(suppliers)
        out["unaccounted_m3"], out["unaccounted_share"] = lost, None if lost is None else over(lost, given)
        out["savings_kwh"], out["savings_money"], out["savings_co2_kg"] = self.savings(
            list(station.customers.values()), ratio)
        out["paired_energy_kwh"], out["paired_volume_m3"] = (energy, volume) if both else (None, None)
        out["coverage"] = self.coverage(users, suppliers)
        return out

    def metered(self, meters: Sequence[MeterTime]) -> float | None:
        """Return the air that meters counted, each in its own time."""
        parts = [(m.meter, [t for t in self.starts if m.serves(t)]) for m in meters]
        if not any(self.get(d, t, f"volume_{part}") for d, own in parts for t in own for part in ("ms", "n")):
            return None
        return math.fsum(self.total([d], "volume_n", own) / 1e9 for d, own in parts)

    def losses(self, suppliers: Sequence[str]) -> tuple[float | None, float]:
        """Return supplied less metered, and supplied, of the minutes that know the supply and all meters in service."""
        lost, given, minutes = 0.0, 0.0, 0
        for t in sorted(self.all_known(suppliers, "volume")):
            serving = [m.meter for m in self.station.meter_times() if m.serves(t)]
            if serving and all(self.get(d, t, "volume_ms") for d in serving):
                supplied = self.total(suppliers, "volume_n", [t]) / 1e9
                lost += supplied - self.total(serving, "volume_n", [t]) / 1e9
                given, minutes = given + supplied, minutes + 1
        return (lost if minutes else None), given

    def savings(self, customers: Sequence[Customer], ratio: float | None) -> tuple[float | None, ...]:
        """Return kWh, money and CO2 saved: metered x (baseline - ratio), the money at the price of the minute."""
        with_baseline = [c for c in customers if c.baseline is not None]
        if ratio is None or not with_baseline or self.metered([m for c in customers for m in c.meters]) is None:
            return None, None, None
        kwh = money = 0.0
        for customer in with_baseline:
            for m in customer.meters:
                for t in self.starts:
                    if m.serves(t):
                        saved = self.get(m.meter, t, "volume_n") / 1e9 * ((customer.baseline or 0.0) - ratio)
                        kwh, money = kwh + saved, money + saved * self.station.tariff(t)
        return kwh, money, kwh * self.station.co2_kg_per_kwh

    def customer(self, name: str) -> Figures:
        """Return the line of a customer in a statement over the window."""
        customer = self.station.customers[name]
        amount, known = 0.0, 0
        for t in self.starts:
            serving = [m.meter for m in customer.meters if m.serves(t)]
            amount += math.fsum(self.get(d, t, "volume_n") / 1e9 * customer.price(t) for d in serving)
            known += min((self.get(d, t, "volume_ms") for d in serving), default=0)
        lost, given = self.losses(self.suppliers())
        figures = self.figures()
        saved = self.savings([customer], figures["kwh_per_m3"])
        volume = self.metered(customer.meters)
        return {
            "volume_m3": volume, "amount": None if volume is None else amount,
            "loss_share": None if lost is None else over(lost, given), "savings_kwh": saved[0],
            "savings_money": saved[1], "savings_co2_kg": saved[2],
            "coverage": known / MINUTE_MS / sum(any(m.serves(t) for m in customer.meters) for t in self.starts),
        }

    def machine(self, device: str) -> Figures:
        """Return the key figures of one compressor."""
        both = self.all_known([device], "energy") & self.all_known([device], "volume")
        energy, volume = self.total([device], "energy_n", both) / 1e9, self.total([device], "volume_n", both) / 1e9
        own = {t: v for t in self.starts if not math.isnan(v := self.mean(device, t, "discharge_pressure_bar"))}
        ratio = energy / volume if volume > 0 else None
        return {
            "energy_kwh": known_sum(self, [device], "energy"), "volume_m3": known_sum(self, [device], "volume"),
            "kwh_per_m3": ratio, "kw_per_m3_min": None if ratio is None else 60 * ratio,
            "grade": self.grade(device, both),
            "isentropic_efficiency": self.efficiency([device], [device], both, own or self.network_bar()),
            **self.running([device]),
        }

    def grade(self, device: str, both: set[int]) -> float | None:
        """Return the grade of a machine (75 kW, 7 bar, air-cooled) by its minutes loaded throughout."""
        stated = any(self.get(device, t, f"{s}_ms") for t in self.starts for s in STATES)
        at = [t for t in both if not stated or self.get(device, t, "loaded_ms") == MINUTE_MS]
        volume = self.total([device], "volume_n", at) / 1e9
        if volume <= 0:
            return None
        anr = conversion(*FLOW_STATES[self.station.flow_reference], *FLOW_STATES["ANR"])
        kw_per_m3_min = 60 * self.total([device], "energy_n", at) / 1e9 / (volume * anr)
        return 1.0 + sum(kw_per_m3_min > limit for limit in GRADES_75_KW_7_BAR_AIR)

    def meter(self, device: str) -> Figures:
        """Return the key figures of a customer's meter, or of a main."""
        bar = [v for t in self.starts if not math.isnan(v := self.mean(device, t, "pressure_bar"))]
        low, high = self.station.contract_bar
        out: Figures = {"volume_m3": known_sum(self, [device], "volume"), **levels(bar)}
        if self.station.kinds[device] == "air_meter":
            out["min_outside_contract"] = sum(not low <= v <= high for v in bar) if bar else None
        return out

    def efficiency(self, users: Sequence[str], suppliers: Sequence[str], both: set[int],
                   bar: Mapping[int, float]) -> float | None:
        """Return 3.5 p1 (r^(1/3.5) - 1) x volume at 20 C, p1, dry, over the energy of the same minutes."""
        at = [t for t in sorted(both) if t in bar]
        factor = conversion(*FLOW_STATES[self.station.flow_reference], 20.0, 1.01325, 0.0)
        work = math.fsum(
            3.5 * 101_325 * (max(1.0, (bar[t] + 1.01325) / 1.01325) ** (1 / 3.5) - 1) / 3.6e6
            * factor * self.total(suppliers, "volume_n", [t]) / 1e9 for t in at)
        return over(work, self.total(users, "energy_n", at) / 1e9) if at else None

    def flow_mean(self, suppliers: Sequence[str], known: set[int]) -> float | None:
        weighted, time = 0.0, 0
        for t in sorted(known):
            shortest = min(self.get(d, t, "volume_ms") for d in suppliers)
            rate = math.fsum(self.get(d, t, "volume_n") / 1e9 / (self.get(d, t, "volume_ms") / MINUTE_MS)
                             for d in suppliers)
            weighted, time = weighted + rate * shortest, time + shortest
        return over(weighted, time)

    def dew_points(self) -> list[float]:
        """Return of each minute the wettest place: of the mains, where none is known of the dryers."""
        for kind in ("air_main", "dryer"):
            found = []
            for t in self.starts:
                values = [v for d in self.station.of(kind) if not math.isnan(v := self.mean(d, t, "dew_point_c"))]
                found += [max(values)] if values else []
            if found:
                return found
        return []

    def running(self, machines: Sequence[str]) -> Figures:
        hours = {s: self.total(machines, f"{s}_ms") / 3.6e6 for s in STATES}
        known, unloaded = math.fsum(hours.values()), math.fsum(hours[s] for s in UNLOADED)
        cut_ins = starts = 0
        for device in machines:
            before = ""
            for run in self.runs.get(device, ()):
                cut_ins += run.state == "loaded" and before not in ("", "loaded") and \
                    self.from_ms <= run.start_ms < self.to_ms
                starts += before in ("stopped", "fault") and self.from_ms <= run.start_ms < self.to_ms and \
                    run.state not in ("", "stopped", "fault", "stopping")
                before = run.state
        used = idle = 0
        measured = False
        for device in machines:
            for t in self.starts:
                if self.get(device, t, "energy_ms") and any(self.get(device, t, f"{s}_ms") for s in STATES):
                    measured = True
                    used += self.get(device, t, "energy_n")
                    idle += self.get(device, t, "energy_unloaded_n")
        return {
            "loaded_h": hours["loaded"] if known else None, "unloaded_h": unloaded if known else None,
            "stopped_h": hours["stopped"] if known else None, "known_h": known or None,
            "load_factor": over(hours["loaded"], hours["loaded"] + unloaded),
            "cycles_per_h": over(cut_ins, known), "starts_per_h": over(starts, known),
            "unloaded_energy_share": over(idle, used) if measured else None,
        }

    def coverage(self, users: Sequence[str], suppliers: Sequence[str]) -> float:
        sides = [(devices, what) for devices, what in ((users, "energy"), (suppliers, "volume"))
                 if self.said(devices, what)]
        ms = sum(min(self.get(d, t, f"{what}_ms") for devices, what in sides for d in devices)
                 for t in self.starts) if sides else 0
        return ms / (self.to_ms - self.from_ms)


def known_sum(air: NaiveAir, devices: Sequence[str], what: str) -> float | None:
    return air.total(devices, f"{what}_n") / 1e9 if air.said(devices, what) else None


def levels(bar: Sequence[float]) -> Figures:
    return {
        "pressure_mean_bar": over(math.fsum(bar), len(bar)),
        "pressure_p05_bar": naive_quantile(bar, 0.05) if bar else None,
        "pressure_p95_bar": naive_quantile(bar, 0.95) if bar else None,
    }


def over(top: float, bottom: float) -> float | None:
    return top / bottom if bottom else None


def group(stations: Sequence[Figures]) -> Figures:
    """Return sums over stations, unknown where one of them does not know its part, and the ratio of sums."""
    def total(name: str) -> float | None:
        parts = [f[name] for f in stations]
        return None if None in parts else math.fsum(p for p in parts if p is not None)

    out = {name: total(name) for name in SUMS}
    energy, volume = total("paired_energy_kwh"), total("paired_volume_m3")
    ratio = None if energy is None or volume is None else over(energy, volume)
    out["kwh_per_m3"], out["kw_per_m3_min"] = ratio, None if ratio is None else 60 * ratio
    loaded, unloaded = out["loaded_h"], out["unloaded_h"]
    out["load_factor"] = None if loaded is None or unloaded is None else over(loaded, loaded + unloaded)
    out["coverage"] = math.fsum(f["coverage"] or 0.0 for f in stations) / len(stations)
    return out
