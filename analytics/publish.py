"""Rows that analytics publishes to the series store, as CONTRACT section 5 lists them; pure functions of a window.

`_1d` rows are the local days of the station, stamped with the UTC instant of their start; all others are aligned to
the epoch. A window begins and ends on bounds of its width.
"""

from analytics.publish_air import air_rows
from analytics.publish_charging import charging_rows
from analytics.publish_devices import device_rows
from analytics.publish_events import alert_row, info_rows, session_rows
from analytics.window import Window
from telemetry.points import Points

__all__ = ["alert_row", "device_rows", "info_rows", "session_rows", "station_rows"]


def station_rows(window: Window, width: str) -> list[Points]:
    """Return the key figures of a station by periods, with numerators and denominators beside each ratio.

    Parameters
    ----------
    window
        One station; begins and ends on bounds of the width.
    width
        `1m`, `15m`, `1h` or `1d`.
    """
    return charging_rows(window, width) if window.station.kind == "charging" else air_rows(window, width)
