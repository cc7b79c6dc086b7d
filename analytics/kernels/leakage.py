"""Leakage by textbook methods: cycles, pressure decay, bleed test, orifice, balance. Pressures in bar gauge.

Sources: US DOE compressed-air sourcebook (cycles, bleed test), choked flow of an ideal gas through an orifice.
"""

import numpy as np
from numpy.typing import NDArray

from analytics.kernels.flow import ZERO_C_K
from analytics.kernels.thermo import INLET_BAR

Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
Int64 = NDArray[np.int64]

GAS_J_KG_K = 287.05
"""Specific gas constant of dry air."""
KAPPA = 1.4
CHOKED_BAR = 0.9
"""Above this the flow into the atmosphere is choked."""
BLEED_FACTOR = 1.25
"""Of the bleed test: the leak at working pressure over the mean leak while the pressure falls to about half."""


def cycle_share(loaded: Float64, idle: Float64) -> Float64:
    """Return the share of capacity that a fixed-speed machine delivers: loaded / (loaded + idle).

    Parameters
    ----------
    loaded
        (n,) time loaded of each cycle, any unit.
    idle
        (n,) time unloaded or off until the next cut-in: neither delivers air.
    """
    return np.asarray(loaded / (loaded + idle))


def whole_cycles(time_s: Float64, loaded: Bools) -> tuple[Float64, Float64]:
    """Return the loaded and idle time of each whole cycle, cut-in to cut-in [s].

    Parameters
    ----------
    time_s
        (n,) rising sample times.
    loaded
        (n,) whether the machine is loaded from a sample to the next.
    """
    turns = np.flatnonzero(loaded[1:] != loaded[:-1]) + 1
    cut_in = turns[loaded[turns]]
    cut_out = turns[~loaded[turns]]
    cut_out = cut_out[cut_out > cut_in[0]] if len(cut_in) else cut_out[:0]
    n = max(len(cut_in) - 1, 0)
    return time_s[cut_out[:n]] - time_s[cut_in[:n]], time_s[cut_in[1 : n + 1]] - time_s[cut_out[:n]]


def idle_falls(delivers: Bools, known: Bools, gauge_bar: Float64) -> tuple[Int64, Float64]:
    """Return how fast the pressure falls in each stretch of minutes in which no machine delivers.

    The first minute of a stretch is left out: there the air that came last cools down. A stretch that is cut off by the
    first minute, or by one that is not known, has no fall.

    Parameters
    ----------
    delivers, known, gauge_bar
        (minutes,) whether a machine delivers, whether that is known, and the mean pressure; NaN unknown.

    Returns
    -------
    end : (n,) index of the minute in which delivery begins again.
    fall : (n,) [bar/min]; only of stretches of four minutes and more with a known pressure at both ends.
    """
    idle = np.r_[False, known & ~delivers, False]
    begin = np.flatnonzero(idle[1:] & ~idle[:-1])
    end = np.flatnonzero(~idle[1:] & idle[:-1])
    whole = (begin > 0) & (end < len(known)) & (end - begin >= 4)
    begin, end = begin[whole], end[whole]
    whole = known[begin - 1] & known[end]
    begin, end = begin[whole], end[whole]
    fall = (gauge_bar[begin + 1] - gauge_bar[end - 1]) / (end - begin - 2)
    return end[~np.isnan(fall)], fall[~np.isnan(fall)]


def decay_rate(time_min: Float64, gauge_bar: Float64) -> tuple[float, float]:
    """Fit the fall of pressure through choked holes: ln p_abs falls in a straight line.

    Parameters
    ----------
    time_min, gauge_bar
        (n,) samples without supply and demand; NaN is left out.

    Returns
    -------
    rate : 1 / time constant [1/min]; the leak at p_abs is `volume x p_abs x rate`.
    error : standard error of the rate [1/min]; both NaN with fewer than 3 samples or none above vacuum.
    """
    use = ~np.isnan(gauge_bar) & (gauge_bar + INLET_BAR > 0)
    t, y = time_min[use], np.log(gauge_bar[use] + INLET_BAR)
    if len(t) < 3 or np.ptp(t) == 0:
        return float("nan"), float("nan")
    t = t - t.mean()
    spread = float((t * t).sum())
    slope = float((t * y).sum()) / spread
    rest = y - y.mean() - slope * t
    return -slope, float(np.sqrt((rest * rest).sum() / (len(t) - 2) / spread))


def decay_flow(volume_m3: float, gauge_bar: float, rate_per_min: float, reference_bar: float = 1.0) -> float:
    """Return the leak at a pressure from the decay of a known volume [m3/min at the reference pressure].

    Temperatures of the receiver and the reference are taken as equal.
    """
    return volume_m3 * (gauge_bar + INLET_BAR) / reference_bar * rate_per_min


def bleed_flow(volume: float, p1: float, p2: float, minutes: float, atmosphere: float) -> float:
    """Return the leak of a bleed test, 1.25 V (p1 - p2) / (t p_atm), in the unit of the volume per minute.

    Parameters
    ----------
    volume
        Of receiver and pipes.
    p1, p2, atmosphere
        Pressure at start and end, gauge or absolute alike, and of the atmosphere; one unit for all.
    minutes
        Time of the fall; to about half the pressure, or the factor 1.25 is too large.
    """
    return BLEED_FACTOR * volume * (p1 - p2) / (minutes * atmosphere)


def orifice_m3_min(
    diameter_mm: float, gauge_bar: float, discharge: float = 0.65, temperature_c: float = 20.0,
    atmosphere_bar: float = INLET_BAR, reference_bar: float = 1.0, reference_c: float = 20.0,
) -> float:
    """Return the choked flow of air through a round hole [m3/min in the reference state, dry].

    m = Cd A p_abs sqrt(kappa / (R T)) (2 / (kappa + 1))^((kappa + 1) / (2 (kappa - 1))); choked above about 0.9 bar.
    """
    area_m2 = np.pi / 4 * (diameter_mm / 1000) ** 2
    kelvin = temperature_c + ZERO_C_K
    choke = (2 / (KAPPA + 1)) ** ((KAPPA + 1) / (2 * (KAPPA - 1)))
    absolute_pa = (gauge_bar + atmosphere_bar) * 1e5
    mass_kg_s = discharge * area_m2 * absolute_pa * np.sqrt(KAPPA / (GAS_J_KG_K * kelvin)) * choke
    density = reference_bar * 1e5 / (GAS_J_KG_K * (reference_c + ZERO_C_K))
    return float(60 * mass_kg_s / density)


def hole_mm(leak_m3_min: float, gauge_bar: float, reference_bar: float = 1.0) -> float:
    """Return the diameter of the one round hole that loses so much [mm]; NaN where the flow would not be choked.

    Parameters
    ----------
    leak_m3_min
        At the reference pressure.
    gauge_bar
        Pressure before the hole.
    """
    if not leak_m3_min >= 0 or not gauge_bar > CHOKED_BAR:
        return float("nan")
    return float(np.sqrt(leak_m3_min / orifice_m3_min(1.0, gauge_bar, reference_bar=reference_bar)))


def smallest_leak(flows: Float64, accuracy: float | Float64) -> float:
    """Return the smallest leak that a balance of meters can show, 2 sqrt(sum (u Q)^2), in the unit of the flows.

    Parameters
    ----------
    flows
        (meters,) mean flow of each meter.
    accuracy
        Relative error u of a meter, one or (meters,).
    """
    return 2 * float(np.sqrt(((accuracy * flows) ** 2).sum()))
