"""A decoder and messages for it, in as few words as they can be told."""

import json

import numpy as np

from ingest.decode import Decoder
from ingest.decoded import Decoded
from telemetry.config import IngestConfig
from telemetry.registry import Registry
from wire.mqtt.packets import Publish

NOW = 1_732_240_000_123
DAY = 86_400_000


def decoder(mode="live", registry=None, **known):
    return Decoder(
        prefix="voltair/v1",
        clock_mode=mode,
        limits=known.get("limits", IngestConfig(max_payload_bytes=4_000)),
        devices=known.get("devices", {}),
        station_now=known.get("station_now", {}),
        registry=registry or Registry(),
    )


def message(payload, topic="harbour/port/p1/telemetry", flags=0x02, content_type=""):
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Publish(f"voltair/v1/{topic}".encode(), data, 1, flags, content_type)


def decode(*messages, mode="live", **more) -> Decoded:
    return decoder(mode, **more).decode(messages, np.full(len(messages), NOW))
