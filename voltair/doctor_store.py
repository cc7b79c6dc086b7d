"""The doctor's look at the series store: version, dialect, databases, retention, limits, clock."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from store.influx_http import go_duration_ms, query
from telemetry.config import Config, InfluxConfig
from telemetry.errors import StoreError
from voltair.findings import Finding

_ANSWER_S = 5.0
_SKEW_S = 5.0
"""Clocks that differ by more make dashboards lie; the header has whole seconds."""
_LIMITS = ("max-series-per-database", "max-values-per-tag")


def examine_store(config: Config) -> Iterator[Finding]:
    """Yield what is right and wrong with the series store."""
    if config.store.kind == "sqlite":
        path = config.data / "series.db"
        text = f"embedded, {path.stat().st_size / 1e6:.1f} MB" if path.exists() else "embedded, not made yet"
        yield Finding("series store", ok=True, text=text)
        return
    influx = config.store.influx
    try:
        answer = httpx.get(f"{influx.url.rstrip('/')}/ping", timeout=_ANSWER_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        text = f"{influx.url} cannot be reached ({error}); start InfluxDB, or change store.influx.url"
        yield Finding("series store", ok=False, text=text)
        return
    yield _version(influx, answer)
    yield from _clock(influx, answer)
    try:
        query(influx, influx.database if influx.version == 1 else influx.bucket, "SHOW MEASUREMENTS LIMIT 1")
    except StoreError as error:
        yield Finding("series store dialect", ok=False, text=f"InfluxQL does not work: {error}")
        return
    yield Finding("series store dialect", ok=True, text="InfluxQL by /query is answered")
    if influx.version == 1:
        yield from _databases(config)
        yield from _limits(influx)
        yield from _index(influx)
    elif influx.version == 2:
        yield _mappings(influx)


def _version(influx: InfluxConfig, answer: httpx.Response) -> Finding:
    said = answer.headers.get("x-influxdb-version", "unknown")
    text = f"{influx.url} is InfluxDB {said}, status {answer.status_code}"
    generation = said.removeprefix("v").partition(".")[0]
    if generation in ("1", "2", "3") and int(generation) != influx.version:
        text += f", but store.influx.version is {influx.version}; set it to {generation}"
        return Finding("series store", ok=False, text=text)
    if not answer.is_success:
        text += "; it must answer /ping with 200 or 204, see its log and what stands between"
    return Finding("series store", ok=answer.is_success, text=text)


def _clock(influx: InfluxConfig, answer: httpx.Response) -> Iterator[Finding]:
    date = answer.headers.get("date")
    if date:
        ahead_s = parsedate_to_datetime(date).timestamp() - time.time()
        ok = abs(ahead_s) <= _SKEW_S
        text = f"{influx.url} differs from this machine by {ahead_s:+.0f} s"
        yield Finding(
            "series store clock",
            ok=ok,
            text=text if ok else f"{text}; synchronise both clocks (chrony, systemd-timesyncd)",
        )


def _databases(config: Config) -> Iterator[Finding]:
    influx, keep_ms = config.store.influx, config.keep_raw_ms
    try:
        names = {row[0] for series in query(influx, "", "SHOW DATABASES") for row in series.get("values", [])}
        raw = f"{influx.database}_raw"
        missing = [name for name in (influx.database, raw) if name not in names]
        if missing:
            text = f"{', '.join(missing)} not made yet: 'voltair init' makes them, or the writer, if its user may"
            yield Finding("series store databases", ok=True, text=text)
            return
        for name, wanted_ms in ((influx.database, None), (raw, keep_ms)):
            yield _retention(influx, name, wanted_ms)
    except StoreError as error:
        text = f"{error}; grant the user of store.influx read rights on its databases"
        yield Finding("series store databases", ok=False, text=text)


def _retention(influx: InfluxConfig, name: str, wanted_ms: int | None) -> Finding:
    """Judge the default policy: rows that are older than it are not stored."""
    policies = [
        dict(zip(series["columns"], row, strict=True))
        for series in query(influx, "", f'SHOW RETENTION POLICIES ON "{name}"')
        for row in series["values"]
    ]
    policy = next((p for p in policies if p.get("default")), None)
    if policy is None:
        text = f'{name} has no default policy; ALTER RETENTION POLICY "autogen" ON "{name}" DEFAULT'
        return Finding("series store retention", ok=False, text=text)
    kept_ms = go_duration_ms(policy["duration"])
    if kept_ms and (wanted_ms is None or kept_ms < wanted_ms):
        wanted = "INF" if wanted_ms is None else f"{wanted_ms // 1000}s"
        text = (
            f"{name} keeps {policy['duration']} and refuses what is older; Voltair keeps it for {wanted}: run ALTER "
            f'RETENTION POLICY "{policy["name"]}" ON "{name}" DURATION {wanted}, or change store.keep_raw'
        )
        return Finding("series store retention", ok=False, text=text)
    return Finding("series store retention", ok=True, text=f"{name} keeps {policy['duration'] if kept_ms else 'all'}")


def _limits(influx: InfluxConfig) -> Iterator[Finding]:
    """Look at the two limits that make InfluxDB 1.x refuse new devices."""
    try:
        found = {
            name: value
            for series in query(influx, "", "SHOW DIAGNOSTICS")
            if series.get("name") == "config-data"
            for name, value in zip(series["columns"], series["values"][0], strict=True)
            if name in _LIMITS
        }
    except StoreError as error:
        yield Finding("series store limits", ok=True, text=f"not shown to this user ({error})")
        return
    set_ = [f"{name} = {found[name]}" for name in _LIMITS if found.get(name)]
    if set_:
        text = (
            f"{' and '.join(set_)}: beyond it new devices and alerts are refused; set both to 0 (no limit) in [data] "
            'of influxdb.conf, with index-version = "tsi1", and restart InfluxDB'
        )
        yield Finding("series store limits", ok=False, text=text)
    elif found:
        yield Finding("series store limits", ok=True, text="no limit of series and tag values")


def _index(influx: InfluxConfig) -> Iterator[Finding]:
    """Look at the index of the shards that are there: one in memory grows with every device and alert."""
    mine = {influx.database, f"{influx.database}_raw"}
    try:
        found = [series.get("tags", {}) for series in query(influx, "", "SHOW STATS FOR 'shard'")]
    except StoreError as error:
        yield Finding("series store index", ok=True, text=f"not shown to this user ({error})")
        return
    kinds = {_index_of(tags) for tags in found if tags.get("database") in mine}
    if "inmem" in kinds:
        text = (
            'shards of Voltair are indexed in memory; set index-version = "tsi1" in [data] of influxdb.conf, convert '
            "them with 'influx_inspect buildtsi' while InfluxDB is stopped, and start it"
        )
        yield Finding("series store index", ok=False, text=text)
    elif kinds:
        yield Finding("series store index", ok=True, text=", ".join(sorted(kinds)))


def _index_of(tags: dict[str, str]) -> str:
    """Return a shard's kind of index: named by the server from 1.7 on, before that seen in its folder."""
    folder = Path(tags.get("path", ""))
    if "indexType" in tags or not folder.is_absolute() or not folder.is_dir():
        return tags.get("indexType", "not seen from here")
    return "tsi1" if (folder / "index").is_dir() else "inmem"


def _mappings(influx: InfluxConfig) -> Finding:
    """Look whether both buckets can be asked by InfluxQL, as Grafana and the API do."""
    missing = []
    for bucket in (influx.bucket, f"{influx.bucket}_raw"):
        try:
            query(influx, bucket, "SHOW MEASUREMENTS LIMIT 1", missing_is_empty=False)
        except StoreError:
            missing.append(bucket)
    if missing:
        text = f"{', '.join(missing)}: no bucket, or none of this name in InfluxQL; run 'voltair init'"
        return Finding("series store buckets", ok=False, text=text)
    return Finding("series store buckets", ok=True, text=f"{influx.bucket} and {influx.bucket}_raw answer InfluxQL")
