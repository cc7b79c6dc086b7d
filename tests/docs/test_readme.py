"""From the README alone: its commands, files and messages, in its order, connect an evcc and a Shelly."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers import Server, find_program, free_port, mosquitto, voltair

README = Path(__file__).parents[2] / "README.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
pytestmark = [pytest.mark.server, pytest.mark.slow]


def steps() -> list[tuple[str, str]]:
    """Return (language, text) of each example of the section, in order."""
    section = README.read_text("utf-8").partition("\n## Connect real devices\n")[2].partition("\n## ")[0]
    return FENCE.findall(section)


class Reader:
    """Somebody who does what the README says, but for the ports, which are this test's."""

    def __init__(self, folder: Path, broker_port: int, api_port: int) -> None:
        self.folder, self.broker_port = folder, broker_port
        self.api = f"http://127.0.0.1:{api_port}"
        self.environ = {
            **os.environ, "VOLTAIR__MQTT__URL": f"mqtt://127.0.0.1:{broker_port}",
            "VOLTAIR__API__LISTEN": f"127.0.0.1:{api_port}",
        }

    def sh(self, line: str) -> str:
        """Run one line, with the broker's port."""
        line = line.replace("mosquitto_pub ", f"mosquitto_pub -p {self.broker_port} ")
        line = re.sub(r"^voltair ", f"{shlex.quote(sys.executable)} -P -m voltair ", line)
        shell = ["sh", "-c", line]
        done = subprocess.run(
            shell, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=120, check=False
        )
        # The doctor finds fault with a broker that knows no logins; whatever it finds, it says so.
        assert done.returncode == 0 or "doctor" in line, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def add(self, text: str) -> None:
        """Write an example into the file that it belongs to."""
        name = "stations.toml" if "[stations." in text else "voltair.toml"
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write("\n" + text)

    def get(self, url: str) -> Any:
        return httpx.get(url.replace("http://127.0.0.1:8080", self.api), trust_env=False, timeout=30).json()


def device(found: Any, name: str) -> Any:
    return next((d for d in found.get("devices", []) if d["device"] == name), None)


def test_the_steps_connect_an_evcc_and_a_shelly(tmp_path: Path) -> None:
    find_program("mosquitto_pub", "mosquitto-clients")
    with mosquitto(folder=tmp_path / "broker") as broker:
        home = tmp_path / "home"
        home.mkdir()
        reader = Reader(home, broker.port, free_port())
        todo = iter(steps())
        asked: list[str] = []
        for language, text in todo:
            if language == "toml":
                reader.add(text)
                continue
            lines = [line for line in text.splitlines() if line and not line.startswith(". ")]
            if not any(line.startswith("voltair run") for line in lines):
                for line in lines:
                    reader.sh(line)
                continue
            with voltair("run", folder=home, environ=reader.environ) as server:
                server.wait_until(lambda: httpx.get(f"{reader.api}/readyz", trust_env=False).is_success, "ready")
                for line in lines:
                    if not line.startswith("voltair run"):
                        reader.sh(line)
                for _, later in todo:
                    for line in later.splitlines():
                        if line.startswith("curl "):
                            asked.append(line.split()[1])
                        else:
                            reader.sh(line)
                assert [url.rpartition("/")[2] for url in asked] == ["home", "isle"]
                port = wait_for_value(reader, asked[0], "lp1", "power_kw", server)
                assert (port["kind"], port["state"], port["values"]["power_kw"]) == ("port", "Charging", 11.04)
                meter = wait_for_value(reader, asked[1], "shellypro3em-a0b1c2", "power_kw", server)
                assert (meter["kind"], meter["values"]["power_kw"]) == ("auxiliary", 4.2105)
                wait_for_value(reader, asked[0].replace("home", "harbour"), "p001", "energy_kwh", server)
                assert reader.get(f"{reader.api}/api/v1/dead-letters")["items"] == []


def wait_for_value(reader: Reader, url: str, name: str, channel: str, server: Server) -> Any:
    server.wait_until(lambda: channel in (device(reader.get(url), name) or {"values": {}})["values"], channel)
    return device(reader.get(url), name)
