"""Every kind of device and its channels: the vocabulary of a reading.

A channel is a *gauge* (a value now), a *register* (a total that only grows), a *state* (one of a fixed list,
kept as a small integer), a *text* (dictionary-coded) or a *time* (milliseconds since the epoch, kept as a float).
Gauges, registers and times are the columns of `Frame.values`; states and texts the columns of `Frame.codes`.
"""

from dataclasses import dataclass, field
from enum import StrEnum

PORT_STATUS = (
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
    "Occupied",
)
"""OCPP 1.6 connector states, and Occupied of OCPP 2.x; the position is the code."""

OCCUPIED_STATUS = ("Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Occupied")
"""States in which a vehicle holds the port."""

MACHINE_STATE = (
    "stopped",
    "starting",
    "unloaded",
    "loading",
    "loaded",
    "unloading",
    "stopping",
    "running",
    "fault",
)
"""Machine states of OPC 40250-1, in lower case; the position is the code. Only `loaded` delivers air."""

ONLINE = ("0", "1")
"""Presence: the code is the value."""


class Role(StrEnum):
    """What a channel's values mean."""

    GAUGE = "gauge"
    REGISTER = "register"
    STATE = "state"
    TEXT = "text"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity that a device may report."""

    name: str
    """Field name with its unit, as on the wire and in the store."""
    role: Role
    low: float = float("-inf")
    """Smallest value that is accepted."""
    high: float = float("inf")
    """Largest value that is accepted."""
    states: tuple[str, ...] = ()
    """For a state: its names; the position is the code."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of device: its name on the wire and the columns of its frames."""

    name: str
    index: int
    """Position in `KINDS`; kept on disk, so it never changes."""
    values: tuple[Channel, ...]
    """Columns of `Frame.values`."""
    codes: tuple[Channel, ...]
    """Columns of `Frame.codes`; the last one is always `online` (presence)."""
    value_index: dict[str, int] = field(default_factory=dict, compare=False)
    code_index: dict[str, int] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        self.value_index.update({c.name: i for i, c in enumerate(self.values)})
        self.code_index.update({c.name: i for i, c in enumerate(self.codes)})

    def channel(self, name: str) -> Channel | None:
        """Return the channel of that name, or None where the kind has none."""
        if name in self.value_index:
            return self.values[self.value_index[name]]
        if name in self.code_index:
            return self.codes[self.code_index[name]]
        return None


REGISTER_MAX = 9.0e9
"""Largest register value: 10^-9 units of it must fit 64 bits."""

_RANGES: tuple[tuple[str, float, float], ...] = (
    ("_bar", -1.0, 100.0),
    ("_kw", -10_000.0, 10_000.0),
    ("_kvar", -10_000.0, 10_000.0),
    ("_m3_min", -10_000.0, 10_000.0),
    ("dew_point_c", -100.0, 60.0),
    ("_c", -60.0, 300.0),
    ("soc_pct", 0.0, 100.0),
    ("power_factor", -1.0, 1.0),
    ("_a", 0.0, 10_000.0),
    ("_v", 0.0, 100_000.0),
    ("requested_kwh", 0.0, 10_000.0),
)


def _gauge(name: str) -> Channel:
    low, high = next((low, high) for suffix, low, high in _RANGES if name.endswith(suffix))
    return Channel(name, Role.GAUGE, low, high)


def _register(name: str) -> Channel:
    return Channel(name, Role.REGISTER, 0.0, REGISTER_MAX)


def _kind(name: str, index: int, *, gauges: str, registers: str = "", state: str = "", texts: str = "",
          times: str = "") -> Kind:
    values = (
        *(_gauge(g) for g in gauges.split()),
        *(_register(r) for r in registers.split()),
        *(Channel(t, Role.TIME) for t in times.split()),
    )
    names = {"status": PORT_STATUS, "state": MACHINE_STATE}
    codes = (
        *((Channel(state, Role.STATE, states=names[state]),) if state else ()),
        *(Channel(t, Role.TEXT) for t in texts.split()),
        Channel("online", Role.STATE, states=ONLINE),
    )
    return Kind(name, index, values, codes)


_PHASES_A = "current_l1_a current_l2_a current_l3_a"
_PHASES_V = "voltage_l1_v voltage_l2_v voltage_l3_v"

PORT = _kind(
    "port",
    0,
    gauges=f"power_kw current_a {_PHASES_A} voltage_v {_PHASES_V} offered_kw offered_a soc_pct temperature_c "
    "requested_kwh",
    registers="energy_kwh dc_energy_kwh",
    times="departure",
    state="status",
    texts="error_code stop_reason session_id connector",
)
SITE_METER = _kind(
    "site_meter",
    1,
    gauges=f"power_kw {_PHASES_A} {_PHASES_V} reactive_kvar power_factor",
    registers="energy_kwh",
)
COMPRESSOR = _kind(
    "compressor",
    2,
    gauges="power_kw flow_m3_min discharge_pressure_bar discharge_temperature_c oil_temperature_c motor_current_a "
    "filter_dp_bar",
    registers="energy_kwh volume_m3 running_h loaded_h",
    state="state",
    texts="fault_code",
)
DRYER = _kind("dryer", 3, gauges="power_kw dew_point_c purge_pressure_bar", registers="energy_kwh", state="state")
AUXILIARY = _kind("auxiliary", 4, gauges="power_kw", registers="energy_kwh", state="state")
AIR_MAIN = _kind(
    "air_main", 5, gauges="pressure_bar flow_m3_min dew_point_c temperature_c", registers="volume_m3"
)
AIR_METER = _kind("air_meter", 6, gauges="flow_m3_min pressure_bar", registers="volume_m3")

KINDS = (PORT, SITE_METER, COMPRESSOR, DRYER, AUXILIARY, AIR_MAIN, AIR_METER)
"""All kinds; the position is `Kind.index`."""

KIND_BY_NAME = {kind.name: kind for kind in KINDS}
