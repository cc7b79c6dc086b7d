"""The values that each device may send: the limits of its kind, narrowed by `ranges` in stations.toml."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from store.journal import DeviceKey
from telemetry.channels import KINDS, Kind
from telemetry.registry import Registry
from wire.columns import limits

Float64: TypeAlias = NDArray[np.float64]


class Limits:
    """The limits that hold under one registry."""

    def __init__(self, registry: Registry) -> None:
        self._of_kind = {kind.name: limits(kind) for kind in KINDS}
        self._of_device: dict[DeviceKey, tuple[Float64, Float64]] = {}
        for station in registry.stations.values():
            for kind in KINDS:
                for device in station.listed(kind.name).values():
                    if device.ranges:
                        key = DeviceKey(station.id, kind.name, device.id)
                        self._of_device[key] = self._narrowed(kind, device.ranges)

    def _narrowed(self, kind: Kind, ranges: dict[str, tuple[float, float]]) -> tuple[Float64, Float64]:
        low, high = (side.copy() for side in self._of_kind[kind.name])
        for name, (least, most) in ranges.items():
            at = kind.value_index.get(name)
            if at is not None:
                low[at], high[at] = max(low[at], least), min(high[at], most)
        return low, high

    def of(self, kind: Kind, devices: Sequence[int], keys: Sequence[DeviceKey]) -> tuple[Float64, Float64]:
        """Return smallest and largest values, (channels,) where all n devices share them, else (n, channels).

        Parameters
        ----------
        devices
            (n,) index into `keys` of each reading.
        """
        base = self._of_kind[kind.name]
        if not self._of_device:
            return base
        own = {index: self._of_device.get(keys[index], base) for index in set(devices)}
        if all(pair is base for pair in own.values()):
            return base
        return np.array([own[i][0] for i in devices]), np.array([own[i][1] for i in devices])
