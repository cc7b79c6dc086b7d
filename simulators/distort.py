"""Sensors that lie: what a device sends instead of what is true."""

from collections.abc import Callable

import numpy as np

from simulators.faults import Fault
from simulators.message import Reading
from telemetry.channels import KIND_BY_NAME, Role

Values = dict[str, float | int | str]
_SPIKE_SHARE = 0.02


class Distortion:
    """One fault of one device's sensors.

    A register that was wrong stays wrong by what it has missed or counted too much, as a real one does.

    Parameters
    ----------
    fault
        A fault of layer `reading`.
    kind
        Kind of the device.
    rng
        The only source of chance.
    """

    def __init__(self, fault: Fault, kind: str, rng: np.random.Generator) -> None:
        roles = {c.name: c.role for c in KIND_BY_NAME[kind].values}
        chosen = fault.channels or fault.traits.channels
        self._fault = fault
        self._rng = rng
        self._channels = [name for name in roles if not chosen or name in chosen]
        self._gauges = [name for name in self._channels if roles[name] is Role.GAUGE]
        self._registers = [name for name in self._channels if roles[name] is Role.REGISTER]
        self._error: dict[str, float] = {}
        """Register -> what it shows too much."""
        self._true: dict[str, float] = {}
        """Register -> its last true value."""
        self._kept: Values = {}
        """What a frozen sensor keeps."""
        self._second: bool | None = None
        """Whether a second connector spoke last; None: there never was one."""
        self._change: Callable[[Values, float], None] = getattr(self, f"_{fault.kind}", self._gain)

    def apply(self, reading: Reading, elapsed_ms: int) -> Reading:
        """Return what the device sends, that long after the scenario's start."""
        strength = self._fault.strength(elapsed_ms)
        if not strength and not self._error and not self._registers:
            self._kept = {}
            return reading
        values = dict(reading.values)
        true = {name: float(values[name]) for name in self._registers if name in values}
        if strength:
            self._change(values, strength)
        else:
            self._kept = {}
            values = self._after_overlap(values)
        for name, error in self._error.items():
            if name in values and self._fault.kind != "register_glitch":
                values[name] = round(true[name] + error, 3)
        self._true = true
        return Reading(reading.kind, reading.device, values)

    def _gain(self, values: Values, strength: float) -> None:
        """Multiply gauges, and what registers grow by (`meter_factor`, `meter_reversal`)."""
        gain = 1.0 + (self._fault.full_size - 1.0) * strength
        for name in self._gauges:
            if name in values:
                values[name] = round(gain * float(values[name]), 3)
        for name in self._registers:
            if name in values:
                grown = float(values[name]) - self._true.get(name, float(values[name]))
                self._error[name] = self._error.get(name, 0.0) + (gain - 1.0) * grown

    def _register_reset(self, values: Values, strength: float) -> None:  # noqa: ARG002
        for name in self._registers:
            if name in values and name not in self._kept:
                self._kept[name] = 0
                self._error[name] = -float(values[name])

    def _register_glitch(self, values: Values, strength: float) -> None:  # noqa: ARG002
        values.update((name, 0.0) for name in self._registers if name in values)

    def _sensor_frozen(self, values: Values, strength: float) -> None:  # noqa: ARG002
        for name in self._gauges:
            if name in values:
                values[name] = self._kept.setdefault(name, values[name])

    def _sensor_dropout(self, values: Values, strength: float) -> None:  # noqa: ARG002
        values.update((name, self._fault.full_size) for name in self._channels if name in values)

    _power_lost = _flow_lost = _sensor_dropout

    def _sensor_missing(self, values: Values, strength: float) -> None:  # noqa: ARG002
        for name in self._channels:
            values.pop(name, None)

    def _sensor_offset(self, values: Values, strength: float) -> None:
        for name in self._gauges:
            if name in values:
                values[name] = round(float(values[name]) + strength * self._fault.full_size, 3)

    def _sensor_spikes(self, values: Values, strength: float) -> None:  # noqa: ARG002
        if self._rng.random() < _SPIKE_SHARE:
            self._unit_change(values, 1.0)

    def _unit_change(self, values: Values, strength: float) -> None:  # noqa: ARG002
        for name in self._channels:
            if name in values:
                values[name] = round(self._fault.full_size * float(values[name]), 3)

    def _register_relative(self, values: Values, strength: float) -> None:  # noqa: ARG002
        """Let registers begin at 0 with each session."""
        session = values.get("session_id", self._kept.get("session_id"))
        begins = session != self._kept.get("session_id") or not self._kept
        self._kept["session_id"] = session or ""
        for name in self._registers:
            if name in values:
                self._kept[name] = values[name] if begins else self._kept.get(name, values[name])
                values[name] = round(float(values[name]) - float(self._kept[name]), 3)

    def _session_overlap(self, values: Values, strength: float) -> None:  # noqa: ARG002
        """Report a second connector; the next reading speaks for the first again."""
        self._second = not self._second
        if self._second:
            values |= {"connector": "2", "status": "Charging", "session_id": f"second-{self._fault.at}"}

    def _after_overlap(self, values: Values) -> Values:
        """Let the second connector say that it is free; from then on only the first speaks."""
        if self._second is None:
            return values
        self._second = None
        return {**{k: v for k, v in values.items() if k != "session_id"}, "connector": "2", "status": "Available"}
