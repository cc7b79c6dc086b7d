"""A scenario through the whole river, and what the scorer says of it: simulate, score, as a user would."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from river.stack import stack

from simulators.scenario import load_scenario

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(300)]


def _voltair(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "voltair", *arguments], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_demos_faults_are_found_and_its_key_figures_are_right(tmp_path: Path) -> None:
    truth, result, picture = (str(tmp_path / name) for name in ("truth.json", "score.json", "score.svg"))
    with stack(tmp_path / "run", stations=load_scenario("demo").stations_toml()) as here:
        _voltair(
            "simulate", "demo", "--duration", "21m", "--speed", "max", "--broker", here.broker.url, "--truth", truth
        )
        here.wait_drained()
        here.wait_settled()
        api = f"{here.client.base_url.scheme}://{here.client.base_url.netloc.decode()}"
        text = _voltair("score", truth, "--api", api, "--json", result, "--picture", picture)
    found = json.loads(Path(result).read_text())
    by_rule = {o["fault"]["rule"]: o["found_by"] for o in found["outcomes"]}
    for rule in ("port_faulted", "device_offline", "machine_fault"):
        assert by_rule[rule] == "rule"
    faulted = [o["delay_s"] for o in found["outcomes"] if o["fault"]["rule"] == "port_faulted"]
    assert max(faulted) <= 1.0
    errors = {(f["station"], f["name"]): f["error"] for f in found["figures"]}
    for station in ("harbour", "isle"):
        assert abs(errors[station, "energy_kwh"]) < 0.005
    assert abs(errors["harbour", "charging_h"]) < 0.01
    assert abs(errors["isle", "kwh_per_m3"]) < 0.01
    assert f"demo: {found['found']} of {found['expected']} faults found" in text
    assert Path(picture).read_text().startswith("<svg")
