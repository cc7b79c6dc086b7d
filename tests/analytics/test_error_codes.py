"""One taxonomy over the vocabularies that chargers use."""

import tomllib
from importlib.resources import files

import pytest

from analytics.error_codes import error_class, taxonomy

OCPP16 = (
    "ConnectorLockFailure", "EVCommunicationError", "GroundFailure", "HighTemperature", "InternalError",
    "LocalListConflict", "NoError", "OtherError", "OverCurrentFailure", "OverVoltage", "PowerMeterFailure",
    "PowerSwitchFailure", "ReaderFailure", "ResetFailure", "UnderVoltage", "WeakSignal",
)
STOP_REASONS = (
    "DeAuthorized", "EmergencyStop", "EVDisconnected", "HardReset", "Local", "Other", "PowerLoss", "Reboot",
    "Remote", "SoftReset", "UnlockCommand",
)
STOP_REASONS_201 = (
    "DeAuthorized", "EmergencyStop", "EnergyLimitReached", "EVDisconnected", "GroundFault", "ImmediateReset", "Local",
    "LocalOutOfCredit", "MasterPass", "Other", "OvercurrentFault", "PowerLoss", "PowerQuality", "Reboot", "Remote",
    "SOCLimitReached", "StoppedByEV", "TimeLimitReached", "Timeout",
)
EVEREST = {
    "MREC2GroundFailure": "charger", "MREC3HighTemperature": "charger", "MREC4OverCurrentFailure": "vehicle",
    "MREC5OverVoltage": "grid", "MREC6UnderVoltage": "grid", "MREC8EmergencyStop": "user",
    "MREC10InvalidVehicleMode": "user", "MREC14PilotFault": "vehicle", "MREC15PowerLoss": "grid",
    "MREC17EVSEContactorFault": "charger", "MREC18CableOverTempDerate": "charger", "MREC19CableOverTempStop": "charger",
    "MREC20PartialInsertion": "user", "MREC23ProximityFault": "charger", "MREC24ConnectorVoltageHigh": "charger",
    "MREC25BrokenLatch": "charger", "MREC26CutCable": "charger", "DiodeFault": "vehicle", "EnergyManagement": "charger",
    "VentilationNotAvailable": "vehicle", "BrownOut": "grid", "PermanentFault": "charger", "Water": "charger",
}
"""Names of EVerest's `errors/evse_board_support.yaml` -> cause."""


@pytest.mark.parametrize("code", [*OCPP16, *STOP_REASONS, *STOP_REASONS_201])
def test_every_code_and_stop_reason_of_ocpp_has_a_class(code: str) -> None:
    assert error_class(code) is not None


@pytest.mark.parametrize(("code", "cause"), EVEREST.items())
def test_minimum_required_error_codes_have_a_cause_by_name_and_by_number(code: str, cause: str) -> None:
    found = error_class(code)
    assert found is not None
    assert found.cause == cause
    number = code[: len(code.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
    assert not number or error_class(number) is found


@pytest.mark.parametrize(("code", "name"), [
    ("MREC1ConnectorLockFailure", "connector_lock"), ("MREC2GroundFailure", "ground_fault"),
    ("mrec4", "over_current"), ("MREC4OverCurrentFailure", "over_current"),
    ("high_temperature", "high_temperature"), ("F000", "proximity"), ("A002", "connector_lock"),
    # A number that is not ours but a name that is: the name speaks.
    ("MREC99GroundFailure", "ground_fault"),
    # Vendor codes as a list: what is no failure does not hide one.
    ("NoError,MREC1ConnectorLockFailure", "connector_lock"), ("NoError", "normal"),
])
def test_names_of_other_vocabularies_mean_the_same(code: str, name: str) -> None:
    found = error_class(code)
    assert found is not None
    assert found.name == name


def test_an_unknown_code_has_no_class() -> None:
    assert error_class("Vendor-4711") is None
    assert error_class("") is None


def test_no_code_stands_in_two_classes() -> None:
    tables = tomllib.loads((files("analytics") / "error_codes.toml").read_text("utf-8"))
    assert len(taxonomy()) == sum(len(t["codes"]) for t in tables.values())
