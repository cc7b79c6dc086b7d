"""Where a webhook may go: public addresses over https, private ones only where the endpoint allows them."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from telemetry.errors import ConfigError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[list[str]]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Forbidden(Exception):  # noqa: N818 - a verdict, not a mistake
    """The endpoint's address may not be posted to; the text says why and what helps."""


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host name, in the resolver's order.

    Raises
    ------
    OSError
        If the name cannot be resolved.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def parse_networks(allow_private: Sequence[str]) -> list[Network]:
    """Return the networks of `allow_private`.

    Raises
    ------
    ConfigError
        If one is no network.
    """
    networks: list[Network] = []
    for text in allow_private:
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            msg = f"allow_private: {text!r} is no network ({error}); write for example 192.168.1.0/24"
            raise ConfigError(msg) from error
    return networks


def check_url(url: str, allow_private: Sequence[str]) -> None:
    """Check what can be known of an endpoint's URL before anything is sent.

    Raises
    ------
    ConfigError
        If the URL can never be posted to.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        msg = f"webhook url {url!r} is not like https://example.org/hook"
        raise ConfigError(msg)
    if parts.username is not None or parts.password is not None:
        msg = f"webhook url for {parts.hostname!r} holds a user or password; leave them out: bodies are signed"
        raise ConfigError(msg)
    networks = parse_networks(allow_private)
    if parts.scheme == "http" and not networks:
        msg = (
            f"webhook url {url!r} is plain http; use https, or name the receiver's private network in "
            'allow_private, e.g. allow_private = ["127.0.0.0/8"]'
        )
        raise ConfigError(msg)
    try:
        address = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    try:
        check_address(address, parts.scheme, networks)
    except Forbidden as verdict:
        msg = f"webhook url {url!r}: {verdict}"
        raise ConfigError(msg) from verdict


def check_address(address: Address, scheme: str, networks: Sequence[Network]) -> None:
    """Refuse an address that is neither public (https) nor inside an allowed private network.

    Raises
    ------
    Forbidden
        With the reason and the remedy.
    """
    inner = _unwrap(address)
    if any(a in n for a in (address, inner) for n in networks if a.version == n.version):
        return
    if scheme != "https":
        msg = f"plain http to {inner} is refused; use https, or add its network to allow_private"
        raise Forbidden(msg)
    if not address.is_global or not inner.is_global or address.is_multicast or inner.is_multicast:
        msg = f"{inner} is not a public address; add its network to allow_private if the receiver lives there"
        raise Forbidden(msg)


def _unwrap(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


async def checked_address(
    host: str, port: int, scheme: str, allow_private: Sequence[str], resolver: Resolve = resolve
) -> str:
    """Resolve a host once and return the address to connect to.

    Every address of the name must be allowed: whoever controls the name could otherwise choose.

    Raises
    ------
    Forbidden
        If one of them is not.
    OSError
        If the name cannot be resolved.
    """
    networks = parse_networks(allow_private)
    found = await resolver(host, port)
    if not found:
        msg = f"{host!r} has no address"
        raise OSError(msg)
    for text in found:
        check_address(ipaddress.ip_address(text.partition("%")[0]), scheme, networks)
    return found[0]
