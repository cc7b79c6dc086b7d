"""Volumes of air in the state that they are counted in, and their exact conversion.

V_ref = V (p - phi p_sat(T)) / (p_ref - phi_ref p_sat(T_ref)) T_ref / T: the dry air in it is the same.
"""

from dataclasses import dataclass

import numpy as np

ZERO_C_K = 273.15


@dataclass(frozen=True, slots=True)
class AirState:
    """Temperature, pressure and humidity at which a volume of air is counted."""

    temperature_c: float
    pressure_bar: float
    """Absolute."""
    humidity: float = 0.0
    """Relative, as a fraction of 1; 0 is dry."""

    @property
    def dry_bar_per_k(self) -> float:
        """Partial pressure of the dry air over its temperature: proportional to the dry air in a volume."""
        dry_bar = self.pressure_bar - self.humidity * saturation_bar(self.temperature_c)
        return dry_bar / (self.temperature_c + ZERO_C_K)


NORMAL = AirState(0.0, 1.01325)
"""DIN 1343."""
ANR = AirState(20.0, 1.0)
"""Counted dry as in ISO 1217; ISO 8778 itself has 65 % humidity."""
INLET = AirState(20.0, 1.01325)
"""Inlet against which the work of compression is judged."""


@dataclass(frozen=True, slots=True)
class AirVolume:
    """A volume of air with its state, so that no two are added that count differently."""

    m3: float
    state: AirState

    def to(self, state: AirState) -> "AirVolume":
        """Return the same dry air in another state."""
        return AirVolume(self.m3 * conversion(self.state, state), state)


def conversion(given: AirState, wanted: AirState) -> float:
    """Return the volume in the wanted state of 1 m3 in the given one."""
    return given.dry_bar_per_k / wanted.dry_bar_per_k


def saturation_bar(temperature_c: float) -> float:
    """Return the saturation pressure of water vapour over water [bar], by Magnus."""
    return float(6.1094e-3 * np.exp(17.625 * temperature_c / (temperature_c + 243.04)))


def state_of(reference: str, inlet: AirState | None) -> AirState:
    """Return the state that a station's `flow_reference` names.

    Parameters
    ----------
    reference
        NORMAL, ANR or FAD.
    inlet
        State at the machines' inlet, for FAD; None: not declared, counted as `INLET`.
    """
    return {"NORMAL": NORMAL, "ANR": ANR}.get(reference) or inlet or INLET
