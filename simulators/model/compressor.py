"""Compressors with the states of OPC 40250-1: fixed speed with load and unload, variable speed, centrifugal."""

from dataclasses import dataclass, field

import numpy as np

from simulators.message import Reading
from simulators.model.gas import compression_work, intake_factor, isentropic_kw, orifice_m3_min

START_S, LOADING_S, UNLOADING_S, STOPPING_S = 8.0, 2.0, 3.0, 5.0
RUN_ON_S = 600.0
"""A machine that has run unloaded this long stops, unless it has started too often."""
PACKAGE_FACTOR = 1.06
"""Package input power at the rated point against the motor's rating (fans, control, service factor)."""
UNLOADED_SHARE = 0.28
"""Power of an unloaded screw after blow-down, against its rated input."""
TRIP_C = 110.0
TOO_HOT = "HighDischargeTemperature"
_BLOWDOWN_TAU_S = 25.0
_STANDBY_KW = 0.3
_SEPARATOR_BAR = 0.15
"""Pressure drop between the discharge and the header at the rated flow, and"""
_FILTER_BAR = 0.08
"""of the clean filter; it grows by"""
_CLOGGING_BAR_PER_H = 0.00002
_LOADED_ABOVE_AMBIENT_K, _UNLOADED_ABOVE_AMBIENT_K = 62.0, 46.0
_BELOW_LOADED_K = 12.0
"""The oil is cooler than the air at the discharge."""

_UNLOADED = ("loading", "unloaded", "unloading")
RUNNING = ("starting", "unloaded", "loading", "loaded", "unloading", "stopping")


