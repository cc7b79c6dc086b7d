"""What stands where in a foreign payload: one reader per format of `[[decoders]]`, from a value to elements."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from telemetry.decoders import SPARKPLUG_TOPIC, DecoderConfig
from telemetry.errors import ConfigError
from wire.columns import Element
from wire.mapping import Field, Path, TimeReader, compile_fields
from wire.ocpp import read_frame
from wire.ocpp16 import ChargePoint16
from wire.ocpp201 import ChargePoint201
from wire.remembered import Remembered
from wire.senml import read_senml
from wire.sparkplug import DEVICE_MESSAGES, NODE_MESSAGES, Report
from wire.templates import Template, as_id, compile_template

WHOLE = -1
"""Place of what concerns a whole message, not one element of an array."""
BASE = "base"
"""Name of SenML's base name in `device`."""
CHARGE_POINT = "charge_point"
"""Level of the topic that OCPP needs."""


@dataclass(frozen=True, slots=True)
class Found:
    """One element of a payload."""

    place: int
    element: Element | str
    """A reading, or why it is none."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Names that stand in the payload instead of the topic."""


class FieldReader:
    """Values where the fields' paths say."""

    def __init__(self, config: DecoderConfig) -> None:
        self.fields = _fields(config)
        self._readings = Path(config.readings) if config.readings else None
        self._time = TimeReader(config.time)

    def read(self, names: Mapping[str, str], value: Any, receipt_ms: int | None) -> Iterator[Found]:
        """Yield one reading, or one per element of an array."""
        del names
        sources = value if self._readings is None else self._readings.find(value)
        if sources is None:
            yield Found(WHOLE, "nothing stands where its decoder's readings should be")
            return
        for place, source in enumerate(sources) if type(sources) is list else ((WHOLE, sources),):
            element = _element(self.fields, source)
            wrong = self._time.put(element, source, value, receipt_ms)
            yield Found(place, wrong or element)


class AssembledReader:
    """One value per topic: those of one device are put together, and what the new one changes is said."""

    def __init__(self, config: DecoderConfig, name: str) -> None:
        if config.time.path or config.readings or config.format not in ("json", "text"):
            msg = "assemble goes with formats json and text, without time and readings: each message is one value, now"
            raise ConfigError(msg)
        self.fields = _fields(config)
        self._level = config.assemble
        self.memory: Remembered[dict[str, Any]] = Remembered(name, dict[str, Any], dict)

    def read(self, names: Mapping[str, str], value: Any, receipt_ms: int | None) -> Iterator[Found]:
        """Yield what the new value changes."""
        del receipt_ms
        name = names[self._level]
        device = tuple(v for n, v in names.items() if n != self._level)
        whole = self.memory.of(device)
        whole[name] = value
        yield Found(WHOLE, _element([f for f in self.fields if name in f.path.names], whole))


class SenmlReader:
    """SenML packs: names of records are the names that paths read."""

    def __init__(self, config: DecoderConfig) -> None:
        if config.time.path or config.readings:
            msg = "format 'senml' goes without time and readings: its records have their own"
            raise ConfigError(msg)
        self._fields = _fields(config)

    def read(self, names: Mapping[str, str], value: Any, receipt_ms: int | None) -> Iterator[Found]:
        """Yield one reading per base name and time."""
        del names
        for sample in read_senml(value, receipt_ms):
            if isinstance(sample, tuple):
                yield Found(*sample)
                continue
            element = _element(self._fields, sample.values)
            if sample.time_ms is not None:
                element["ts"] = sample.time_ms
            yield Found(sample.place, element, {BASE: as_id(sample.base)})


