"""What one method says about leakage, as `GET /leaks` lists it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one method says."""

    method: str
    leak_m3_min: float | None
    """None where the method is not usable."""
    low: float | None
    high: float | None
    """With `low`: about 95 %."""
    place: str
    """`network` or `customer:{id}`."""
    reason: str
    """Why it is not usable, or what it stands on."""
    inputs: dict[str, Any] = field(default_factory=dict)

    def item(self) -> dict[str, Any]:
        """Return the estimate as `GET /leaks` lists it."""
        return {
            "method": self.method,
            "leak_m3_min": self.leak_m3_min,
            "low": self.low,
            "high": self.high,
            "place": self.place,
            "usable": self.leak_m3_min is not None,
            "reason": self.reason,
            "inputs": self.inputs,
        }
