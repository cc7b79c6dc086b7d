"""Decoders of `[[decoders]]`, compiled: a foreign topic and payload to readings of the native shape.

What comes out goes the way of every native reading from here on: types, ranges and times are checked there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from telemetry.channels import KIND_BY_NAME, Kind
from telemetry.decoders import DecoderConfig
from telemetry.errors import ConfigError
from wire.columns import Element
from wire.mapping import Field, Path, TimeReader, compile_fields
from wire.ocpp import read_frame
from wire.ocpp16 import ChargePoint16
from wire.ocpp201 import ChargePoint201
from wire.payload import Unreadable, read_payload, read_scalar
from wire.presets import expand
from wire.senml import read_senml
from wire.templates import Template, as_id, compile_template, fill, is_id, names_in

T = TypeVar("T")
Reader = Callable[[bytes, str], Any]

WHOLE = -1
"""Place of what concerns a whole message, not one element of an array."""
_DEVICES_MAX = 100_000
"""Assembled devices, or charge points, that one decoder remembers at a time."""
BASE = "base"
"""Name of SenML's base name in `device`."""
CHARGE_POINT = "charge_point"
"""Level of the topic that OCPP needs."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """One reading of a foreign message."""

    station: str
    kind: Kind
    device: str
    presence: bool
    """Whether it says `online` instead of quantities."""
    element: Element
    """As a native payload's object."""
    place: int
    """Place in the message's array, `WHOLE` where it is none."""


@dataclass(slots=True)
class Outcome:
    """What one message holds."""

    readings: list[Foreign] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    """What cannot be read: place and reason."""


class _Decoder:
    """One `[[decoders]]` table, compiled."""

    def __init__(self, config: DecoderConfig) -> None:
        self._station = config.station or "{station}"
        self._kind = config.kind or "{kind}"
        self._device = config.device or "{device}"
        if config.kind and not names_in(config.kind):
            _check_kind(config)
        template = compile_template(config.topic)
        self.templates: tuple[Template, ...] = (template,)
        self._read: Reader = read_text if config.format == "text" else read_payload
        known = template.names
        self._reader: _Fields | _Assembled | _Senml | _Ocpp
        if config.format in ("ocpp16", "ocpp201"):
            self._reader = _Ocpp(config, template)
            self._kind, self._device = "port", config.device or self._reader.device
            known |= {self._reader.port}
        elif config.assemble:
            self._reader = _Assembled(config)
            self.templates = _per_value(config, template, self._reader.fields)
            known -= {config.assemble}
        elif config.format == "senml":
            self._reader = _Senml(config)
            known |= {BASE}
        else:
            self._reader = _Fields(config)
        for place, text in (("station", self._station), ("kind", self._kind), ("device", self._device)):
            unknown = names_in(text) - known
            if unknown:
                level = f"{{{min(unknown)}}}"
                msg = f"{place} = {text!r}: the topic has no level {level}; give {place}, or name a level"
                raise ConfigError(msg)

    def read(
        self, names: Mapping[str, str], payload: bytes, content_type: str, receipt_ms: int | None, into: Outcome
    ) -> None:
        """Read one message of a topic with these names."""
        value = self._read(payload, content_type)
        if isinstance(value, Unreadable):
            into.refused.append((WHOLE, value.reason))
            return
        for found in self._reader.read(names, value, receipt_ms):
            element = found.element
            if isinstance(element, str):
                into.refused.append((found.place, element))
                continue
            if receipt_ms is None and not element:
                continue  # a sign of life without a time says nothing in event mode
            all_names = {**names, **found.names}
            station, device = fill(self._station, all_names), fill(self._device, all_names)
            kind = fill(self._kind, all_names)
            wrong = _wrong_address(station, kind, device)
            if wrong is not None:
                into.refused.append((found.place, wrong))
            else:
                _split(Foreign(station, KIND_BY_NAME[kind], device, False, element, found.place), into)  # noqa: FBT003


def read_text(payload: bytes, content_type: str) -> Any:
    """Return the one value of a text payload, whatever its content type."""
    del content_type
    return read_scalar(payload)


@dataclass(frozen=True, slots=True)
class _Found:
    """One element of a payload."""

    place: int
    element: Element | str
    """A reading, or why it is none."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Names that stand in the payload instead of the topic."""


