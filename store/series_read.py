"""Values of the series store for whoever asks, whichever store it is."""

from store import series_influx, series_sqlite
from store.series import SeriesItem, SeriesQuery
from telemetry.config import Config


def read_series(config: Config, query: SeriesQuery) -> list[SeriesItem]:
    """Return the values of a field, ordered by time, station and device.

    Raises
    ------
    StoreUnavailable, StoreError
        If an InfluxDB does not answer, or refuses.
    """
    if config.store.kind == "influx":
        return series_influx.read_series(config.store.influx, query)
    return series_sqlite.read_series(config.data / "series.db", query)
