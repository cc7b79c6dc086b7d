"""Bytes that no broker and no device should send, against everything that reads them.

A case is made from (target, seed, number) alone, so each can be run again. Nothing but the declared errors may come
out, and every case ends within `PATIENCE_S` of CPU time.
"""

import random
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import cbor2
import msgspec
import numpy as np

from ingest.decode import Decoder
from ingest.decoded import Decoded
from telemetry.channels import KINDS
from telemetry.config import IngestConfig
from telemetry.decoders import DecoderConfig
from telemetry.errors import FrameError, WireError
from telemetry.frame import decode_frame, encode_frame
from telemetry.registry import Registry
from wire.foreign import ForeignDecoders
from wire.mqtt.encode import encode_pubacks, encode_publish, varint
from wire.mqtt.packets import Packet, Publish
from wire.mqtt.parse import StreamParser
from wire.payload import MSGPACK, read_payload, read_time
from wire.presets import expand
from wire.sparkplug_pb import PAYLOAD

PATIENCE_S = 5.0
LIMITS = IngestConfig(max_payload_bytes=4_000)
NOW_MS = 1_795_316_400_000

Make = random.Random

_NAMES = [*sorted({c.name for kind in KINDS for c in (*kind.values, *kind.codes)}), "ts", "seq", "online"]
_WORDS = [
    "Charging", "Faulted", "loaded", "LOADED", "", "x" * 300, "\x00", "2026-11-22T03:04:05Z", "1795316400000",
    "2026-11-22T03:04:05.123+08:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00", "²", "-", "nan", "𝔘",
]  # fmt: skip
_NUMBERS: list[Any] = [
    0, -0.0, 1, -1, 0.1, 1e308, -1e308, 5e-324, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, NOW_MS, NOW_MS / 1000,
    NOW_MS * 1000, NOW_MS - 10**9, NOW_MS + 10**12, True, False, None,
]  # fmt: skip
_JSON_BITS = [
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 400, b"9" * 5_000, b'"\\ud800"', b"[" * 3_000, b'{"a":' * 2_000,
    b"\xff", b"\x00", b'"\\u0000"', b"{}", b"[]", b",", b":", b'{"ts":1,"ts":"x"}', b"\xef\xbb\xbf", b" " * 50,
    b"1E-400",
]  # fmt: skip
_MSGPACK_BITS = [
    b"\xc1", b"\xde\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xd6\xff\x00\x00\x00\x00",
    b"\xc7\x00\x05", b"\x91" * 2_000, b"\x81\x90\xc0", b"\x81\xc0\x01", b"\x81\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x01",
    b"\xc4\x01\x00", b"\xca\x7f\x80\x00\x00", b"\xcf" + b"\xff" * 8, b"\xa2\xed\xa0",
]  # fmt: skip


_SENML_FIELDS = {"power_kw": {"path": "p", "unit": "W"}, "state": {"path": "[m, x]", "map": {"[true,1]": "loaded"}}}
_CBOR_BITS = [
    b"\xd8\x1c", b"\xd8\x1d\x00", b"\xc2\x50" + b"\xff" * 16, b"\xc4\x82\x1b" + b"\xff" * 8 + b"\x01", b"\x9f",
    b"\xbf", b"\x9b" + b"\xff" * 8, b"\x81" * 2_000,
    b"\xd8\x23\x61(", b"\xf9\x7e\x00", b"\xc0\x61x", b"\x5f", b"\xd9\x01\x02\x80",
]  # fmt: skip
_FOREIGN: list[dict[str, Any]] = [
    *({"preset": name, "station": "isle"} for name in ("evcc", "everest")),
    *({"preset": name, "station": "isle", "kind": "port"} for name in ("shelly", "tasmota")),
    *(
        {
            "topic": f"{form}/{{station}}/{{device}}", "kind": "compressor",
            "fields": {
                "power_kw": {"path": "p.total", "unit": "W"}, "energy_kwh": {"path": "sum(e[*].v)", "scale": 0.1},
                "state": {"path": "m", "map": {"RUN": "loaded", "3": "unloaded", "true": "stopped"}}, "online": "n",
            },
            "readings": "items || @", "time": {"path": "t", "format": form},
        }
        for form in ("s", "ms", "us", "ns", "iso", "relative")
    ),
    {"topic": "w/{station}/{device}", "kind": "port", "format": "text", "fields": {"online": {"map": {"Online": "1"}}}},
    *(
        {"topic": f"{form}/{{station}}", "kind": "compressor", "device": "{base}", "format": form,
         "fields": _SENML_FIELDS}
        for form in ("senml", "senml-cbor")
    ),
    {"format": "sparkplug", "station": "isle", "kind": "compressor", "fields": _SENML_FIELDS},
    *({"topic": f"{form}/{{charge_point}}", "format": form, "station": "isle"} for form in ("ocpp16", "ocpp201")),
]  # fmt: skip


