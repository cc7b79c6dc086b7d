"""The same readings as other families of devices would publish them, so that decoders are tried end to end."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from simulators.dialects.evcc import Evcc
from simulators.dialects.ocpp import Ocpp
from simulators.dialects.reading import Native
from simulators.dialects.senml import speak_senml
from simulators.message import PREFIX, Message
from telemetry.errors import ConfigError

DIALECTS: dict[str, Callable[[], Callable[[Native], Iterator[Message]]]] = {
    "evcc": lambda: Evcc().speak,
    "ocpp": lambda: Ocpp().speak,
    "senml": lambda: speak_senml,
}
"""Name -> maker of what turns one native reading into messages; `native` is none of them."""
NATIVE = "native"


def speak(messages: Iterable[Message], dialect: str) -> Iterator[Message]:
    """Return native messages in a dialect; what it has no words for (evcc and OCPP: all but ports) stays native.

    Raises
    ------
    ConfigError
        If there is no such dialect.
    """
    if dialect == NATIVE:
        return iter(messages)
    maker = DIALECTS.get(dialect)
    if maker is None:
        msg = f"dialect {dialect!r} is none of {NATIVE}, {', '.join(DIALECTS)}"
        raise ConfigError(msg)
    return _speak(messages, maker())


def _speak(messages: Iterable[Message], say: Callable[[Native], Iterator[Message]]) -> Iterator[Message]:
    for message in messages:
        levels = message.topic.removeprefix(f"{PREFIX}/").split("/")
        values = msgspec.json.decode(message.payload) if len(levels) == 4 and levels[3] == "telemetry" else None
        if not isinstance(values, dict) or "ts" not in values:
            yield message
            continue
        said = False
        for other in say(Native(message.time_ms, levels[0], levels[1], levels[2], values)):
            said = True
            yield other
        if not said:
            yield message