class _Fields:
    """Values where the fields' paths say."""

    def __init__(self, config: DecoderConfig) -> None:
        self.fields = _fields(config)
        self._readings = Path(config.readings) if config.readings else None
        self._time = TimeReader(config.time)

    def read(self, names: Mapping[str, str], value: Any, receipt_ms: int | None) -> Iterator[_Found]:
        del names
        sources = value if self._readings is None else self._readings.find(value)
        if sources is None:
            yield _Found(WHOLE, "nothing stands where its decoder's readings should be")
            return
        for place, source in enumerate(sources) if type(sources) is list else ((WHOLE, sources),):
            element = _element(self.fields, source)
            wrong = self._time.put(element, source, value, receipt_ms)
            yield _Found(place, wrong or element)


class _Assembled:
    """One value per topic: those of one device are put together, and what the new one changes is said."""

    def __init__(self, config: DecoderConfig) -> None:
        if config.time.path or config.readings or config.format == "senml":
            msg = "assemble goes without time, readings and senml: each message is one value, now"
            raise ConfigError(msg)
        self.fields = _fields(config)
        self._level = config.assemble
        self._memory: dict[tuple[str, ...], dict[str, Any]] = {}

    def read(self, names: Mapping[str, str], value: Any, receipt_ms: int | None) -> Iterator[_Found]:
        del receipt_ms
        name = names[self._level]
        device = tuple(v for n, v in names.items() if n != self._level)
        whole = _remembered(self._memory, device, dict)
        whole[name] = value
        yield _Found(WHOLE, _element([f for f in self.fields if name in f.path.names], whole))


class _Senml:
    """SenML packs: names of records are the names that paths read."""

    def __init__(self, config: DecoderConfig) -> None:
        if config.time.path or config.readings:
            msg = "format 'senml' goes without time and readings: its records have their own"
            raise ConfigError(msg)
        self._fields = _fields(config)

    def read(self, names: Mapping[str, str], value: Any, receipt_ms: int | None) -> Iterator[_Found]:
        del names
        for sample in read_senml(value, receipt_ms):
            if isinstance(sample, tuple):
                yield _Found(*sample)
                continue
            element = _element(self._fields, sample.values)
            if sample.time_ms is not None:
                element["ts"] = sample.time_ms
            yield _Found(sample.place, element, {BASE: as_id(sample.base)})


class _Ocpp:
    """OCPP frames; each charge point is remembered."""

    def __init__(self, config: DecoderConfig, template: Template) -> None:
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
        self._new: Callable[[], ChargePoint16 | ChargePoint201]
        if config.format == "ocpp16":
            self._new, self.port = partial(ChargePoint16, self._port_of), "port" if config.ports else "connector"
        else:
            self._new, self.port = ChargePoint201, "evse"
        self.device = f"{{{CHARGE_POINT}}}-{{{self.port}}}"
        self._memory: dict[tuple[str, ...], ChargePoint16 | ChargePoint201] = {}

    def read(self, names: Mapping[str, str], value: Any, receipt_ms: int | None) -> Iterator[_Found]:
        stamp: Element = {}
        wrong = self._time.put(stamp, value, value, receipt_ms)
        frame = read_frame(value if self._envelope is None else self._envelope.find(value), names)
        if wrong or isinstance(frame, str):
            yield _Found(WHOLE, wrong or str(frame))
            return
        place = names.get("station", ""), names[CHARGE_POINT]
        found = _remembered(self._memory, place, self._new).read(frame)
        if isinstance(found, str):
            yield _Found(WHOLE, found)
            return
        alive: set[str] = set()
        for reading in found:
            element, port = reading.element, reading.port
            if self._port_of:
                port = self._port_of.get(reading.port, "")
                if not port:
                    yield _Found(WHOLE, f"connector {reading.port} is in none of the decoder's ports")
                    continue
                if not element and port in alive:
                    continue  # a sign of life of a port, not of each of its connectors
                alive.add(port)
                element = element and element | {"connector": reading.port}
            yield _Found(WHOLE, stamp | element, {self.port: port})


def _remembered(memory: dict[tuple[str, ...], T], key: tuple[str, ...], new: Callable[[], T]) -> T:
    found = memory.get(key)
    if found is None:
        if len(memory) >= _DEVICES_MAX:
            memory.clear()
        found = memory[key] = new()
    return found


