"""Screw compressors: fixed speed with load and unload, and variable speed, with the states of OPC 40250-1."""

from dataclasses import dataclass, field

import numpy as np

from simulators.message import Reading
from simulators.model.gas import compression_work

START_S, LOADING_S, UNLOADING_S, STOPPING_S = 8.0, 2.0, 3.0, 5.0
RUN_ON_S = 600.0
"""A machine that has run unloaded this long stops."""
PACKAGE_FACTOR = 1.06
"""Package input power at the rated point against the motor's rating (fans, control, service factor)."""
UNLOADED_SHARE = 0.28
"""Power of an unloaded screw after blow-down, against its rated input."""
_BLOWDOWN_TAU_S = 25.0
_STANDBY_KW = 0.3
_VSD_LEAST = 0.22
"""Least flow of a variable-speed machine, as a share of its rated flow."""
_VSD_ABOVE_BAR = 0.1
"""Its set pressure above its load point."""
_VSD_GAIN = 1.2
"""Share of the rated flow per bar of deviation, for the variable-speed controller,"""
_VSD_INTEGRAL_S = 40.0
"""and its integral time."""

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
    state: str = "stopped"
    fault_code: str = ""
    flow_m3_min: float = 0.0
    power_kw: float = _STANDBY_KW
    temperature_c: float = 30.0
    """Of the air at the discharge."""
    changed: bool = True
    loaded_h: float = 0.0
    _since_s: float = field(default=0.0)
    """Time in the present state."""
    _blow_kw: float = 0.0
    """Power above the unloaded one that is still to blow down."""

    @property
    def rated_input_kw(self) -> float:
        """Package input power at the rated point."""
        return self.rated_kw * PACKAGE_FACTOR

    def trip(self, fault_code: str) -> None:
        """Stop at once with a fault."""
        self.fault_code = fault_code
        self._enter("fault")

    def reset(self) -> None:
        """Acknowledge the fault: the machine is ready again."""
        self.fault_code = ""
        self._enter("stopped")

    def step(self, dt_s: float, pressure_bar: float) -> None:
        """Book the last `dt_s` seconds, then follow the header's pressure."""
        hours = dt_s / 3600.0
        self.energy_kwh += self.power_kw * hours
        self.volume_m3 += self.flow_m3_min * dt_s / 60.0
        self.running_h += hours if self.state in RUNNING else 0.0
        self.loaded_h += hours if self.state == "loaded" else 0.0
        self._since_s += dt_s
        self._follow(pressure_bar)
        self.flow_m3_min = self._flow(dt_s, pressure_bar) if self.state == "loaded" else 0.0
        self.power_kw = self._power(dt_s, pressure_bar)
        hot = {"loaded": 84.0, "fault": 25.0, "stopped": 25.0}.get(self.state, 68.0)
        self.temperature_c += (hot - self.temperature_c) * min(1.0, dt_s / 240.0)

    def _follow(self, pressure_bar: float) -> None:
        low, high = pressure_bar < self.load_below_bar, pressure_bar > self.unload_above_bar
        match self.state:
            case "stopped" if low:
                self._enter("starting")
            case "starting" if self._since_s >= START_S:
                self._enter("loading")
            case "loading" if self._since_s >= LOADING_S:
                self._enter("loaded")
            case "loaded" if high and self._may_unload():
                self._blow_kw = max(0.0, 0.55 * self.power_kw)
                self._enter("unloading")
            case "unloading" if self._since_s >= UNLOADING_S:
                self._enter("unloaded")
            case "unloaded" if low:
                self._enter("loading")
            case "unloaded" if self._since_s >= RUN_ON_S:
                self._enter("stopping")
            case "stopping" if self._since_s >= STOPPING_S:
                self._enter("stopped")
            case _:
                pass

    def _may_unload(self) -> bool:
        return True

    def _flow(self, dt_s: float, pressure_bar: float) -> float:  # noqa: ARG002 - the variable-speed machine needs both
        return self.rated_flow_m3_min

    def _part_load(self) -> float:
        """Return loaded power against the rated one, at the rated pressure."""
        return 1.0

    def _power(self, dt_s: float, pressure_bar: float) -> float:
        if self.state in ("stopped", "fault"):
            return _STANDBY_KW
        if self.state == "starting":
            return 0.55 * self.rated_input_kw
        if self.state == "loaded":
            work = compression_work(pressure_bar) / compression_work(self.rated_pressure_bar)
            return self.rated_input_kw * self._part_load() * work * (1.0 + 0.004 * self.rng.standard_normal())
        self._blow_kw *= max(0.0, 1.0 - dt_s / _BLOWDOWN_TAU_S)
        share = 0.12 if self.state == "stopping" else UNLOADED_SHARE
        return share * self.rated_input_kw + self._blow_kw

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
            "discharge_pressure_bar": round(pressure_bar + (0.15 if self.state == "loaded" else 0.0), 2),
            "discharge_temperature_c": round(self.temperature_c, 1),
            "motor_current_a": round(self.power_kw * 1000.0 / (3**0.5 * 400.0 * 0.88), 1),
            "running_h": round(self.running_h, 3),
            "loaded_h": round(self.loaded_h, 3),
        }
        return Reading("compressor", self.device, values)


@dataclass(slots=True)
class VariableSpeed(Compressor):
    """Holds the pressure just above its load point by its speed; unloads only at its least speed."""

    speed: float = 0.6
    """Flow against the rated one."""
    _error_bar: float = 0.0

    def _may_unload(self) -> bool:
        return self.speed <= _VSD_LEAST

    def _flow(self, dt_s: float, pressure_bar: float) -> float:
        error = self.load_below_bar + _VSD_ABOVE_BAR - pressure_bar
        change = _VSD_GAIN * (error - self._error_bar) + _VSD_GAIN * error * dt_s / _VSD_INTEGRAL_S
        self._error_bar = error
        ramp = 0.05 * dt_s
        self.speed = min(1.0, max(_VSD_LEAST, self.speed + min(ramp, max(-ramp, change))))
        return self.rated_flow_m3_min * self.speed

    def _part_load(self) -> float:
        # losses that do not fall with speed, and a worse efficiency at both ends of the range
        return 0.05 + 0.95 * self.speed + 0.06 * (self.speed - 0.7) ** 2
