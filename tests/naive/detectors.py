"""Detectors of ports in their most obvious form: minute after minute of one port, from the buckets of the naive fold.

Each function returns the value at the end of every minute; None: unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from naive.kpis import OCCUPIED
from naive.readings import Run

Minute = Mapping[str, int]
"""Column -> value; {}: nothing is known."""
Values = list[float | None]

FULL = 59_000


def gauge(minute: Minute, name: str) -> float | None:
    """Return the mean of a gauge."""
    ms = minute.get(f"{name}_ms", 0)
    return minute.get(f"{name}_i", 0) / ms / 1e6 if ms else None


def power(minute: Minute) -> float | None:
    """Return the mean power: of the gauge, else of a register that is not spread over a silence."""
    found = gauge(minute, "power_kw")
    if found is None and minute.get("energy_ms", 0) and not minute.get("energy_estimated_n", 0):
        found = minute.get("energy_n", 0) / minute["energy_ms"] * 3.6e6 / 1e9
    return found


def silent(minute: Minute) -> bool:
    """Whether the port was not heard in the minute."""
    return minute.get("heard_ms", 0) == 0


def each(minutes: Sequence[Minute], value: Callable[[Minute], float | None]) -> Values:
    """Return a value of each minute in which the port was heard."""
    return [None if silent(m) else value(m) for m in minutes]


def charging_without_power(minutes: Sequence[Minute]) -> Values:
    """Minutes in a row of Charging below 50 W."""
    found: Values = []
    count = 0
    for minute in minutes:
        kw = power(minute)
        count = count + 1 if minute.get("Charging_ms", 0) >= FULL and kw is not None and kw < 0.05 else 0
        found.append(None if silent(minute) else count)
    return found


def power_while_available(minutes: Sequence[Minute]) -> Values:
    """Power of whole minutes of Available."""
    return each(minutes, lambda m: gauge(m, "power_kw") if m.get("Available_ms", 0) >= FULL else 0.0)


def impossible_power(minutes: Sequence[Minute], rated_kw: float) -> Values:
    """The larger of gauge and register over the rating."""

    def value(minute: Minute) -> float:
        booked = 0.0 if minute.get("energy_estimated_n", 0) else minute.get("energy_n", 0) / 1e9 * 60
        kw = gauge(minute, "power_kw")
        return max(booked, booked if kw is None else kw) / rated_kw

    return each(minutes, value)


def meter_reset(minutes: Sequence[Minute]) -> Values:
    """Resets of the last hour that came with no other session."""
    own = [m.get("energy_resets", 0) - m.get("energy_session_resets", 0) for m in minutes]
    return [float(sum(own[max(0, i - 59) : i + 1])) for i in range(len(own))]


def meter_mismatch(minutes: Sequence[Minute]) -> Values:
    """Difference of register and integral over the larger, of the minutes of the last hour that know both."""
    found: Values = []
    for i, now in enumerate(minutes):
        both = [
            m for m in minutes[max(0, i - 59) : i + 1]
            if m.get("power_kw_ms", 0) >= FULL and m.get("energy_ms", 0) >= FULL
        ]
        register = sum(m.get("energy_n", 0) for m in both) / 1e9
        integral = sum(m.get("power_kw_i", 0) for m in both) / 1e6 / 3.6e6
        larger = max(register, abs(integral))
        found.append(None if silent(now) or larger < 1 else abs(register - integral) / larger)
    return found


def over_temperature(minutes: Sequence[Minute]) -> Values:
    """Temperature, unknown above 150 C and after a jump of more than 40 K from the minute before."""
    values = zip(minutes, _plausible(minutes), strict=True)
    return [None if silent(minute) else value for minute, value in values]


def phase_loss(minutes: Sequence[Minute], phases: int | None) -> Values:
    """1 in whole minutes of charging with one line below 1 A and two above 6 A, where three are expected."""
    found: Values = []
    had_three = False
    for minute in minutes:
        amps = [gauge(minute, f"current_l{k}_a") for k in (1, 2, 3)]
        known = sorted(a for a in amps if a is not None)
        had_three = had_three or (len(known) == 3 and known[0] > 6)
        expected = phases == 3 or (phases is None and had_three)
        lost = len(known) == 3 and known[0] < 1 and known[1] > 6
        found.append(None if silent(minute) else float(
            expected and lost and minute.get("in_charge_ms", 0) >= FULL))
    return found


def _line_volts(minute: Minute) -> list[float | None]:
    volts = [gauge(minute, name) for name in ("voltage_l1_v", "voltage_l2_v", "voltage_l3_v", "voltage_v")]
    near = [v is not None and abs(v / 230 - 1) < 0.5 for v in volts]
    return [v if ok or (v is not None and v < 115 and any(near)) else None for v, ok in zip(volts, near, strict=True)]


def voltage_limits(minutes: Sequence[Minute]) -> Values:
    """How far the worst line lies outside 230 V + 7 / - 10 %."""

    def value(minute: Minute) -> float | None:
        known = [v for v in _line_volts(minute) if v is not None]
        return max((max(v - 1.07 * 230, 0.9 * 230 - v) for v in known), default=None)

    return each(minutes, value)


def voltage_spread(minutes: Sequence[Minute]) -> Values:
    """Highest less lowest of the three lines."""

    def value(minute: Minute) -> float | None:
        known = [v for v in _line_volts(minute)[:3] if v is not None]
        return max(known) - min(known) if len(known) == 3 else None

    return each(minutes, value)


def low_coverage(minutes: Sequence[Minute]) -> Values:
    """Known share of the last hour, where the port was heard for nearly all of it."""
    found: Values = []
    for i, now in enumerate(minutes):
        hour = minutes[max(0, i - 59) : i + 1]
        heard = sum(m.get("heard_ms", 0) for m in hour)
        known = sum(v for m in hour for c, v in m.items() if c.endswith("_ms") and c[0].isupper())
        found.append(known / heard if heard >= 59 * 60_000 and not silent(now) else None)
    return found


def derating(minutes: Sequence[Minute]) -> Values:
    """Minutes in a row below 0.8 of the best of this charging, above 45 C, 3 K over its coolest and not cooling."""
    plausible = [v if v is None or not silent(m) else None for v, m in zip(_plausible(minutes), minutes, strict=True)]
    found: Values = []
    best: float | None = None
    coolest: float | None = None
    count = 0
    for i, minute in enumerate(minutes):
        kw = power(minute) if minute.get("in_charge_ms", 0) >= FULL else None
        warm = plausible[i]
        if kw is None:
            best = coolest = None
        else:
            best = kw if best is None else max(best, kw)
            if warm is not None:
                coolest = warm if coolest is None else min(coolest, warm)
        ago = plausible[i - 5] if i >= 5 else None
        soc = gauge(minute, "soc_pct")
        holds = (
            kw is not None and best is not None and kw < 0.8 * best and warm is not None and coolest is not None
            and ago is not None and warm > max(coolest + 3, 45) and warm > ago - 0.5
            and not (soc is not None and soc >= 80)
        )
        count = count + 1 if holds else 0
        found.append(None if silent(minute) else float(count))
    return found


def _plausible(minutes: Sequence[Minute]) -> Values:
    found: Values = []
    before: float | None = None
    for minute in minutes:
        now = gauge(minute, "temperature_c")
        wrong = now is None or now > 150 or (before is not None and abs(now - before) > 40)
        found.append(None if wrong else now)
        before = now
    return found


def waiting(runs: Sequence[Run], ends_ms: Sequence[int]) -> list[float]:
    """Minutes since the port began to be Preparing, Reserved or (after no energy) Finishing, without an id."""
    found = []
    for end_ms in ends_ms:
        since, last = None, -1
        for i, run in enumerate(runs):
            delivered, k = run.energy_n, i
            while k > 0 and runs[k - 1].state in OCCUPIED and runs[k - 1].end_ms >= runs[k].start_ms:
                k -= 1
                delivered += runs[k].energy_n
            waits = not run.session_id and (
                run.state in ("Preparing", "Reserved") or (run.state == "Finishing" and delivered <= 10**8))
            if not waits:
                continue
            goes_on = last == i - 1 and i > 0 and runs[i - 1].end_ms == run.start_ms
            since = since if goes_on else run.start_ms
            last = i
            # The state held in the minute up to its end.
            if run.start_ms < end_ms <= run.end_ms:
                break
        else:
            since = None
        found.append(0.0 if since is None else (end_ms - since) / 60_000)
    return found


def link_flapping(runs: Sequence[Run], ends_ms: Sequence[int]) -> list[float]:
    """Returns from silence in the last 24 h."""
    returns = [b.start_ms for a, b in pairwise(runs) if b.start_ms > a.end_ms]
    return [float(sum(end - 86_400_000 <= t < end for t in returns)) for end in ends_ms]


def session_overlap(runs: Sequence[Run], ends_ms: Sequence[int]) -> list[float]:
    """How often in 24 h an id came back after another one."""
    order: list[str] = []
    back = []
    for run in runs:
        if not run.session_id:
            continue
        if run.session_id in order and order[-1] != run.session_id:
            back.append(run.start_ms)
        if run.session_id in order:
            order.remove(run.session_id)
        order.append(run.session_id)
    return [float(sum(end - 86_400_000 <= t < end for t in back)) for end in ends_ms]


def stays(runs: Sequence[Run]) -> list[list[Run]]:
    """Return the runs of each stay: occupied, of one id, not broken but by a silence after which all is as it was."""
    found: list[list[Run]] = []
    before: Run | None = None
    for run in runs:
        if run.state in OCCUPIED:
            own = next((r.session_id for r in found[-1] if r.session_id), "") if found else ""
            same_id = not own or run.session_id in ("", own)
            as_before = before is not None and (run.state, run.session_id) == (before.state, before.session_id)
            touches = before is not None and before.state in OCCUPIED and (run.start_ms <= before.end_ms or as_before)
            if touches and same_id:
                found[-1].append(run)
            else:
                found.append([run])
        before = run
    return found


def zero_energy_sessions(runs: Sequence[Run], ends_ms: Sequence[int]) -> list[float]:
    """Stays in a row, up to the last that ended, with 0.1 kWh or less."""
    ended = [s for s in stays(runs) if s[-1] is not runs[-1]]
    found = []
    for end in ends_ms:
        row = 0
        for stay in ended:
            if stay[-1].end_ms < end:
                row = row + 1 if sum(r.energy_n for r in stay) <= 10**8 else 0
        found.append(float(row))
    return found


def session_over_long(runs: Sequence[Run], ends_ms: Sequence[int]) -> list[float]:
    """The largest of h / 48, h of charging / 24 and kWh / 250 of the stay that goes on; energy even within a run."""
    found = []
    for end in ends_ms:
        worst = 0.0
        for stay in stays(runs):
            # The last one is open, also while its port is silent.
            goes_on = stay[-1] is runs[-1] or end <= stay[-1].end_ms
            if not (stay[0].start_ms < end and goes_on):
                continue
            charging_ms, energy_n = 0, 0.0
            for run in stay:
                part_ms = max(0, min(run.end_ms, end) - run.start_ms)
                charging_ms += part_ms if run.in_charge else 0
                energy_n += run.energy_n * part_ms / (run.end_ms - run.start_ms)
            hours = (end - stay[0].start_ms) / 3.6e6
            worst = max(hours / 48, charging_ms / 3.6e6 / 24, energy_n / 1e9 / 250)
        found.append(worst)
    return found


def connector_lock(minutes: Sequence[Minute]) -> list[float]:
    """How often a lock began to fail in the last 24 h."""
    return [
        float(sum(m.get("lock_failures", 0) for m in minutes[max(0, i - 1439) : i + 1])) for i in range(len(minutes))
    ]