class Hang(Exception):  # noqa: N818 - not an error of what it interrupts
    """A case took more than PATIENCE_S of CPU time."""


@contextmanager
def patience() -> Iterator[None]:
    """Raise Hang where the block takes too long."""

    def ring(_signal: int, _frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def value(make: Make, depth: int = 0) -> Any:
    """Return a plain value as JSON and MessagePack have them."""
    dice = make.random()
    if dice < 0.35 or depth > 3:
        return make.choice(_NUMBERS)
    if dice < 0.5:
        return make.choice(_WORDS)
    if dice < 0.6:
        return make.uniform(-1_000, 1_000)
    if dice < 0.7:
        return [value(make, depth + 1) for _ in range(make.randrange(4))]
    return reading(make, depth + 1)


def reading(make: Make, depth: int = 0) -> dict[str, Any]:
    """Return an object that resembles a reading."""
    names = [make.choice(_NAMES) if make.random() < 0.9 else make.choice(_WORDS) for _ in range(make.randrange(6))]
    found = {name: value(make, depth + 1) if make.random() < 0.5 else make.choice(_NUMBERS) for name in names}
    return found | {"ts": NOW_MS} if make.random() < 0.6 else found


def mutated(make: Make, data: bytes, bits: list[bytes]) -> bytes:
    """Return the bytes with some of them changed, taken out, repeated or put in."""
    out = bytearray(data)
    for _ in range(make.choice((0, 0, 1, 1, 2, 5))):
        at = make.randrange(len(out) + 1)
        to = min(len(out), at + make.randrange(6))
        match make.randrange(5):
            case 0 if at < len(out):
                out[at] ^= 1 << make.randrange(8)
            case 1:
                del out[at:to]
            case 2:
                out[at:at] = out[at:to] * make.randrange(4)
            case 3:
                out[at:at] = make.choice(bits)
            case _:
                out[at:to] = make.randbytes(to - at)
    return bytes(out)


def payload(make: Make) -> tuple[bytes, str]:
    """Return a payload and its content type."""
    plain = reading(make) if make.random() < 0.6 else [reading(make) for _ in range(make.randrange(4))]
    plain = value(make) if make.random() < 0.1 else plain
    if make.random() < 0.4:
        return mutated(make, msgspec.msgpack.encode(plain), _MSGPACK_BITS), MSGPACK
    return mutated(make, msgspec.json.encode(plain), _JSON_BITS), make.choice(("", "", "application/json", "text/x"))


def _stream(make: Make, version: int) -> bytes:
    packets = []
    for _ in range(make.randrange(1, 12)):
        match make.randrange(6):
            case 0:
                packets.append(encode_pubacks([make.randrange(1, 65_536)]))
            case 1:
                body = make.randbytes(make.randrange(12))
                packets.append(bytes((make.randrange(256),)) + varint(len(body)) + body)
            case 2 if version == 5:
                body = bytes((make.randrange(2), 0)) + make.choice((b"\x00", b"\x03\x21\x00\x14", b"\x04\x1f\x00\x01x"))
                packets.append(b"\x20" + varint(len(body)) + body)
            case 3:
                packets.append(make.choice((b"\xd0\x00", b"\xe0\x00", b"\x20\x02\x00\x00", b"\xb0\x02\x00\x01")))
            case _:
                packets.append(
                    encode_publish(
                        version,
                        make.choice(("a/b", "", "é", "x" * 130)),
                        make.randbytes(make.choice((0, 1, 5, 120, 130, 20_000))),
                        packet_id=make.choice((0, 1, 65_535)),
                        retain=make.random() < 0.1,
                        content_type=make.choice(("", "", MSGPACK)) if version == 5 else "",
                    )
                )
    bits = [b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff\x01", b"\x80\x00", b"\x00\x00", b"\x23\x00\x01", b"\x26\x00\x01"]
    return mutated(make, b"".join(packets), bits)


def _feed(version: int, parts: list[bytes]) -> tuple[list[Packet], bool]:
    """Return the packets up to the first refusal, and whether there was one."""
    parser = StreamParser(version)
    packets: list[Packet] = []
    for part in parts:
        try:
            packets += parser.feed(part)
        except WireError:
            return packets, True
    return packets, False


def parser_case(make: Make) -> None:
    """A stream, whole and in pieces: the same packets, or a refusal both times."""
    version = make.choice((4, 5))
    stream = _stream(make, version)
    cuts = sorted(make.randrange(len(stream) + 1) for _ in range(make.randrange(10)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole, refused = _feed(version, [stream])
    pieces, refused_too = _feed(version, parts)
    assert refused == refused_too, "refused only when cut in one way"
    assert refused or whole == pieces, "cut in another way it is another stream"


def payload_case(make: Make) -> None:
    """A payload, and every value in it as a time."""
    found = read_payload(*payload(make))
    for item in found.values() if isinstance(found, dict) else (found,):
        assert isinstance(read_time(item), int | str)


def decoder_case(make: Make) -> None:
    """A batch of messages: each is a reading or a dead letter, the good ones among them always readings."""
    mode = make.choice(("live", "event"))
    good = Publish(b"voltair/v1/good/port/p1/telemetry", b'{"ts":%d,"power_kw":6.9}' % NOW_MS, 1, 0x02)
    messages = []
    for _ in range(make.randrange(1, 12)):
        kind = make.choice(KINDS).name
        leaf = make.choice(("telemetry", "telemetry", "telemetry", "online"))
        topic = f"voltair/v1/s{make.randrange(3)}/{kind}/d{make.randrange(3)}/{leaf}".encode()
        if make.random() < 0.1:
            topic = mutated(make, topic, [b"/", b"\xff", b"\x00", b"+"])
        data, content_type = payload(make)
        messages.append(Publish(topic, data, 1, make.choice((0x02, 0x0A, 0x03)), content_type))
    messages.insert(make.randrange(len(messages) + 1), good)
    decoder = Decoder(
        prefix="voltair/v1", clock_mode=mode, limits=LIMITS, devices={}, station_now={}, registry=Registry()
    )
    found = decoder.decode(messages, np.full(len(messages), NOW_MS))
    _check(found, messages)
    power = [f.values[:, f.kind.value_index["power_kw"]] for f in found.frames if f.kind.name == "port"]
    assert good.payload not in [letter.payload for letter in found.letters], "a good message is a dead letter"
    assert any((column == 6.9).any() for column in power), "a good message is lost"


@cache
def _foreign(at: int) -> tuple[DecoderConfig, list[str]]:
    """Return a decoder of `_FOREIGN`, and the words that its payloads are made of."""
    config = msgspec.convert(_FOREIGN[at], DecoderConfig)
    return config, sorted(set(re.findall(r"[A-Za-z_]\w*", repr(expand(config)))))


def _named(make: Make, words: Sequence[str], depth: int = 0) -> Any:
    """Return a value whose objects have keys that decoders look for."""
    dice = make.random()
    if depth > 3 or dice < 0.3:
        return make.choice((make.choice(_NUMBERS), make.choice(_WORDS), make.choice(words), make.uniform(-9, 9)))
    if dice < 0.4:
        return [_named(make, words, depth + 1) for _ in range(make.randrange(4))]
    return {make.choice(words): _named(make, words, depth + 1) for _ in range(make.randrange(8))}


def _pack(make: Make) -> list[Any]:
    """Return SenML records, with labels of both forms."""
    labels: list[Any] = ["bn", "bt", "bu", "bv", "bver", "n", "u", "v", "vs", "vb", "s", "t", "x_", *range(-6, 9)]
    scalars = [v for v in (*_NUMBERS, *_WORDS, "p", "W", 10) if type(v) is not int or abs(v) < 2**63]
    labels += [str(label) for label in labels]
    return [{make.choice(labels): make.choice(scalars) for _ in range(4)} for _ in range(make.randrange(5))]


def _sparkplug(make: Make) -> bytes:
    """Return a Sparkplug payload: whatever its topic says it is."""
    whole = PAYLOAD(seq=make.randrange(300))
    if make.random() < 0.9:
        whole.timestamp = make.choice((NOW_MS, 0, 2**64 - 1))
    for _ in range(make.randrange(5)):
        metric = whole.metrics.add()
        if make.random() < 0.6:
            metric.name = make.choice((b"p", b"m", b"x", b"bdSeq", b"\xff", b""))
        if make.random() < 0.6:
            metric.alias = make.choice((0, 1, 2, 2**64 - 1))
        metric.datatype = make.randrange(40)
        metric.is_historical = make.random() < 0.2
        match make.randrange(5):
            case 0:
                metric.int_value = make.choice((0, 1, 2**32 - 1))
            case 1:
                metric.long_value = make.choice((0, 1, 2**64 - 1))
            case 2:
                metric.double_value = make.choice((0.0, 1e308, float("nan"), float("inf")))
            case 3:
                metric.boolean_value = True
            case _:
                metric.string_value = make.choice((b"", b"x", b"\xff"))
    return bytes(whole.SerializeToString())


def foreign_case(make: Make) -> None:
    """Messages of foreign devices through `[[decoders]]`: each is readings, dead letters, or nothing it wants."""
    config, words = _foreign(make.randrange(len(_FOREIGN)))
    decoders = ForeignDecoders([config], "voltair/v1")  # new each time: it remembers values
    levels = ("isle", "c1", "1", "x y", "switch:0")
    messages = []
    for _ in range(make.randrange(1, 8)):
        topic = re.sub(r"\+|#", lambda _: make.choice(levels), make.choice(decoders.filters))
        if config.format == "senml-cbor":
            data, content_type = mutated(make, cbor2.dumps(_pack(make)), _CBOR_BITS), ""
        elif config.format == "sparkplug":
            data, content_type = mutated(make, _sparkplug(make), [b"\x0a\xff", b"\x12\x02\x08\x01"]), ""
        elif make.random() < 0.15:
            data, content_type = payload(make)
        elif config.format == "senml":
            data, content_type = mutated(make, msgspec.json.encode(_pack(make)), _JSON_BITS), ""
        else:
            data, content_type = msgspec.json.encode(_named(make, words)), ""
            data = mutated(make, data, _JSON_BITS) if make.random() < 0.3 else data
        messages.append(Publish(topic.encode(), data, 1, 0x02, content_type))
    decoder = Decoder(
        prefix="voltair/v1",
        clock_mode=make.choice(("live", "event")),
        limits=LIMITS,
        devices={},
        station_now={},
        registry=Registry(),
        foreign=decoders,
    )
    _check(decoder.decode(messages, np.full(len(messages), NOW_MS)), messages)


def _check(found: Decoded, messages: list[Publish]) -> None:
    for letter in found.letters:
        assert not letter.reason.startswith("Voltair failed"), letter.reason
    assert found.dead_messages <= len(messages)
    for frame in found.frames:
        encode_frame(frame)


def frame_case(make: Make) -> None:
    """The journal's frames, damaged."""
    decoder = Decoder(
        prefix="v", clock_mode="live", limits=LIMITS, devices={}, station_now={}, registry=Registry()
    )
    message = Publish(b"v/s/port/p/telemetry", msgspec.json.encode(reading(make) | {"ts": NOW_MS}), 1, 0x02)
    for frame in decoder.decode([message], np.array([NOW_MS])).frames:
        data = encode_frame(frame)
        broken = mutated(make, data, [b"\x00", b"\xff" * 4])
        try:
            decode_frame(broken)
        except FrameError:
            assert broken != data, "an undamaged frame was refused"


TARGETS: dict[str, Callable[[Make], None]] = {
    "parser": parser_case,
    "payload": payload_case,
    "decoder": decoder_case,
    "foreign": foreign_case,
    "frame": frame_case,
}


def run_case(target: str, seed: int, number: int) -> None:
    """Run one case.

    Raises
    ------
    AssertionError
        If it did more harm than it may; the message says how to run it again.
    """
    try:
        with patience():
            TARGETS[target](random.Random(f"{target} {seed} {number}"))  # noqa: S311 - no secret
    except Exception as error:
        msg = f"run_case({target!r}, {seed}, {number}): {error!r}"
        raise AssertionError(msg) from error


def measure_fuzz(seconds: float, seed: int) -> Iterator[tuple[str, str]]:
    """Fuzz every target for so many seconds each; yield its name and what came out."""
    for target in TARGETS:
        end_s = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end_s:
            run_case(target, seed, number)
            number += 1
        yield target, f"{number:,} cases of seed {seed} in {seconds:g} s, nothing found"
