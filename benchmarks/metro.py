"""Leak alerts on MetroPT-3: its simulated twin seed by seed, or the data set itself; the table goes into docs/leaks.md.

Every reading goes through decoder, journal and engine, and the shipped rules judge it. Windows of truth are those that
were published, resolved on the data by others (docs/leaks.md); `FAILURES` are to be found, in `SET_ASIDE` nothing is
counted, and an alert at any other time is a false one.
"""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from analytics.role import Analytics
from analytics.rules.transitions import Transition
from ingest.decode import Decoder
from simulators.message import PREFIX, Message
from simulators.replay import replay_messages, replay_tables
from simulators.scenario import load_scenario
from simulators.simulation import Simulation
from store.journal import EntryType, JournalWriter
from store.sqlite import connect
from telemetry.config import AnalyticsConfig, ClockConfig, Config, IngestConfig
from telemetry.errors import ConfigError
from telemetry.registry import registry_from_tables, registry_json
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS, parse_time
from wire.mqtt.packets import Publish

HELD_OUT_SEED = 101
"""First seed that is scored; the limits of the rules were chosen on seeds 1 to 3."""
STATION = "metro"
FAILURES = {
    "F1": ("04-18T00:24:00", "04-19T02:00:00"),
    "F2": ("05-29T23:14:56", "05-30T06:00:00"),
    "F3": ("06-05T09:48:30", "06-08T13:54:00"),
    "F4": ("07-15T14:25:23", "07-15T19:00:00"),
}
"""Onset in the data, end of the scoring window."""
MORE = {"F4b": ("07-16T20:00:00", "07-17T06:00:00")}
LOOK_ALIKES = (
    ("03-06T21:42:00", "03-06T22:59:00"), ("03-11T05:15:00", "03-11T06:10:00"), ("03-12T00:16:00", "03-12T11:49:00"),
    ("03-26T04:00:00", "03-26T04:52:00"), ("03-27T07:12:00", "03-27T11:38:00"), ("03-28T07:22:00", "03-30T07:41:00"),
    ("04-12T11:50:00", "04-12T23:36:00"), ("05-13T13:44:00", "05-14T04:36:00"), ("05-19T10:05:00", "05-19T10:51:00"),
    ("05-19T22:22:00", "05-20T23:02:00"), ("06-01T14:49:00", "06-01T15:39:00"), ("06-03T10:06:00", "06-03T11:08:00"),
)
"""Leaks that nobody labelled: neither found nor false."""
DEPOT_DAYS = ("05-19", "06-02", "06-08", "07-14", "07-31")
REPAIRS = (("05-30T12:00:00", "05-30T14:00:00"), ("06-08T13:54:00", "06-08T18:00:00"),
           ("07-16T00:00:00", "07-16T02:00:00"))
PRECURSOR = (("07-14T21:28:00", "07-15T14:25:23"),)
GRACE_MS = 15 * MINUTE_MS
"""An alert may come this long after the end of its window."""
FROZEN_ROWS = 60
"""Rows of the compressor without any change that make a frozen logger."""
LEAK_RULES = ("purge_leak", "loaded_no_gain", "cycle_leak")

DOC = Path(__file__).parents[1] / "docs" / "leaks.md"
MARKS = ("<!-- bench metro: begin -->", "<!-- bench metro: end -->")

Span = tuple[int, int]
Run = tuple[str, Iterator[Message], dict[str, Any]]
"""What it is called, its readings, and the tables of its stations.toml."""


@dataclass
class Heard:
    """What the rows themselves say: when there were any, and when they stood still."""

    last_ms: int = 0
    known_ms: dict[int, int] = field(default_factory=dict)
    """Minute -> time with rows."""
    frozen: list[Span] = field(default_factory=list)
    _same: bytes = b""
    _since_ms: int = 0
    _rows: int = 0

    def take(self, message: Message) -> None:
        """Look at a row of the compressor; its gauges, not its state."""
        step = message.time_ms - self.last_ms
        if self.last_ms and step <= MINUTE_MS:
            minute = message.time_ms // MINUTE_MS
            self.known_ms[minute] = self.known_ms.get(minute, 0) + step
        gauges = message.payload.partition(b'"discharge')[2]
        if gauges != self._same:
            self._close()
            self._same, self._since_ms, self._rows = gauges, message.time_ms, 0
        self._rows += 1
        self.last_ms = message.time_ms

    def _close(self) -> None:
        if self._rows >= FROZEN_ROWS:
            self.frozen.append((self._since_ms, self.last_ms))


