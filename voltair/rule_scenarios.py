"""`voltair rules test FILE`: series in, expected alerts out, through the real decoder, journal and engine.

A file holds cases; each has a station, series of its devices and what must fire at which time:

    rules = "rules.toml"

    [[case]]
    name = "a port that stays hot"
    [case.station]
    kind = "charging"
    [[case.series]]
    device = "port/p1"
    every = "1m"
    status = "Available Charging*20"
    temperature_c = "25 40..90*15 90*5"
    [[case.expect]]
    at = "20m"
    firing = ["port_hot p1"]

A series is a list of values, one per `every`: `v` is sent once, `v*3` three times, `a..b*5` in five even steps from a
to b, `_` leaves the channel out. Where all channels of a device are left out nothing is sent. `firing` is everything
that fires at that time: `rule device`, or `rule` for an alert of the station; `ignore` names rules that do not matter.

A case about a group has several stations, `[case.stations.ID]`, and may have `[case.groups.NAME]`; its devices are
named `station/port/p1`, its alerts `rule station/device`, `rule station` and `rule group`.
"""

import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from analytics.groups import group_of
from analytics.role import Analytics
from analytics.rules.load import check_registry, load_rules
from analytics.rules.transitions import Transition
from ingest.decode import Decoder
from store.journal import EntryType, JournalWriter
from store.sqlite import connect
from telemetry.channels import KIND_BY_NAME
from telemetry.config import AnalyticsConfig, ClockConfig, Config, IngestConfig, duration
from telemetry.errors import ConfigError
from telemetry.registry import registry_from_tables, registry_json
from telemetry.times import MINUTE_MS, SECOND_MS, to_ms
from wire.mqtt.packets import Publish

STATION = "s"
PREFIX = "voltair/v1"


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What fires at one time."""

    at: str
    """Time since the start."""
    firing: tuple[str, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One station or several, what their devices send, what must come of it."""

    name: str
    station: dict[str, Any] | None = None
    """As `[stations.s]` of stations.toml."""
    stations: dict[str, dict[str, Any]] = {}
    """As `[stations]` there, in place of `station`."""
    groups: dict[str, dict[str, Any]] = {}
    series: tuple[dict[str, Any], ...]
    expect: tuple[Expect, ...]
    ignore: tuple[str, ...] = ()

    def tables(self, place: str) -> dict[str, Any]:
        """Return the case's stations.toml.

        Raises
        ------
        ConfigError
            If it has neither one station nor several, or both.
        """
        if (self.station is None) == (not self.stations):
            msg = f"{place}: give it [case.station], or [case.stations.ID] for each of several"
            raise ConfigError(msg)
        one = {} if self.station is None else {STATION: self.station}
        return {"stations": self.stations or one, "groups": self.groups}

    def label(self, item: Transition) -> str:
        """Return an alert as `firing` names it."""
        if not self.stations:
            return f"{item.rule} {item.device or ''}".strip()
        device = f"/{item.device}" if item.device else ""
        return f"{item.rule} {group_of(item.station) or item.station}{device}"


class ScenarioFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All cases of a file."""

    rules: str = ""
    """Rule file, beside this one; empty: the shipped rules alone."""
    start: datetime = datetime.fromisoformat("2026-11-23T08:00:00Z")
    case: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case went."""

    name: str
    problems: tuple[str, ...]


