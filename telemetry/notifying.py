"""Who is told when: business calendars and escalation, as `voltair.toml` and `stations.toml` write them."""

from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from telemetry.calendar import parse_hours
from telemetry.errors import ConfigError
from telemetry.times import DAY_MS, parse_duration_ms

Severity = Literal["info", "warning", "critical"]
_WEEK_MS = 7 * DAY_MS
_LOOK_WEEKS = 60


class BusinessCalendar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table `[calendars.NAME]`: when somebody is there."""

    hours: str = "24/7"
    """Weekly local hours like `Mon-Fri 08:00-18:00`."""
    timezone: str = "UTC"
    holidays: tuple[date, ...] = ()
    """Local days without any hours."""
    workdays: tuple[date, ...] = ()
    """Local days with a Monday's hours, whatever day they are."""

    def check(self, place: str) -> None:
        """Refuse what could never be read.

        Raises
        ------
        ConfigError
            With the place and the remedy.
        """
        try:
            parse_hours(self.hours)
        except ValueError as error:
            msg = f"{place}: hours: {error}"
            raise ConfigError(msg) from error
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            msg = f"{place}: timezone {self.timezone!r} is unknown; use a name like Asia/Shanghai"
            raise ConfigError(msg) from error

    def open_ms(self, from_ms: int, to_ms: int) -> int:
        """Return how much of `[from_ms, to_ms)` lies in its hours [ms]."""
        return sum(end - start for start, end in self._intervals(from_ms, to_ms))

    def next_open(self, time_ms: int) -> int:
        """Return the first moment from `time_ms` on that lies in its hours; `time_ms` where none comes in a year."""
        for week in range(_LOOK_WEEKS):
            found = self._intervals(time_ms + week * _WEEK_MS, time_ms + (week + 1) * _WEEK_MS)
            if found:
                return found[0][0]
        return time_ms

    def _intervals(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        def weekday_of(day: date) -> int | None:
            if day in self.workdays:
                return 0
            return None if day in self.holidays else day.weekday()

        hours = parse_hours(self.hours)
        special = weekday_of if self.holidays or self.workdays else None
        return [(int(a), int(b)) for a, b in hours.intervals(from_ms, to_ms, ZoneInfo(self.timezone), special)]


class EscalationStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[alerts.escalation]]`, or one of a station: whom a firing alert reaches when nobody takes it on."""

    tier: Annotated[int, msgspec.Meta(ge=2, le=9)]
    """Endpoints of this tier are told from then on; those of lower tiers learn of it."""
    after: str
    """How long after the alert was first told, like `30m`."""
    severities: tuple[Severity, ...] = ("critical", "warning")
    calendar: str = ""
    """Only time inside this calendar counts; empty: all time."""

    @property
    def after_ms(self) -> int:
        """The wait [ms]."""
        return parse_duration_ms(self.after) or 0

    def check(self, place: str) -> None:
        """Refuse a wait that is no duration.

        Raises
        ------
        ConfigError
            With the place and the remedy.
        """
        if not parse_duration_ms(self.after):
            msg = f"{place}: escalation to tier {self.tier}: after = {self.after!r} is no duration; write 30m or 2h"
            raise ConfigError(msg)
