"""Values of the series store for whoever asks, whichever store it is."""

from collections.abc import Iterator
from dataclasses import replace

from store import series_influx, series_sqlite
from store.series import SeriesItem, SeriesQuery
from telemetry.config import Config
from telemetry.times import DAY_MS, MINUTE_MS

_PIECE = 50_000
"""Items of one question, as long as no more of them have the same time."""


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


def stream_series(config: Config, query: SeriesQuery) -> Iterator[SeriesItem]:
    """Yield what `read_series` returns, asking for a span at a time, so that memory does not grow with the window.

    Spans grow while they hold little and shrink where they hold much; `query.limit` does not count.
    """
    at_ms, span_ms, most = query.from_ms, MINUTE_MS, _PIECE
    while at_ms < query.to_ms:
        end_ms = at_ms + span_ms
        if query.step_ms is not None:  # whole steps, and at least to the end of the first
            end_ms = max(end_ms // query.step_ms, at_ms // query.step_ms + 1) * query.step_ms
        end_ms = min(end_ms, query.to_ms)
        found = read_series(config, replace(query, from_ms=at_ms, to_ms=end_ms, limit=most + 1))
        if len(found) <= most:
            yield from found
            at_ms, most = end_ms, _PIECE
            span_ms = min(span_ms * 2, DAY_MS) if len(found) <= _PIECE // 4 else span_ms
        elif found[0].time_ms == found[-1].time_ms:
            most *= 2
        else:  # those of the last time may not all have come
            yield from (item for item in found if item.time_ms < found[-1].time_ms)
            at_ms, span_ms = found[-1].time_ms, max(span_ms // 2, 1)
