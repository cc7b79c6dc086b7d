"""The same readings as other families of devices would publish them, so that decoders are tried end to end."""

from collections.abc import Callable, Iterable, Iterator

from simulators.dialects.evcc import Evcc
from simulators.dialects.ocpp import Ocpp
from simulators.dialects.reading import Native
from simulators.dialects.senml import speak_senml
from simulators.dialects.sparkplug import speak_sparkplug
from simulators.message import Message, native_address, read_elements
from telemetry.errors import ConfigError

NATIVE, SPARKPLUG = "native", "sparkplug"
DIALECTS: dict[str, Callable[[Iterable[Message]], Iterator[Message]]] = {
    NATIVE: iter,
    "evcc": lambda messages: _speak(messages, Evcc().speak),
    "ocpp": lambda messages: _speak(messages, Ocpp().speak),
    "senml": lambda messages: _speak(messages, speak_senml),
    SPARKPLUG: speak_sparkplug,
}
"""Name -> what turns native messages into its own."""


def speak(messages: Iterable[Message], dialect: str) -> Iterator[Message]:
    """Return native messages in a dialect; what it has no words for (evcc and OCPP: all but ports) stays native.

    Raises
    ------
    ConfigError
        If there is no such dialect.
    """
    check_dialect(dialect)
    return DIALECTS[dialect](messages)


def check_dialect(dialect: str) -> None:
    """Refuse a dialect that there is not.

    Raises
    ------
    ConfigError
        If there is no such dialect.
    """
    if dialect not in DIALECTS:
        msg = f"dialect {dialect!r} is none of {', '.join(DIALECTS)}"
        raise ConfigError(msg)


def _speak(messages: Iterable[Message], say: Callable[[Native], Iterator[Message]]) -> Iterator[Message]:
    for message in messages:
        address = native_address(message.topic)
        readings = read_elements(message.payload) if address is not None and address.says == "telemetry" else []
        if address is None or len(readings) != 1:
            yield message
            continue
        said = False
        for other in say(Native(message.time_ms, address.station, address.kind, address.device, readings[0])):
            said = True
            yield other
        if not said:
            yield message
