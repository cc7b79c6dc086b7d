"""Units of foreign devices, converted to the unit that a channel's name carries."""

from dataclasses import dataclass

from telemetry.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Conversion:
    """A value of another unit in the channel's: `value * times / by + plus`."""

    times: float = 1.0
    by: float = 1.0
    """Decimal steps divide, which rounds once: 6900 W is 6.9 kW."""
    plus: float = 0.0

    def __call__(self, value: float) -> float:
        """Return the converted value."""
        return value * self.times / self.by + self.plus


ATMOSPHERE_BAR = 1.01325
"""Channels of pressure are relative to the atmosphere: absolute readings lose this much."""

_C = Conversion
_POWER = {"W": _C(by=1e3), "kW": _C(), "MW": _C(1e3)}
UNITS: dict[str, dict[str, Conversion]] = {
    "_kw": _POWER,
    "_kwh": {
        "Wh": _C(by=1e3), "kWh": _C(), "MWh": _C(1e3), "Ws": _C(by=3.6e6), "J": _C(by=3.6e6), "kJ": _C(by=3.6e3),
        "MJ": _C(by=3.6), "Wmin": _C(by=6e4),
    },
    "_kvar": {"var": _C(by=1e3), "kvar": _C(), "Mvar": _C(1e3)},
    "_a": {"mA": _C(by=1e3), "A": _C(), "kA": _C(1e3)},
    "_v": {"mV": _C(by=1e3), "V": _C(), "kV": _C(1e3)},
    "_c": {"C": _C(), "K": _C(plus=-273.15), "F": _C(5.0, 9.0, -160.0 / 9.0)},
    "_bar": {
        "bar": _C(), "mbar": _C(by=1e3), "Pa": _C(by=1e5), "hPa": _C(by=1e3), "kPa": _C(by=1e2), "MPa": _C(1e1),
        "psi": _C(0.0689475729), "kgf/cm2": _C(0.980665),
        "bar_abs": _C(plus=-ATMOSPHERE_BAR), "mbar_abs": _C(by=1e3, plus=-ATMOSPHERE_BAR),
        "Pa_abs": _C(by=1e5, plus=-ATMOSPHERE_BAR), "hPa_abs": _C(by=1e3, plus=-ATMOSPHERE_BAR),
        "kPa_abs": _C(by=1e2, plus=-ATMOSPHERE_BAR), "MPa_abs": _C(1e1, plus=-ATMOSPHERE_BAR),
        "psi_abs": _C(0.0689475729, plus=-ATMOSPHERE_BAR),
    },
    "_m3_min": {
        "m3/min": _C(), "m3/h": _C(by=60.0), "m3/s": _C(60.0), "l/s": _C(3.0, 50.0), "l/min": _C(by=1e3),
        "cfm": _C(0.028316846592),
    },
    "_m3": {"m3": _C(), "l": _C(by=1e3), "ft3": _C(0.028316846592)},
    "_h": {
        "h": _C(), "min": _C(by=60.0), "s": _C(by=3.6e3), "ms": _C(by=3.6e6), "us": _C(by=3.6e9), "ns": _C(by=3.6e12),
    },
    "_pct": {"%": _C(), "fraction": _C(1e2)},
    "power_factor": {"fraction": _C(), "%": _C(by=1e2)},
}  # fmt: skip
"""Ending of a channel's name -> unit -> how it becomes the channel's."""
_ALIASES = {
    "Celsius": "C", "Celcius": "C", "°C": "C", "Cel": "C", "degC": "C", "Kelvin": "K", "Fahrenheit": "F", "°F": "F",
    "degF": "F", "m³": "m3", "m³/h": "m3/h", "m³/min": "m3/min", "m³/s": "m3/s", "kgf/cm²": "kgf/cm2",
    "L/s": "l/s", "L/min": "l/min", "L": "l", "CFM": "cfm", "kVAr": "kvar", "VAr": "var", "psia": "psi_abs",
    "psig": "psi", "bara": "bar_abs", "barg": "bar", "Percent": "%", "1": "fraction", "/": "fraction",
}  # fmt: skip
"""Other spellings, among them those of OCPP 1.6 (`Celcius` is its own) and SenML (`Cel`)."""


def conversion(channel: str, unit: str) -> Conversion:
    """Return how a value of `unit` becomes one of the channel of that name.

    Raises
    ------
    ConfigError
        If the unit is unknown for such a channel.
    """
    table = next((t for suffix, t in UNITS.items() if channel.endswith(suffix)), None)
    if table is None:
        msg = f"{channel} has no unit to convert from; leave unit = {unit!r} out"
        raise ConfigError(msg)
    known = table.get(unit) or table.get(_ALIASES.get(unit, ""))
    if known is None:
        msg = f"unit {unit!r} of {channel} is none of {', '.join(table)}"
        raise ConfigError(msg)
    return known
