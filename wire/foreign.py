"""Decoders of `[[decoders]]`, compiled: a foreign topic and payload to readings of the native shape.

What comes out goes the way of every native reading from here on: types, ranges and times are checked there.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from telemetry.channels import KIND_BY_NAME, Kind
from telemetry.config import IngestConfig
from telemetry.decoders import SPARKPLUG_TOPIC, DecoderConfig
from telemetry.errors import ConfigError
from wire.columns import Element
from wire.mapping import Field
from wire.payload import Unreadable, read_payload, read_scalar
from wire.presets import expand
from wire.readers import (
    BASE,
    WHOLE,
    AssembledReader,
    FieldReader,
    OcppReader,
    SenmlReader,
    SparkplugReader,
)
from wire.remembered import Kept, Remembered
from wire.senml_cbor import SENML_CBOR, read_senml_cbor
from wire.sparkplug import Host
from wire.templates import Template, compile_template, fill, is_id, names_in

Source = Callable[[str, bytes, str, int | None], Any]
"""From topic, payload, content type and receipt to a value, which decoders of the same format share."""


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

    def __init__(self, config: DecoderConfig, name: str, sources: Mapping[str, Source]) -> None:
        if config.format == "sparkplug" and not config.topic:
            config = msgspec.structs.replace(config, topic=SPARKPLUG_TOPIC)
        self._station = config.station or "{station}"
        self._kind = config.kind or "{kind}"
        self._device = config.device or "{device}"
        if config.kind and not names_in(config.kind):
            _check_kind(config)
        template = compile_template(config.topic)
        self.templates: tuple[Template, ...] = (template,)
        self.source = sources[config.format]
        self.remembers = True
        """Whether what a message means depends on those before it."""
        self.memory: Remembered[Any] | None = None
        """What of them must outlive a restart; Sparkplug asks for births instead."""
        known = template.names
        self._reader: FieldReader | AssembledReader | SenmlReader | OcppReader | SparkplugReader
        if config.format in ("ocpp16", "ocpp201"):
            self._reader = OcppReader(config, template, name)
            self.memory = self._reader.memory
            self._kind, self._device = "port", config.device or self._reader.device
            known |= {self._reader.port}
        elif config.format == "sparkplug":
            self._reader = SparkplugReader(config)
            self.templates = self._reader.templates(config)
            self._device = config.device or ("{device}" if "device" in known else "{node}")
        elif config.assemble:
            self._reader = AssembledReader(config, name)
            if "session_id" not in config.fields:  # it may name a person, and must not be written down as it came
                self.memory = self._reader.memory
            self.templates = _per_value(config, template, self._reader.fields)
            known -= {config.assemble}
        else:
            self.remembers = False
            if config.format in ("senml", "senml-cbor"):
                self._reader = SenmlReader(config)
                known |= {BASE}
            else:
                self._reader = FieldReader(config)
        for place, text in (("station", self._station), ("kind", self._kind), ("device", self._device)):
            unknown = names_in(text) - known
            if unknown:
                level = f"{{{min(unknown)}}}"
                msg = f"{place} = {text!r}: the topic has no level {level}; give {place}, or name a level"
                raise ConfigError(msg)

    def read(self, names: Mapping[str, str], value: Any, receipt_ms: int | None, into: Outcome) -> None:
        """Read the value of one message of a topic with these names."""
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

    def __init__(self, topic: str, readers: Sequence[tuple[_Decoder, dict[str, str]]]) -> None:
        self._topic = topic
        self._readers = tuple(readers)

    def read(self, payload: bytes, content_type: str, receipt_ms: int | None) -> Outcome:
        """Return what a message holds; an empty one (a retained message was cleared) holds nothing.

        Parameters
        ----------
        receipt_ms
            When it came [ms]; None in event mode, where no time may depend on that.
        """
        outcome = Outcome()
        values: dict[Source, Any] = {}
        for decoder, names in self._readers if payload else ():
            source = decoder.source
            if source not in values:
                values[source] = source(self._topic, payload, content_type, receipt_ms)
            value = values[source]
            if isinstance(value, Unreadable):
                outcome.refused.append((WHOLE, value.reason))
            else:
                decoder.read(names, value, receipt_ms, outcome)
        if len(outcome.refused) > 1:
            outcome.refused = list(dict.fromkeys(outcome.refused))  # decoders that stumble over the same
        return outcome


class ForeignDecoders:
    """All decoders of a configuration."""

    def __init__(
        self, configs: Sequence[DecoderConfig], prefix: str, max_nesting: int = IngestConfig().max_nesting
    ) -> None:
        """Compile decoders.

        Parameters
        ----------
        prefix
            First levels of native topics, which decoders leave alone.
        max_nesting
            `ingest.max_nesting`.

        Raises
        ------
        ConfigError
            If one is wrong.
        """
        self.host = Host()
        """What is known of Sparkplug's edge nodes."""
        sources = _sources(max_nesting, self.host)
        self._decoders: list[_Decoder] = []
        self._names: Counter[str] = Counter()
        self._forgotten: Kept = {}
        for number, config in enumerate(configs, 1):
            try:
                for table in expand(config):
                    if table.topic.startswith(f"{prefix}/"):
                        msg = f"topics under {prefix}/ are native; a decoder never sees them"
                        raise ConfigError(msg)
                    self._decoders.append(_Decoder(table, self._name(table), sources))
            except ConfigError as error:
                msg = f"decoder {number} ({config.preset or config.topic!r}): {error}"
                raise ConfigError(msg) from error
        self.filters: tuple[str, ...] = tuple(
            dict.fromkeys(t.filter for d in self._decoders for t in d.templates)
        )
        """Subscriptions that bring all their topics."""

    def _name(self, table: DecoderConfig) -> str:
        """Return what a decoder's memory is kept under: other tables may come and go beside it."""
        ports = msgspec.json.encode(table.ports, order="sorted").decode()
        name = "|".join((table.format, table.topic, table.assemble, table.station, table.kind, table.device, ports))
        self._names[name] += 1
        return f"{name}|{self._names[name]}"

    def recall(self, kept: Mapping[str, bytes]) -> None:
        """Remember devices as an earlier life kept them; what no decoder wants any more is told to be forgotten."""
        known = set().union(*(d.memory.recall(kept) for d in self._decoders if d.memory is not None))
        self._forgotten = dict.fromkeys(kept.keys() - known)

    def changes(self) -> Kept:
        """Return what has changed since the last call of what must outlive a restart."""
        found, self._forgotten = self._forgotten, {}
        for decoder in self._decoders:
            if decoder.memory is not None:
                found |= decoder.memory.changes()
        return found

    def check_share(self, share: str) -> None:
        """Refuse decoders that must see every message of a device where subscriptions are shared.

        Raises
        ------
        ConfigError
            If there is one.
        """
        for decoder in self._decoders if share else ():
            if decoder.remembers:
                msg = (
                    f"the decoder of {decoder.templates[0].text!r} must see every message of a device; {share!r} in "
                    "mqtt.topics splits them between instances: take it away, or the decoder"
                )
                raise ConfigError(msg)

    def match(self, topic: str) -> Match | None:
        """Return how messages of a topic are read, None where no decoder wants it."""
        found = [
            (decoder, names)
            for decoder in self._decoders
            for template in decoder.templates
            if (names := template.match(topic)) is not None
        ]
        return Match(topic, found) if found else None


def _sources(max_nesting: int, host: Host) -> dict[str, Source]:
    """Return how a payload of each format is read."""

    def plain(topic: str, payload: bytes, content_type: str, receipt_ms: int | None) -> Any:
        del topic, receipt_ms
        return read_payload(payload, content_type, max_nesting)

    def text(topic: str, payload: bytes, content_type: str, receipt_ms: int | None) -> Any:
        del topic, content_type, receipt_ms
        return read_scalar(payload)

    def cbor(topic: str, payload: bytes, content_type: str, receipt_ms: int | None) -> Any:
        del topic, content_type, receipt_ms
        return read_senml_cbor(payload)

    def senml(topic: str, payload: bytes, content_type: str, receipt_ms: int | None) -> Any:
        read = cbor if content_type == SENML_CBOR else plain
        return read(topic, payload, content_type, receipt_ms)

    def sparkplug(topic: str, payload: bytes, content_type: str, receipt_ms: int | None) -> Any:
        del content_type
        return host.read(topic, payload, receipt_ms)

    return {
        "json": plain, "ocpp16": plain, "ocpp201": plain, "text": text, "senml": senml, "senml-cbor": cbor,
        "sparkplug": sparkplug,
    }  # fmt: skip