@dataclass(slots=True)
class Compressor:
    """One machine with its own pressure band; subclasses know how it follows the pressure."""

    device: str
    rated_kw: float
    rated_flow_m3_min: float
    rated_pressure_bar: float
    load_below_bar: float
    unload_above_bar: float
    rng: np.random.Generator
    energy_kwh: float
    volume_m3: float
    running_h: float
    max_starts_per_h: float = 6.0
    package_factor: float = PACKAGE_FACTOR
    state: str = "stopped"
    fault_code: str = ""
    flow_m3_min: float = 0.0
    """Delivered, before a leak at the machine."""
    power_kw: float = _STANDBY_KW
    useful_kw: float = 0.0
    """Isentropic power of the air delivered."""
    temperature_c: float = 30.0
    """Of the air at the discharge."""
    changed: bool = True
    loaded_h: float = 0.0
    unloaded_kwh: float = 0.0
    """Part of the energy that was taken without delivering."""
    starts: int = 0
    cycles: int = 0
    """Times that the machine went to loaded."""
    effects: dict[str, float] = field(default_factory=dict)
    """Faults that are present: kind -> size."""
    holes: dict[str, float] = field(default_factory=dict)
    """Leaks at the machine: name -> diameter [mm]."""
    command: bool | None = None
    """What a central control wants: load or not; None: the machine follows its own band."""
    filter_bar: float = _FILTER_BAR
    """Pressure drop of the filter at the rated flow."""
    _since_s: float = field(default=0.0)
    """Time in the present state."""
    _started_s: float = 1e9
    """Time since the last start."""
    _blow_kw: float = 0.0
    """Power above the unloaded one that is still to blow down."""

    @property
    def rated_input_kw(self) -> float:
        """Package input power at the rated point."""
        return self.rated_kw * self.package_factor

    @property
    def delivered_m3_min(self) -> float:
        """What reaches the receiver."""
        return self.flow_m3_min

    def leak_m3_min(self, pressure_bar: float) -> float:
        """Return what escapes through holes at the machine: before its check valve, so only while it delivers."""
        if self.state != "loaded":
            return 0.0
        return sum(orifice_m3_min(mm, pressure_bar) for mm in self.holes.values())

    def trip(self, fault_code: str) -> None:
        """Stop at once with a fault."""
        self.fault_code = fault_code
        self._enter("fault")

    def shut_down(self) -> None:
        """Stop now, as an operator does."""
        if self.state in RUNNING:
            self._enter("stopped")

    def reset(self) -> None:
        """Acknowledge the fault: the machine is ready again."""
        self.fault_code = ""
        self._enter("stopped")

    def step(self, dt_s: float, pressure_bar: float, ambient_c: float = 20.0) -> None:
        """Book the last `dt_s` seconds, then follow the header's pressure."""
        hours = dt_s / 3600.0
        self.energy_kwh += self.power_kw * hours
        self.volume_m3 += self.flow_m3_min * dt_s / 60.0
        if self.state in RUNNING:
            self.running_h += hours
            self.filter_bar += _CLOGGING_BAR_PER_H * hours
        if self.state == "loaded":
            self.loaded_h += hours
        elif self.state in _UNLOADED:
            self.unloaded_kwh += self.power_kw * hours
        self._since_s += dt_s
        self._started_s += dt_s
        self._follow(pressure_bar)
        loaded = self.state == "loaded"
        self.flow_m3_min = self._flow(dt_s, pressure_bar) * intake_factor(ambient_c) if loaded else 0.0
        self.flow_m3_min *= 1.0 - self.effects.get("blow_off_stuck", 0.0)
        discharge_bar = self.discharge_bar(pressure_bar)
        self.power_kw = self._power(dt_s, discharge_bar)
        self.useful_kw = isentropic_kw(self.flow_m3_min, pressure_bar)
        self._warm(dt_s, ambient_c)

    def _warm(self, dt_s: float, ambient_c: float) -> None:
        above = {"loaded": _LOADED_ABOVE_AMBIENT_K, "fault": 5.0, "stopped": 5.0}.get(
            self.state, _UNLOADED_ABOVE_AMBIENT_K
        )
        fouled = self.effects.get("overheating", 0.0) if above > 5.0 else 0.0
        self.temperature_c += (ambient_c + above + fouled - self.temperature_c) * min(1.0, dt_s / 240.0)
        if self.temperature_c >= TRIP_C and self.state != "fault":
            self.trip(TOO_HOT)

    def discharge_bar(self, pressure_bar: float) -> float:
        """Return the pressure that the machine works against; separator and filter lie before the header."""
        share = self.flow_m3_min / self.rated_flow_m3_min
        return pressure_bar + _SEPARATOR_BAR * share * share + self.filter_dp_bar()

    def filter_dp_bar(self) -> float:
        """Return the pressure drop of the filter at the present flow."""
        share = self.flow_m3_min / self.rated_flow_m3_min
        return (self.filter_bar + self.effects.get("filter_clog", 0.0)) * share * share

    def _limits(self, pressure_bar: float) -> tuple[bool, bool]:
        """Return whether the machine should load, and whether it should unload."""
        if "unloaded_running" in self.effects:
            return self.state == "stopped", True
        if self.command is not None:
            return self.command, not self.command
        wider_bar = self.effects.get("wide_band", 0.0) / 2.0
        high_bar = self.unload_above_bar + wider_bar
        if "short_cycling" in self.effects:
            high_bar = self.load_below_bar + self.effects["short_cycling"]
        return pressure_bar < self.load_below_bar - wider_bar, pressure_bar > high_bar

    def _follow(self, pressure_bar: float) -> None:
        low, high = self._limits(pressure_bar)
        match self.state:
            case "stopped" if low:
                self._started_s = 0.0
                self.starts += 1
                self._enter("starting")
            case "starting" if self._since_s >= START_S:
                self._enter("loading")
            case "loading" if self._since_s >= LOADING_S:
                self.cycles += 1
                self._enter("loaded")
            case "loaded" if high and (self.command is False or self._may_unload()):
                self._blow_kw = max(0.0, 0.55 * self.power_kw)
                self._enter("unloading")
            case "unloading" if self._since_s >= UNLOADING_S:
                self._enter("unloaded")
            case "unloaded" if low:
                self._enter("loading")
            case "unloaded" if self._since_s >= RUN_ON_S and self._may_stop():
                self._enter("stopping")
            case "stopping" if self._since_s >= STOPPING_S:
                self._enter("stopped")
            case _:
                pass

    def _may_unload(self) -> bool:
        return True

    def _may_stop(self) -> bool:
        """Return whether the motor could be started again soon enough, and nobody keeps it running."""
        return self._started_s >= 3600.0 / self.max_starts_per_h and "unloaded_running" not in self.effects

    def _flow(self, dt_s: float, pressure_bar: float) -> float:  # noqa: ARG002 - machines that regulate need both
        """Return what a loaded machine delivers at 20 °C."""
        return self.rated_flow_m3_min

    def _part_load(self) -> float:
        """Return loaded power against the rated one, at the rated pressure."""
        return 1.0

    def _power(self, dt_s: float, discharge_bar: float) -> float:
        if self.state in ("stopped", "fault"):
            return _STANDBY_KW
        worn = 1.0 + self.effects.get("wear", 0.0)
        if self.state == "starting":
            return 0.55 * self.rated_input_kw
        if self.state == "loaded":
            work = compression_work(discharge_bar) / compression_work(self.rated_pressure_bar)
            noise = 1.0 + 0.004 * self.rng.standard_normal()
            return self.rated_input_kw * self._part_load() * work * worn * noise
        self._blow_kw *= max(0.0, 1.0 - dt_s / _BLOWDOWN_TAU_S)
        share = 0.12 if self.state == "stopping" else UNLOADED_SHARE
        return share * self.rated_input_kw * worn + self._blow_kw

    def _enter(self, state: str) -> None:
        self.state = state
        self._since_s = 0.0
        self.changed = True

    def reading(self, pressure_bar: float) -> Reading:
        """Return what the machine's controller reports; `pressure_bar` is the header's."""
        values: dict[str, float | int | str] = {
            "state": self.state,
            "fault_code": self.fault_code,
            "power_kw": round(self.power_kw, 1),
            "energy_kwh": round(self.energy_kwh, 2),
            "flow_m3_min": round(self.flow_m3_min, 2),
            "volume_m3": round(self.volume_m3, 2),
            "discharge_pressure_bar": round(self.discharge_bar(pressure_bar), 2),
            "discharge_temperature_c": round(self.temperature_c, 1),
            "oil_temperature_c": round(max(20.0, self.temperature_c - _BELOW_LOADED_K), 1),
            "motor_current_a": round(
                self.power_kw * 1000.0 / (3**0.5 * 400.0 * 0.88) * (1.0 + self.effects.get("motor_current", 0.0)), 1
            ),
            "filter_dp_bar": round(self.filter_dp_bar(), 3),
            "running_h": round(self.running_h, 3),
            "loaded_h": round(self.loaded_h, 3),
        }
        return Reading("compressor", self.device, values)


