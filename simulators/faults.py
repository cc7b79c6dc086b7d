"""Faults that a scenario injects: what, where, when, how large, and which alert they should raise."""

from collections.abc import Iterable
from functools import cache
from typing import Annotated, NoReturn

import msgspec

from simulators.fault_kinds import KINDS, FaultKind
from telemetry.errors import ConfigError
from telemetry.times import parse_duration_ms

Duration = Annotated[str, msgspec.Meta(pattern=r"^\s*\d+(\.\d+)?\s*(ms|s|m|min|h|d|w)\s*$")]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault or nuisance of a scenario."""

    kind: str
    """A key of `simulators.fault_kinds.KINDS`."""
    station: str
    device: str = ""
    """Device that fails; for `leak` a customer (behind whose meter it is) or a machine, empty: the network; else empty:
    the whole station."""
    at: Duration
    """When it begins, after the start of the scenario."""
    lasts: Duration = ""
    """How long it lasts; empty: to the end."""
    every: Duration = ""
    """Comes again after this time; empty: once."""
    together: bool = False
    """The occurrences make one episode, for a rule that speaks of repetition."""
    ramp: Duration = ""
    """Grows from nothing to its size within this time; empty: at once."""
    size: float | None = None
    """How large, in the unit of its kind; None: the kind's usual size."""
    channels: tuple[str, ...] = ()
    """Channels that a wrong sensor concerns; empty: those of its kind."""
    expect: str = ""
    """Name of the rule whose alert is expected; empty: none, so that an alert about it is a false one."""
    category: str = ""
    """Category of that alert."""
    error_code: str = "OtherError"
    """Of a port (OCPP) or a compressor."""

    def __post_init__(self) -> None:
        for name in ("every", "ramp"):
            if getattr(self, name) and not _ms(getattr(self, name)):
                msg = f"{name} is longer than nothing; leave it out"
                raise ValueError(msg)
        if self.every and self.lasts and _ms(self.lasts) > _ms(self.every):
            msg = f"lasts {self.lasts} is longer than every {self.every}, after which it comes again"
            raise ValueError(msg)

    @property
    def traits(self) -> FaultKind:
        """What is known of its kind.

        Raises
        ------
        ConfigError
            If there is no such kind.
        """
        found = KINDS.get(self.kind)
        if found is None:
            fail_unknown(self, "kind", KINDS)
        return found

    @property
    def full_size(self) -> float:
        """Its size once it is fully grown, in the unit of its kind."""
        return self.traits.size if self.size is None else self.size

    def strength(self, elapsed_ms: int) -> float:
        """Return the share of its size, 0..1, that long after the scenario's start; 0: absent."""
        since = elapsed_ms - _ms(self.at)
        if since < 0:
            return 0.0
        if self.every:
            since %= _ms(self.every)
        if self.lasts and since >= _ms(self.lasts):
            return 0.0
        return min(1.0, (since + 1) / _ms(self.ramp)) if self.ramp else 1.0

    def spans(self, length_ms: int) -> list[tuple[int, int]]:
        """Return begin and end [ms after the start] of each occurrence, or of all together, within that length."""
        begin, found = _ms(self.at), []
        while begin < length_ms:
            found.append((begin, min(length_ms, begin + _ms(self.lasts)) if self.lasts else length_ms))
            if not self.every:
                break
            begin += _ms(self.every)
        return [(found[0][0], found[-1][1])] if self.together and found else found


def parse_fault(text: str) -> Fault:
    """Read `kind,name=value,...`, like `loss,size=0.05` or `backlog,device=p07,at=6h,lasts=2h,every=24h`.

    Several `channels` are joined by `+`. Without `at` it begins at once; an empty station is every one.

    Raises
    ------
    ConfigError
        If the text is no such fault.
    """
    kind, *rest = (part.strip() for part in text.split(","))
    pairs: dict[str, object] = dict(part.partition("=")[::2] for part in rest)
    if "channels" in pairs:
        pairs["channels"] = str(pairs["channels"]).split("+")
    try:
        found = msgspec.convert({"at": "0s", "station": "", **pairs, "kind": kind}, Fault, strict=False)
    except msgspec.ValidationError as error:
        msg = f"fault {text!r}: {error}; write it like loss,size=0.05 or backlog,device=p07,at=6h,lasts=2h"
        raise ConfigError(msg) from error
    if found.traits.unit == "share" and not 0.0 <= found.full_size <= 1.0:
        msg = f"fault {text!r}: size is a share, 0 to 1"
        raise ConfigError(msg)
    return found


@cache
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
