"""Dead letters: read again by another configuration, dropped, and what a kill in between leaves."""

import json

import msgspec
import pytest
from ingest_role import Ingest, publisher, started
from servers import mosquitto
from typer.testing import CliRunner

from ingest.commit import Committer
from ingest.letters import Request
from ingest.role import settle
from store.deadletters import DeadLetter, DeadLetterWriter, read_dead_letters
from store.journal import EntryType, JournalWriter
from store.journal_reader import JournalReader
from telemetry.channels import COMPRESSOR
from telemetry.config import ClockConfig, Config
from telemetry.decoders import DecoderConfig
from voltair.cli import app

NOW = 1_732_240_000_123
TABLE = {"topic": "plant/{station}/{device}", "kind": "compressor", "fields": {"power_kw": "p"}}
EVERYTHING = Request(action="retry", everything=True)


def config(folder, **more) -> Config:
    return Config(data_dir=str(folder / "data"), decoders=tuple(msgspec.convert([TABLE], list[DecoderConfig])), **more)


def fill(settings: Config, *letters: tuple[str, object, int | None]) -> None:
    journal = JournalWriter.open(settings.data / "journal", clock_mode=settings.clock.mode)
    writer = DeadLetterWriter(settings.data / "journal", 0)
    writer.add(
        [
            DeadLetter(time_ms=NOW, topic=t, reason="then", payload=json.dumps(p).encode(), element=e)
            for t, p, e in letters
        ],
        0,
    )
    writer.close()
    journal.close()


def left(settings: Config) -> list[tuple[int, int | None, str]]:
    return [(x.id, x.element, x.reason.split(":")[0][:12]) for x in read_dead_letters(settings.data / "journal")]


def powers(settings: Config) -> list[tuple[str, float, int]]:
    """Return device, power and time of every journalled reading."""
    reader = JournalReader(settings.data / "journal")
    frames = [e.frame() for e in reader.read(0) if e.type is EntryType.FRAME]
    keys = reader.devices
    return [
        (keys[f.device[i]].device, float(f.values[i, COMPRESSOR.value_index["power_kw"]]), int(f.time_ms[i]))
        for f in frames for i in range(len(f))
    ]  # fmt: skip


def test_what_can_be_read_now_is_journalled_at_the_time_of_its_receipt_and_the_rest_stays(tmp_path):
    settings = config(tmp_path)
    native = "voltair/v1/isle/compressor/c9/telemetry"
    fill(
        settings,
        ("plant/isle/c1", {"p": 1}, None),
        ("plant/isle/c 2", {"p": 2}, None),
        (native, [{"power_kw": 3}, {"power_kw": 4}, 5], 1),  # the others of that array were read then
        (native, [{"power_kw": 6}, 7], None),
    )
    found = settle(settings, EVERYTHING)
    assert (found.done, found.still, found.problem) == (3, 1, "")
    assert sorted(powers(settings)) == [("c1", 1.0, NOW), ("c9", 4.0, NOW), ("c9", 6.0, NOW)]
    assert left(settings) == [(2, None, "id 'c 2' is "), (5, 1, "a number whe")]
    totals = JournalReader(settings.data / "journal").head()[3]
    assert (totals.received, totals.acknowledged, totals.journalled, totals.dead_lettered) == (0, 0, 3, 0)
    assert settle(settings, EVERYTHING).done == 0
    assert len(powers(settings)) == 3


def test_letters_are_chosen_by_id_and_by_reason_and_dropped(tmp_path):
    settings = config(tmp_path)
    fill(settings, *[("plant/isle/c 1", {"p": n}, None) for n in range(4)])
    assert settle(settings, Request(action="retry", ids=(2,))).still == 1
    assert settle(settings, Request(action="drop", reason="1 to 64")).done == 1
    assert settle(settings, Request(action="drop", ids=(4, 99))).done == 1
    assert [x[0] for x in left(settings)] == [1, 3]
    assert settle(settings, Request(action="drop", everything=True)).done == 2
    assert left(settings) == []


def test_all_are_those_that_were_there_when_it_was_asked(tmp_path):
    settings = config(tmp_path)
    fill(settings, ("plant/isle/c1", {"p": 1}, None), ("plant/isle/c1", {"p": 2}, None))
    assert settle(settings, Request(action="drop", everything=True, last=1)).done == 1
    assert [x[0] for x in left(settings)] == [2]


