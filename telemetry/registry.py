"""`stations.toml`: what stations there are, what they own, and the numbers that key figures need.

Only `kind` is required of a station. A file is read whole or refused whole, with a message that names the table and
the remedy. The raw tables are kept as JSON in the journal, so analytics always works with the registry of its place
in the stream.
"""

import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from telemetry.calendar import OpenHours, parse_hours
from telemetry.errors import ConfigError
from telemetry.notifying import EscalationStep
from telemetry.times import day_start, parse_time, to_ms

Id = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]
When = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\d([T ].*)?$")]
"""A date (local midnight) or a date-time (local where it has no offset); TOML's own dates become this text."""

STATION_KINDS = ("charging", "compressed_air")
DEVICE_LISTS = {
    "ports": "port",
    "site_meters": "site_meter",
    "compressors": "compressor",
    "dryers": "dryer",
    "auxiliaries": "auxiliary",
    "air_mains": "air_main",
    "air_meters": "air_meter",
}
"""Table name in the file -> kind of device."""


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One listed device; fields that its kind does not use stay None."""

    id: Id
    name: str = ""
    charge_point: str | None = None
    """Ports with one `charge_point` share its messages."""
    rated_kw: float | None = None
    cabinet_kw: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Power that the ports of one `charge_point` share; None: as much as their ratings together."""
    phases: int | None = None
    connectors: int | None = None
    commissioned: When | None = None
    decommissioned: When | None = None
    rated_flow_m3_min: float | None = None
    rated_pressure_bar: float | None = None
    control: str | None = None
    cooling: str | None = None
    integration: str | None = None
    """`trapezoid` or `hold`; None: the station's."""
    offline_after_s: float | None = None
    power_from: str | None = None
    """`current`: power of a port is computed from its current where it is missing."""
    nominal_voltage_v: float | None = None
    """Line to neutral; None: the station's."""
    line: Literal["L1", "L2", "L3"] | None = None
    """What a port with one phase is connected to; None: not known."""
    min_current_a: Annotated[float, msgspec.Meta(gt=0)] = 6.0
    """Least current of a port that charges (6 A by IEC 61851-1); below it there is only 0."""
    rates_a: list[Annotated[float, msgspec.Meta(ge=0)]] | None = None
    """Currents that a port can be set to; None: whole amperes from `min_current_a` up to its rating."""
    ranges: dict[str, tuple[float, float]] = {}
    """Narrower limits of channels of this device."""


class MeterSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """One meter of a customer and the time in which it counts."""

    id: Id
    from_: When | None = None
    until: When | None = None


