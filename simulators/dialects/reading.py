"""What a dialect is given."""

from typing import Any, NamedTuple


class Native(NamedTuple):
    """One native reading."""

    time_ms: int
    """When the message leaves."""
    station: str
    kind: str
    device: str
    values: dict[str, Any]
    """With `ts`."""
