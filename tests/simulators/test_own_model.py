"""The device model that docs/simulators.md shows, run as it stands there."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from simulators.commands import replay
from telemetry.channels import AUXILIARY

PAGE = Path(__file__).resolve().parents[2] / "docs" / "simulators.md"


def test_the_model_of_the_documents_runs_and_is_physical(tmp_path, monkeypatch):
    model, use = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(model.splitlines()) <= 30
    monkeypatch.chdir(tmp_path)
    exec(compile(model + use, str(PAGE), "exec"), {"__name__": "example"})  # noqa: S102 - our own page
    assert replay(Path("fan.jsonl"), format_name="voltair", out=Path("again.jsonl")) == 8_640
    lines = Path("again.jsonl").read_text().splitlines()
    readings = [json.loads(line)["payload"] for line in lines]
    assert all(AUXILIARY.channel(name) for r in readings for name in r.keys() - {"ts"})
    assert {r["state"] for r in readings} == {"running", "stopped"} <= set(AUXILIARY.channel("state").states)
    energy_kwh = sum(r["power_kw"] for r in readings[:-1]) * 10 / 3600
    assert readings[-1]["energy_kwh"] == pytest.approx(energy_kwh, abs=0.01)
    assert all(a["energy_kwh"] <= b["energy_kwh"] for a, b in pairwise(readings))
