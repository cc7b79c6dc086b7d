"""Rules at work: from states, silence and key figures to alert transitions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.error_codes import error_class
from analytics.groups import group_of, group_settings, members_of
from analytics.rules.evaluate import state_sample
from analytics.rules.lifecycle import AlertState, Sample, advance, step, withdraw
from analytics.rules.load import RulePack
from analytics.rules.silence import SilenceSample, SilenceState, silence_advance, silence_step
from analytics.rules.transitions import Transition, transition_of
from analytics.rules.types import BucketInput, DetectorInput, KpiInput, Rule, SilenceInput, StateInput
from analytics.shelf import Change
from store.journal import DeviceKey
from telemetry.channels import MACHINE_STATE, PORT, PORT_STATUS, Kind
from telemetry.errors import ConfigError
from telemetry.registry import Group, Registry, Station, station_kind_of

OF_MINUTES = (KpiInput, BucketInput, DetectorInput)
"""Inputs of rules that are judged by whole minutes, which come after the readings of those minutes."""


class AlertKey(msgspec.Struct, frozen=True, array_like=True):
    """One rule at one device, or at a whole station (empty kind and device)."""

    rule: str
    station: str
    kind: str
    device: str


class News(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A device went offline, or was heard again."""

    time_ms: int
    offline: bool
    """At the same time a return comes before a new silence."""
    kind: str
    device: str


