"""OCPP frames, and the sampled values of a meter as channels of a port: what versions 1.6 and 2.0.1 share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from telemetry.errors import ConfigError
from telemetry.times import parse_time
from telemetry.units import conversion
from wire.columns import Element
from wire.mapping import read_number

CALL, RESULT, ERROR = 2, 3, 4
_TYPES = {"request": CALL, "response": RESULT, "error": ERROR}

SUMMED = {
    "Energy.Active.Import.Register": ("energy_kwh", "Wh"),
    "Power.Active.Import": ("power_kw", "W"),
    "Power.Active.Export": ("power_kw", "W"),
    "Power.Offered": ("offered_kw", "W"),
}
"""Measurand -> channel and default unit; the phases are added up where there is no total."""
PHASED = {"Current.Import": ("current_{}a", "A"), "Voltage": ("voltage_{}v", "V")}
"""Measurand -> channels of the total and of each phase, default unit."""
SINGLE = {
    "Current.Offered": ("offered_a", "A"),
    "SoC": ("soc_pct", "Percent"),
    "Temperature": ("temperature_c", "Celsius"),
}
_ANYWHERE = ("SoC", "Temperature")
"""Measured in the vehicle or the cabinet, too."""
_DEFAULT_MEASURAND = "Energy.Active.Import.Register"
_PHASES = {"L1": "l1_", "L2": "l2_", "L3": "l3_", "L1-N": "l1_", "L2-N": "l2_", "L3-N": "l3_"}
_RANK = {"Transaction.Begin": 0, "Interruption.Begin": 1, "Interruption.End": 1}
"""Values of the past lose against values of the present in the same sample."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One OCPP-J message."""

    type: int
    """`CALL`, `RESULT` or `ERROR`."""
    id: str
    action: str
    """Empty where it is no call."""
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PortReading:
    """A reading of one port of a charge point."""

    port: str
    """Its number: connector (1.6) or EVSE (2.0.1)."""
    element: Element


def read_frame(value: Any, names: Mapping[str, str]) -> Frame | str:
    """Return the frame of a payload, or why it is none.

    Parameters
    ----------
    names
        Names of the topic's levels. With `action` among them the payload is the action's alone, and `type`
        (request, response, error) and `id` stand in the topic too.
    """
    if "action" not in names:
        found = _of_array(value) if type(value) is list else None
        return found or "an OCPP frame is [2, id, action, payload], [3, id, payload] or [4, id, code, text, details]"
    kind = _TYPES.get(names.get("type", "request"))
    if kind is None:
        return f"OCPP type {names['type']!r} is none of {', '.join(_TYPES)}"
    if type(value) is not dict:
        return "the payload of an OCPP action is an object"
    return Frame(kind, names.get("id", ""), names["action"] if kind == CALL else "", value)


def _of_array(value: list[Any]) -> Frame | None:
    if len(value) < 3 or type(value[1]) is not str:
        return None
    if value[0] == CALL and len(value) == 4 and type(value[2]) is str and type(value[3]) is dict:
        return Frame(CALL, value[1], value[2], value[3])
    if value[0] == RESULT and type(value[2]) is dict:
        return Frame(RESULT, value[1], "", value[2])
    return Frame(ERROR, value[1], "", {}) if value[0] == ERROR else None


def put_time(element: Element, value: Any) -> None:
    """Write an OCPP time as `ts`; without an offset it is UTC, and what is no time is left to be refused."""
    if value is None:
        return
    found = None
    if type(value) is str:
        found = parse_time(value.upper())
        if found is None:
            found = parse_time(f"{value}Z")
    element["ts"] = value if found is None else found


def meter_element(sample: Any) -> Element | str:
    """Return the reading of one `meterValue` (time and sampled values), or why it is none.

    Measurands that a port has no channel for stay under their own names, so that they are counted as unknown.
    """
    if type(sample) is not dict or type(sample.get("sampledValue")) is not list:
        return "an OCPP meterValue is an object with a list of sampledValue"
    element: Element = {}
    put_time(element, sample.get("timestamp"))
    best: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
    for item in sample["sampledValue"]:
        if type(item) is not dict or "value" not in item:
            return "an OCPP sampledValue is an object with a value"
        key = str(item.get("measurand", _DEFAULT_MEASURAND)), str(item.get("phase", ""))
        if not _is_of_port(item, key[0]):
            element[key[0]] = item["value"]
            continue
        rank = _RANK.get(str(item.get("context")), 2)
        if key not in best or rank >= best[key][0]:
            best[key] = rank, item
    totals = {measurand for measurand, phase in best if not phase}
    for (measurand, phase), (_, item) in best.items():
        _put(element, measurand, phase, item, alone=measurand not in totals)
    return element


def _is_of_port(item: Mapping[str, Any], measurand: str) -> bool:
    """Return whether a value is a number measured at the outlet: it may stand beside one of the inlet, or signed."""
    at_port = item.get("location", "Outlet") == "Outlet" or measurand in _ANYWHERE
    return at_port and item.get("format", "Raw") == "Raw"


def _put(element: Element, measurand: str, phase: str, item: Mapping[str, Any], *, alone: bool) -> None:
    """Write one sampled value; `alone`: there is no total beside the phases."""
    part = _PHASES.get(phase)
    if measurand in SUMMED and (not phase or part):
        channel, unit = SUMMED[measurand]
        value = _value(item, channel, unit)
        if type(value) is float and measurand.endswith("Export"):
            value = -value
        before = element.get(channel)
        if not phase or (alone and type(value) is float):
            element[channel] = before + value if type(before) is float and type(value) is float else value
        elif alone:
            element[f"{measurand}.{phase}"] = value
    elif measurand in PHASED and (not phase or part):
        channel, unit = PHASED[measurand]
        name = channel.format(part or "")
        element[name] = _value(item, name, unit)
    elif measurand in SINGLE:
        channel, unit = SINGLE[measurand]
        element[channel] = _value(item, channel, unit)
    else:
        element[measurand] = item["value"]


def _value(item: Mapping[str, Any], channel: str, unit: str) -> Any:
    """Return a sampled value in the channel's unit; what is no number, or has no known unit, as it is."""
    value = read_number(item["value"])
    measure = item.get("unitOfMeasure")
    if type(measure) is dict:
        unit = measure.get("unit", unit)
        power = measure.get("multiplier", 0)
        if type(power) is not int or abs(power) > 30:
            return f"{value}e{power}"
        value = value * 10.0**power if type(value) in (int, float) else value
    else:
        unit = item.get("unit", unit)
    if type(value) not in (int, float):
        return value
    try:
        return float(conversion(channel, str(unit))(value))
    except (ConfigError, OverflowError):
        return f"{value} {unit}"


def meter_elements(samples: Any) -> Iterable[Element] | str:
    """Return the readings of a list of meterValue, or why there are none."""
    if type(samples) is not list:
        return "OCPP meterValue is a list"
    found: list[Element] = []
    for sample in samples:
        element = meter_element(sample)
        if isinstance(element, str):
            return element
        found.append(element)
    return found
