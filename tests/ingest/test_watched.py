"""stations.toml and the rule file as they are changed, broken and lost under a running process."""

import os

import msgspec
import pytest

from ingest.watched import RulesFile, StationsFile
from telemetry.registry import registry_from_json

ONE = '[stations.a]\nkind = "charging"\n[[stations.a.ports]]\nid = "p1"\ncommissioned = 2024-05-01\n'
TWO = ONE + '[stations.b]\nkind = "compressed_air"\n'


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "stations.toml"

    def write(text):
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        path.write_text(text)
        os.utime(path, ns=(stamp + 1_000_000_000, stamp + 1_000_000_000))

    return path, write


def names(body):
    return sorted(registry_from_json(body).stations)


def test_a_change_is_journalled_once(file):
    path, write = file
    write(ONE)
    stations = StationsFile(path, None)
    first = stations.poll()
    assert names(first) == ["a"]
    assert stations.poll() is None
    write("# a remark\n" + ONE)
    assert stations.poll() is None
    write(TWO)
    assert names(stations.poll()) == ["a", "b"]
    assert sorted(stations.registry.stations) == ["a", "b"]
    # The same file at the next start is what the journal holds already.
    assert StationsFile(path, first).poll() is not None
    write(ONE)
    assert StationsFile(path, first).poll() is None


@pytest.mark.parametrize(
    ("text", "says"),
    [("[stations.a", "TOML"), ('[stations.a]\nkind = "harbour"\n', "kind 'harbour'")],
)
def test_a_broken_file_is_refused_and_the_old_one_stays(file, text, says):
    path, write = file
    write(ONE)
    stations = StationsFile(path, None)
    stations.poll()
    write(text)
    assert stations.poll() is None
    assert says in stations.problem
    assert str(path) in stations.problem
    assert sorted(stations.registry.stations) == ["a"]
    assert stations.poll() is None
    assert stations.problem
    write(TWO)
    assert names(stations.poll()) == ["a", "b"]
    assert stations.problem is None


def test_a_broken_file_at_the_start_leaves_what_the_journal_holds(file):
    path, write = file
    write(ONE)
    body = StationsFile(path, None).poll()
    write("[")
    stations = StationsFile(path, body)
    assert stations.poll() is None
    assert stations.problem
    assert sorted(stations.registry.stations) == ["a"]


def test_a_missing_file_is_empty_but_never_removes_stations(file):
    path, write = file
    stations = StationsFile(path, None)
    empty = stations.poll()
    assert names(empty) == []
    assert stations.poll() is None
    assert stations.problem is None
    write(ONE)
    assert names(stations.poll()) == ["a"]
    path.unlink()
    assert stations.poll() is None
    assert "is gone" in stations.problem
    assert sorted(stations.registry.stations) == ["a"]
    write("")
    assert names(stations.poll()) == []


def test_rules_are_journalled_as_text_with_their_place(file):
    path, write = file
    write("[leak_level]\nthreshold = 0.2\n")
    rules = RulesFile(path, None)
    body = rules.poll()
    assert msgspec.json.decode(body) == {"source": str(path), "text": path.read_text()}
    assert rules.poll() is None
    write("[leak_level\n")
    assert rules.poll() is None
    assert "at line 1" in rules.problem
    assert "the rules stay as they were" in rules.problem
    path.unlink()
    assert rules.poll() is None
    assert "is gone" in rules.problem
    # The setting itself was taken back: the shipped rules alone.
    without = RulesFile(None, body)
    assert msgspec.json.decode(without.poll()) == {"source": "", "text": ""}
    assert without.poll() is None
    assert without.problem is None
