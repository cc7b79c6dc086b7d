"""The physics of compressed air: orifices, receivers, the work of compression.

Volumes are in the reference state ANR of the contract: 20 °C, 1 bar, dry. Pressures are relative to the atmosphere.
"""

import math

ATMOSPHERE_BAR = 1.01325
REFERENCE_BAR = 1.0
_GAMMA = 1.4
_R = 287.05
_T = 293.15
_REFERENCE_DENSITY = 1e5 * REFERENCE_BAR / (_R * _T)
_CHOKED = (2.0 / (_GAMMA + 1.0)) ** (_GAMMA / (_GAMMA - 1.0))


def orifice_m3_min(diameter_mm: float, pressure_bar: float, discharge: float = 0.65) -> float:
    """Return the flow that escapes through a hole to the atmosphere.

    Isentropic nozzle flow of an ideal gas at 20 °C, choked above 0.9 bar.

    Parameters
    ----------
    diameter_mm
        Diameter of the hole.
    pressure_bar
        Pressure before the hole, relative; zero or less gives no flow.
    discharge
        Discharge coefficient.

    Returns
    -------
    float
        Flow in m3/min ANR (1 mm at 7 bar: 0.049).
    """
    if pressure_bar <= 0.0 or diameter_mm <= 0.0:
        return 0.0
    inner_bar = pressure_bar + ATMOSPHERE_BAR
    ratio = max(_CHOKED, ATMOSPHERE_BAR / inner_bar)
    area = math.pi * (diameter_mm / 2000.0) ** 2
    speed = 2.0 * _GAMMA / ((_GAMMA - 1.0) * _R * _T) * (ratio ** (2.0 / _GAMMA) - ratio ** ((_GAMMA + 1.0) / _GAMMA))
    mass_kg_s = discharge * area * inner_bar * 1e5 * math.sqrt(speed)
    return 60.0 * mass_kg_s / _REFERENCE_DENSITY


def pressure_rate_bar_min(inflow_m3_min: float, outflow_m3_min: float, volume_m3: float) -> float:
    """Return the change of pressure of a receiver at constant temperature [bar/min]."""
    return (inflow_m3_min - outflow_m3_min) * REFERENCE_BAR / volume_m3


def compression_work(pressure_bar: float) -> float:
    """Return the isentropic work of compression to a relative pressure, as a multiple of p1 V1 x 3.5."""
    ratio = (max(0.0, pressure_bar) + ATMOSPHERE_BAR) / ATMOSPHERE_BAR
    return float(ratio ** (1.0 / 3.5)) - 1.0


def isentropic_kw(flow_m3_min: float, pressure_bar: float) -> float:
    """Return the least power that compresses a flow (20 °C, 1 bar) from the atmosphere to a relative pressure.

    Isentropic, one stage: 3.5 p1 V1 (r^(1/3.5) - 1), with V1 at 20 °C and 1.01325 bar (7 bar: 0.0794 kWh/m3 of V1).
    """
    inlet_m3_s = flow_m3_min / 60.0 * REFERENCE_BAR / ATMOSPHERE_BAR
    return 3.5 * ATMOSPHERE_BAR * 100.0 * inlet_m3_s * compression_work(pressure_bar)


def intake_factor(ambient_c: float) -> float:
    """Return the mass that a displacement machine draws in at a temperature, against that at 20 °C."""
    return _T / (ambient_c + 273.15)


def grown_mm(diameter_mm: float, share: float) -> float:
    """Return the diameter of a hole that lets that share of the flow through."""
    return diameter_mm * math.sqrt(share)
