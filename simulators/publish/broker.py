"""Where to publish."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from telemetry.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to publish."""

    host: str
    port: int
    tls: bool
    username: str
    password: str

    @property
    def url(self) -> str:
        """The address without the password, for messages."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}"


def parse_broker(url: str) -> Broker:
    """Read `mqtt://[user:password@]host[:1883]` or `mqtts://host[:8883]`.

    Raises
    ------
    ConfigError
        If the text is no such URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        msg = f"broker {url!r} is not like mqtt://host:1883 or mqtts://host:8883"
        raise ConfigError(msg)
    tls = parts.scheme == "mqtts"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Broker(parts.hostname, port or (8883 if tls else 1883), tls, user, password)
