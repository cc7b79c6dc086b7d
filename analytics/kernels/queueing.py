"""Blocking and waiting at a station with c ports: M(t)/G/c by the modified offered load.

Arrivals are Poisson with a rate that repeats every week, stays are independent of each other with any distribution.
With endlessly many ports the number of vehicles is then Poisson with mean m(t) = E[integral of the rate over the last
stay length] (the offered load); with c ports blocking and waiting are those of a stationary queue with the load m(t)
(Jagerman 1975; Massey and Whitt 1994). So these are estimates, good where load changes slowly against the stays.
"""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def offered_load(rate_per_h: Float64, stay_h: Float64, slot_h: float) -> Float64:
    """Return (slots,) mean number of vehicles in each slot if nobody were turned away.

    Parameters
    ----------
    rate_per_h
        (slots,) arrival rate, constant within a slot; the first slot follows the last.
    stay_h
        (n,) lengths of stays, the sample of their distribution.
    slot_h
        Length of a slot.
    """
    at_edges = load_weights(stay_h, len(rate_per_h), slot_h)
    # m at the end of slot i is the sum of rate[i - k] x weight[k]; of a slot the mean of both its ends.
    spectrum = np.fft.rfft(rate_per_h) * np.fft.rfft(at_edges)
    load = np.maximum(np.fft.irfft(spectrum, len(rate_per_h)), 0.0)
    return np.asarray((load + np.roll(load, 1)) / 2)


def load_weights(stay_h: Float64, slots: int, slot_h: float) -> Float64:
    """Return (slots,) hours that a vehicle of the slot k before is expected to have stayed of it, by its end.

    That is the integral of the share of stays that are longer, from k to k + 1 slots; stays longer than all slots go
    on at the first (the rate repeats).
    """
    whole, rest = np.divmod(stay_h / slot_h, 1.0)
    rounds, last = np.divmod(whole.astype(np.int64), slots)
    longer = len(stay_h) - np.cumsum(np.bincount(last, minlength=slots))
    part = np.bincount(last, rest, minlength=slots)
    return np.asarray((rounds.sum() + longer + part) / max(len(stay_h), 1) * slot_h)


def erlang_b(ports: int, load: Float64) -> Float64:
    """Return the share of arrivals that find every port taken and leave (Erlang 1917), by load [erlang]."""
    inverse = np.ones_like(load, np.float64)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        for k in range(1, ports + 1):
            inverse = 1.0 + inverse * k / load
    return np.where(load > 0, 1.0 / inverse, 0.0 if ports else 1.0)


def erlang_c(ports: int, load: Float64) -> Float64:
    """Return the share of arrivals that have to wait if all wait; NaN where the queue would grow without end."""
    blocked = erlang_b(ports, load)
    out = np.full(np.shape(load), np.nan)
    stable = load < ports
    out[stable] = ports * blocked[stable] / (ports - load[stable] * (1.0 - blocked[stable]))
    return out


def mean_wait_h(ports: int, load: Float64, stay_h: Float64) -> Float64:
    """Return the mean wait of all arrivals if all wait [h]: of M/M/c x (1 + cv^2) / 2 (Lee and Longton 1959).

    Parameters
    ----------
    ports, load
        As of `erlang_c`; NaN where the queue would grow.
    stay_h
        (n,) lengths of stays.
    """
    mean = float(stay_h.mean())
    spread = float(stay_h.var()) / mean**2 if mean > 0 else 0.0
    room = np.where(load < ports, ports - load, np.nan)
    return np.asarray(erlang_c(ports, load) * mean / room * (1.0 + spread) / 2)
