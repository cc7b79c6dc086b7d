"""The decoders that read each dialect of the simulators, and what they make of its messages."""

import msgspec

from simulators.scenario import load_scenario
from simulators.simulation import simulate_messages
from telemetry.channels import KINDS
from telemetry.config import Config
from telemetry.times import MINUTE_MS
from wire.foreign import ForeignDecoders

CHANNELS = sorted({c.name for kind in KINDS for c in (*kind.values, *kind.codes)} - {"online"})
NAMES = [name for name in CHANNELS if name != "departure"]
DECODERS = {
    "senml": '[[decoders]]\ntopic = "senml/{station}/{kind}"\nformat = "senml"\ndevice = "{base}"\n[decoders.fields]\n'
    + "\n".join(f'{name} = "{name}"' for name in NAMES),
    "ocpp": '[[decoders]]\ntopic = "ocpp/{station}/{charge_point}/up"\nformat = "ocpp16"\ndevice = "{charge_point}"\n',
    "sparkplug": '[[decoders]]\nformat = "sparkplug"\ntopic = "spBv1.0/{station}/{message}/{kind}/{device}"\n'
    "[decoders.fields]\n" + "\n".join(f'{name} = "{name}"' for name in CHANNELS),
    "evcc": '[[decoders]]\npreset = "evcc"\nroot = "evcc/harbour"\nstation = "harbour"\n',
}


def native(minutes, start_ms=None):
    scenario = load_scenario("charging-day")
    begin_ms = scenario.start_ms + 4 * 60 * MINUTE_MS if start_ms is None else start_ms
    return list(simulate_messages(scenario, 3, begin_ms, minutes * MINUTE_MS))


def read(messages, dialect, *, live=False):
    """Yield device and element of each reading that the dialect's decoders make of messages."""
    configs = msgspec.toml.decode(DECODERS[dialect], type=Config).decoders
    decoders = ForeignDecoders(configs, "voltair/v1")
    for message in messages:
        match = decoders.match(message.topic)
        assert (match is None) == message.topic.startswith("voltair/")
        if match is not None:
            outcome = match.read(message.payload, "", message.time_ms if live else None)
            assert outcome.refused == []
            for reading in outcome.readings:
                yield reading.station, reading.kind.name, reading.device, reading.element
