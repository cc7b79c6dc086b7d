"""Foreign topics beside native ones: same frames, same checks, same dead letters."""

import json

import msgspec
import numpy as np

from ingest.decode import Decoder
from telemetry.channels import COMPRESSOR, PORT
from telemetry.config import IngestConfig
from telemetry.decoders import DecoderConfig
from telemetry.frame import FLAG_RECEIPT_TIME, FLAG_RETAINED
from telemetry.registry import Registry
from wire.foreign import ForeignDecoders
from wire.mqtt.packets import FLAG_RETAIN, Publish

NOW = 1_732_240_000_123
TABLES = [
    {
        "topic": "plant/{station}/{device}/state", "kind": "compressor",
        "fields": {"power_kw": {"path": "p", "unit": "W"}, "state": {"path": "m", "map": {"RUN": "loaded"}}},
        "time": {"path": "t", "format": "s"},
    },
    {
        "topic": "plant/{station}/{device}/lwt", "kind": "compressor", "format": "text",
        "fields": {"online": {"map": {"Online": "1", "Offline": "0"}}},
    },
]  # fmt: skip


def decode(*messages, mode="live", **limits):
    decoder = Decoder(
        prefix="voltair/v1", clock_mode=mode, limits=IngestConfig(max_payload_bytes=1_000, **limits), devices={},
        station_now={}, registry=Registry(),
        foreign=ForeignDecoders(msgspec.convert(TABLES, list[DecoderConfig]), "voltair/v1"),
    )  # fmt: skip
    return decoder.decode(messages, np.full(len(messages), NOW))


def message(topic, payload, flags=0x02):
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Publish(topic.encode(), data, 1, flags, "")


def test_foreign_and_native_messages_share_a_batch_and_the_table_of_devices():
    found = decode(
        message("plant/isle/c1/state", {"p": 75_000, "m": "RUN", "t": NOW / 1e3}),
        message("voltair/v1/isle/compressor/c1/telemetry", {"power_kw": 76.0}),
        message("voltair/v1/harbour/port/p1/telemetry", {"power_kw": 7.0}),
    )
    assert found.letters == []
    assert [(key.station, key.kind, key.device) for key, _ in found.new_devices] == [
        ("isle", "compressor", "c1"),
        ("harbour", "port", "p1"),
    ]
    frames = {f.kind: f for f in found.frames}
    frame = frames[COMPRESSOR]
    assert frame.device.tolist() == [0, 0]
    assert frame.values[:, COMPRESSOR.value_index["power_kw"]].tolist() == [75.0, 76.0]
    assert frame.codes[0, 0] == COMPRESSOR.codes[0].states.index("loaded")
    assert frame.time_ms[0] == NOW
    assert frame.flags.tolist() == [0, FLAG_RECEIPT_TIME]
    assert len(frames[PORT]) == 1


def test_what_passes_a_decoder_is_checked_like_any_reading():
    found = decode(message("plant/isle/c1/state", {"p": 1e9, "m": "BUSY", "t": NOW / 1e3}))
    assert found.rejected == {"range": 1, "name": 1}
    assert found.letters == []


def test_what_cannot_be_decoded_is_a_dead_letter_with_its_reason():
    found = decode(
        message("plant/isle/c1/state", b"{"),
        message("plant/isle/c1/state", [{"p": 1}, {"p": 2, "t": "x"}]),
        message("plant/isle/c1/state", {"t": 5}),
        message("plant/isle/c1/state", b" " * 2_000),
        message("plant/isle/c1/other", {}),
    )
    assert [(x.element, x.reason.split(":")[0][:24]) for x in found.letters] == [
        (None, "no JSON"),
        (1, "time 'x' is no number, w"),
        (None, "ts 5000 lies outside 200"),
        (None, "payload of 2000 bytes; i"),
        (None, "topic 'plant/isle/c1/oth"),
    ]
    assert (found.dead_messages, found.readings) == (5, 1)


def test_a_last_will_is_presence():
    found = decode(message("plant/isle/c1/lwt", b"Offline", FLAG_RETAIN), message("plant/isle/c1/lwt", b""))
    (frame,) = found.frames
    assert frame.codes[0, -1] == 0
    assert frame.flags[0] & FLAG_RETAINED
    assert found.unknown_keys == 0
    assert found.letters == []


def test_event_mode_wants_a_time_from_the_device():
    found = decode(message("plant/isle/c1/state", {"p": 1}), mode="event")
    assert found.readings == 0
    assert "no ts" in found.letters[0].reason


def test_decoders_obey_the_limits_too():
    deep = b'{"p": ' + b"[" * 101 + b"]" * 101 + b"}"
    found = decode(
        message("plant/isle/c1/state", deep),
        message("plant/isle/c1/state", {"p": 1, "t": NOW / 1e3}),
        message("plant/isle/c2/state", {"p": 1, "t": NOW / 1e3}),
        max_devices=1,
    )
    assert [x.reason.split(";")[0] for x in found.letters] == [
        "nested deeper than 100", "device 'c2' of station 'isle' is one too many",
    ]  # fmt: skip
    assert found.readings == 1
