"""A central control: as few machines as hold one pressure band, in a fixed order, the regulating one as the trim."""

from dataclasses import dataclass

from simulators.model.compressor import Compressor, VariableSpeed

_PATIENCE_S = 20.0
"""Between two decisions, so that the pressure can answer."""


@dataclass(slots=True)
class CentralControl:
    """Loads and unloads the fixed-speed machines; those that regulate keep the middle of the band by themselves."""

    low_bar: float
    high_bar: float
    wanted: int = 0
    """Fixed-speed machines that should be loaded."""
    _since_s: float = 0.0

    def step(self, dt_s: float, pressure_bar: float, machines: list[Compressor]) -> None:
        """Decide by the pressure and give each fixed-speed machine its command; the first ones carry the base load."""
        fixed = [m for m in machines if not isinstance(m, VariableSpeed)]
        able = [m for m in fixed if m.state != "fault"]
        self._since_s += dt_s
        if self._since_s >= _PATIENCE_S:
            change = int(pressure_bar < self.low_bar) - int(pressure_bar > self.high_bar)
            if change:
                self.wanted = min(len(able), max(0, self.wanted + change))
                self._since_s = 0.0
        for machine in fixed:
            machine.command = machine in able[: self.wanted]
