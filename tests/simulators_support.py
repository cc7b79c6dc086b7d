"""Messages of simulators and recordings, decoded again for tests."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from simulators.message import Message


class Decoded(NamedTuple):
    """One message, read back."""

    station: str
    kind: str
    device: str
    values: dict[str, Any]


def decoded(messages: Iterable[Message]) -> Iterator[Decoded]:
    """Yield topic and payload of each message as a receiver reads them."""
    decode = msgspec.json.Decoder().decode
    for message in messages:
        *_, station, kind, device, _ = message.topic.split("/")
        yield Decoded(station, kind, device, decode(message.payload))
