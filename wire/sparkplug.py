"""Sparkplug B 3.0, the host's side: births give names to aliases, sequence numbers show what is missing, deaths end.

What a host knows of an edge node is lost with its connection to the broker, for births travel at QoS 0: another birth
is asked for then, as after a gap. Births repeat every value, so what could not be understood before one is not lost.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wire.payload import Unreadable
from wire.sparkplug_pb import BD_SEQ, Metric, Payload, read_sparkplug, rebirth_command, value_of

NODE_MESSAGES = ("NBIRTH", "NDEATH", "NDATA")
DEVICE_MESSAGES = ("DBIRTH", "DDEATH", "DDATA")
NODES_MAX = 100_000
METRICS_MAX = 1_000_000
"""Metrics of all births together that are remembered."""
FIRST_PAUSE_S = 5.0
"""A node is asked again for its births after this long, then after twice as long, ..."""
LONGEST_PAUSE_S = 600.0
"""... and at most after this long."""
REBIRTHS_AT_ONCE = 50
"""So many nodes are asked at a time: thousands of births at once would drown a broker."""


Key = tuple[str, str, str]
"""Namespace, group and edge node."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one message says of the node, or of one of its devices, at one time."""

    device: str
    """Empty: the edge node itself."""
    time_ms: int | None
    """None: now."""
    values: Mapping[str, Any]
    """Values that are new, by name of metric."""
    whole: Mapping[str, Any]
    """With them everything that holds at that time."""
    online: int | None = None


@dataclass(slots=True)
class Report:
    """What one message says."""

    changes: list[Change] = field(default_factory=list)
    refused: str | None = None
    """What of it cannot be understood, and why."""


@dataclass(slots=True)
class _Born:
    """What the birth of a node or device said, and its values since."""

    names: dict[int, str] = field(default_factory=dict)
    """By alias."""
    types: dict[str, int] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Node:
    seq: int | None = None
    """Of its last message; None: unknown."""
    bd_seq: Any = None
    """Of its birth: a death of another is an old one."""
    newest_ms: int | None = None
    born: dict[str, _Born] = field(default_factory=dict)
    """The node itself under "", and its devices."""
    asked_s: float = -math.inf
    """When it was last asked for its births."""
    pause_s: float = FIRST_PAUSE_S


