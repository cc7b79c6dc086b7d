"""The mosquitto that deploy/mosquitto ships, with the paths and the port of a test and nothing else changed."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from servers import Broker, find_program, free_port, running

DEPLOY = Path(__file__).parents[1] / "deploy" / "mosquitto"
PASSWORDS: Mapping[str, str] = {"voltair": "listens", "harbour": "speaks", "isle": "speaks too"}


@contextmanager
def hardened_mosquitto(folder: Path) -> Iterator[Broker]:
    """Run it with the users of `PASSWORDS`; its files lie in `folder`."""
    program = find_program("mosquitto", "mosquitto")
    find_program("mosquitto_passwd", "mosquitto")
    folder.mkdir(exist_ok=True)
    port = free_port()
    text = (DEPLOY / "mosquitto.conf").read_text("utf-8")
    for shipped, here in (
        ("/var/lib/mosquitto/", f"{folder}/"),
        ("/etc/mosquitto/voltair.", f"{folder}/voltair."),
        ("\nlistener 1883 127.0.0.1\n", f"\nlistener {port} 127.0.0.1\n"),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    (folder / "mosquitto.conf").write_text(text + ("user root\n" if os.geteuid() == 0 else ""), "utf-8")
    (folder / "voltair.acl").write_bytes((DEPLOY / "voltair.acl").read_bytes())
    passwords = folder / "voltair.passwd"
    passwords.write_text("".join(f"{name}:{word}\n" for name, word in PASSWORDS.items()), "utf-8")
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
    with running(Broker([program, "-c", str(folder / "mosquitto.conf")], port, folder)) as server:
        yield server
