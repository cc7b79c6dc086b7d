"""The air outside: warm in summer and in the afternoon."""

import math
from datetime import datetime

_WARMEST_DAY, _WARMEST_HOUR = 205, 15


def ambient_c(local: datetime, mean_c: float, season_c: float, day_c: float) -> float:
    """Return the temperature outside.

    Parameters
    ----------
    local
        Local time.
    mean_c
        Mean of the year [°C].
    season_c, day_c
        Amplitudes of the year and of the day [K].
    """
    day = local.timetuple().tm_yday
    hour = local.hour + local.minute / 60.0
    season = math.cos(2.0 * math.pi * (day - _WARMEST_DAY) / 365.25)
    return mean_c + season_c * season + day_c * math.cos(2.0 * math.pi * (hour - _WARMEST_HOUR) / 24.0)
