"""Lines and voltages of ports and of the site: what is lost, voltages outside their band, imbalance, overload."""

import numpy as np

from analytics.detectors.minutes import FULL_MS, Minutes, minutes_of, number
from analytics.detectors.signal import Float64, Int64, Signal
from analytics.kernels.electrical import nema_imbalance
from analytics.kpis.charging import station_power
from analytics.kpis.electrical import power_kw, site_kva, site_lines
from analytics.window import Window
from store.buckets import empty_buckets
from telemetry.times import MINUTE_MS

DEAD_A, LIVE_A = 1.0, 6.0
"""A line below the one while both others are above the other is lost."""
RAISED, LOWERED = 0.07, 0.10
"""Band of the voltage from line to neutral (+7 / -10 %, GB 50966)."""
FLOWING_KW = 0.1
"""Power above this flows: a voltage of 0 beside it is that of a dead sensor."""


def phase_loss(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find lines below 1 A while the two others carry more than 6 A, in a minute of charging throughout.

    Only at ports with `phases = 3`, or where all three lines carried current within the look-back: a car that takes two
    phases is no fault.
    """
    minutes = minutes_of(window, "port")
    lines = np.stack([minutes.mean(f"current_l{k}_a") for k in (1, 2, 3)])
    lowest, middle = np.sort(lines, axis=0)[:2]
    phases = minutes.numbers("phases")
    had_three = np.maximum.accumulate(lowest > LIVE_A, axis=1)
    expected = (phases == 3) | (np.isnan(phases) & had_three)
    charging = minutes.sums("in_charge_ms") >= FULL_MS
    value = (expected & charging & (lowest < DEAD_A) & (middle > LIVE_A)).astype(np.float64)
    return minutes.signal(value, from_ms, lambda i, j: {
        f"current_l{k}_a": number(lines[k - 1, i, j]) for k in (1, 2, 3)
    })


def _volts(minutes: Minutes) -> tuple[Float64, Float64]:
    """Return voltages from line to neutral (4, devices, minutes), and the nominal one (devices, 1) [V].

    Voltages far from it are another quantity (line to line, the battery of a DC port) and unknown, but for a line that
    is dead while others are alive.
    """
    station = minutes.window.station
    nominal = np.array([station.nominal_voltage_of(d) for d in minutes.settings()]).reshape(-1, 1)
    volts = np.stack([*(minutes.mean(f"voltage_l{k}_v") for k in (1, 2, 3)), minutes.mean("voltage_v")])
    alive = np.where(np.abs(volts / nominal - 1) < 0.5, volts, np.nan)
    any_alive = ~np.isnan(alive).all(axis=0)
    dead = (volts < nominal / 2) & any_alive
    return np.where(dead, volts, alive), nominal


def voltage_limits(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find how far the worst voltage from line to neutral lies outside +7 / -10 % of nominal [V]; negative inside."""
    minutes = minutes_of(window, "port")
    volts, nominal = _volts(minutes)
    beyond = np.fmax(volts - (1 + RAISED) * nominal, (1 - LOWERED) * nominal - volts)
    value = np.fmax.reduce(beyond, axis=0)
    return minutes.signal(value, from_ms, lambda i, j: {
        **_line_evidence(volts, i, j), "nominal_v": number(nominal[i, 0]),
    })


def voltage_spread(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find the spread of the three voltages from line to neutral [V]: a lost neutral shows first here."""
    minutes = minutes_of(window, "port")
    volts, _ = _volts(minutes)
    value = volts[:3].max(axis=0) - volts[:3].min(axis=0)
    return minutes.signal(value, from_ms, lambda i, j: _line_evidence(volts, i, j))


def _line_evidence(volts: Float64, i: int, j: int) -> dict[str, float | None]:
    names = ("voltage_l1_v", "voltage_l2_v", "voltage_l3_v", "voltage_v")
    return {name: number(volts[k, i, j]) for k, name in enumerate(names) if not np.isnan(volts[k, i, j])}


def site_power_loss(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find the highest voltage at each site meter as a share of the nominal one; unknown while power flows.

    It takes a meter that is fed from elsewhere: one that goes dark with the site is silent like everything there.
    """
    minutes = minutes_of(window, "site_meter")
    station = window.station
    nominal = np.array([station.nominal_voltage_of(d) for d in minutes.settings()]).reshape(-1, 1)
    volts = np.stack([minutes.mean(f"voltage_l{k}_v") for k in (1, 2, 3)])
    power = minutes.power_kw()
    value = np.where(np.abs(power) > FLOWING_KW, np.nan, np.fmax.reduce(volts, axis=0) / nominal)
    return minutes.signal(value, from_ms, lambda i, j: {
        **{f"voltage_l{k}_v": number(volts[k - 1, i, j]) for k in (1, 2, 3)}, "power_kw": number(power[i, j]),
    })


def transformer_overload(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find the loading of the transformer in each minute: apparent power over `transformer_kva`."""
    time_ms, kva, _ = site_kva(window)
    if not len(time_ms):
        rows = window.minutes.get("port", empty_buckets())
        names = [name for name in rows.devices if not window.station.ports or name in window.station.listed("port")]
        time_ms, kw, _ = station_power(rows, power_kw(rows), names)
        kva = np.abs(kw)
    rated = window.station.transformer_kva or np.nan
    return _of_station(from_ms, time_ms, kva / rated, {"apparent_kva": kva})


def current_imbalance(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find how far a line of the site is from the mean of the three, over the transformer's rated current.

    In share of the rating, not of the mean: with single-phase cars the share of the mean is large by nature.
    """
    time_ms, lines_a, rated_a = site_lines(window)
    worst = np.abs(lines_a - lines_a.mean(axis=0)).max(axis=0) if len(time_ms) else np.empty(0)
    nema = nema_imbalance(lines_a.T) if len(time_ms) else np.empty(0)
    return _of_station(from_ms, time_ms, worst / rated_a, {
        "imbalance_nema": nema, **{f"current_l{k + 1}_a": line for k, line in enumerate(lines_a)},
    })


def _of_station(from_ms: int, time_ms: Int64, value: Float64, told: dict[str, Float64]) -> Signal:
    use = time_ms + MINUTE_MS > from_ms
    n = int(use.sum())
    kept = {name: values[use] for name, values in told.items()}
    return Signal(
        "", ("",), np.zeros(n, np.int64), time_ms[use] + MINUTE_MS, value[use], np.ones(n),
        lambda i: {name: number(float(values[i])) for name, values in kept.items()},
    )
