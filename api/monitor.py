"""Alerts about Voltair itself: rules of source `monitor`, judged by the API, which outlives the other roles.

They have the life, the texts and the deliveries of every other alert. States are kept in desk.db, in the transaction
that takes the transitions which they lead to: killed between any two statements, the next start goes on from there and
no transition has two ids. Times are wall times, so none of this runs in event mode.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from analytics.rules.evaluate import value_sample
from analytics.rules.lifecycle import AlertState, Change, Sample, step, withdraw
from analytics.rules.load import RulePack, load_rules, rules_of
from analytics.rules.transitions import Transition, transition_of
from analytics.rules.types import MonitorInput, Rule
from api.desk import Desk, Event
from api.self_figures import Figure, self_figures
from store.roles import wall_ms
from telemetry.errors import ConfigError
from telemetry.registry import Station

PERIOD_S = 2.0
MONITOR = "_voltair"
"""The pseudo-station of these alerts: seen by tokens that hold for all stations, or that name it."""
GAP_MS = 60_000
"""After a pause longer than this nobody knows what was meanwhile."""
_SAVE_MS = 10_000
"""States that wait are written at least this often."""

_VOLTAIR = Station(kind="voltair", id=MONITOR, name="Voltair")
_log = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True):
    """One rule about one role, or about Voltair as a whole, as desk.db keeps it."""

    rule: Rule
    """By which it was last judged: a rule that is gone still has to end its alert."""
    state: AlertState


class Monitor:
    """Judges Voltair. One per desk."""

    def __init__(
        self,
        data: Path,
        desk: Desk,
        rules_json: Callable[[], bytes | None],
        *,
        max_journal_bytes: int,
        clock_ms: Callable[[], int] = wall_ms,
    ) -> None:
        """Prepare.

        Parameters
        ----------
        data, desk
            The data directory and its desk.
        rules_json
            The rule file as analytics has it from the journal; None where it has none.
        max_journal_bytes
            `journal.max_bytes`.
        clock_ms
            Wall time.
        """
        self._data = data
        self._desk = desk
        self._rules_json = rules_json
        self._max_journal_bytes = max_journal_bytes
        self._clock_ms = clock_ms
        self._raw: bytes | None = None
        self._pack: RulePack = load_rules()
        self._kept = {key: msgspec.msgpack.decode(body, type=Kept) for key, body in desk.monitor_states().items()}
        self._saved_ms = 0

    def step(self) -> list[Event]:
        """Judge every rule once, and return what changed."""
        now_ms = self._clock_ms()
        rules = self._rules()
        figures = self_figures(self._data, self._desk.reader, self._max_journal_bytes, now_ms)
        after: dict[tuple[str, str], Kept | None] = {}
        made: list[Transition] = []
        for (name, device), old in self._kept.items():
            if name not in rules:
                made += _told(old.rule, device, withdraw(old.state)[1])
                after[name, device] = None
        for rule, source in rules.values():
            for device, figure in figures[source.figure].items():
                kept = self._kept.get((rule.name, device), Kept(rule, AlertState()))
                state, changes = step(_over_gap(kept, now_ms), rule.timing, _sample(rule, now_ms, figure))
                made += _told(rule, device, changes)
                after[rule.name, device] = Kept(rule, state)
        return self._save(after, made, now_ms)

    def _rules(self) -> dict[str, tuple[Rule, MonitorInput]]:
        """Return the enabled rules about Voltair; a broken file changes nothing, as in analytics, which tells of it."""
        raw = self._rules_json()
        if raw is not None and raw != self._raw:
            try:
                self._pack = rules_of(**msgspec.json.decode(raw))
            except ConfigError as error:
                _log.warning("%s; the rules about Voltair stay as they were", error)
            self._raw = raw
        return {
            name: (rule, rule.input)
            for name, rule in self._pack.rules.items() if rule.enabled and isinstance(rule.input, MonitorInput)
        }

    def _save(
        self, after: dict[tuple[str, str], Kept | None], made: list[Transition], now_ms: int
    ) -> list[Event]:
        """Write transitions and the states that have changed; those that only grew older seldom."""
        old_ms = now_ms - self._saved_ms >= _SAVE_MS
        changed = {
            key: kept for key, kept in after.items()
            if kept is None or _place(kept) != _place(self._kept.get(key))
            or (old_ms and kept.state.phase != "inactive")
        }
        events: list[Event] = []
        if changed:
            bodies = {k: None if v is None else msgspec.msgpack.encode(v) for k, v in changed.items()}
            events = self._desk.take_own(made, bodies, now_ms=now_ms)
            self._saved_ms = now_ms
        self._kept = {key: kept for key, kept in {**self._kept, **after}.items() if kept is not None}
        return events


def _sample(rule: Rule, now_ms: int, figure: Figure) -> Sample:
    sample = value_sample(rule, now_ms, figure.value, rule.threshold)
    return msgspec.structs.replace(sample, evidence=dict(figure.evidence))


def _over_gap(kept: Kept, now_ms: int) -> AlertState:
    """Return the state at `now_ms`; after a long pause, or a clock that was set back, what was meanwhile is unknown."""
    state = kept.state
    if state.phase == "inactive" or 0 <= now_ms - state.time_ms <= GAP_MS:
        return msgspec.structs.replace(state, time_ms=min(state.time_ms, now_ms))
    unknown = Sample(time_ms=state.time_ms, holds=None)
    return msgspec.structs.replace(step(state, kept.rule.timing, unknown)[0], time_ms=now_ms)


def _told(rule: Rule, device: str, changes: tuple[Change, ...]) -> list[Transition]:
    return [transition_of(rule, change, _VOLTAIR, MONITOR, device or None) for change in changes]


def _place(kept: Kept | None) -> tuple[object, ...] | None:
    """Return what of a state must not be lost; None where there is nothing yet."""
    if kept is None or (kept.state.phase == "inactive" and not kept.state.number):
        return None
    state = kept.state
    return kept.rule, state.phase, state.since_ms, state.clear_ms, state.number
