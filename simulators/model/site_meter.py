"""The meter at a charging station's supply: ports, lighting and losses on three lines."""

import math
from dataclasses import dataclass, field

import numpy as np

from simulators.message import Reading
from simulators.model.noise import Drift
from simulators.model.port import Volts

NOMINAL_V = 230.0
_PORT_PHI = math.acos(0.99)
_BASE_PHI = math.acos(0.90)
_CABLE_LOSS = 0.012
"""Loss between the meter and the ports, as a share of their power at the transformer's rating."""
_DROP = 0.03
"""Voltage drop at the transformer's rating, as a share of the nominal voltage."""

Lines = tuple[float, float, float]


@dataclass(slots=True)
class SiteMeter:
    """A three-phase meter with an energy register."""

    device: str
    transformer_kva: float
    base_kw: float
    """Mean of lighting, ventilation and control."""
    rng: np.random.Generator
    energy_kwh: float
    volts: Volts = (NOMINAL_V,) * 3
    _power_kw: float = 0.0
    _reactive_kvar: float = 0.0
    _amps: Lines = (0.0, 0.0, 0.0)
    other_kw: float = 0.0
    """Another consumer behind the meter."""
    offset_v: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """What is wrong with the supply's voltage."""
    _mains: list[Drift] = field(default_factory=list)
    _base: Drift = field(init=False)

    def __post_init__(self) -> None:
        self._mains = [Drift(self.rng, 0.004, 300.0) for _ in range(3)]
        self._base = Drift(self.rng, 0.08, 600.0)

    @property
    def power_kw(self) -> float:
        """Power at the meter."""
        return self._power_kw

    def step(self, dt_s: float, hour: float, ports_kw: Lines) -> None:
        """Book the energy of the last `dt_s` seconds, then measure the new load.

        Parameters
        ----------
        dt_s
            Length of the step [s].
        hour
            Local hour of the day; lighting burns at night.
        ports_kw
            Power of all ports on each line.
        """
        self.energy_kwh += self._power_kw * dt_s / 3600.0
        night = 1.0 + 0.3 * math.cos(2.0 * math.pi * hour / 24.0)
        base_kw = (self.base_kw * max(0.2, night * (1.0 + self._base.step(dt_s))) + self.other_kw) / 3.0
        rated_kw = self.transformer_kva / 3.0
        kw = [p * (1.0 + _CABLE_LOSS * p / rated_kw) + base_kw for p in ports_kw]
        kvar = [p * math.tan(_PORT_PHI) + base_kw * math.tan(_BASE_PHI) for p in ports_kw]
        volts, amps = [], []
        for p, q, mains, off in zip(kw, kvar, self._mains, self.offset_v, strict=True):
            kva = math.hypot(p, q)
            volt = NOMINAL_V * (1.0 + mains.step(dt_s)) - NOMINAL_V * _DROP * kva / rated_kw + off
            volts.append(volt)
            amps.append(1000.0 * kva / volt)
        self._power_kw, self._reactive_kvar = sum(kw), sum(kvar)
        self.volts = (round(volts[0], 1), round(volts[1], 1), round(volts[2], 1))
        self._amps = (amps[0], amps[1], amps[2])

    def reading(self) -> Reading:
        """Return what the meter reports now."""
        apparent = math.hypot(self._power_kw, self._reactive_kvar)
        values: dict[str, float | int | str] = {
            "power_kw": round(self._power_kw, 2),
            "energy_kwh": round(self.energy_kwh, 2),
            "reactive_kvar": round(self._reactive_kvar, 2),
            "power_factor": round(self._power_kw / apparent if apparent else 1.0, 3),
        }
        for k, (amp, volt) in enumerate(zip(self._amps, self.volts, strict=True), 1):
            values[f"current_l{k}_a"] = round(amp, 2)
            values[f"voltage_l{k}_v"] = volt
        return Reading("site_meter", self.device, values)