@pytest.mark.parametrize(
    ("place", "before"),
    [((Committer, "_append"), True), ((DeadLetterWriter, "settled"), False), ((DeadLetterWriter, "settle"), True)],
)
def test_killed_in_between_nothing_is_lost_and_nothing_comes_twice(tmp_path, monkeypatch, place, before):
    settings = config(tmp_path)
    fill(
        settings,
        *[("plant/isle/c1", {"p": n}, None) for n in range(3)],
        ("plant/isle/c1", [{"p": 8}, {"at": []}, 9], None),
    )

    class Killed(BaseException):
        pass

    def die(*_args):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(*place, die)
        with pytest.raises(Killed):
            settle(settings, EVERYTHING)
    assert len(powers(settings)) == (0 if before else 6)
    settle(settings, EVERYTHING)
    assert sorted(p for _, p, _ in powers(settings) if p == p) == [0.0, 1.0, 2.0, 8.0]  # noqa: PLR0124 - NaN
    assert left(settings) == []


def test_letters_of_the_past_do_not_change_what_decoders_remember(tmp_path):
    ocpp = {"topic": "ocpp/{charge_point}", "format": "ocpp16", "station": "depot"}
    settings = config(tmp_path)
    settings = msgspec.structs.replace(settings, decoders=tuple(msgspec.convert([ocpp], list[DecoderConfig])))
    fill(settings, ("ocpp/C", [2, "1", "StatusNotification", {"connectorId": 1, "status": "Available"}], None))
    assert settle(settings, EVERYTHING).done == 1
    journal = JournalWriter.open(settings.data / "journal", clock_mode="live")
    assert journal.totals.journalled == 1
    assert journal.memory() == {}
    journal.close()


def test_a_full_journal_leaves_the_letters_where_they_are(tmp_path):
    settings = config(tmp_path)
    fill(
        settings,
        ("plant/isle/c1", {"p": 1}, None),
        ("voltair/v1/isle/compressor/c1/telemetry", [{"power_kw": 1}, 2], None),
    )
    full = msgspec.structs.replace(settings, journal=msgspec.structs.replace(settings.journal, max_bytes=10))
    assert "journal.max_bytes" in settle(full, EVERYTHING).problem
    assert [x[0] for x in left(settings)] == [1, 2]
    assert settle(settings, EVERYTHING).done == 2
    assert len(powers(settings)) == 2


def test_in_event_mode_time_is_that_of_the_letters(tmp_path):
    settings = config(tmp_path, clock=ClockConfig(mode="event"))
    native = "voltair/v1/isle/compressor/c9/telemetry"
    fill(settings, (native, {"power_kw": 3, "ts": NOW + 5}, None), (native, {"power_kw": 3}, None))
    found = settle(settings, EVERYTHING)
    assert (found.done, found.still) == (1, 1)
    assert powers(settings) == [("c9", 3.0, NOW + 5)]


@pytest.mark.server
def test_ingest_takes_up_what_the_command_wants(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    say = CliRunner()
    table = (
        '[[decoders]]\ntopic = "plant/{station}/{device}"\nkind = "compressor"\n[decoders.fields]\npower_kw = "%s"\n'
    )
    with mosquitto() as broker, publisher(broker) as client:
        ingest = Ingest(tmp_path / "v", broker.url, table % "p" + 'time = { path = "t", format = "s" }\n')
        toml = str(ingest.folder / "voltair.toml")
        text = (ingest.folder / "voltair.toml").read_text().replace('[decoders.fields]\npower_kw = "p"\n', "")
        (ingest.folder / "voltair.toml").write_text(text + '[decoders.fields]\npower_kw = "p"\n')
        with started(ingest):
            ingest.ready()
            for n in range(3):
                client.publish("plant/isle/c1", json.dumps({"p": n, "t": f"x{n}"}), qos=1).wait_for_publish(30)
            ingest.until(lambda s: s.counters.get("dead_lettered") == 3, "dead letters")
            answer = say.invoke(app, ["dead-letters", "retry", "--all", "--config", toml])
            assert answer.exit_code == 1
            assert "still cannot be read: 3" in answer.output
            ingest.stop()
            (ingest.folder / "voltair.toml").write_text(
                (ingest.folder / "voltair.toml").read_text().replace('time = { path = "t", format = "s" }\n', "")
            )
            ingest.start()
            ingest.ready()
            answer = say.invoke(app, ["dead-letters", "retry", "2", "3", "--config", toml])
            assert (answer.exit_code, answer.output) == (0, "read: 2\n")
            assert ingest.totals().journalled == 2
            answer = say.invoke(app, ["dead-letters", "drop", "--reason", "is no number", "--config", toml])
            assert (answer.exit_code, answer.output) == (0, "dropped: 1\n")
            answer = say.invoke(app, ["dead-letters", "retry", "--all", "--config", toml])
            assert (answer.exit_code, answer.output) == (0, "there are no dead letters\n")
            assert list((ingest.data / "roles" / "requests" / "ingest").iterdir()) == []
        assert say.invoke(app, ["dead-letters", "drop", "9", "--config", toml]).exit_code == 1
