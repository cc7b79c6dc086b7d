"""Three-phase quantities: power of currents, imbalance of lines, line currents of a network, demand, efficiency."""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


def power_of_currents(
    current_a: Float64, line_a: Float64, voltage_v: Float64, line_v: Float64, nominal_v: Float64, phases: Int64
) -> Float64:
    """Return active power [kW] at power factor 1; NaN where no current is known.

    Parameters
    ----------
    current_a, voltage_v
        (n,) one current, in each of `phases` lines; voltage from line to neutral; NaN where missing.
    line_a, line_v
        (n, 3) of each line; they count where any line's current is known.
    nominal_v
        (n,) stands in for missing voltages.
    phases
        (n,) lines that `current_a` flows in.
    """
    volts = np.where(np.isnan(voltage_v), nominal_v, voltage_v)
    by_line = ~np.isnan(line_a).all(axis=1)
    each_v = np.where(np.isnan(line_v), volts[:, None], line_v)
    of_lines = np.nansum(line_a * each_v, axis=1)
    mean_v = np.where(np.isnan(line_v).all(axis=1), volts, _mean_known(line_v))
    single = phases * current_a * np.where(np.isnan(voltage_v), mean_v, voltage_v)
    return np.asarray(np.where(by_line, of_lines, single) / 1000)


def _mean_known(values: Float64) -> Float64:
    count = (~np.isnan(values)).sum(axis=-1)
    return np.asarray(np.nansum(values, axis=-1) / np.maximum(count, 1))


def nema_imbalance(line_a: Float64) -> Float64:
    """Return max |I_k - mean| / mean over the last axis (NEMA MG 1); NaN where the mean is 0 or a line is unknown.

    Parameters
    ----------
    line_a
        (..., 3) magnitudes of line currents.
    """
    mean = line_a.mean(axis=-1)
    worst = np.abs(line_a - mean[..., None]).max(axis=-1)
    out = np.full(mean.shape, np.nan)
    np.divide(worst, mean, out=out, where=mean > 0)
    return out


def line_currents(matrix: Float64, load_a: Float64, angle_deg: Float64) -> Float64:
    """Return the magnitude of each line's current: |A . i|, i the phasors of the loads (as ACN-Sim).

    Parameters
    ----------
    matrix
        (lines, loads) contribution of each load to each line.
    load_a
        (loads, times) current of each load.
    angle_deg
        (loads,) phase angle of each load.
    """
    phasors = load_a * np.exp(1j * np.deg2rad(angle_deg))[:, None]
    return np.abs(matrix @ phasors)


def rolling_demand(power_kw: Float64, width: int) -> Float64:
    """Return the mean of the last `width` minutes at each minute; NaN where one of them is unknown or missing.

    Parameters
    ----------
    power_kw
        (minutes,) 1-minute means, minute after minute without a gap; NaN where unknown.
    width
        Minutes of the demand interval (15 in most tariffs).
    """
    known = ~np.isnan(power_kw)
    sums = np.concatenate(([0.0], np.cumsum(np.where(known, power_kw, 0.0))))
    counts = np.concatenate(([0], np.cumsum(known)))
    out = np.full(len(power_kw), np.nan)
    if len(power_kw) >= width:
        full = counts[width:] - counts[:-width] == width
        out[width - 1 :] = np.where(full, (sums[width:] - sums[:-width]) / width, np.nan)
    return out