def measure_metro(seeds: int, first_seed: int, file: Path | None, sha256: str) -> Iterator[tuple[str, str]]:
    """Yield what was measured; of held-out seeds of the twin a table is written into docs/leaks.md.

    Parameters
    ----------
    seeds, first_seed
        Which twins.
    file, sha256
        The data set as published (CSV or zip) instead, and its checksum.

    Raises
    ------
    ConfigError
        If the file is another one.
    """
    scores: dict[str, dict[str, str]] = {}
    for name, messages, tables in _runs(seeds, first_seed) if file is None else _published(file, sha256):
        scores[name] = judge_messages(messages, tables)
        yield from ((f"{name}: {what}", value) for what, value in scores[name].items())
    if file is None and first_seed >= HELD_OUT_SEED:
        _write(scores)


def _runs(seeds: int, first_seed: int) -> Iterator[Run]:
    scenario = load_scenario("air-metro")
    for seed in range(first_seed, first_seed + seeds):
        run = Simulation(scenario, seed, scenario.start_ms, scenario.duration_ms)
        yield f"seed {seed}", run.messages(), scenario.tables()


def _published(file: Path, sha256: str) -> Iterator[Run]:
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != sha256.lower():
        msg = f"{file} has SHA-256 {found}, not {sha256 or 'given: add --sha256'}"
        raise ConfigError(msg)
    yield "the data set", replay_messages(file, "metropt3", STATION), replay_tables(file, "metropt3", STATION)


def _write(scores: dict[str, dict[str, str]]) -> None:
    names = list(next(iter(scores.values())))
    rows = [f"| {name} | {' | '.join(score[name] for score in scores.values())} |" for name in names]
    lines = [MARKS[0], "", f"| simulated | {' | '.join(scores)} |", f"| --- |{' --- |' * len(scores)}", *rows, "",
             MARKS[1]]
    head, rest = DOC.read_text("utf-8").split(MARKS[0])
    DOC.write_text(head + "\n".join(lines) + rest.split(MARKS[1])[1], "utf-8")


def judge_messages(messages: Iterator[Message], tables: dict[str, Any]) -> dict[str, str]:
    """Let the rules judge readings, and score what they told."""
    heard = Heard()
    told = _told(messages, tables, heard)
    return score(told, heard)