def _fields(config: DecoderConfig) -> tuple[Field, ...]:
    if not config.fields:
        msg = "it has no fields; name at least one channel under [decoders.fields]"
        raise ConfigError(msg)
    return compile_fields(config.fields)


def _element(fields: Sequence[Field], source: Any) -> Element:
    found = ((f.channel.name, f.find(source)) for f in fields)
    return {name: value for name, value in found if value is not None}


def _split(reading: Foreign, into: Outcome) -> None:
    """Add a reading; presence is a message of its own, as on native topics."""
    element = reading.element
    if "online" not in element:
        into.readings.append(reading)
        return
    online = element.pop("online")
    if online not in (0, 1):
        into.refused.append((reading.place, f"presence {str(online)[:80]!r} is neither 1 nor 0; map it"))
        return
    if element.keys() - {"ts"}:
        into.readings.append(reading)
    presence = {"online": online} | {k: v for k, v in element.items() if k == "ts"}
    into.readings.append(
        Foreign(reading.station, reading.kind, reading.device, True, presence, reading.place)  # noqa: FBT003
    )


def _wrong_address(station: str, kind: str, device: str) -> str | None:
    for id_ in (station, device):
        if not is_id(id_):
            return f"id {id_!r} is not 1 to 64 of A-Z a-z 0-9 _ -"
    return None if kind in KIND_BY_NAME else f"kind {kind!r} is none of {', '.join(KIND_BY_NAME)}"


def _check_kind(config: DecoderConfig) -> None:
    kind = KIND_BY_NAME.get(config.kind)
    if kind is None:
        msg = f"kind {config.kind!r} is none of {', '.join(KIND_BY_NAME)}"
        raise ConfigError(msg)
    for name in config.fields:
        if kind.channel(name) is None:
            channels = ", ".join(c.name for c in (*kind.values, *kind.codes))
            msg = f"field {name!r} is no channel of {kind.name}, which has {channels}"
            raise ConfigError(msg)


def _per_value(config: DecoderConfig, template: Template, fields: Sequence[Field]) -> tuple[Template, ...]:
    """Return one template per value that the fields mention, so that nothing else is subscribed to."""
    if config.assemble not in template.names:
        msg = f"assemble = {config.assemble!r}: the topic {config.topic!r} has no level {{{config.assemble}}}"
        raise ConfigError(msg)
    values = sorted(frozenset().union(*(f.path.names for f in fields)))
    return tuple(compile_template(config.topic, {config.assemble: value}) for value in values)


class Match:
    """A topic and the decoders that read it."""

    def __init__(self, readers: Sequence[tuple[_Decoder, dict[str, str]]]) -> None:
        self._readers = tuple(readers)

    def read(self, payload: bytes, content_type: str, receipt_ms: int | None) -> Outcome:
        """Return what a message holds; an empty one (a retained message was cleared) holds nothing.

        Parameters
        ----------
        receipt_ms
            When it came [ms]; None in event mode, where no time may depend on that.
        """
        outcome = Outcome()
        if payload:
            for decoder, names in self._readers:
                decoder.read(names, payload, content_type, receipt_ms, outcome)
        return outcome


class ForeignDecoders:
    """All decoders of a configuration."""

    def __init__(self, configs: Sequence[DecoderConfig], prefix: str) -> None:
        """Compile decoders.

        Parameters
        ----------
        prefix
            First levels of native topics, which decoders leave alone.

        Raises
        ------
        ConfigError
            If one is wrong.
        """
        self._decoders: list[_Decoder] = []
        for number, config in enumerate(configs, 1):
            try:
                for table in expand(config):
                    if table.topic.startswith(f"{prefix}/"):
                        msg = f"topics under {prefix}/ are native; a decoder never sees them"
                        raise ConfigError(msg)
                    self._decoders.append(_Decoder(table))
            except ConfigError as error:
                msg = f"decoder {number} ({config.preset or config.topic!r}): {error}"
                raise ConfigError(msg) from error
        self.filters: tuple[str, ...] = tuple(
            dict.fromkeys(t.filter for d in self._decoders for t in d.templates)
        )
        """Subscriptions that bring all their topics."""

    def match(self, topic: str) -> Match | None:
        """Return how messages of a topic are read, None where no decoder wants it."""
        found = [
            (decoder, names)
            for decoder in self._decoders
            for template in decoder.templates
            if (names := template.match(topic)) is not None
        ]
        return Match(found) if found else None
