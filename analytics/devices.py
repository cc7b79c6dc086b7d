"""Devices, connectors and texts as small integers, and what the registry says of each device."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analytics.folded import AMOUNT_SCALE, METERED, NEVER, Devices
from store.journal import DeviceKey
from telemetry.channels import Kind
from telemetry.registry import Registry, station_kind_of
from telemetry.times import HOUR_MS, MINUTE_MS

Int64 = NDArray[np.int64]


class Texts:
    """Texts by number; 0 is the empty text."""

    def __init__(self) -> None:
        self._by_text: dict[str, int] = {"": 0}
        self.all: list[str] = [""]

    def number(self, text: str) -> int:
        """Return the number of a text, giving it one when it is new."""
        found = self._by_text.get(text)
        if found is None:
            found = self._by_text[text] = len(self.all)
            self.all.append(text)
        return found


class Lanes:
    """Connectors of the devices of one kind: (device, connector) -> lane."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[int, int], int] = {}
        self.device: list[int] = []
        self.connector: list[int] = []
        """Text number of the connector's name."""
        self.place: list[int] = []
        """Position among the lanes of its device, in order of first appearance."""
        self._count: dict[int, int] = {}

    def of(self, device: Int64, connector: Int64) -> Int64:
        """Return the lane of each (device, connector), making new ones."""
        pairs, inverse = np.unique((device << 32) | connector, return_inverse=True)
        lanes = np.array([self._lane(int(p >> 32), int(p & 0xFFFFFFFF)) for p in pairs], np.int64)
        return lanes[inverse]

    def _lane(self, device: int, connector: int) -> int:
        found = self._by_key.get((device, connector))
        if found is None:
            found = self._by_key[device, connector] = len(self.device)
            self.device.append(device)
            self.connector.append(connector)
            self.place.append(self._count.get(device, 0))
            self._count[device] = self.place[-1] + 1
        return found


def make_devices(
    kind: Kind, keys: Sequence[DeviceKey], registry: Registry, lanes: Lanes, texts: Texts, old: Devices | None
) -> Devices:
    """Return the settings of all known devices and lanes of one kind, as the registry has them now.

    Parameters
    ----------
    keys
        The journal's device table; devices of other kinds keep default settings and are never used.
    old
        Earlier settings, of which the first times of registers are kept.
    """
    n, n_lanes = len(keys), len(lanes.device)
    offline = np.full(n, 300_000, np.int64)
    hold = np.zeros(n, np.bool_)
    rated_kw, rated_flow = np.full(n, np.nan), np.full(n, np.nan)
    current_v, phases, count = np.full(n, np.nan), np.ones(n, np.int64), np.ones(n, np.int64)
    for i, key in enumerate(keys):
        if key.kind != kind.name:
            continue
        station = registry.station(key.station, station_kind_of(key.kind))
        device = station.listed(key.kind).get(key.device)
        offline[i] = station.offline_after_ms(device)
        hold[i] = station.integration_of(device) == "hold"
        if device is not None:
            rated_kw[i] = np.nan if device.rated_kw is None else device.rated_kw
            rated_flow[i] = np.nan if device.rated_flow_m3_min is None else device.rated_flow_m3_min
            phases[i], count[i] = device.phases or 1, device.connectors or 1
            if device.power_from == "current":
                current_v[i] = station.nominal_voltage_of(device)
    connectors = [texts.all[c] for c in lanes.connector]
    rank = np.zeros(n_lanes, np.int64)
    rank[np.argsort(np.array(connectors, dtype=object), kind="stable")] = np.arange(n_lanes)
    first = {}
    for register in METERED:
        if register in kind.value_index:
            first[register] = np.full(n_lanes, NEVER)
            if old is not None:
                known = old.first_register_ms[register]
                first[register][: len(known)] = known
    return Devices(
        kind,
        offline,
        hold,
        {"energy_kwh": rated_kw * AMOUNT_SCALE / HOUR_MS, "volume_m3": rated_flow * AMOUNT_SCALE / MINUTE_MS},
        np.array(lanes.device, np.int64),
        np.array(lanes.place, np.int64),
        rank,
        np.array([name != "" for name in connectors], np.bool_),
        first,
        current_v,
        phases,
        count,
        texts.all,
    )
