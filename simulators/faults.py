"""Faults that a scenario injects: what, where, when, and which alert they should raise."""

from collections.abc import Iterable
from typing import Annotated, NoReturn

import msgspec

from telemetry.errors import ConfigError
from telemetry.times import parse_duration_ms

Duration = Annotated[str, msgspec.Meta(pattern=r"^\s*\d+(\.\d+)?\s*(ms|s|m|min|h|d|w)\s*$")]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault of a scenario."""

    kind: str
    """Charging: port_fault, port_unavailable, register_reset. Air: leak, compressor_fault, dryer_fault.
    Either: silence."""
    station: str
    device: str = ""
    """Device that fails; for `leak` the customer behind whose meter it is, empty: the network; for `silence` empty:
    the whole station."""
    at: Duration
    """When it begins, after the start of the scenario."""
    lasts: Duration = ""
    """How long it lasts; empty: to the end."""
    every: Duration = ""
    """Comes again after this time; empty: once."""
    expect: str = ""
    """Name of the rule whose alert is expected; empty: none."""
    error_code: str = "OtherError"
    """Of a port (OCPP) or a compressor."""
    diameter_mm: float = 5.0
    """Of the hole that leaks."""

    def active(self, elapsed_ms: int) -> bool:
        """Return whether the fault is present that long after the scenario's start."""
        since = elapsed_ms - _ms(self.at)
        if since < 0:
            return False
        if self.every:
            since %= _ms(self.every)
        return not self.lasts or since < _ms(self.lasts)

    def spans(self, length_ms: int) -> list[tuple[int, int]]:
        """Return begin and end of each occurrence within a scenario of that length [ms after its start]."""
        begin, found = _ms(self.at), []
        while begin < length_ms:
            found.append((begin, min(length_ms, begin + _ms(self.lasts)) if self.lasts else length_ms))
            if not self.every:
                break
            begin += _ms(self.every)
        return found


def _ms(text: str) -> int:
    found = parse_duration_ms(text)
    assert found is not None, text  # noqa: S101 - the pattern of `Duration` admits nothing else
    return found


def fail_unknown(fault: Fault, what: str, known: Iterable[str]) -> NoReturn:
    """Refuse a fault that names something the station does not have.

    Raises
    ------
    ConfigError
        Always.
    """
    value = fault.kind if what == "kind" else fault.device
    msg = f"fault {fault.kind!r} of station {fault.station!r}: {what} {value!r} is none of {', '.join(known)}"
    raise ConfigError(msg)