class OcppReader:
    """OCPP frames; each charge point is remembered."""

    def __init__(self, config: DecoderConfig, template: Template, name: str) -> None:
        if config.fields or config.assemble or config.kind not in ("", "port"):
            msg = f"format {config.format!r} goes without kind, fields and assemble: OCPP names them"
            raise ConfigError(msg)
        if config.ports and config.format != "ocpp16":
            msg = f"format {config.format!r} goes without ports: an EVSE is one"
            raise ConfigError(msg)
        if CHARGE_POINT not in template.names:
            msg = f"topic {config.topic!r} has no level {{{CHARGE_POINT}}}, which OCPP needs"
            raise ConfigError(msg)
        self._envelope = Path(config.readings) if config.readings else None
        self._time = TimeReader(config.time)
        self._port_of = {str(connector): port for port, some in config.ports.items() for connector in some}
        if len(self._port_of) < sum(map(len, config.ports.values())):
            msg = "ports: a connector stands in two of them, or twice"
            raise ConfigError(msg)
        self.memory: Remembered[ChargePoint16] | Remembered[ChargePoint201]
        if config.format == "ocpp16":
            self.memory = Remembered(name, ChargePoint16, self._new_16)
            self.port = "port" if config.ports else "connector"
        else:
            self.memory, self.port = Remembered(name, ChargePoint201, ChargePoint201), "evse"
        self.device = f"{{{CHARGE_POINT}}}-{{{self.port}}}"

    def _new_16(self) -> ChargePoint16:
        return ChargePoint16(dict.fromkeys(self._port_of))

    def read(self, names: Mapping[str, str], value: Any, receipt_ms: int | None) -> Iterator[Found]:
        """Yield the readings of a frame's ports."""
        stamp: Element = {}
        wrong = self._time.put(stamp, value, value, receipt_ms)
        frame = read_frame(value if self._envelope is None else self._envelope.find(value), names)
        if wrong or isinstance(frame, str):
            yield Found(WHOLE, wrong or str(frame))
            return
        place = names.get("station", ""), names[CHARGE_POINT]
        found = self.memory.of(place).read(frame)
        if isinstance(found, str):
            yield Found(WHOLE, found)
            return
        alive: set[str] = set()
        for reading in found:
            element, port = reading.element, reading.port
            if self._port_of:
                port = self._port_of.get(reading.port, "")
                if not port:
                    yield Found(WHOLE, f"connector {reading.port} is in none of the decoder's ports")
                    continue
                if not element and port in alive:
                    continue  # a sign of life of a port, not of each of its connectors
                alive.add(port)
                element = element and element | {"connector": reading.port}
            yield Found(WHOLE, stamp | element, {self.port: port})


class SparkplugReader:
    """What edge nodes and their devices say; the host, which all decoders share, remembers their births."""

    def __init__(self, config: DecoderConfig) -> None:
        if config.time.path or config.readings or config.assemble:
            msg = "format 'sparkplug' goes without time, readings and assemble: its metrics have their own"
            raise ConfigError(msg)
        self._fields = _fields(config)
        levels = config.topic.split("/")
        if len(levels) not in (4, 5) or levels[2] != "{message}":
            msg = f"topic {config.topic!r} is not like {SPARKPLUG_TOPIC}, with or without the last level"
            raise ConfigError(msg)
        self._level = levels[4] if len(levels) == 5 else ""
        """The last level: a name, one device, or none where the node itself is the device."""

    def templates(self, config: DecoderConfig) -> tuple[Template, ...]:
        """Return one template per type of message: those of the node number those of its devices, so all are heard."""
        levels = config.topic.split("/")
        node, device = "/".join(levels[:4]), "/".join([*levels[:4], self._level or "{device}"])
        return (
            *(compile_template(node, {"message": name}) for name in NODE_MESSAGES),
            *(compile_template(device, {"message": name}) for name in DEVICE_MESSAGES),
        )

    def read(self, names: Mapping[str, str], value: Any, receipt_ms: int | None) -> Iterator[Found]:
        """Yield the readings of a message, and what could not be understood of it."""
        del receipt_ms
        report: Report = value
        if report.refused is not None:
            yield Found(WHOLE, report.refused)
        ids = {name: as_id(text) for name, text in names.items()}
        for change in report.changes:
            if change.device != self._level and not (change.device and self._level == "{device}"):
                continue
            element = _element([f for f in self._fields if f.path.names & change.values.keys()], change.whole)
            if change.time_ms is not None:
                element["ts"] = change.time_ms
            if change.online is not None:
                element["online"] = change.online
            yield Found(WHOLE, element, ids | {"device": as_id(change.device)} if change.device else ids)


def _fields(config: DecoderConfig) -> tuple[Field, ...]:
    if not config.fields:
        msg = "it has no fields; name at least one channel under [decoders.fields]"
        raise ConfigError(msg)
    return compile_fields(config.fields)


def _element(fields: Sequence[Field], source: Any) -> Element:
    found = ((f.channel.name, f.find(source)) for f in fields)
    return {name: value for name, value in found if value is not None}