class Alerts:
    """States of all rules. Everything in event time; samples older than what a rule knows are corrections."""

    def __init__(self, pack: RulePack, registry: Registry) -> None:
        self.pack = pack
        self.registry = registry
        self.states: dict[str, dict[AlertKey, AlertState]] = {}
        """Station -> states of its rules."""
        self.silence: dict[str, SilenceState] = {}
        """Group -> its state; a group is `station`, or `station/kind/device` for one that has none."""
        self.transitions: list[Transition] = []
        """Made since they were last taken."""
        self.problems: dict[str, str] = {}
        """Station -> why what it overrides is not in force."""
        self._seen: dict[str, NDArray[np.int8]] = {}
        """Kind -> state of each device when it was last judged."""
        self._rules: dict[tuple[str, str], Mapping[str, Rule]] = {}
        """(station, its kind as its device tells it) -> its rules: one that is not listed may have devices of both."""
        self._state_rules: dict[tuple[str, str], tuple[Rule, ...]] = {}
        """(station, kind of device) -> those of its rules that watch the states of such devices."""

    def rules_of(self, station: str, device_kind: str = "port") -> Mapping[str, Rule]:
        """Return the rules of a station, or of a group at its pseudo-station, with its own numbers."""
        kind, group = station_kind_of(device_kind), group_of(station)
        found = self._rules.get((station, kind))
        if found is None:
            found = self._station_rules(station, kind) if group is None else self._group_rules(station, group)
            self._rules[station, kind] = found
        return found

    def _station_rules(self, station: str, kind: str) -> Mapping[str, Rule]:
        settings = self.registry.station(station, kind)
        try:
            return self.pack.for_station(settings, station)
        except ConfigError as error:
            self.problems[station] = f"{error}; the station has the numbers of the rules until that is mended"
            return self.pack.for_station(msgspec.structs.replace(settings, rules={}), station)

    def _group_rules(self, station: str, group: str) -> Mapping[str, Rule]:
        if group not in members_of(self.registry):
            return {}
        try:
            return self.pack.for_group(self.registry.groups.get(group, Group()), group)
        except ConfigError as error:
            self.problems[station] = f"{error}; the group has the numbers of the rules until that is mended"
            return self.pack.for_group(Group(), group)

    def reload(self, *, registry: Registry | None = None, pack: RulePack | None = None) -> None:
        """Use another registry or other rules from now on; alerts of rules that are gone end."""
        before = {
            key: self.rules_of(key.station, key.kind or "port").get(key.rule)
            for states in self.states.values() for key in states
        }
        self.registry, self.pack = registry or self.registry, pack or self.pack
        self._rules, self._state_rules, self.problems = {}, {}, {}
        for name, station in self.registry.stations.items():
            self.rules_of(name, "port" if station.kind == "charging" else "compressor")
        for key, rule in before.items():
            if rule is not None and key.rule not in self.rules_of(key.station, key.kind or "port"):
                self.states[key.station][key], changes = withdraw(self.states[key.station][key])
                self._note(rule, key, changes)

    def take_transitions(self) -> list[Transition]:
        """Return the transitions made since the last call."""
        made, self.transitions = self.transitions, []
        return made

    def sample(self, rule: Rule, key: AlertKey, sample: Sample) -> None:
        """Give a rule a sample, and note what it changes."""
        states = self.states.setdefault(key.station, {})
        state = states.get(key)
        if state is None:
            if not sample.holds:
                return
            state = AlertState()
        states[key], changes = step(state, rule.timing, sample)
        self._note(rule, key, changes)

    def holds(self, key: AlertKey) -> bool:
        """Return whether the condition of a rule held when it was last known."""
        state = self.states.get(key.station, {}).get(key)
        return state is not None and state.phase != "inactive" and state.clear_ms is None

    def told_of(self, rule: str, station: str, kind: str) -> set[str]:
        """Return the devices of a kind that a rule has ever held at."""
        return {k.device for k in self.states.get(station, {}) if k.rule == rule and k.kind == kind}

    def advance(self, station: str, to_ms: int, *, minutes: bool = True) -> None:
        """Let time pass for the rules of a station that wait.

        Parameters
        ----------
        minutes
            Whether the minutes up to `to_ms` have been judged. Without, rules on them wait: time would pass their
            samples by.
        """
        states = self.states.get(station, {})
        for key, state in states.items():
            rule = self.rules_of(station, key.kind or "port").get(key.rule)
            if rule is None or state.phase == "inactive" or (not minutes and isinstance(rule.input, OF_MINUTES)):
                continue
            states[key], changes = advance(state, rule.timing, to_ms)
            self._note(rule, key, changes)

    def _note(self, rule: Rule, key: AlertKey, changes: tuple[Any, ...]) -> None:
        group = group_of(key.station)
        station: Station = (
            self.registry.station(key.station, station_kind_of(key.kind or "port")) if group is None
            else group_settings(self.registry, group)
        )
        for change in changes:
            self.transitions.append(
                transition_of(rule, change, station, key.station, key.device or None, key.kind or None)
            )

    def see(self, kind: Kind, change: Change, keys: list[DeviceKey], texts: list[str]) -> None:
        """Judge the states that the newest readings brought, reading by reading."""
        if "online" not in kind.code_index or len(kind.codes) == 1:
            return
        table = change.table
        rows = np.flatnonzero(change.news & (table.state >= 0) & ~table.death)
        if not len(rows):
            return
        seen = self._seen_of(kind, int(table.device[rows].max()) + 1)
        device, state = table.device[rows], table.state[rows]
        first = np.r_[True, device[1:] != device[:-1]]
        before = np.where(first, seen[device], np.r_[np.int8(-1), state[:-1]])
        ends = np.r_[device[1:] != device[:-1], True]
        seen[device[ends]] = state[ends]
        names = PORT_STATUS if kind is PORT else MACHINE_STATE
        code = kind.code_index["error_code" if kind is PORT else "fault_code"] if kind.codes[1:-1] else None
        for i in np.flatnonzero(state != before):
            key = keys[int(device[i])]
            row = int(rows[i])
            evidence: dict[str, Any] = {}
            if code is not None and table.codes[code][row] >= 0:
                text = texts[int(table.codes[code][row])]
                found = error_class(text) if kind is PORT else None
                evidence = {kind.codes[code].name: text, **(found.evidence() if found is not None else {})}
            for rule in self._on_states(key.station, kind.name):
                sample = state_sample(rule, int(table.time_ms[row]), names[int(state[i])], evidence)
                self.sample(rule, AlertKey(rule.name, key.station, kind.name, key.device), sample)

    def _on_states(self, station: str, kind: str) -> tuple[Rule, ...]:
        """Return the rules of a station on the states of its devices of a kind."""
        found = self._state_rules.get((station, kind))
        if found is None:
            found = self._state_rules[station, kind] = tuple(
                rule for rule in self.rules_of(station, kind).values()
                if isinstance(rule.input, StateInput) and kind in rule.input.device_kinds
            )
        return found

    def _seen_of(self, kind: Kind, size: int) -> NDArray[np.int8]:
        seen = self._seen.get(kind.name, np.empty(0, np.int8))
        if len(seen) < size:
            seen = np.concatenate([seen, np.full(size - len(seen), -1, np.int8)])
        self._seen[kind.name] = seen
        return seen

    def hear(self, station: str, news: list[News], to_ms: int, limit_ms: Callable[[str, str], int]) -> None:
        """Judge silence: news in order of time, then let time pass to the watermark.

        Parameters
        ----------
        station
            Whose devices they are.
        news
            In order of time, all at or before the watermark.
        to_ms
            The watermark.
        limit_ms
            (kind, device) -> silence after which the device is offline.
        """
        rules = self.rules_of(station, news[0].kind if news else "port")
        grouped = next(
            (r.input.device_kinds for r in rules.values()
             if isinstance(r.input, SilenceInput) and r.input.scope == "station"), (),
        )
        limits = _Limits(limit_ms)
        for item in news:
            label = f"{item.kind}/{item.device}"
            group = station if item.kind in grouped else f"{station}/{label}"
            state = self.silence.get(group, SilenceState())
            state, samples = silence_step(state, label, item.time_ms, offline=item.offline, offline_after_ms=limits)
            self.silence[group] = state
            self._silence_samples(station, rules, samples)
        state = self.silence.get(station, SilenceState())
        if state.excused:
            self.silence[station], samples = silence_advance(state, to_ms, limits)
            self._silence_samples(station, rules, samples)

    def _silence_samples(
        self, station: str, rules: Mapping[str, Rule], samples: tuple[SilenceSample, ...]
    ) -> None:
        for item in samples:
            kind, _, device = (item.device or "").partition("/")
            scope = "station" if item.device is None else "device"
            for rule in rules.values():
                if not isinstance(rule.input, SilenceInput) or rule.input.scope != scope:
                    continue
                if kind and kind not in rule.input.device_kinds:
                    continue
                sample = _plain_devices(item.sample)
                self.sample(rule, AlertKey(rule.name, station, kind, device), sample)

    def snapshot(self) -> bytes:
        """Return the bytes of all states."""
        states = [item for states in self.states.values() for item in states.items()]
        return msgspec.msgpack.encode([states, self.silence, {k: v.tobytes() for k, v in self._seen.items()}])

    def restore(self, data: bytes) -> None:
        """Take the states of a snapshot."""
        states, silence, seen = msgspec.msgpack.decode(data)
        self.states = {}
        for key, state in _states(states):
            self.states.setdefault(key.station, {})[key] = state
        self.silence = {k: msgspec.convert(v, SilenceState) for k, v in silence.items()}
        self._seen = {k: np.frombuffer(v, np.int8).copy() for k, v in seen.items()}