class PricePeriod(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A price and the day from which it holds."""

    price: float
    from_: When | None = None


class TariffPeriod(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """An energy price, the day from which it holds and the local hours it covers."""

    price: float
    from_: When | None = None
    hours: str | None = None


class Customer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A buyer of compressed air."""

    id: Id
    name: str = ""
    meters: list[Id | MeterSpan] = []
    price_per_m3: float | list[PricePeriod] | None = None
    baseline_kwh_per_m3: float | None = None

    def spans(self) -> list[MeterSpan]:
        """Return the meters with their spans; a bare id counts always."""
        return [m if isinstance(m, MeterSpan) else MeterSpan(m) for m in self.meters]


class Inlet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The air that the machines take in, for stations that count free air delivery."""

    temperature_c: Annotated[float, msgspec.Meta(ge=-60, le=80)]
    pressure_bar: Annotated[float, msgspec.Meta(ge=0.4, le=1.2)]
    """Absolute."""
    humidity: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """Relative, as a fraction of 1."""


class Station(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One site of one kind."""

    kind: str
    id: str = ""
    name: str = ""
    groups: list[Id] = []
    timezone: str = "UTC"
    offline_after_s: float = 300.0
    integration: str = "trapezoid"
    open_hours: str = "24/7"
    transformer_kva: float | None = None
    nominal_voltage_v: float = 230.0
    """Line to neutral, of what the devices are supplied with."""
    flow_reference: str = "ANR"
    inlet: Inlet | None = None
    """Needed to convert volumes of `flow_reference = "FAD"`; None: 20 C, 1.01325 bar, dry."""
    contract_pressure_bar: tuple[float, float] | None = None
    dew_point_max_c: float | None = None
    receiver_m3: float | None = None
    tariff_per_kwh: float | list[TariffPeriod] | None = None
    contract_kw: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Most that the supply contract allows."""
    line_limit_a: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Most in each line (main fuse); besides the rated current of the transformer."""
    demand_charge_per_kw: float | None = None
    """Price of the highest 15-minute demand of a month [currency per kW]."""
    co2_kg_per_kwh: float | None = None
    currency: str = ""
    idle_hours: str | None = None
    baseline_kwh_per_m3: float | None = None
    """The ratio that `kwh_per_m3` is judged by; else the mean of the customers' baselines."""
    rules: dict[str, dict[str, Any]] = {}
    """Numbers of the rule pack that this station overrides: rule name -> field -> value."""
    escalation: list[EscalationStep] | None = None
    """Its own steps in place of those of `voltair.toml`; `[]`: alerts of this station are never escalated."""
    ports: list[Device] = []
    site_meters: list[Device] = []
    compressors: list[Device] = []
    dryers: list[Device] = []
    auxiliaries: list[Device] = []
    air_mains: list[Device] = []
    air_meters: list[Device] = []
    customers: list[Customer] = []

    @property
    def zone(self) -> ZoneInfo:
        """The station's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def opening(self) -> OpenHours:
        """The parsed `open_hours`."""
        return parse_hours(self.open_hours)

    def listed(self, kind: str) -> dict[str, Device]:
        """Return the listed devices of that kind by id; a customer's meters count as listed air meters."""
        table = next(t for t, k in DEVICE_LISTS.items() if k == kind)
        devices: dict[str, Device] = {d.id: d for d in getattr(self, table)}
        if kind == "air_meter":
            for customer in self.customers:
                for span in customer.spans():
                    devices.setdefault(span.id, Device(id=span.id))
        return devices

    def kind_of(self, device: str) -> str | None:
        """Return the listed kind of a device id, None where it is not listed."""
        return next((kind for kind in DEVICE_LISTS.values() if device in self.listed(kind)), None)

    def offline_after_ms(self, device: Device | None) -> int:
        """Return the silence after which a device of this station is offline [ms]."""
        own = None if device is None else device.offline_after_s
        return round(1000 * (self.offline_after_s if own is None else own))

    def integration_of(self, device: Device | None) -> str:
        """Return `trapezoid` or `hold` for a device of this station."""
        own = None if device is None else device.integration
        return own or self.integration

    def nominal_voltage_of(self, device: Device | None) -> float:
        """Return the nominal voltage from line to neutral at a device of this station [V]."""
        own = None if device is None else device.nominal_voltage_v
        return self.nominal_voltage_v if own is None else own

    def moment(self, when: When | None) -> int | None:
        """Return a date (local midnight) or datetime (local where naive) of the file as ms since the epoch."""
        if when is None:
            return None
        moment = datetime.fromisoformat(when)
        return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=self.zone))


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the stations of a group have in common."""

    name: str = ""
    rules: dict[str, dict[str, Any]] = {}
    """Numbers of the rule pack that its stations override, unless they do so themselves."""


class Registry(msgspec.Struct, frozen=True):
    """All stations of one `stations.toml`."""

    stations: dict[str, Station] = {}
    groups: dict[str, Group] = {}
    offline_after_s: float = 300.0
    integration: str = "trapezoid"

    def station(self, station: str, kind: str = "charging") -> Station:
        """Return a station; one that is not listed has every default."""
        found = self.stations.get(station)
        if found is not None:
            return found
        return Station(
            kind=kind, id=station, offline_after_s=self.offline_after_s, integration=self.integration
        )


def station_kind_of(device_kind: str) -> str:
    """Return the kind of station to which a kind of device belongs."""
    return "charging" if device_kind in ("port", "site_meter") else "compressed_air"


def load_registry(path: Path) -> Registry:
    """Read and check `stations.toml`; a missing file is an empty registry.

    Raises
    ------
    ConfigError
        If the file is no TOML or a table of it is wrong; the message names the place and the remedy.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Registry()
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is not valid TOML: {error}"
        raise ConfigError(msg) from error
    return registry_from_tables(tables, str(path))


