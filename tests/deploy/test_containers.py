"""Dockerfile and compose file, as far as no engine is needed: what they copy and mount, what Voltair reads."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_tree import PACKAGES, ROOT

from api.auth import check_listen, parse_tokens
from telemetry.config import load_config

DEPLOY = ROOT / "deploy"
WRITTEN_BY_THE_OPERATOR = {"etc", "etc/voltair.passwd"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


def compose_problems(file: Path) -> str:
    """Return what Compose's own schema has against a file; empty where nothing."""
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_the_file_fits_the_schema_of_compose(tmp_path: Path) -> None:
    assert compose_problems(DEPLOY / "compose.yaml") == ""
    wrong = (DEPLOY / "compose.yaml").read_text("utf-8").replace("stop_grace_period", "stop_grace")
    (tmp_path / "compose.yaml").write_text(wrong)
    assert "stop_grace" in compose_problems(tmp_path / "compose.yaml")


def test_what_it_mounts_is_there_and_named_volumes_are_declared(compose: dict[str, Any]) -> None:
    sources = [v.split(":")[0] for s in compose["services"].values() for v in s["volumes"]]
    named = {s for s in sources if not s.startswith(".")}
    assert named == set(compose["volumes"])
    files = {s.removeprefix("./") for s in sources if s.startswith(".")} - WRITTEN_BY_THE_OPERATOR
    assert [f for f in sorted(files) if not (DEPLOY / f).exists()] == []


def test_every_port_is_published_on_loopback_only(compose: dict[str, Any]) -> None:
    ports = [p for s in compose["services"].values() for p in s.get("ports", [])]
    assert len(ports) == 3
    assert all(p.startswith("127.0.0.1:") for p in ports)


def test_voltair_reads_its_environment(compose: dict[str, Any]) -> None:
    written = compose["services"]["voltair"]["environment"]
    environ = {k: re.sub(r"\$\{(\w+)[^}]*\}", r"\1", v) for k, v in written.items()}
    environ["VOLTAIR_API_TOKENS"] = "ops=word:admin"
    config = load_config(None, environ)
    assert config.mqtt.password == "MQTT_PASSWORD"
    assert (config.store.kind, config.store.influx.version, config.store.influx.token) == ("influx", 2, "INFLUX_TOKEN")
    check_listen(config.api, parse_tokens(config.api.tokens))


def test_the_broker_changes_the_shipped_file_in_two_lines_only(compose: dict[str, Any]) -> None:
    script = compose["services"]["mosquitto"]["command"][2]
    sed = script.split(" > ")[0].replace("/etc/mosquitto/mosquitto.conf", str(DEPLOY / "mosquitto" / "mosquitto.conf"))
    made = subprocess.run(["sh", "-c", sed], capture_output=True, text=True, check=True).stdout.splitlines()
    shipped = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text("utf-8").splitlines()
    changed = [new for old, new in zip(shipped, made, strict=True) if old != new]
    assert changed == ["persistence_location /mosquitto/data/", "listener 1883"]


def test_the_image_copies_what_the_wheel_needs_and_runs_as_nobody() -> None:
    lines = (DEPLOY / "Dockerfile").read_text("utf-8").splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    copied = {name for names in copies for name in names}
    assert {*PACKAGES, "pyproject.toml", "README.md", "LICENSE", "requirements/run.lock"} == copied
    assert all((ROOT / name).exists() for name in copied)
    assert any(re.fullmatch(r"USER [1-9]\d*", line) for line in lines)
    [health] = [line for line in lines if line.startswith("HEALTHCHECK")]
    program = json.loads(health.split(" CMD ")[1])
    compile(program[2], "healthcheck", "exec")
    assert "livez" in program[2]
    assert "readyz" in program[2]
    assert json.loads(lines[-1].removeprefix("CMD "))[:2] == ["voltair", "run"]