def _told(messages: Iterator[Message], tables: dict[str, Any], heard: Heard) -> list[Transition]:
    """Return every transition, the readings going through decoder, journal and engine a day at a time."""
    with TemporaryDirectory(prefix="voltair-metro-") as folder:
        config = Config(data_dir=folder, clock=ClockConfig(mode="event"), analytics=AnalyticsConfig(lateness="1s"))
        journal = JournalWriter.open(config.data / "journal", clock_mode="event")
        decoder = Decoder(
            prefix=PREFIX, clock_mode="event", limits=IngestConfig(), devices={}, station_now={},
            registry=registry_from_tables(tables, "metro"),
        )
        analytics = None
        now_ms = 0
        for day, group in groupby(messages, key=lambda m: m.time_ms // DAY_MS):
            batch = []
            for message in group:
                batch.append(Publish(message.topic.encode(), message.payload, 0, 0))
                if "/compressor/" in message.topic:
                    heard.take(message)
            now_ms = (day + 1) * DAY_MS
            if analytics is None:
                journal.put(EntryType.REGISTRY, registry_json(tables), now_ms=now_ms)
            decoded = decoder.decode(batch, np.full(len(batch), now_ms))
            journal.append(decoded.frames, now_ms=now_ms, totals=journal.totals, new_devices=decoded.new_devices)
            journal.tick(connected=True, now_ms=now_ms)
            analytics = analytics or Analytics(config)
            while analytics.step():
                pass
        assert analytics is not None
        journal.tick(connected=True, now_ms=now_ms + HOUR_MS)
        while analytics.step():
            pass
        analytics.commit()
        with closing(connect(config.data / "state.db", read_only=True)) as db:
            rows = db.execute("SELECT body FROM transition ORDER BY time_ms").fetchall()
        return [msgspec.json.decode(body, type=Transition) for (body,) in rows]


def score(told: list[Transition], heard: Heard) -> dict[str, str]:
    """Compare alerts with the published windows."""
    # A logger that pauses is offline, and that is true.
    fired = [(t.time_ms, t.rule) for t in told if t.type == "alert.firing" and t.category != "availability"]
    leaks = [(time_ms, rule) for time_ms, rule in fired if rule in LEAK_RULES]
    delays = {name: _delay(leaks, span) for name, span in _spans(FAILURES).items()}
    found = {name: delay for name, delay in delays.items() if delay is not None}
    aside = [*_spans(FAILURES).values(), *_spans(MORE).values(), *map(_span, (*LOOK_ALIKES, *REPAIRS, *PRECURSOR)),
             *(_span((f"{d}T00:00:00", f"{d}T23:59:59")) for d in DEPOT_DAYS), *heard.frozen]
    false = [(t, r) for t, r in fired if not any(a <= t <= b + GRACE_MS for a, b in aside)]
    minutes = np.array(sorted(heard.known_ms)) * MINUTE_MS
    known = np.array([heard.known_ms[t // MINUTE_MS] for t in minutes.tolist()])
    negative = np.ones(len(minutes), np.bool_)
    for a, b in aside:
        negative &= (minutes < a) | (minutes >= b)
    days = float(known[negative].sum()) / DAY_MS
    false_leaks = [f for f in false if f[1] in LEAK_RULES]
    alike = sum(_delay(leaks, _span(s)) is not None for s in LOOK_ALIKES)
    depot = [_span((f"{d}T00:00:00", f"{d}T23:59:59")) for d in DEPOT_DAYS]
    unlabelled = [_span(s) for s in (*LOOK_ALIKES, *PRECURSOR)] + list(_spans(FAILURES).values())
    vents = [t for t, _ in leaks if any(a <= t <= b for a, b in depot)
             and not any(a <= t <= b + GRACE_MS for a, b in unlabelled)]
    frozen = [t for t, _ in leaks if any(a <= t <= b for a, b in heard.frozen)]
    by_rule = {rule: sum(r == rule for _, r in false) for rule in sorted({r for _, r in false})}
    median = float(np.median(list(found.values()))) if found else float("nan")
    return {
        "failures found": f"{len(found)} of {len(FAILURES)}",
        "median delay": f"{median:.1f} min",
        "delays": ", ".join(f"{n} {'missed' if d is None else f'{d:.1f} min'}" for n, d in delays.items()),
        "F4b": "found" if _delay(leaks, _spans(MORE)["F4b"]) is not None else "missed",
        "negative machine-days": f"{days:.1f}",
        "false leak alerts": f"{len(false_leaks)} ({len(false_leaks) / days:.3f} a day)",
        "false alerts of all rules": f"{len(false)} ({len(false) / days:.3f} a day)"
        + (f": {', '.join(f'{n} {r}' for r, n in by_rule.items())}" if by_rule else ""),
        "unlabelled leaks told": f"{alike} of {len(LOOK_ALIKES)}",
        "leak alerts while vented, while frozen": f"{len(vents)}, {len(frozen)}",
        "frozen blocks": f"{len(heard.frozen)}",
    }


def _delay(leaks: list[tuple[int, str]], span: Span) -> float | None:
    """Return the time to the first alert of a window [min]; None: there is none."""
    inside = [t for t, _ in leaks if span[0] <= t <= span[1]]
    return (min(inside) - span[0]) / MINUTE_MS if inside else None


def _spans(windows: dict[str, tuple[str, str]]) -> dict[str, Span]:
    return {name: _span(window) for name, window in windows.items()}


def _span(window: tuple[str, str]) -> Span:
    begin, end = (parse_time(f"2020-{t}Z") for t in window)
    assert begin is not None
    assert end is not None
    return begin, end
