"""What the naive fold is given, and what it answers."""

from dataclasses import dataclass
from typing import NamedTuple, TypedDict


class Reading(TypedDict):
    """One reading as it was delivered."""

    kind: str
    device: str
    time_ms: int
    seq: int
    """-1 where absent."""
    retained: bool
    values: dict[str, float]
    codes: dict[str, str]
    online: int | None
    """Presence; None for telemetry."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the registry says about one device."""

    offline_after_ms: int = 300_000
    integration: str = "trapezoid"
    """Or "hold"."""
    rated_kw: float | None = None
    rated_flow_m3_min: float | None = None
    connectors: int = 1


class Run(NamedTuple):
    """A maximal interval in which a device was heard and kept state, charging and session."""

    start_ms: int
    start_seq: int
    end_ms: int
    state: str
    in_charge: bool
    session_id: str
    energy_n: int


Minutes = dict[tuple[str, int], dict[str, int]]
"""(device, start of the minute) -> column -> value; no empty values."""
