"""The broker of the demo: mosquitto where it is installed, else amqtt inside Python, which knows MQTT 3.1.1 only.

The second one runs as `python -m voltair.broker PORT`.
"""

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from voltair.supervise import Child


@dataclass(frozen=True, slots=True)
class DemoBroker:
    """How the broker is started and spoken to."""

    child: Child
    protocol: Literal[4, 5]
    """`mqtt.protocol` of its clients."""


def demo_broker(port: int, folder: Path, log: Path) -> DemoBroker:
    """Return a broker on 127.0.0.1 that keeps nothing on disk.

    Parameters
    ----------
    port
        The port it listens on.
    folder
        Where its configuration is written.
    log
        Where it writes what it has to say.
    """
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        return DemoBroker(Child("broker", [sys.executable, "-P", "-m", "voltair.broker", str(port)], log), 4)
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "persistence false",
        "max_queued_messages 0",
        "max_inflight_messages 1000",
        "set_tcp_nodelay true",
        "log_type error",
        "log_type warning",
        "log_type notice",
    ]
    if os.geteuid() == 0:
        # mosquitto would change its user, and with that the kernel forgets to end it with its parent
        lines.append("user root")
    file = folder / "mosquitto.conf"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return DemoBroker(Child("broker", [program, "-c", str(file)], log), 5)


async def _serve(port: int) -> None:
    from amqtt.broker import Broker  # noqa: PLC0415 - only this process needs it, and it is in the extra "demo"

    settings = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    await Broker(settings).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
