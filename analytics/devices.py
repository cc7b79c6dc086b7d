"""Devices, connectors and texts as small integers, and what the registry says of each device."""

from collections.abc import Sequence
from dataclasses import replace

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

    def numbers(self, texts: Sequence[str]) -> Int64:
        """Return the numbers of texts, and -1 behind them."""
        found = list(map(self._by_text.get, texts))
        if None in found:
            found = list(map(self.number, texts))
        return np.array([*found, -1], np.int64)


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
        self._plain = np.empty(0, np.int64)
        """(devices,) lane of a device's readings without a connector, -1 where it is not known."""

    def of(self, device: Int64, connector: Int64) -> Int64:
        """Return the lane of each (device, connector), making new ones."""
        if not len(device) or connector.any():
            return self._look_up(device, connector)
        more = int(device.max()) + 1 - len(self._plain)
        if more > 0:
            self._plain = np.concatenate([self._plain, np.full(more, -1)])
        new = self._plain[device] < 0
        if new.any():
            self._plain[device[new]] = self._look_up(device[new], connector[new])
        return self._plain[device]

    def _look_up(self, device: Int64, connector: Int64) -> Int64:
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
    none = np.empty(0, np.int64)
    nobody = none.astype(np.bool_)
    no = np.empty(0)
    empty = Devices(
        kind, none, nobody, {"energy_kwh": no, "volume_m3": no}, none, none, none, nobody,
        {register: none for register in METERED if register in kind.value_index}, no, none, none, texts.all,
    )
    if old is not None:
        empty = replace(empty, first_register_ms=old.first_register_ms)
    return grown(empty, keys, registry, lanes)


def grown(known: Devices, keys: Sequence[DeviceKey], registry: Registry, lanes: Lanes) -> Devices:
    """Return settings with those of devices and lanes that have come since, which alone are looked up."""
    kind, done = known.kind, len(known.offline_after_ms)
    n, n_lanes = len(keys) - done, len(lanes.device)
    offline, hold = np.full(n, 300_000, np.int64), np.zeros(n, np.bool_)
    rated_kw, rated_flow = np.full(n, np.nan), np.full(n, np.nan)
    current_v, phases, count = np.full(n, np.nan), np.ones(n, np.int64), np.ones(n, np.int64)
    for i, key in enumerate(keys[done:]):
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
    rating = {
        "energy_kwh": rated_kw * AMOUNT_SCALE / HOUR_MS, "volume_m3": rated_flow * AMOUNT_SCALE / MINUTE_MS,
    }
    done_lanes = len(known.lane_rank)
    return replace(
        known,
        offline_after_ms=np.concatenate([known.offline_after_ms, offline]),
        hold=np.concatenate([known.hold, hold]),
        rating={name: np.concatenate([known.rating[name], more]) for name, more in rating.items()},
        lane_device=np.concatenate([known.lane_device, np.array(lanes.device[done_lanes:], np.int64)]),
        lane_place=np.concatenate([known.lane_place, np.array(lanes.place[done_lanes:], np.int64)]),
        lane_rank=known.lane_rank if n_lanes == done_lanes else _ranks(lanes.connector, known.texts),
        lane_named=np.concatenate(
            [known.lane_named, np.array([known.texts[c] != "" for c in lanes.connector[done_lanes:]], np.bool_)]
        ),
        first_register_ms={
            register: np.concatenate([first, np.full(n_lanes - len(first), NEVER)])
            for register, first in known.first_register_ms.items()
        },
        current_v=np.concatenate([known.current_v, current_v]),
        phases=np.concatenate([known.phases, phases]),
        connectors=np.concatenate([known.connectors, count]),
    )


def _ranks(connector: Sequence[int], texts: Sequence[str]) -> Int64:
    """Return the place of each lane's connector among all names of connectors, in order of name."""
    numbers, inverse = np.unique(np.array(connector, np.int64), return_inverse=True)
    names = [texts[n] for n in numbers.tolist()]
    rank = np.empty(len(names), np.int64)
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return rank[inverse]
