"""What a batch of messages holds, whole or put together of parts."""

from collections import Counter
from dataclasses import dataclass

from store.deadletters import DeadLetter
from store.journal import DeviceKey
from telemetry.frame import Frame
from wire.mqtt.packets import Publish
from wire.readers import WHOLE
from wire.remembered import Kept


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one batch of messages holds."""

    frames: list[Frame]
    new_devices: list[tuple[DeviceKey, int]]
    """Devices that speak for the first time, and their index."""
    letters: list[DeadLetter]
    dead_messages: int
    """Messages of which something is among the letters."""
    station_now: dict[str, int]
    """Event mode: the newest accepted time of the stations that moved [ms]."""
    redelivered: int
    rejected: Counter[str]
    """Refused values by reason."""
    unknown_keys: int
    flagged: Counter[str]
    """Readings that are kept with a doubt about their time: `future`, `clock_skew`, `receipt_time`."""
    memory: Kept
    """What decoders remember from here on."""

    @property
    def readings(self) -> int:
        """Readings in all frames."""
        return sum(map(len, self.frames))


def joined(first: Decoded, second: Decoded) -> Decoded:
    """Return two batches as one."""
    return Decoded(
        frames=first.frames + second.frames,
        new_devices=first.new_devices + second.new_devices,
        letters=first.letters + second.letters,
        dead_messages=first.dead_messages + second.dead_messages,
        station_now=first.station_now | second.station_now,
        redelivered=first.redelivered + second.redelivered,
        rejected=first.rejected + second.rejected,
        unknown_keys=first.unknown_keys + second.unknown_keys,
        flagged=first.flagged + second.flagged,
        memory=first.memory | second.memory,
    )


def refused(message: Publish, time_ms: int, why: str) -> Decoded:
    """Return a batch of one message that is a dead letter."""
    return Decoded(
        frames=[],
        new_devices=[],
        letters=[letter(message, time_ms, WHOLE, why)],
        dead_messages=1,
        station_now={},
        redelivered=int(message.dup),
        rejected=Counter(),
        unknown_keys=0,
        flagged=Counter(),
        memory={},
    )


def letter(message: Publish, time_ms: int, element: int, reason: str) -> DeadLetter:
    """Return the dead letter of a message, or of one element of it."""
    return DeadLetter(
        time_ms=time_ms,
        topic=message.topic.decode("utf-8", "replace"),
        reason=reason,
        payload=message.payload,
        element=None if element == WHOLE else element,
        content_type=message.content_type,
    )
