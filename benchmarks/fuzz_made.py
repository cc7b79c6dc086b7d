"""Values and bytes as no broker and no device should send them, made from a random generator alone."""

import random
from typing import Any

import msgspec

from telemetry.channels import KINDS
from wire.payload import MSGPACK

NOW_MS = 1_795_316_400_000

Make = random.Random

_NAMES = [*sorted({c.name for kind in KINDS for c in (*kind.values, *kind.codes)}), "ts", "seq", "online"]
WORDS = [
    "Charging", "Faulted", "loaded", "LOADED", "", "x" * 300, "\x00", "2026-11-22T03:04:05Z", "1795316400000",
    "2026-11-22T03:04:05.123+08:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00", "²", "-", "nan", "𝔘",
]  # fmt: skip
NUMBERS: list[Any] = [
    0, -0.0, 1, -1, 0.1, 1e308, -1e308, 5e-324, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, NOW_MS, NOW_MS / 1000,
    NOW_MS * 1000, NOW_MS - 10**9, NOW_MS + 10**12, True, False, None,
]  # fmt: skip
JSON_BITS = [
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 400, b"9" * 5_000, b'"\\ud800"', b"[" * 3_000, b'{"a":' * 2_000,
    b"\xff", b"\x00", b'"\\u0000"', b"{}", b"[]", b",", b":", b'{"ts":1,"ts":"x"}', b"\xef\xbb\xbf", b" " * 50,
    b"1E-400",
]  # fmt: skip
_MSGPACK_BITS = [
    b"\xc1", b"\xde\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xd6\xff\x00\x00\x00\x00",
    b"\xc7\x00\x05", b"\x91" * 2_000, b"\x81\x90\xc0", b"\x81\xc0\x01", b"\x81\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x01",
    b"\xc4\x01\x00", b"\xca\x7f\x80\x00\x00", b"\xcf" + b"\xff" * 8, b"\xa2\xed\xa0",
]  # fmt: skip


def value(make: Make, depth: int = 0) -> Any:
    """Return a plain value as JSON and MessagePack have them."""
    dice = make.random()
    if dice < 0.35 or depth > 3:
        return make.choice(NUMBERS)
    if dice < 0.5:
        return make.choice(WORDS)
    if dice < 0.6:
        return make.uniform(-1_000, 1_000)
    if dice < 0.7:
        return [value(make, depth + 1) for _ in range(make.randrange(4))]
    return reading(make, depth + 1)


def reading(make: Make, depth: int = 0) -> dict[str, Any]:
    """Return an object that resembles a reading."""
    names = [make.choice(_NAMES) if make.random() < 0.9 else make.choice(WORDS) for _ in range(make.randrange(6))]
    found = {name: value(make, depth + 1) if make.random() < 0.5 else make.choice(NUMBERS) for name in names}
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
    return mutated(make, msgspec.json.encode(plain), JSON_BITS), make.choice(("", "", "application/json", "text/x"))
