"""Work of compressing air and the reference states of its volume. Pressures in bar, temperatures in deg C.

Formulas: isothermal work p1 ln r, isentropic work 3.5 p1 (r^(1/3.5) - 1), r = (gauge + p1) / p1 (ideal diatomic gas,
ISO 1217 annex); saturation pressure by Magnus, 6.1094 hPa exp(17.625 t / (t + 243.04)).
"""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

INLET_BAR = 1.01325
"""Inlet pressure p1 against which work is judged."""
ZERO_C_K = 273.15
_EXPONENT = 1.0 / 3.5
_KWH_PER_BAR_M3 = 1.0 / 36.0
"""1 bar m3 = 10^5 J."""

TO_INLET = {
    "NORMAL": (20.0 + ZERO_C_K) / ZERO_C_K,
    "ANR": 1.0 / INLET_BAR,
    # The inlet state of a site is not known here, so air given as free air delivery counts as it is.
    "FAD": 1.0,
}
"""Flow reference -> factor that turns its volume into one at 20 C, 1.01325 bar, dry."""


def isothermal_kwh_per_m3(gauge_bar: Float64) -> Float64:
    """Return the least possible work per m3 of inlet air [kWh/m3]; NaN where the pressure is missing."""
    ratio = np.maximum((gauge_bar + INLET_BAR) / INLET_BAR, 1.0)
    return INLET_BAR * np.log(ratio) * _KWH_PER_BAR_M3


def isentropic_kwh_per_m3(gauge_bar: Float64) -> Float64:
    """Return the isentropic work per m3 of inlet air [kWh/m3]; NaN where the pressure is missing.

    Parameters
    ----------
    gauge_bar
        Pressure after compression, relative to the atmosphere [bar], any shape; below 0 counts as 0.
    """
    ratio = np.maximum((gauge_bar + INLET_BAR) / INLET_BAR, 1.0)
    return 3.5 * INLET_BAR * (ratio**_EXPONENT - 1.0) * _KWH_PER_BAR_M3


def saturation_bar(temperature_c: float) -> float:
    """Return the saturation pressure of water vapour over water [bar]."""
    return float(6.1094e-3 * np.exp(17.625 * temperature_c / (temperature_c + 243.04)))


def reference_factor(
    temperature_c: float, pressure_bar: float, humidity: float, to_temperature_c: float, to_pressure_bar: float
) -> float:
    """Return the volume in a dry reference state of 1 m3 in a given state.

    Parameters
    ----------
    temperature_c, pressure_bar, humidity
        The given state: absolute pressure, relative humidity as a fraction of 1.
    to_temperature_c, to_pressure_bar
        The reference state, dry.
    """
    dry_bar = pressure_bar - humidity * saturation_bar(temperature_c)
    return dry_bar / to_pressure_bar * (to_temperature_c + ZERO_C_K) / (temperature_c + ZERO_C_K)
