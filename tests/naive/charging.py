"""A charging port straight from what it has sent: its states, stays, energy, and when it was down."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from naive.kpis import OCCUPIED
from naive.outcomes import naive_allowed_idle_s
from naive.readings import Reading
from naive.sent import Device, Interval, Row, Rules, clip, common, joined, length, minus

GOOD_REASONS = ("", "Local", "Remote", "EVDisconnected")


@dataclass
class Stay:
    """A session."""

    start_ms: int
    sent_id: str = ""
    end_ms: int | None = None
    after: str = ""
    """State that ended it."""
    spans: list[tuple[int, int, bool]] = field(default_factory=list)
    """(from, to, charging) of its heard time."""
    energy_kwh: float = 0.0
    stop_reason: str = ""
    measured: bool = True
    """Whether its port measures energy."""

    @property
    def idle_s(self) -> float:
        """Heard time without charging."""
        return sum(b - a for a, b, charging in self.spans if not charging) / 1000

    @property
    def good(self) -> bool:
        """Whether it succeeded; one that does not measure its energy is in no rate."""
        return (
            self.energy_kwh > 0.1 and self.after not in ("Faulted", "Unavailable") and self.stop_reason in GOOD_REASONS
        )

    @property
    def known(self) -> bool:
        """Whether it can be told if it succeeded."""
        return self.measured or self.after in ("Faulted", "Unavailable") or self.stop_reason not in GOOD_REASONS


class Port(Device):
    """One port that has been heard."""

    def __init__(self, readings: Iterable[Reading], rules: Rules, now_ms: int) -> None:
        super().__init__(readings, rules, now_ms)
        self._annotate()
        self.power = self.gauge("power_kw")
        self.booked = self.register("energy_kwh", "power_kw")

    def _annotate(self) -> None:
        status = session = ""
        power: float | None = None
        for row in self.rows:
            status = row.codes.get("status", status)
            power = row.values.get("power_kw", power)
            session = row.codes.get("session_id", session)
            flows = power is not None and power > 0.05
            row.state = status or ("" if power is None else "Charging" if flows else "Available")
            row.in_charge = row.state == "Charging" or (row.state == "Occupied" and flows)
            if row.state and row.state not in OCCUPIED:
                session = ""
            row.session = session if row.state else ""

    def time_in(self, *states: str) -> list[Interval]:
        """Return the time in which it was heard in some states."""
        return joined((a, b) for a, b, r in self.spans() if r.state in states)

    def energy_kwh(self, keep: Sequence[Interval]) -> float | None:
        """Return what was counted in some time; None where nothing was measured in it."""
        if not any(clip([(x.from_ms, max(x.to_ms, x.from_ms + 1))], keep) for x in self.booked):
            return None
        return sum(x.amount(a, b) for x in self.booked for a, b in keep)

    def stays(self, window: Interval) -> list[Stay]:
        """Return its sessions that end in a window."""
        out: list[Stay] = []
        now: Stay | None = None
        before: tuple[int, int, Row] | None = None
        measured = self.energy_kwh([window]) is not None
        said = ""
        for a, b, row in self.spans():
            said = row.codes.get("stop_reason", said)
            if a == b and row is not self.rows[-1]:
                # Another reading came in the same moment: what holds from there on is what that one leaves.
                continue
            silent = before is not None and before[1] < a
            if now is not None and before is not None:
                other = bool(row.session) and bool(now.sent_id) and row.session != now.sent_id
                changed = silent and (row.state, row.session) != (before[2].state, before[2].session)
                if row.state not in OCCUPIED or other or changed:
                    now.end_ms, now.after = before[1], row.state
                    if row.state not in OCCUPIED:
                        now.stop_reason = now.stop_reason or self._said_after(row)
                    now = None
            if now is None and row.state in OCCUPIED:
                now = Stay(a)
                out.append(now)
            if now is not None:
                now.sent_id = now.sent_id or row.session
                now.spans.append((a, b, row.in_charge))
                now.stop_reason = said or now.stop_reason
            before, said = (a, b, row), ""
        for stay in out:
            stay.energy_kwh = sum(
                x.whole for x in self.booked
                if any(a <= x.from_ms < b or (a == b == x.from_ms) for a, b, _ in stay.spans)
            )
            stay.measured = measured or stay.energy_kwh != 0
        return [s for s in out if s.end_ms is not None and window[0] <= s.end_ms < window[1]]

    def _said_after(self, first: Row) -> str:
        """Return the last reason sent while the port stays as the reading left it that freed it."""
        said, reached = "", False
        for a, b, row in self.spans():
            if row is first:
                reached, until = True, a
            if reached:
                if row.state != first.state or a > until:
                    break
                said, until = row.codes.get("stop_reason", said), b
        return said


def blocked(stay: Stay, rated_kw: float) -> Interval:
    """Return the end of a stay in which its vehicle idled for longer than is allowed, taken to lie at the end."""
    beyond_s = max(0.0, stay.idle_s - naive_allowed_idle_s(rated_kw))
    assert stay.end_ms is not None
    return stay.end_ms - round(1000 * beyond_s), stay.end_ms


@dataclass(frozen=True)
class Uptime:
    """One port over a window."""

    service: list[Interval]
    down: list[Interval]
    """Outages that are not excluded."""

    @property
    def up_ms(self) -> int:
        """Service less outages."""
        return length(self.service) - length(self.down)


def uptime(
    name: str, ports: Mapping[str, Port], rules: Mapping[str, Rules], window: Interval, now_ms: int,
    away: Sequence[Interval],
) -> Uptime:
    """Return when a port was in service and when it was down.

    Parameters
    ----------
    ports
        Those that were heard; ports with the same charge point share its messages.
    away
        Maintenance and closed hours.
    """
    own = rules[name]
    shared = own.charge_point
    group = [p for n, p in ports.items() if n == name or (shared and rules[n].charge_point == shared)]
    end_ms = min(window[1], now_ms)
    first = min((p.rows[0].time_ms for p in group), default=None)
    start_ms = first if own.commissioned_ms is None else own.commissioned_ms
    if start_ms is None:
        return Uptime([], [])
    until_ms = end_ms if own.decommissioned_ms is None else min(end_ms, own.decommissioned_ms)
    service = common([(start_ms, until_ms)], [(window[0], end_ms)])
    down = [(window[0], end_ms if first is None else first)]
    times = sorted(r.time_ms for p in group for r in p.rows)
    heard = [(a, b) for p in group for a, b, _ in p.spans()]
    for a, b in minus([(first, end_ms)], heard) if first is not None and first < end_ms else []:
        down.append((max(t for t in times if t <= a), b))
    if name in ports:
        down += ports[name].time_in("Faulted") + minus(ports[name].time_in("Unavailable"), away)
    return Uptime(service, minus(common(joined(down), service), away))
