"""The shape of an answer about key figures."""

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Sheet:
    """Key figures while they are being worked out: a value, or null with its reason."""

    kpis: dict[str, float | None] = field(default_factory=dict)
    """Name -> value in the unit that the name ends with; None where an input is missing."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Name of each null -> what is missing and what to do."""

    def put(self, name: str, value: float | None, reason: str = "the inputs were not measured in the window") -> None:
        """Enter a figure; None, NaN and infinity become null with the reason."""
        if value is None or not math.isfinite(value):
            self.kpis[name] = None
            self.reasons[name] = reason
        else:
            self.kpis[name] = round_figure(value)

    def over(self, name: str, numerator: float | None, denominator: float | None, reason: str) -> None:
        """Enter numerator / denominator; null with the reason where one is missing or the denominator is 0."""
        known = numerator is not None and denominator is not None and denominator != 0
        self.put(name, numerator / denominator if known else None, reason)  # type: ignore[operator]  # both known


@dataclass(frozen=True, slots=True)
class DeviceKpis:
    """Key figures of one device."""

    device: str
    kind: str
    coverage: float | None
    """Known part of the window, 0..1; None where the window has no length for the device."""
    kpis: dict[str, float | None]
    reasons: dict[str, str]


@dataclass(frozen=True, slots=True)
class KpiAnswer:
    """Key figures of one station over one window, and of each of its devices."""

    coverage: float | None
    """Known part of the window, 0..1."""
    kpis: dict[str, float | None]
    reasons: dict[str, str]
    devices: tuple[DeviceKpis, ...]


def round_figure(value: float) -> float:
    """Return a value with 12 significant digits: what is beyond them is noise of the summation."""
    return float(f"{value:.12g}") if value else 0.0


def share(part: float, whole: float) -> float | None:
    """Return part / whole rounded, None where the whole is 0."""
    return round_figure(part / whole) if whole else None
