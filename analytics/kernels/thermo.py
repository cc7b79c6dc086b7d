"""Work of compressing air. Pressures in bar.

Formulas: isothermal work p1 ln r, isentropic work 3.5 p1 (r^(1/3.5) - 1), r = (gauge + p1) / p1 (ideal diatomic gas,
ISO 1217 annex).
"""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

INLET_BAR = 1.01325
"""Inlet pressure p1 against which work is judged."""
_EXPONENT = 1.0 / 3.5
_KWH_PER_BAR_M3 = 1.0 / 36.0
"""1 bar m3 = 10^5 J."""


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