def run_file(path: Path) -> Iterator[Verdict]:
    """Run every case of a file.

    Raises
    ------
    ConfigError
        If the file or the rule file is wrong.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
        found = msgspec.convert(tables, ScenarioFile)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        msg = f"{path}: {error}; 'voltair rules test --help' shows the form"
        raise ConfigError(msg) from error
    rules = path.parent / found.rules if found.rules else None
    pack = load_rules(rules)
    start_ms = to_ms(found.start)
    ready = []
    for case in found.case:
        place = f"{path}: case {case.name!r}"
        tables = case.tables(place)
        check_registry(pack, registry_from_tables(tables, place), place)
        unknown = {text.split()[0] for e in case.expect for text in e.firing} - set(pack.rules)
        if unknown:
            msg = f"{place}: there is no rule {sorted(unknown)[0]!r}; the rules are {', '.join(pack.rules)}"
            raise ConfigError(msg)
        messages = sorted(_messages(case, start_ms, place), key=lambda m: m[0])
        ready.append((case, tables, messages, place))
    for case, tables, messages, place in ready:
        told = _told(messages, tables, rules, start_ms, place)
        yield Verdict(case.name, tuple(_problems(case, told, start_ms)))


def _problems(case: Case, told: list[Transition], start_ms: int) -> Iterator[str]:
    """Yield where what fires is not what was expected."""
    for expect in case.expect:
        at_ms = start_ms + duration(expect.at)
        last: dict[str, str] = {}
        for item in sorted(told, key=lambda t: t.time_ms):
            if item.time_ms <= at_ms and item.rule not in case.ignore:
                last[case.label(item)] = item.state
        firing = {name for name, state in last.items() if state == "firing"}
        for name in sorted(set(expect.firing) - firing):
            yield f"at {expect.at}: {name} does not fire"
        for name in sorted(firing - set(expect.firing)):
            yield f"at {expect.at}: {name} fires"


def _told(
    messages: list[tuple[int, Publish]], tables: dict[str, Any], rules: Path | None, start_ms: int, place: str
) -> list[Transition]:
    """Return every transition of a case, from messages through journal and engine, a minute at a time as in life."""
    with TemporaryDirectory(prefix="voltair-rules-") as folder:
        config = Config(
            data_dir=folder, clock=ClockConfig(mode="event"), analytics=AnalyticsConfig(lateness="1s")
        )
        journal = JournalWriter.open(config.data / "journal", clock_mode="event")
        journal.put(EntryType.REGISTRY, registry_json(tables), now_ms=start_ms)
        if rules is not None:
            body = msgspec.json.encode({"source": str(rules), "text": rules.read_text("utf-8")})
            journal.put(EntryType.RULES, body, now_ms=start_ms)
        decoder = Decoder(
            prefix=PREFIX, clock_mode="event", limits=IngestConfig(), devices={}, station_now={},
            registry=registry_from_tables(tables, place),
        )
        for minute, group in groupby(messages, key=lambda m: m[0] // MINUTE_MS):
            batch = [message for _, message in group]
            now_ms = (minute + 1) * MINUTE_MS
            decoded = decoder.decode(batch, np.full(len(batch), now_ms))
            for letter in decoded.letters:
                msg = f"{place}: {letter.topic}: {letter.reason}"
                raise ConfigError(msg)
            for reason, count in decoded.rejected.items():
                msg = f"{place}: {count} values are refused ({reason})"
                raise ConfigError(msg)
            journal.append(decoded.frames, now_ms=now_ms, totals=journal.totals, new_devices=decoded.new_devices)
            journal.tick(connected=True, now_ms=now_ms)
        # Nothing new for a while: the watermark moves up to the last reading.
        journal.tick(connected=True, now_ms=now_ms + MINUTE_MS)
        analytics = Analytics(config)
        while analytics.step():
            pass
        analytics.commit()
        with closing(connect(config.data / "state.db", read_only=True)) as db:
            rows = db.execute("SELECT body FROM transition ORDER BY n").fetchall()
        return [msgspec.json.decode(body, type=Transition) for (body,) in rows]


def _messages(case: Case, start_ms: int, place: str) -> Iterator[tuple[int, Publish]]:
    """Yield (time, message) of every series."""
    for series in case.series:
        channels = dict(series)
        device, every = str(channels.pop("device", "")), str(channels.pop("every", "1m"))
        *station, kind, name = device.split("/") if "/" in device else ("", device)
        if kind not in KIND_BY_NAME or not name or station not in ([[s] for s in case.stations] or [[]]):
            form = "ID/port/p1 with the ID of one of its stations" if case.stations else "port/p1"
            msg = f"{place}: device {device!r} is not like {form}; kinds are {', '.join(KIND_BY_NAME)}"
            raise ConfigError(msg)
        columns = {c: list(_values(str(text), f"{place}: {device}.{c}")) for c, text in channels.items()}
        step_ms = max(duration(every), SECOND_MS)
        topic = f"{PREFIX}/{station[0] if station else STATION}/{kind}/{name}/telemetry".encode()
        for i in range(max(map(len, columns.values()), default=0)):
            values = {c: v[i] for c, v in columns.items() if i < len(v) and v[i] is not None}
            if values:
                time_ms = start_ms + i * step_ms
                yield time_ms, Publish(topic, msgspec.json.encode({"ts": time_ms, **values}), 0, 0)


def _values(text: str, place: str) -> Iterator[float | str | None]:
    """Yield the values of a series."""
    for token in text.split():
        what, _, times = token.partition("*")
        first, dots, last = what.partition("..")
        try:
            count = int(times) if times else 1
            if dots:
                yield from np.linspace(float(first), float(last), count).round(9).tolist()
                continue
        except ValueError as error:
            msg = f"{place}: {token!r} is none of v, v*3, a..b*5, _"
            raise ConfigError(msg) from error
        try:
            value: float | str | None = None if what == "_" else float(what)
        except ValueError:
            value = what
        for _ in range(count):
            yield value
