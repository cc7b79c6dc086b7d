"""Key figures of a station over a window, as CONTRACT section 7 names them."""

from collections.abc import Sequence

from analytics.figures import DeviceKpis, KpiAnswer
from analytics.kpis.air import air_kpis
from analytics.kpis.charging import charging_kpis
from analytics.uptime import Exclusion
from analytics.window import Window

__all__ = ["DeviceKpis", "KpiAnswer", "station_kpis"]


def station_kpis(window: Window, exclusions: Sequence[Exclusion] = ()) -> KpiAnswer:
    """Return all key figures of a station; what cannot be computed is null with a reason.

    Parameters
    ----------
    window
        The station's data in the window.
    exclusions
        Maintenance windows; they only touch `uptime`.
    """
    if window.station.kind == "charging":
        return charging_kpis(window, exclusions)
    return air_kpis(window)
