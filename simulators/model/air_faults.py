"""What faults do to a compressed-air station."""

from typing import TYPE_CHECKING, Any

from simulators.fault_kinds import Layer, kinds_of
from simulators.faults import Fault, fail_unknown
from simulators.model.compressor import TOO_HOT, Compressor
from simulators.model.customer import Customer
from simulators.model.gas import grown_mm, orifice_m3_min

if TYPE_CHECKING:
    from simulators.model.air import AirStation


class AirFaults:
    """Applies faults to one station and remembers by how much it has moved what it moves."""

    def __init__(self, station: "AirStation") -> None:
        self._station = station
        self._moved_bar = 0.0

    def apply(self, fault: Fault, strength: float) -> None:
        """Let a fault have that share of its size; 0 ends it.

        Raises
        ------
        ConfigError
            If it is no fault of such a station, or names a device that is not there.
        """
        if fault.traits.layer is Layer.MACHINE:
            self._machine(fault, strength)
        elif fault.traits.layer is Layer.AIR:
            getattr(self, f"_{fault.kind}")(fault, strength)
        else:
            fail_unknown(fault, "kind", kinds_of(Layer.MACHINE, Layer.AIR, Layer.READING, Layer.WAY))

    def describe(self, fault: Fault) -> dict[str, Any]:
        """Return place and, for a leak, the flow at the station's pressure."""
        if fault.traits.layer in (Layer.MACHINE, Layer.READING, Layer.WAY):
            return {"place": f"machine:{fault.device}"} if fault.device in self._station.compressors else {}
        if fault.kind not in ("leak", "purge_leak"):
            return {}
        flow = orifice_m3_min(fault.full_size, self._station.settings.pressure_bar)
        return {"place": self._place(fault), "size": round(flow, 4), "unit": "m3/min", "diameter_mm": fault.full_size}

    def _place(self, fault: Fault) -> str:
        if fault.kind == "purge_leak":
            return f"machine:{self._station.dryer.device}"
        if fault.device in self._station.customers:
            return f"customer:{fault.device}"
        return f"machine:{fault.device}" if fault.device else "network"

    def _machine(self, fault: Fault, strength: float) -> None:
        machine = self._station.compressors.get(fault.device)
        if machine is None:
            fail_unknown(fault, "compressor", self._station.compressors)
        if fault.kind == "compressor_fault":
            if strength and machine.state != "fault":
                machine.trip(fault.error_code)
            elif not strength and machine.state == "fault":
                machine.reset()
        elif strength:
            machine.effects[fault.kind] = fault.full_size * strength
        elif machine.effects.pop(fault.kind, None) is not None and machine.fault_code == TOO_HOT:
            machine.reset()

    def _leak(self, fault: Fault, strength: float) -> None:
        station = self._station
        holders: dict[str, Compressor | Customer] = {**station.compressors, **station.customers}
        if fault.device and fault.device not in holders:
            fail_unknown(fault, "customer or compressor", holders)
        holes = holders[fault.device].holes if fault.device else station.holes
        holes[f"{fault.at} {fault.full_size}"] = grown_mm(fault.full_size, strength)

    def _purge_leak(self, fault: Fault, strength: float) -> None:
        self._station.dryer.leak_mm = grown_mm(fault.full_size, strength)

    def _dryer_fault(self, fault: Fault, strength: float) -> None:  # noqa: ARG002
        if self._station.dryer.fault != bool(strength):
            self._station.dryer.set_fault(active=bool(strength))

    def _dryer_off(self, fault: Fault, strength: float) -> None:  # noqa: ARG002
        if self._station.dryer.off != bool(strength):
            self._station.dryer.switch(off=bool(strength))

    def _customer(self, fault: Fault, strength: float) -> None:
        """Let a nuisance concern one customer, or all."""
        customers = self._station.customers
        if fault.device and fault.device not in customers:
            fail_unknown(fault, "customer", customers)
        for name in [fault.device] if fault.device else customers:
            customers[name].effects[fault.kind] = fault.full_size * strength

    _demand = _holiday = _pipe_drop = _customer

    def _setpoint(self, fault: Fault, strength: float) -> None:
        now = fault.full_size * strength
        self._station.move_bands(now - self._moved_bar)
        self._moved_bar = now

    def _wide_band(self, fault: Fault, strength: float) -> None:
        for machine in self._station.compressors.values():
            if strength:
                machine.effects[fault.kind] = fault.full_size * strength
            else:
                machine.effects.pop(fault.kind, None)

    def _heat_wave(self, fault: Fault, strength: float) -> None:
        self._station.warmer_c = fault.full_size * strength

    def _vent(self, fault: Fault, strength: float) -> None:  # noqa: ARG002
        if strength and not self._station.vented:
            for machine in self._station.compressors.values():
                machine.shut_down()
        self._station.vented = bool(strength)
        if not strength:
            for machine in self._station.compressors.values():
                machine.command = None
