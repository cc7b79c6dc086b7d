"""Sparkplug's edge nodes are asked for their births: after a restart, a lost connection, a gap, an unknown alias."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from ingest.memory import remember, remembered
from store.roles import wall_ms
from wire.sparkplug import Host


class Rebirths:
    """Publishes the requests that the host finds necessary, and remembers over a restart whom to ask."""

    def __init__(self, host: Host, memory: Path, publish: Callable[[str, bytes], None]) -> None:
        self._host = host
        self._memory = memory
        self._publish = publish
        self._written = len(host.nodes)
        host.expect(remembered(memory))

    def tick(self) -> None:
        """Ask those whose time has come; call it once a second while connected."""
        for topic, payload in self._host.rebirths(time.monotonic(), wall_ms()):
            self._publish(topic, payload)
        if len(self._host.nodes) > self._written:
            with contextlib.suppress(OSError):  # a full disk: then they are asked when they speak
                remember(self._memory, set(self._host.nodes))
                self._written = len(self._host.nodes)