def registry_from_tables(tables: dict[str, Any], source: str) -> Registry:
    """Build a registry from the tables of a file (or from the JSON that the journal keeps).

    Raises
    ------
    ConfigError
        If a table is wrong.
    """
    defaults = {k: tables[k] for k in ("offline_after_s", "integration") if k in tables}
    unknown = set(tables) - {"stations", "groups", *defaults}
    if unknown:
        msg = f"{source}: unknown key {sorted(unknown)[0]!r}; a station is a table [stations.ID]"
        raise ConfigError(msg)
    groups = {}
    for group_id, table in tables.get("groups", {}).items():
        try:
            groups[msgspec.convert(group_id, Id)] = msgspec.convert(_plain(table), Group)
        except (msgspec.ValidationError, TypeError) as error:
            msg = f"{source}: [groups.{group_id}]: {error}"
            raise ConfigError(msg) from error
    stations = {}
    for station_id, table in tables.get("stations", {}).items():
        place = f"{source}: [stations.{station_id}]"
        try:
            msgspec.convert(station_id, Id)
            station = msgspec.convert({**defaults, **_plain(table), "id": station_id}, Station)
        except (msgspec.ValidationError, TypeError) as error:
            msg = f"{place}: {error}"
            raise ConfigError(msg) from error
        _check_station(station, place)
        for step in station.escalation or []:
            step.check(place)
        stations[station_id] = msgspec.structs.replace(station, rules=_rules_of(station, groups))
    return Registry(stations, groups, **defaults)


def _rules_of(station: Station, groups: dict[str, Group]) -> dict[str, dict[str, Any]]:
    """Return what a station overrides: its own numbers over those of its groups, later groups over earlier ones."""
    found: dict[str, dict[str, Any]] = {}
    for rules in (*(groups[g].rules for g in station.groups if g in groups), station.rules):
        for name, own in rules.items():
            found[name] = {**found.get(name, {}), **own}
    return found


def _plain(value: Any) -> Any:
    """Return TOML values with dates and date-times as ISO text."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def _check_station(station: Station, place: str) -> None:
    def fail(text: str) -> None:
        msg = f"{place}: {text}"
        raise ConfigError(msg)

    if station.kind not in STATION_KINDS:
        fail(f"kind {station.kind!r} is none of {', '.join(STATION_KINDS)}")
    try:
        ZoneInfo(station.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        fail(f"timezone {station.timezone!r} is unknown; use a name like Asia/Shanghai")
    for name in ("open_hours", "idle_hours"):
        text = getattr(station, name)
        if text is not None:
            try:
                parse_hours(text)
            except ValueError as error:
                fail(f"{name}: {error}")
    seen: set[str] = set()
    for table in DEVICE_LISTS:
        for device in getattr(station, table):
            if device.id in seen:
                fail(f"device {device.id!r} is listed twice; ids are unique in a station")
            seen.add(device.id)
            if device.integration not in (None, "trapezoid", "hold"):
                fail(f"device {device.id!r}: integration {device.integration!r} is neither trapezoid nor hold")
            if device.power_from not in (None, "current"):
                fail(f'device {device.id!r}: power_from {device.power_from!r} is unknown; write "current" or nothing')
    if station.integration not in ("trapezoid", "hold"):
        fail(f"integration {station.integration!r} is neither trapezoid nor hold")
    if station.flow_reference not in ("NORMAL", "ANR", "FAD"):
        fail(f"flow_reference {station.flow_reference!r} is none of NORMAL, ANR, FAD")


def registry_json(tables: dict[str, Any]) -> bytes:
    """Return the raw tables of `stations.toml` as JSON, as the journal keeps them."""
    return msgspec.json.encode(_plain(tables))


def registry_from_json(data: bytes) -> Registry:
    """Return the registry that `registry_json` kept."""
    return registry_from_tables(msgspec.json.decode(data), "journalled stations.toml")


def parse_when(text: str) -> int | None:
    """Return a time given by a person: RFC 3339, ms, or a date (UTC midnight)."""
    if len(text) == len("2024-05-01"):
        try:
            return day_start(date.fromisoformat(text), ZoneInfo("UTC"))
        except ValueError:
            return None
    return parse_time(text)