@dataclass(slots=True)
class VariableSpeed(Compressor):
    """Holds the pressure just above its load point by its speed; unloads only at its least speed."""

    speed: float = 0.6
    """Flow against the rated one."""
    least: float = 0.22
    """Least of it."""
    above_bar: float = 0.1
    """Set pressure above the load point."""
    gain: float = 1.2
    """Change of the flow's share per bar of deviation,"""
    integral_s: float = 40.0
    """and the controller's integral time."""
    _error_bar: float = 0.0

    def _may_unload(self) -> bool:
        return self.speed <= self.least or "wide_band" in self.effects

    def _flow(self, dt_s: float, pressure_bar: float) -> float:
        if "wide_band" in self.effects:  # no longer regulates: all or nothing
            self.speed = 1.0
            return self.rated_flow_m3_min
        error = self.load_below_bar + self.above_bar - pressure_bar
        change = self.gain * (error - self._error_bar) + self.gain * error * dt_s / self.integral_s
        self._error_bar = error
        ramp = 0.05 * dt_s
        self.speed = min(1.0, max(self.least, self.speed + min(ramp, max(-ramp, change))))
        return self.rated_flow_m3_min * self.speed

    def _part_load(self) -> float:
        # losses that do not fall with speed, and a worse efficiency at both ends of the range
        return 0.05 + 0.95 * self.speed + 0.06 * (self.speed - 0.7) ** 2


@dataclass(slots=True)
class Centrifugal(VariableSpeed):
    """Throttles by inlet guide vanes down to its surge line; what is too much then leaves through the blow-off."""

    least: float = 0.05
    surge: float = 0.70
    """Least flow through the machine, as a share of the rated one."""

    @property
    def blow_off_m3_min(self) -> float:
        """What leaves through the blow-off."""
        return self.rated_flow_m3_min * max(0.0, self.surge - self.speed) if self.state == "loaded" else 0.0

    def _part_load(self) -> float:
        through = max(self.surge, self.speed)
        return 0.12 + 0.88 * through
