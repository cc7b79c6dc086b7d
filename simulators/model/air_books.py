"""What a compressed-air station truly took and gave: the sums behind its true key figures."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.model.air import AirStation


class AirBooks:
    """Sums from the moment they are made."""

    def __init__(self, station: "AirStation") -> None:
        self._station = station
        self.begin_bar = station.pressure_bar
        self._begin_kwh = self._energy_kwh()
        self._begin_dryer_kwh = station.dryer.energy_kwh
        machines = station.compressors.values()
        self._begin_loaded_h = sum(m.loaded_h for m in machines)
        self._begin_running_h = sum(m.running_h for m in machines)
        self._begin_unloaded_kwh = sum(m.unloaded_kwh for m in machines)
        self._begin_cycles = sum(m.cycles for m in machines)
        self.seconds = 0.0
        self.supplied_m3 = 0.0
        """Through the main."""
        self.delivered_m3 = 0.0
        """By the machines, before leaks at them."""
        self.lost_m3 = 0.0
        """Purge, drains, vents: between machines and main."""
        self.metered_m3 = 0.0
        """True volume of the customers."""
        self.leaked_m3 = 0.0
        """All leakage, wherever."""
        self.machine_leaks_m3 = 0.0
        self.useful_kwh = 0.0
        """Isentropic work of the air delivered."""
        self._pressure_s = 0.0

    def _energy_kwh(self) -> float:
        machines = self._station.compressors.values()
        return sum(m.energy_kwh for m in machines) + self._station.dryer.energy_kwh

    def step(self, dt_s: float, supplied_m3_min: float, lost_m3_min: float) -> None:
        """Book a step whose flows hold until the next one."""
        station, minutes = self._station, dt_s / 60.0
        bar = station.pressure_bar
        machine_leaks = sum(m.leak_m3_min(bar) for m in station.compressors.values())
        customers = station.customers.values()
        self.seconds += dt_s
        self.supplied_m3 += supplied_m3_min * minutes
        self.lost_m3 += lost_m3_min * minutes
        self.delivered_m3 += sum(m.flow_m3_min for m in station.compressors.values()) * minutes
        self.machine_leaks_m3 += machine_leaks * minutes
        self.metered_m3 += sum(c.flow_m3_min for c in customers) * minutes
        leaks = station.network_leak_m3_min() + sum(c.leak_m3_min for c in customers) + machine_leaks
        self.leaked_m3 += (leaks + station.dryer.leak_m3_min) * minutes
        self.useful_kwh += sum(m.useful_kw for m in station.compressors.values()) * dt_s / 3600.0
        self._pressure_s += bar * dt_s

    def key_figures(self) -> dict[str, float | None]:
        """Return key figures by the names of the contract."""
        machines = self._station.compressors.values()
        energy = self._energy_kwh() - self._begin_kwh
        compressors = energy - (self._station.dryer.energy_kwh - self._begin_dryer_kwh)
        loaded = sum(m.loaded_h for m in machines) - self._begin_loaded_h
        running = sum(m.running_h for m in machines) - self._begin_running_h
        minutes = self.seconds / 60.0
        cycles = sum(m.cycles for m in machines) - self._begin_cycles
        return {
            "energy_kwh": energy,
            "supplied_m3": self.supplied_m3,
            "volume_m3": self.supplied_m3,
            "metered_m3": self.metered_m3,
            "kwh_per_m3": _ratio(energy, self.supplied_m3),
            "kw_per_m3_min": _ratio(60.0 * energy, self.supplied_m3),
            "flow_mean_m3_min": _ratio(self.supplied_m3, minutes),
            "pressure_mean_bar": _ratio(self._pressure_s, self.seconds),
            "leak_m3_min": _ratio(self.leaked_m3, minutes),
            "leak_share": _ratio(self.leaked_m3, self.supplied_m3),
            "unaccounted_share": _ratio(self.supplied_m3 - self.metered_m3, self.supplied_m3),
            "loaded_h": loaded,
            "load_factor": _ratio(loaded, running),
            "unloaded_energy_share": _ratio(
                sum(m.unloaded_kwh for m in machines) - self._begin_unloaded_kwh, compressors
            ),
            "cycles_per_h": _ratio(60.0 * cycles, minutes * len(machines)),
        }


def _ratio(above: float, below: float) -> float | None:
    return above / below if below else None
