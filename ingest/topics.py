"""From a topic to the device that speaks."""

import re
from dataclasses import dataclass

from store.journal import DeviceKey
from telemetry.channels import KIND_BY_NAME, Kind

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Address:
    """What a native topic says."""

    key: DeviceKey
    kind: Kind
    presence: bool
    """Whether the messages say `online` instead of readings."""


def read_topic(topic: bytes, prefix: str) -> Address | str:
    """Return the address of a topic `{prefix}/{station}/{kind}/{device}/telemetry|online`, or what is wrong."""
    text = topic.decode("utf-8", "replace")
    levels = text.removeprefix(f"{prefix}/").split("/")
    if not text.startswith(f"{prefix}/") or len(levels) != 4 or levels[3] not in ("telemetry", "online"):
        return f"topic {text!r} is not like {prefix}/STATION/KIND/DEVICE/telemetry (or /online)"
    station, kind, device, leaf = levels
    for id_ in (station, device):
        if not _ID.fullmatch(id_):
            return f"id {id_!r} in topic {text!r} is not 1 to 64 of A-Z a-z 0-9 _ -"
    if kind not in KIND_BY_NAME:
        return f"kind {kind!r} in topic {text!r} is none of {', '.join(KIND_BY_NAME)}"
    return Address(DeviceKey(station, kind, device), KIND_BY_NAME[kind], leaf == "online")
