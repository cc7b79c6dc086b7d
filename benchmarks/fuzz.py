"""Bytes that no broker and no device should send, against everything that reads them.

A case is made from (target, seed, number) alone, so each can be run again. Nothing but the declared errors may come
out, and every case ends within `PATIENCE_S` of CPU time.
"""

import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import msgspec
import numpy as np

from benchmarks.fuzz_foreign import FOREIGN, decoder_of, foreign_payload, topic
from benchmarks.fuzz_made import NOW_MS, Make, mutated, payload, reading
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

PATIENCE_S = 5.0
LIMITS = IngestConfig(max_payload_bytes=4_000)


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
        name = f"voltair/v1/s{make.randrange(3)}/{kind}/d{make.randrange(3)}/{leaf}".encode()
        if make.random() < 0.1:
            name = mutated(make, name, [b"/", b"\xff", b"\x00", b"+"])
        data, content_type = payload(make)
        messages.append(Publish(name, data, 1, make.choice((0x02, 0x0A, 0x03)), content_type))
    messages.insert(make.randrange(len(messages) + 1), good)
    decoder = Decoder(
        prefix="voltair/v1", clock_mode=mode, limits=LIMITS, devices={}, station_now={}, registry=Registry()
    )
    found = decoder.decode(messages, np.full(len(messages), NOW_MS))
    _check(found, messages)
    power = [f.values[:, f.kind.value_index["power_kw"]] for f in found.frames if f.kind.name == "port"]
    assert good.payload not in [letter.payload for letter in found.letters], "a good message is a dead letter"
    assert any((column == 6.9).any() for column in power), "a good message is lost"


def foreign_case(family: str, make: Make) -> None:
    """Messages of foreign devices through `[[decoders]]`: each is readings, dead letters, or nothing it wants."""
    config, words = decoder_of(family, make.randrange(len(FOREIGN[family])))
    decoders = ForeignDecoders([config], "voltair/v1")  # new each time: it remembers values
    messages = []
    for _ in range(make.randrange(1, 8)):
        name = topic(make, config, make.choice(decoders.filters))
        data, content_type = foreign_payload(make, config, words)
        messages.append(Publish(name, data, 1, 0x02, content_type))
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
    if family != "sparkplug":  # there births are asked for again
        _restart(make, config, messages)


def _restart(make: Make, config: DecoderConfig, messages: list[Publish]) -> None:
    """Read messages with and without restarts in between: what is remembered on disk is all that counts."""
    calm, disturbed = (ForeignDecoders([config], "voltair/v1") for _ in range(2))
    kept: dict[str, bytes] = {}
    for message in messages:
        found = [
            match and match.read(message.payload, message.content_type, NOW_MS)
            for match in (of.match(message.topic.decode()) for of in (calm, disturbed))
        ]
        assert repr(found[0]) == repr(found[1]), "a restart makes a difference"  # by repr, for NaN
        for key, body in disturbed.changes().items():
            if body is None:
                return  # a number of more than 64 bits: remembered in this life only
            kept[key] = body
        if make.random() < 0.3:
            disturbed = ForeignDecoders([config], "voltair/v1")
            disturbed.recall(kept)


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
    "frame": frame_case,
    **{family: partial(foreign_case, family) for family in FOREIGN},
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


def measure_fuzz(targets: Sequence[str], seconds: float, seed: int) -> Iterator[tuple[str, str]]:
    """Fuzz targets, all where none is named, for so many seconds each; yield its name and what came out."""
    for target in targets or TARGETS:
        end_s = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end_s:
            run_case(target, seed, number)
            number += 1
        yield target, f"{number:,} cases of seed {seed} in {seconds:g} s, nothing found"
