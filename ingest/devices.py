"""The devices that speak: each has an index for life, and there are only so many."""

from collections import Counter
from collections.abc import Mapping

from store.journal import DeviceKey
from telemetry.config import IngestConfig
from telemetry.registry import Registry


class Devices:
    """The table of devices, as the journal holds it and in this batch."""

    def __init__(self, known: Mapping[DeviceKey, int], limits: IngestConfig, registry: Registry) -> None:
        self.keys: list[DeviceKey] = sorted(known, key=known.__getitem__)
        """Device of each index."""
        self.registry = registry
        """Its devices are let in whatever the limits say."""
        self._index = dict(known)
        self._in_station = Counter(key.station for key in known)
        self._limits = limits
        self._told = len(self.keys)

    def index(self, key: DeviceKey) -> int | str:
        """Return a device's index; a new device gets the next, or what forbids it."""
        index = self._index.get(key)
        if index is None:
            why = self._too_many(key)
            if why is not None:
                return why
            index = self._index[key] = len(self.keys)
            self.keys.append(key)
            self._in_station[key.station] += 1
        return index

    def new(self) -> list[tuple[DeviceKey, int]]:
        """Return the devices that are new since the last call, and their index."""
        told, self._told = self._told, len(self.keys)
        return [(key, told + i) for i, key in enumerate(self.keys[told:])]

    def _too_many(self, key: DeviceKey) -> str | None:
        """Return why a device is one too many; a flood of strange names must not shut out those that are listed."""
        limits = self._limits
        if len(self.keys) >= limits.max_devices:
            setting = f"ingest.max_devices = {limits.max_devices}"
        elif self._in_station[key.station] >= limits.max_devices_per_station:
            setting = f"ingest.max_devices_per_station = {limits.max_devices_per_station}"
        else:
            return None
        station = self.registry.stations.get(key.station)
        if station is not None and key.device in station.listed(key.kind):
            return None
        name = f"device {key.device!r} of station {key.station!r}"
        return f"{name} is one too many; list it in stations.toml, or raise {setting}"
