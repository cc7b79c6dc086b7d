"""`[[decoders]]` of voltair.toml as types: how payloads of foreign devices become readings, as data."""

from typing import Literal

import msgspec

TimeFormat = Literal["s", "ms", "us", "ns", "iso", "relative", "absent"]
Format = Literal["json", "text", "senml", "senml-cbor", "sparkplug", "ocpp16", "ocpp201"]
SPARKPLUG_TOPIC = "spBv1.0/{group}/{message}/{node}/{device}"


class FieldConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the value of one channel stands in a payload, and what it is."""

    path: str = "@"
    """JMESPath; `@`: the payload itself."""
    unit: str = ""
    """The payload's unit; empty: the channel's own."""
    scale: float = 1.0
    """The value counts so many units (registers of Modbus: 0.1)."""
    map: dict[str, str] = {}
    """Enumeration: the payload's value, written as JSON where it is no text, to ours."""


class TimeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the time of a reading stands."""

    path: str = ""
    """JMESPath, tried on the reading, then on the whole payload."""
    format: TimeFormat = "absent"
    """`relative`: seconds from the receipt, the past is negative; `absent`: the receipt counts, flagged."""
    zone: str = ""
    """Time zone of ISO times without an offset; empty: such times are refused."""


class DecoderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of message of foreign devices."""

    preset: str = ""
    """A family of devices that Voltair knows: evcc, everest, shelly, tasmota."""
    root: str = ""
    """First levels of a preset's topics; empty: those that its devices use by default."""
    topic: str = ""
    """Topic template; a level `{name}` matches any one level and gives it a name. With `sparkplug` it has a level
    `{message}` and may be left out."""
    station: str = ""
    """Id, or a template of names; empty: the topic's `{station}`."""
    kind: str = ""
    """Kind of device; empty: the topic's `{kind}`."""
    device: str = ""
    """Id, or a template of names; empty: the topic's `{device}`."""
    format: Format = "json"
    """`text`: the payload is one value, a number, true, false, or a text. `senml`: RFC 8428 in JSON, or in CBOR where
    MQTT 5's content type says so; `senml-cbor`: always in CBOR; the base name is `{base}` in `device`, paths of fields
    are names of records. `sparkplug`: Sparkplug B; the fields' paths are names of metrics. `ocpp16`, `ocpp201`: OCPP-J
    frames, without fields; the topic has a level `{charge_point}`, and `{connector}` or `{evse}` is the port's number.
    """
    readings: str = ""
    """JMESPath to the readings of a payload; empty: the payload, or each element of an array. With OCPP: to the frame
    in the envelope that a gateway or a log puts around it, whose `time` counts where the frame says none."""
    assemble: str = ""
    """Name of the level of the topic that says which value a message holds: one device's values are put
    together under these names, and the paths of the fields read that object."""
    ports: dict[str, list[int]] = {}
    """OCPP 1.6: port -> its connectors, where several share one; these are then known before they speak. Empty: each
    connector is a port, known once it has spoken."""
    time: TimeConfig = TimeConfig()
    fields: dict[str, FieldConfig | str] = {}
    """Channel -> where it stands; a plain text is the path."""
