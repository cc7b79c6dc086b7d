"""The command line: exit codes, messages, and what needs no server."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from servers import free_port, mosquitto

from store.journal import JournalWriter
from store.roles import RoleLock


def say(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "voltair", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_the_commands_of_the_contract(tmp_path: Path) -> None:
    answer = say("--help", cwd=tmp_path)
    assert answer.returncode == 0
    commands = "run ingest analytics writer api demo scenarios simulate replay record init doctor config dead-letters"
    missing = [name for name in commands.split() if f"  {name} " not in answer.stdout]
    assert missing == []


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, voltair.cli; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert {"numpy", "fastapi", "msgspec", "httpx"} & set(loaded) == set()


def test_wrong_usage_is_2(tmp_path: Path) -> None:
    assert say("ingset", cwd=tmp_path).returncode == 2
    assert say("replay", "x.csv", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("command", ["run", "ingest", "analytics", "writer", "api", "config check"])
def test_a_missing_configuration_is_2_and_named(command: str, tmp_path: Path) -> None:
    answer = say(*command.split(), "--config", "absent.toml", cwd=tmp_path)
    assert answer.returncode == 2
    assert "absent.toml" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("command", ["run", "ingest", "analytics", "writer", "api", "config check"])
def test_another_clock_mode_than_the_data_directory_keeps_is_refused(command: str, tmp_path: Path) -> None:
    JournalWriter.open(tmp_path / "voltair-data" / "journal", clock_mode="live").close()
    (tmp_path / "voltair.toml").write_text('[clock]\nmode = "event"\n')
    answer = say(*command.split(), cwd=tmp_path)
    assert answer.returncode == 2
    assert "made with clock.mode = 'live'" in answer.stderr


def test_a_wrong_key_is_2_and_named(tmp_path: Path) -> None:
    (tmp_path / "voltair.toml").write_text("[mqtt]\nurll = 'x'\n")
    answer = say("config", "check", cwd=tmp_path)
    assert answer.returncode == 2
    assert "urll" in answer.stderr


def test_a_wrong_decoder_is_2_and_named(tmp_path: Path) -> None:
    (tmp_path / "voltair.toml").write_text('[[decoders]]\ntopic = "a/{device}"\nkind = "car"\nstation = "s"\n')
    answer = say("config", "check", cwd=tmp_path)
    assert answer.returncode == 2
    assert "decoder 1" in answer.stderr
    assert "kind 'car'" in answer.stderr


@pytest.mark.parametrize("command", ["run", "analytics"])
def test_shared_subscriptions_are_for_ingest_alone(command: str, tmp_path: Path) -> None:
    (tmp_path / "voltair.toml").write_text('[mqtt]\ntopics = ["$share/g/voltair/v1/+/+/+/telemetry"]\n')
    answer = say(command, cwd=tmp_path)
    assert answer.returncode == 2
    assert "mqtt.topics" in answer.stderr
    assert "only a part of each station's messages" in answer.stderr
    assert say("config", "check", cwd=tmp_path).returncode == 0


def test_wrong_use_of_dead_letters_is_2(tmp_path: Path) -> None:
    for action in ("retry", "drop"):
        answer = say("dead-letters", action, cwd=tmp_path)
        assert answer.returncode == 2
        assert "--reason TEXT, or --all" in answer.stderr


def test_a_missing_file_to_replay_fails_with_a_message(tmp_path: Path) -> None:
    answer = say("replay", "absent.json.gz", "--format", "acn-sim", "--speed", "max", cwd=tmp_path)
    assert answer.returncode in {1, 2}
    assert "absent.json.gz" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_scenarios_are_one_line_each_under_a_header(tmp_path: Path) -> None:
    header, *lines = say("scenarios", cwd=tmp_path).stdout.splitlines()
    assert header.split() == ["name", "text"]
    assert "demo" in [line.split()[0] for line in lines]
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)


def test_init_writes_files_that_check_and_keeps_what_is_there(tmp_path: Path) -> None:
    assert say("init", cwd=tmp_path).returncode == 0
    assert say("config", "check", cwd=tmp_path).returncode == 0
    (tmp_path / "stations.toml").write_text("# mine\n")
    assert say("init", cwd=tmp_path).returncode == 0
    assert (tmp_path / "stations.toml").read_text() == "# mine\n"
    assert tomllib.loads((tmp_path / "voltair.toml").read_text())["data_dir"] == "voltair-data"


def test_the_schema_knows_every_section(tmp_path: Path) -> None:
    schema = json.loads(say("config", "schema", cwd=tmp_path).stdout)
    assert {"mqtt", "store", "api", "webhooks"} <= set(schema["$defs"]["Config"]["properties"])


def test_a_second_supervisor_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with RoleLock(tmp_path / "voltair-data", "run"):
        answer = say("run", cwd=tmp_path)
    assert answer.returncode == 1
    assert "already runs" in answer.stderr


def test_doctor_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "voltair.toml").write_text(
        f'[mqtt]\nurl = "mqtt://127.0.0.1:{free_port()}"\n[journal]\nmax_bytes = 1000\n'
    )
    answer = say("doctor", cwd=tmp_path)
    assert answer.returncode == 1
    marks = {line[6:].split(":")[0]: line[:4].strip() for line in answer.stdout.splitlines()}
    assert marks["configuration"] == marks["data directory"] == "ok"
    assert marks["broker"] == marks["ingest"] == "FAIL"


@pytest.mark.server
def test_doctor_speaks_with_the_broker(tmp_path: Path) -> None:
    with mosquitto() as broker:
        (tmp_path / "voltair.toml").write_text(f'[mqtt]\nurl = "{broker.url}"\n')
        assert "ok    broker" in say("doctor", cwd=tmp_path).stdout
