"""From a batch of messages to frames: one per kind of device, and the dead letters.

One pass over the messages finds the device, reads the payload and groups readings by their keys; from there on whole
columns are checked. Expected failures are dead letters and counters, never exceptions: one bad device never blocks
the others.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.clock import EventClock
from ingest.decoded import Decoded, joined, letter, refused
from ingest.devices import Devices
from ingest.limits import Limits
from ingest.pseudonyms import hide_sessions
from ingest.topics import read_topic
from store.journal import DeviceKey
from telemetry.channels import KINDS, Kind
from telemetry.config import IngestConfig
from telemetry.frame import (
    FLAG_CLOCK_SKEW,
    FLAG_FUTURE,
    FLAG_RECEIPT_TIME,
    FLAG_RETAINED,
    Frame,
)
from telemetry.registry import Registry
from telemetry.times import MINUTE_MS
from wire.columns import NO_TIME, Element, Group, Keys, fill, new_sheet, read_times
from wire.foreign import ForeignDecoders, Match
from wire.mqtt.packets import FLAG_DUP, FLAG_RETAIN, Publish
from wire.payload import Unreadable, read_payload
from wire.readers import WHOLE

FUTURE_MS = 5 * MINUTE_MS
"""Live: a reading this far ahead of its receipt is stored but not analysed."""
SKEW_MS = MINUTE_MS
"""Live: device time and receipt may differ by this much without a flag."""

_log = logging.getLogger(__name__)

_DOUBTS = {"future": FLAG_FUTURE, "clock_skew": FLAG_CLOCK_SKEW, "receipt_time": FLAG_RECEIPT_TIME}
_ROUTES_MAX = 200_000


@dataclass(frozen=True, slots=True)
class _Route:
    """A topic, looked up once; flat, because every message reads it."""

    why: str | None
    """Why the topic is none of ours; empty where decoders want it."""
    device: int = -1
    kind: int = -1
    presence: bool = False
    foreign: Match | None = None
    """The decoders that want a topic which is none of ours."""


@dataclass(slots=True)
class _Rows:
    """The readings of one kind, in order of arrival."""

    kind: Kind
    device: list[int] = field(default_factory=list)
    message: list[int] = field(default_factory=list)
    """Place of its message in the batch."""
    element: dict[int, int] = field(default_factory=dict)
    """Row -> place in its message's array, for readings out of arrays."""
    telemetry: dict[Keys, Group] = field(default_factory=dict)
    presence: dict[Keys, Group] = field(default_factory=dict)
    time_ms: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    flags: NDArray[np.uint16] = field(default_factory=lambda: np.empty(0, np.uint16))
    wrong: dict[int, str] = field(default_factory=dict)
    """Row -> why it is a dead letter."""

    def groups(self) -> Iterator[tuple[Keys, Group, bool]]:
        """Yield keys, readings, and whether they are presence."""
        for presence, groups in ((False, self.telemetry), (True, self.presence)):
            for keys, group in groups.items():
                yield keys, group, presence

    def add(self, device: int, place: int, value: Element, groups: dict[Keys, Group]) -> None:
        """Append one reading to its group."""
        keys = tuple(value)
        group = groups.get(keys)
        if group is None:
            group = groups[keys] = Group()
        devices = self.device
        group.rows.append(len(devices))
        group.elements.append(value)
        devices.append(device)
        self.message.append(place)


