"""SenML (RFC 8428, JSON): one pack per reading on `senml/{station}/{kind}`, records named like our channels."""

from collections.abc import Iterator
from typing import Any

import msgspec

from simulators.dialects.reading import Native
from simulators.message import Message


def speak_senml(reading: Native) -> Iterator[Message]:
    """Yield a reading as a pack: base name is the device, base time the reading's."""
    records: list[dict[str, Any]] = [
        {"n": name, ("vs" if isinstance(value, str) else "v"): value}
        for name, value in reading.values.items()
        if name not in ("ts", "seq")
    ]
    if not records:
        return
    records[0] = {"bn": f"{reading.device}:", "bt": reading.values["ts"] / 1000, **records[0]}
    yield Message(reading.time_ms, f"senml/{reading.station}/{reading.kind}", msgspec.json.encode(records))
