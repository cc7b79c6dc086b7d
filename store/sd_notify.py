"""What systemd wants to hear of a service (sd_notify): it is ready, it is alive, it stops."""

import os
import socket
from contextlib import suppress

ADDRESS = "NOTIFY_SOCKET"


def sd_notify(*lines: str, address: str | None = None) -> None:
    """Send lines like `READY=1` to the service manager; nothing where there is none, or it does not listen.

    Parameters
    ----------
    lines
        One assignment each.
    address
        Its datagram socket; None: `NOTIFY_SOCKET` of the environment.
    """
    address = os.environ.get(ADDRESS, "") if address is None else address
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    # A manager that is busy must not hold up the role: what is said once a second may be missed once.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.settimeout(0)
        out.sendto("\n".join(lines).encode(), name)