class Decoder:
    """Turns messages into frames; it knows every device's index and, in event mode, every station's clock."""

    def __init__(
        self,
        *,
        prefix: str,
        clock_mode: str,
        limits: IngestConfig,
        devices: Mapping[DeviceKey, int],
        station_now: Mapping[str, int],
        registry: Registry,
        foreign: ForeignDecoders | None = None,
    ) -> None:
        self._prefix = prefix
        self._foreign = foreign
        self._bounds = limits
        self._devices = Devices(devices, limits, registry)
        self._clock = EventClock(station_now) if clock_mode == "event" else None
        self._limits = Limits(registry)
        self._routes: dict[bytes, _Route] = {}

    def set_registry(self, registry: Registry) -> None:
        """Judge values by the limits of this registry from now on, and let its devices in."""
        self._devices.registry = registry
        self._limits = Limits(registry)
        self._routes.clear()

    def reconnected(self) -> None:
        """Take into account that messages of QoS 0 may be missing before the next ones."""
        if self._foreign is not None:
            self._foreign.host.reconnected()

    @contextmanager
    def again(self, foreign: ForeignDecoders) -> Iterator[None]:
        """Decode old messages within this block, by decoders whose memory of devices is not that of the present."""
        kept = self._foreign, self._routes
        self._foreign, self._routes = foreign, {}
        try:
            yield
        finally:
            self._foreign, self._routes = kept

    def decode(
        self,
        messages: Sequence[Publish],
        receipt_ms: NDArray[np.int64],
        only: Sequence[int | None] | None = None,
    ) -> Decoded:
        """Decode messages in order of arrival.

        Devices and clocks count as known from here on, so the result must be committed before the next one's.

        Parameters
        ----------
        receipt_ms
            (n,) when each message came [ms].
        only
            (n,) the one element of a message's array that counts, None: all.
        """
        try:
            return self._decode(messages, receipt_ms, only)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the others
            # A message that meets a bug of ours would come again and again, and stop every other device.
            if len(messages) == 1:
                _log.exception("decoding a message of %s failed", messages[0].topic)
                return refused(messages[0], int(receipt_ms[0]), f"Voltair failed on it: {error!r}")
        first, second = slice(len(messages) // 2), slice(len(messages) // 2, None)
        return joined(
            self.decode(messages[first], receipt_ms[first], only and only[first]),
            self.decode(messages[second], receipt_ms[second], only and only[second]),
        )

    def _decode(
        self, messages: Sequence[Publish], receipt_ms: NDArray[np.int64], only: Sequence[int | None] | None
    ) -> Decoded:
        kinds = [_Rows(kind) for kind in KINDS]
        dead: list[tuple[int, int, str]] = []
        flags = np.array([m.flags for m in messages], np.uint8)
        self._sort(messages, receipt_ms, only, kinds, dead)
        kinds = [rows for rows in kinds if rows.device]
        for rows in kinds:
            self._read_times(rows, receipt_ms, (flags & FLAG_RETAIN) != 0)
        station_now = self._clock.advance(kinds, self._devices.keys) if self._clock else {}
        rejected: Counter[str] = Counter()
        flagged: Counter[str] = Counter()
        unknown_keys = 0
        frames = []
        for rows in kinds:
            dead += [(rows.message[r], rows.element.get(r, WHOLE), why) for r, why in rows.wrong.items()]
            frame, refused, unknown = self._frame(rows)
            if len(frame):
                frames.append(frame)
                flagged.update({name: int(np.count_nonzero(frame.flags & flag)) for name, flag in _DOUBTS.items()})
            rejected += refused
            unknown_keys += unknown
        return Decoded(
            frames=frames,
            new_devices=self._devices.new(),
            letters=[letter(messages[m], int(receipt_ms[m]), e, why) for m, e, why in sorted(dead)],
            dead_messages=len({m for m, _, _ in dead}),
            station_now=station_now,
            redelivered=int(np.count_nonzero(flags & FLAG_DUP)),
            rejected=rejected,
            unknown_keys=unknown_keys,
            flagged=flagged,
            memory=self._foreign.changes() if self._foreign else {},
        )

    def _sort(
        self,
        messages: Sequence[Publish],
        receipt_ms: NDArray[np.int64],
        only: Sequence[int | None] | None,
        kinds: Sequence[_Rows],
        dead: list[tuple[int, int, str]],
    ) -> None:
        """Give each reading to the rows of its kind; what cannot be read is dead."""
        routes = self._routes
        limit = self._bounds.max_payload_bytes
        nesting = self._bounds.max_nesting
        for place, message in enumerate(messages):
            payload = message.payload
            route = routes.get(message.topic) or self._route(message.topic)
            if len(payload) > limit:
                why = f"payload of {len(payload)} bytes; ingest.max_payload_bytes is {limit}"
                dead.append((place, WHOLE, route.why or why))
                continue
            if route.why is not None:
                if route.foreign is None:
                    dead.append((place, WHOLE, route.why))
                else:
                    wanted = only[place] if only else None
                    self._sort_foreign(place, message, route.foreign, int(receipt_ms[place]), wanted, kinds, dead)
                continue
            rows = kinds[route.kind]
            presence = route.presence
            if presence and not payload:
                continue  # a retained presence was cleared; that says nothing about the device
            value = read_payload(payload, message.content_type, nesting)
            if type(value) is dict and not presence:
                rows.add(route.device, place, value, rows.telemetry)
                continue
            wanted = only[place] if only else None
            for element, item in enumerate(value) if type(value) is list else ((WHOLE, value),):
                if wanted not in (None, element):
                    continue
                found = _reading(item, presence=presence)
                if isinstance(found, str):
                    dead.append((place, element, found))
                else:
                    if element != WHOLE:
                        rows.element[len(rows.device)] = element
                    rows.add(route.device, place, found, rows.presence if presence else rows.telemetry)

    def _sort_foreign(
        self,
        place: int,
        message: Publish,
        match: Match,
        receipt_ms: int,
        wanted: int | None,
        kinds: Sequence[_Rows],
        dead: list[tuple[int, int, str]],
    ) -> None:
        """Give the readings of a foreign message to the rows of their kinds."""
        outcome = match.read(message.payload, message.content_type, receipt_ms if self._clock is None else None)
        for reading in outcome.readings:
            if wanted not in (None, reading.place):
                continue
            device = self._devices.index(DeviceKey(reading.station, reading.kind.name, reading.device))
            if isinstance(device, str):
                dead.append((place, reading.place, device))
                continue
            rows = kinds[reading.kind.index]
            if reading.place != WHOLE:
                rows.element[len(rows.device)] = reading.place
            rows.add(device, place, reading.element, rows.presence if reading.presence else rows.telemetry)
        dead += [(place, element, why) for element, why in outcome.refused if wanted in (None, element)]

    def _route(self, topic: bytes) -> _Route:
        """Look a topic up for the first time."""
        if len(self._routes) >= _ROUTES_MAX:
            self._routes.clear()
        address = read_topic(topic, self._prefix)
        if isinstance(address, str):
            match = self._foreign.match(topic.decode("utf-8", "replace")) if self._foreign else None
            route = _Route("" if match else address, foreign=match)
        else:
            device = self._devices.index(address.key)
            if isinstance(device, str):
                route = _Route(device)
            else:
                route = _Route(None, device, address.kind.index, address.presence)
        self._routes[topic] = route
        return route

    def _read_times(self, rows: _Rows, receipt_ms: NDArray[np.int64], retained: NDArray[np.bool_]) -> None:
        """Fill times and flags; a time that is wrong makes a dead letter."""
        n = len(rows.device)
        rows.time_ms = np.full(n, NO_TIME, np.int64)
        rows.flags = np.zeros(n, np.uint16)
        for _, group, _ in rows.groups():
            times, wrong = read_times(group.elements)
            rows.time_ms[group.rows] = times
            rows.wrong.update((group.rows[place], why) for place, why in wrong.items())
        message = np.array(rows.message, np.int64)
        copy = retained[message]
        rows.flags[copy] |= FLAG_RETAINED
        absent = rows.time_ms == NO_TIME
        if self._clock is not None:
            for row in np.flatnonzero(absent).tolist():
                rows.wrong.setdefault(row, 'no ts, which clock.mode = "event" needs')
            return
        receipt = receipt_ms[message]
        rows.time_ms[absent] = receipt[absent]
        rows.flags[absent] |= FLAG_RECEIPT_TIME
        ahead = rows.time_ms - receipt
        rows.flags[ahead > FUTURE_MS] |= FLAG_FUTURE
        # A retained copy is old by nature: that is no skew.
        rows.flags[(np.abs(ahead) > SKEW_MS) & ~copy] |= FLAG_CLOCK_SKEW

    def _frame(self, rows: _Rows) -> tuple[Frame, Counter[str], int]:
        """Return the frame of the rows that are not wrong, the refused values and the number of unknown keys."""
        keep = np.ones(len(rows.device), bool)
        keep[list(rows.wrong)] = False
        device = np.array(rows.device, np.int32)[keep]
        low, high = self._limits.of(rows.kind, device.tolist(), self._devices.keys)
        sheet = new_sheet(rows.kind, len(device), low, high)
        target = np.cumsum(keep) - 1
        for keys, group, presence in rows.groups():
            elements = group.elements
            places = np.array(group.rows, np.int64)
            good = keep[places]
            if not good.all():
                elements = [e for e, g in zip(elements, good.tolist(), strict=True) if g]
                places = places[good]
            if elements:
                fill(sheet, keys, elements, target[places], presence=presence)
        texts, key = tuple(sheet.texts), self._bounds.session_key
        if key:
            texts = hide_sessions(rows.kind, sheet.codes, texts, key)
        frame = Frame(
            rows.kind, device, rows.time_ms[keep], sheet.seq, rows.flags[keep], sheet.values, sheet.codes, texts
        )  # fmt: skip
        return frame, sheet.rejected, sheet.unknown_keys


def _reading(item: Any, *, presence: bool) -> Element | str:
    """Return one element as a reading, or why it is none."""
    if isinstance(item, Unreadable):
        return item.reason
    if not presence:
        return item if type(item) is dict else f"{_name(item)} where a JSON object (a reading) is expected"
    found = item if type(item) is dict else {"online": item}
    online = found.get("online")
    if type(online) not in (int, float) or online not in (0, 1):
        return f"presence {str(online)[:80]!r} is neither 1 nor 0"
    return found


def _name(item: Any) -> str:
    names = {list: "an array", str: "a text", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if item is None else names.get(type(item), type(item).__name__)