class _Limits(dict[str, int]):
    """`kind/device` -> its limit of silence [ms], looked up when it is asked for first."""

    def __init__(self, limit_ms: Callable[[str, str], int]) -> None:
        super().__init__()
        self._limit_ms = limit_ms

    def __missing__(self, label: str) -> int:
        found = self[label] = self._limit_ms(*label.split("/"))
        return found


def _plain_devices(sample: Sample) -> Sample:
    """Name devices in evidence without their kind."""
    if "devices" not in sample.evidence:
        return sample
    evidence = {**sample.evidence, "devices": [d.partition("/")[2] for d in sample.evidence["devices"]]}
    if "heard" in evidence:
        evidence["heard"] = evidence["heard"].partition("/")[2]
    return msgspec.structs.replace(sample, evidence=evidence)


def states_of(snapshot: bytes, station: str) -> list[tuple[AlertKey, AlertState]]:
    """Return what the rules of a station (or of a group, at its pseudo-station) have come to, from a snapshot."""
    return list(_states(item for item in msgspec.msgpack.decode(snapshot)[0] if item[0][1] == station))


def _states(items: Iterable[Any]) -> Iterator[tuple[AlertKey, AlertState]]:
    for key, state in items:
        yield msgspec.convert(key, AlertKey), msgspec.convert(state, AlertState)
