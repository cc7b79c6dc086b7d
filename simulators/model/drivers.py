"""Who comes when, for how long, and with which need: profiles of drivers.

Stays and needs are distributions given by their quantiles at equal steps of probability, from the least to the
greatest; between them they are straight. The profiles stand in profiles.toml.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
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


def _profiles() -> dict[str, Profile]:
    """Read the profiles; arrivals become factors on the mean of a weekday."""
    text = Path(__file__).with_name("profiles.toml").read_text("utf-8")
    found = msgspec.toml.decode(text, type=dict[str, Profile])
    for name, profile in found.items():
        mean = sum(profile.weekday) / 24.0
        weekday, weekend = (tuple(v / mean for v in hours) for hours in (profile.weekday, profile.weekend))
        found[name] = replace(profile, weekday=weekday, weekend=weekend)
    return found


PROFILES = _profiles()


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