class Host:
    """Everything that is known of edge nodes."""

    def __init__(self) -> None:
        self._nodes: dict[Key, _Node] = {}
        self._wanted: dict[Key, _Node] = {}
        """Those whose births are missing."""
        self._metrics = 0
        self.counters: Counter[str] = Counter()
        """`sparkplug_sequence_gaps`, `_unknown_metrics`, `_stale_deaths`, `_rebirths` (requested)."""

    def read(self, topic: str, data: bytes, receipt_ms: int | None) -> Report:
        """Return what a message says.

        Parameters
        ----------
        receipt_ms
            None in event mode, where a death counts at the time that its node was last heard of.
        """
        payload = read_sparkplug(data)
        if isinstance(payload, Unreadable):
            return Report(refused=payload.reason)
        namespace, group, message, name, *rest = topic.split("/")
        key = namespace, group, name
        node = self._nodes.get(key)
        if node is None:
            if len(self._nodes) >= NODES_MAX:
                return Report(refused=f"more than {NODES_MAX:,} edge nodes; give the topic a narrower group")
            node = self._nodes[key] = _Node()
        if message == "NDEATH":
            return self._death(key, node, payload, receipt_ms)
        return self._message(key, node, message, rest[0] if rest else "", payload)

    def _message(self, key: Key, node: _Node, message: str, device: str, payload: Payload) -> Report:
        if payload.time_ms is not None:
            node.newest_ms = max(node.newest_ms or 0, payload.time_ms)
        if message == "NBIRTH":
            self._forget(node)
            node.seq, node.bd_seq = payload.seq, _bd_seq(payload)
            self._wanted.pop(key, None)
            return self._birth(node, "", payload)
        self._follow(key, node, payload.seq)
        if message == "DBIRTH":
            return self._birth(node, device, payload)
        if message == "DDEATH":
            self._metrics -= len(node.born.pop(device, _Born()).types)
            return Report([Change(device, payload.time_ms, {}, {}, online=0)])
        return self._data(key, node, device, payload)

    @property
    def nodes(self) -> list[str]:
        """Namespace/group/node of every node that was ever heard."""
        return ["/".join(key) for key in self._nodes]

    def expect(self, nodes: Iterable[str]) -> None:
        """Know nodes of an earlier life by name: their births are wanted."""
        for name in sorted(nodes)[:NODES_MAX]:
            key = tuple(name.split("/"))
            if len(key) == 3:
                self._wanted[key] = self._nodes.setdefault(key, _Node())

    def reconnected(self) -> None:
        """Take into account that messages may be missing: aliases count no longer, births are wanted."""
        for key, node in self._nodes.items():
            if node.born or node.seq is not None:
                self._forget(node)
                self._wanted[key] = node

    def rebirths(self, now_s: float, now_ms: int) -> Iterator[tuple[str, bytes]]:
        """Yield topics and payloads of the commands that ask for missing births, each node seldom."""
        due = [key for key, node in self._wanted.items() if now_s - node.asked_s >= node.pause_s]
        for key in due[:REBIRTHS_AT_ONCE]:
            node = self._wanted[key]
            calm = now_s - node.asked_s > 2 * LONGEST_PAUSE_S
            node.pause_s = FIRST_PAUSE_S if calm else min(2 * node.pause_s, LONGEST_PAUSE_S)
            node.asked_s = now_s
            self.counters["sparkplug_rebirths"] += 1
            namespace, group, name = key
            yield f"{namespace}/{group}/NCMD/{name}", rebirth_command(now_ms)

    def _forget(self, node: _Node) -> None:
        self._metrics -= sum(len(born.types) for born in node.born.values())
        node.born, node.seq, node.bd_seq = {}, None, None

    def _follow(self, key: Key, node: _Node, seq: int) -> None:
        """Compare a sequence number with the last: a repetition is none, a gap is counted."""
        if node.seq is not None and seq not in (node.seq, (node.seq + 1) % 256):
            self.counters["sparkplug_sequence_gaps"] += 1
            self._wanted[key] = node
        if "" not in node.born:
            self._wanted[key] = node
        node.seq = seq

    def _death(self, key: Key, node: _Node, payload: Payload, receipt_ms: int | None) -> Report:
        bd_seq = _bd_seq(payload)
        if node.bd_seq is not None and bd_seq != node.bd_seq:
            # The will of an earlier connection: the node has come back since.
            self.counters["sparkplug_stale_deaths"] += 1
            return Report()
        # The payload was made when the node connected; what counts is when the broker spoke for it.
        time_ms = None if receipt_ms is not None else node.newest_ms
        gone = dict.fromkeys(("", *node.born))
        self._forget(node)
        self._wanted.pop(key, None)
        return Report([Change(device, time_ms, {}, {}, online=0) for device in gone])

    def _birth(self, node: _Node, device: str, payload: Payload) -> Report:
        before = node.born.get(device)
        more = len(payload.metrics) - (len(before.types) if before else 0)
        if self._metrics + more > METRICS_MAX:
            return Report(refused=f"births of more than {METRICS_MAX:,} metrics; give the topic a narrower group")
        born = _Born()
        for metric in payload.metrics:
            if metric.alias is not None:
                born.names[metric.alias] = metric.name
            born.types[metric.name] = metric.datatype
        self._metrics += len(born.types) - (len(before.types) if before else 0)
        node.born[device] = born
        old, new = _split(payload.metrics)
        changes = list(_history(device, payload, old))
        born.values = {m.name: value_of(m, m.datatype) for m in new}
        # A birth says what holds now, whenever each value was measured.
        changes.append(Change(device, payload.time_ms, dict(born.values), dict(born.values), online=1))
        return Report(changes)

    def _data(self, key: Key, node: _Node, device: str, payload: Payload) -> Report:
        born = node.born.get(device)
        if born is None:
            self._wanted[key] = node
        known = born or _Born()
        named = [named for m in payload.metrics if (named := _named(m, known)) is not None]
        report = Report()
        missing = len(payload.metrics) - len(named)
        if missing:
            self._wanted[key] = node
            self.counters["sparkplug_unknown_metrics"] += missing
            report.refused = (
                f"{missing} of {len(payload.metrics)} metrics have no name or type before the birth of "
                f"{device or key[2]!r} is heard; a rebirth is requested, which repeats every value"
            )
        old, new = _split(named)
        report.changes += _history(device, payload, old)
        for time_ms, metrics in _by_time(new, payload):
            values = {m.name: value_of(m, m.datatype) for m in metrics}
            # Only what the birth named is remembered, so that no message can fill the memory.
            known.values |= {name: value for name, value in values.items() if name in known.types}
            report.changes.append(Change(device, time_ms, values, known.values | values))
        if not report.changes:
            report.changes.append(Change(device, payload.time_ms, {}, {}))  # a sign of life
        return report


def _named(metric: Metric, born: _Born) -> Metric | None:
    """Return a metric with name and data type, None where they are not known."""
    name = metric.name or born.names.get(metric.alias if metric.alias is not None else -1, "")
    datatype = metric.datatype or born.types.get(name, 0)
    if not name or (type(metric.raw) is int and not datatype):
        return None
    return Metric(name, metric.alias, metric.time_ms, datatype, metric.historical, metric.raw)


def _split(metrics: Sequence[Metric]) -> tuple[list[Metric], list[Metric]]:
    """Return the historical ones, and the others."""
    return [m for m in metrics if m.historical], [m for m in metrics if not m.historical]


def _by_time(metrics: Sequence[Metric], payload: Payload) -> Iterator[tuple[int | None, list[Metric]]]:
    groups: dict[int | None, list[Metric]] = {}
    for metric in metrics:
        groups.setdefault(payload.time_ms if metric.time_ms is None else metric.time_ms, []).append(metric)
    yield from groups.items()


def _history(device: str, payload: Payload, metrics: Sequence[Metric]) -> Iterator[Change]:
    """Yield what was true in the past; it says nothing of the present."""
    for time_ms, group in _by_time(metrics, payload):
        values = {m.name: value_of(m, m.datatype) for m in group}
        yield Change(device, time_ms, values, values)


def _bd_seq(payload: Payload) -> Any:
    return next((m.raw for m in payload.metrics if m.name == BD_SEQ), None)
