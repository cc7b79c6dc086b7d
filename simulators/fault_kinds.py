"""Every kind of fault that can be injected: where it acts, what it does, how large it usually is.

A fault acts in one of three places: in the model (something really happens), in the readings (a sensor lies), or on
the way (messages are lost, late, damaged).
"""

from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """Where a fault acts."""

    PORT = "port"
    """On one port of a charging station."""
    SITE = "site"
    """On a charging station as a whole."""
    MACHINE = "machine"
    """On one compressor."""
    AIR = "air"
    """On a compressed-air station: network, customer, dryer."""
    READING = "reading"
    """On what one device measures."""
    WAY = "way"
    """Between a device and the broker; without a device: of the whole station."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault."""

    layer: Layer
    text: str
    """One line for people."""
    size: float = 1.0
    """Usual size."""
    unit: str = ""
    """Unit of the size; empty: it has none."""
    channels: tuple[str, ...] = ()
    """Channels that a wrong sensor concerns unless a fault names its own; a device that lacks them is untouched."""


_POWER = ("power_kw", "energy_kwh")
_FLOW = ("flow_m3_min", "volume_m3")

KINDS: dict[str, FaultKind] = {
    # a port
    "port_fault": FaultKind(Layer.PORT, "the port goes to Faulted with `error_code` and ends its session"),
    "port_unavailable": FaultKind(Layer.PORT, "an operator takes the port out of service"),
    "stuck_preparing": FaultKind(Layer.PORT, "the port stays in Preparing without a vehicle"),
    "stuck_reserved": FaultKind(Layer.PORT, "the port stays in Reserved, and nobody comes"),
    "stuck_finishing": FaultKind(Layer.PORT, "the port stays in Finishing after the vehicle has left"),
    "stuck_charging": FaultKind(Layer.PORT, "sessions of the port say Charging while no power flows"),
    "stuck_available": FaultKind(Layer.PORT, "the port says Available while it charges"),
    "zero_energy": FaultKind(Layer.PORT, "vehicles at the port get nothing"),
    "over_long": FaultKind(Layer.PORT, "the vehicle at the port is not fetched"),
    "derating": FaultKind(Layer.PORT, "the port gets hot and gives less than it offers", 0.6, "share lost"),
    "over_temperature": FaultKind(Layer.PORT, "the connector gets hotter", 60.0, "K"),
    "phase_loss": FaultKind(Layer.PORT, "line 1 of a three-phase port carries nothing"),
    "session_overlap": FaultKind(Layer.READING, "a second connector of the port reports a session of its own"),
    # a charging station
    "overload": FaultKind(Layer.SITE, "another consumer loads the transformer", 300.0, "kW"),
    "voltage": FaultKind(Layer.SITE, "the supply's voltage is off on all lines", 22.0, "V"),
    "neutral_loss": FaultKind(Layer.SITE, "line 1 rises and line 2 falls, as with a loose neutral", 25.0, "V"),
    "curtailment": FaultKind(Layer.SITE, "orderly charging offers less: no fault", 0.5, "share lost"),
    "rush": FaultKind(Layer.SITE, "more drivers come: no fault", 3.0, "times"),
    # a compressor
    "compressor_fault": FaultKind(Layer.MACHINE, "the machine trips with `error_code`"),
    "wear": FaultKind(Layer.MACHINE, "the machine takes more power for the same air", 0.15, "share more"),
    "short_cycling": FaultKind(Layer.MACHINE, "the pressure switch of the machine has a band this narrow", 0.08, "bar"),
    "unloaded_running": FaultKind(Layer.MACHINE, "the machine is kept running without load: it never stops"),
    "filter_clog": FaultKind(Layer.MACHINE, "the machine's filter takes a pressure drop", 0.8, "bar"),
    "overheating": FaultKind(Layer.MACHINE, "the machine's cooler is fouled; it trips at 110 °C", 22.0, "K"),
    "motor_current": FaultKind(Layer.MACHINE, "the motor takes more current for the same power", 0.15, "share more"),
    "blow_off_stuck": FaultKind(Layer.MACHINE, "a share of the machine's air goes through the blow-off", 0.2, "share"),
    # a compressed-air station
    "leak": FaultKind(Layer.AIR, "a hole in the network, behind a customer's meter, or at a machine", 5.0, "mm"),
    "demand": FaultKind(Layer.AIR, "a customer takes more while he works: no fault", 6.0, "m3/min"),
    "holiday": FaultKind(Layer.AIR, "a customer, or all of them, do not work: no fault", 1.0, "share less"),
    "setpoint": FaultKind(Layer.AIR, "all pressure bands are moved", -0.8, "bar"),
    "wide_band": FaultKind(Layer.AIR, "no machine regulates, and all pressure bands are wider", 0.6, "bar"),
    "vent": FaultKind(Layer.AIR, "the station is shut down and vented on purpose: no fault"),
    "pipe_drop": FaultKind(Layer.AIR, "the pipe to a customer is narrowed: pressure drop at full flow", 0.6, "bar"),
    "heat_wave": FaultKind(Layer.AIR, "the air outside is warmer: no fault", 12.0, "K"),
    "dryer_fault": FaultKind(Layer.AIR, "the dryer's refrigeration or switching fails"),
    "dryer_off": FaultKind(Layer.AIR, "the dryer is switched off while machines run"),
    "purge_leak": FaultKind(Layer.AIR, "a purge or drain valve of the dryer stays open", 6.0, "mm"),
    # what is measured
    "sensor_frozen": FaultKind(Layer.READING, "gauges keep their value while the machine goes on"),
    "sensor_dropout": FaultKind(Layer.READING, "the sensor reads this value", 0.0, "of the channel",
                                ("pressure_bar", "discharge_pressure_bar")),
    "sensor_missing": FaultKind(Layer.READING, "channels are no longer sent"),
    "sensor_offset": FaultKind(Layer.READING, "the sensor is off by this much", 0.8, "of the channel",
                               ("pressure_bar",)),
    "sensor_spikes": FaultKind(Layer.READING, "one reading in fifty is this many times too high", 20.0, "times",
                               ("power_kw",)),
    "meter_factor": FaultKind(Layer.READING, "gauge and register grow this many times as fast", 1.4, "times",
                              (*_POWER, *_FLOW)),
    "meter_reversal": FaultKind(Layer.READING, "the flow meter counts backwards", -1.0, "times", _FLOW),
    "power_lost": FaultKind(Layer.READING, "the power meter reads nothing while air flows", 0.0, "kW", ("power_kw",)),
    "flow_lost": FaultKind(Layer.READING, "the flow meter reads nothing while the machine is loaded", 0.0, "m3/min",
                           ("flow_m3_min",)),
    "register_reset": FaultKind(Layer.READING, "registers begin again at 0",
                                channels=("energy_kwh", "dc_energy_kwh", "volume_m3")),
    "register_glitch": FaultKind(Layer.READING, "registers read 0 and come back: no fault",
                                 channels=("energy_kwh", "volume_m3")),
    "register_relative": FaultKind(Layer.READING, "the register tells the energy of the session alone",
                                   channels=("energy_kwh",)),
    "unit_change": FaultKind(Layer.READING, "new firmware sends another unit: values this many times as large", 1000.0,
                             "times", ("power_kw",)),
    # on the way
    "silence": FaultKind(Layer.WAY, "nothing arrives"),
    "backlog": FaultKind(Layer.WAY, "nothing arrives, later all of it at once"),
    "gateway_restart": FaultKind(Layer.WAY, "the gateway says offline, is away, and comes back"),
    "loss": FaultKind(Layer.WAY, "messages are lost", 0.1, "share"),
    "delay": FaultKind(Layer.WAY, "messages come late", 20.0, "s"),
    "reorder": FaultKind(Layer.WAY, "a third of the messages is overtaken by those of the next seconds", 30.0, "s"),
    "duplicates": FaultKind(Layer.WAY, "messages come twice", 0.2, "share"),
    "malformed": FaultKind(Layer.WAY, "payloads are damaged", 0.2, "share"),
    "clock_skew": FaultKind(Layer.WAY, "the device's clock is wrong", -120.0, "s"),
    "clock_swap": FaultKind(Layer.WAY, "the device's clock has day and month swapped"),
}  # fmt: skip
"""Kind -> what it does. Transport and look-alikes raise no alert of their own unless a scenario says so."""


def kinds_of(*layers: Layer) -> list[str]:
    """Return the kinds that act in any of these places."""
    return [name for name, kind in KINDS.items() if kind.layer in layers]
