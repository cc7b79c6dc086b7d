"""Batches and the journal behind them: what is acknowledged is on the disk, whatever goes wrong."""

import asyncio
import json
import sqlite3

import pytest

from ingest import commit as commit_module
from ingest.batch import Intake
from ingest.commit import Committer
from ingest.decode import Decoder
from store.deadletters import read_dead_letters
from store.journal import EntryType
from store.journal_reader import JournalReader
from telemetry.config import ClockConfig, Config, IngestConfig, JournalConfig
from telemetry.errors import JournalError
from telemetry.registry import Registry
from wire.mqtt.packets import Publish

NOW = 1_732_240_000_123


class FakeSource:
    """A broker's session as the intake sees it."""

    connected = True

    def __init__(self) -> None:
        self.acknowledged: list[tuple[int, list[int]]] = []
        self.paused = False
        self.pauses = 0
        self.news = asyncio.Event()

    def acknowledge(self, generation, packet_ids):
        self.acknowledged.append((generation, list(packet_ids)))
        self.news.set()

    def pause_reading(self):
        self.paused = True
        self.pauses += 1
        self.news.set()

    def resume_reading(self):
        self.paused = False
        self.news.set()


def config_of(folder, **journal):
    return Config(data_dir=str(folder), journal=JournalConfig(**journal), ingest=IngestConfig(batch_messages=100))


def reading(packet_id, payload=None, topic="voltair/v1/s/port/p/telemetry"):
    data = json.dumps({"ts": NOW + packet_id, "power_kw": 1}).encode() if payload is None else payload
    return Publish(topic.encode(), data, packet_id, 0x02 if packet_id else 0)


def story(config, tell):
    """Run an intake on a data directory and `tell(intake, source, committer)` beside it."""

    async def main() -> None:
        committer = Committer(config)
        journal = committer.journal
        decoder = Decoder(
            prefix="voltair/v1", clock_mode=config.clock.mode, limits=IngestConfig(max_payload_bytes=100_000),
            devices=journal.devices, station_now=journal.station_now, registry=Registry(),
        )  # fmt: skip
        intake, source = Intake(config.ingest, decoder, committer), FakeSource()
        intake.attach(source)
        task = asyncio.ensure_future(intake.run())
        try:
            async with asyncio.timeout(20):
                await tell(intake, source, committer)
                intake.stop()
                await task
        finally:
            task.cancel()
            await asyncio.wait((task,))
            committer.close()

    asyncio.run(main())


async def acknowledged(source, n):
    while sum(len(ids) for _, ids in source.acknowledged) < n:
        source.news.clear()
        await source.news.wait()


def readings_of(folder):
    reader = JournalReader(folder / "journal")
    entries, after = [], 0
    while found := reader.read(after):
        entries += found
        after = found[-1].number
    reader.close()
    return [e for e in entries if e.type is EntryType.FRAME]


def test_acknowledged_in_order_after_the_commit(tmp_path):
    async def tell(intake, source, committer):
        intake.offer(1, [reading(3), reading(0), reading(1)])
        intake.offer(1, [reading(2)])
        intake.offer(2, [reading(3)])
        await acknowledged(source, 4)
        assert source.acknowledged == [(1, [3, 1, 2]), (2, [3])]
        # Already on the disk for every other process.
        totals = JournalReader(tmp_path / "journal").head()[3]
        assert (totals.received, totals.acknowledged, totals.journalled) == (5, 4, 5)
        assert intake.waiting == 0

    story(config_of(tmp_path), tell)
    assert sum(e.readings for e in readings_of(tmp_path)) == 5


def test_a_large_backlog_is_cut_into_batches_and_paused_for(tmp_path):
    async def tell(intake, source, committer):
        for start in range(0, 1_000, 50):
            intake.offer(1, [reading(start + i + 1) for i in range(50)])
        assert source.paused
        await acknowledged(source, 1_000)
        assert [len(ids) for _, ids in source.acknowledged] == [100] * 10
        assert not source.paused

    story(config_of(tmp_path), tell)
    assert [e.readings for e in readings_of(tmp_path)] == [100] * 10


def test_a_lead_of_several_batches_pauses_the_source_until_it_is_worked_off(tmp_path):
    async def tell(intake, source, committer):
        intake.offer(1, [reading(i + 1) for i in range(300)])
        assert not source.paused
        intake.offer(1, [reading(i + 301) for i in range(300)])
        assert source.paused
        await acknowledged(source, 600)
        assert not source.paused
        assert source.pauses == 1

    story(config_of(tmp_path), tell)


def test_many_small_reads_are_followed_by_a_rest_that_ends_by_itself(tmp_path):
    async def tell(intake, source, committer):
        for i in range(9):
            intake.offer(1, [reading(10 * i + j + 1) for j in range(10)])
            assert source.paused == (i >= 6)  # from 64 waiting messages on
        assert source.pauses == 1
        await acknowledged(source, 90)
        assert not source.paused
        assert [i for _, ids in source.acknowledged for i in ids] == list(range(1, 91))
        # What comes meanwhile, because the source had read it already, and what makes it too much, are taken too.
        intake.offer(1, [reading(100 + i) for i in range(70)])
        intake.offer(1, [reading(200 + i) for i in range(400)])
        await acknowledged(source, 560)
        while source.paused:
            source.news.clear()
            await source.news.wait()

    story(config_of(tmp_path), tell)
    assert sum(e.readings for e in readings_of(tmp_path)) == 560


def test_one_large_read_is_followed_by_none(tmp_path):
    async def tell(intake, source, committer):
        intake.offer(1, [reading(i + 1) for i in range(300)])
        assert not source.paused
        await acknowledged(source, 300)

    story(config_of(tmp_path), tell)


def test_what_has_come_is_committed_on_stopping(tmp_path):
    async def tell(intake, source, committer):
        intake.offer(1, [reading(1)])
        intake.stop()
        await acknowledged(source, 1)

    story(config_of(tmp_path), tell)
    assert len(readings_of(tmp_path)) == 1


def test_a_full_journal_holds_everything_back_and_goes_on_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(commit_module, "RETRY_S", 0.01)
    big = json.dumps([{"ts": NOW + i, "power_kw": i % 7, "energy_kwh": i} for i in range(500)]).encode()

    async def tell(intake, source, committer):
        sent = 0
        while not source.paused:
            source.news.clear()
            sent += 1
            intake.offer(1, [reading(sent, big)])
            await source.news.wait()
        assert "its limit is 40000" in committer.full
        before = list(source.acknowledged)
        intake.offer(1, [reading(sent + 1, big)])
        await asyncio.sleep(0.1)  # nothing may come, so there is nothing to wait for
        assert source.acknowledged == before
        assert sum(len(ids) for _, ids in before) == sent - 1
        # The consumers move on: room comes with the next attempt.
        for name, key in (("state.db", "cursor"), ("series.db", "raw_cursor")):
            db = sqlite3.connect(tmp_path / name)
            db.execute("CREATE TABLE meta(key TEXT PRIMARY KEY, value)")
            db.execute("INSERT INTO meta VALUES(?, 1000000)", (key,))
            db.commit()
            db.close()
        await acknowledged(source, sent + 1)
        assert committer.full is None
        assert not source.paused
        assert [i for _, ids in source.acknowledged for i in ids] == list(range(1, sent + 2))

    story(config_of(tmp_path, max_bytes=40_000, keep="0s"), tell)


def test_a_full_journal_does_not_keep_a_stop_waiting_and_nothing_is_acknowledged(tmp_path):
    async def tell(intake, source, committer):
        intake.offer(1, [reading(1)])
        while not source.paused:
            source.news.clear()
            await source.news.wait()

    story(config_of(tmp_path, max_bytes=10), tell)
    assert readings_of(tmp_path) == []
    assert read_dead_letters(tmp_path / "journal") == []


def test_dead_letters_are_kept_counted_and_acknowledged(tmp_path):
    topic = "voltair/v1/s/port/p/telemetry"

    async def tell(intake, source, committer):
        intake.offer(1, [reading(1, b"junk")])
        await acknowledged(source, 1)
        intake.offer(1, [reading(2, b'[{"ts": "soon"}, 7, {"ts": 1732240000123}]')])
        await acknowledged(source, 2)

    story(config_of(tmp_path), tell)
    letters = read_dead_letters(tmp_path / "journal")
    assert [(x.id, x.topic, x.payload[:4], x.element) for x in letters] == [
        (1, topic, b"junk", None), (2, topic, b'[{"t', 0), (3, topic, b'[{"t', 1),
    ]  # fmt: skip
    totals = JournalReader(tmp_path / "journal").head()[3]
    assert (totals.received, totals.acknowledged, totals.dead_lettered, totals.journalled) == (2, 2, 2, 1)

    async def nothing(intake, source, committer):
        assert read_dead_letters(tmp_path / "journal", after=1) == letters[1:]

    story(config_of(tmp_path), nothing)  # a start does not remove letters of batches that came to be
    assert read_dead_letters(tmp_path / "journal") == letters


def test_devices_heard_only_in_dead_letters_do_not_upset_the_table(tmp_path):
    async def tell(intake, source, committer):
        intake.offer(1, [reading(1, b"junk", "voltair/v1/s/port/bad/telemetry")])
        await acknowledged(source, 1)
        intake.offer(1, [reading(2, None, "voltair/v1/s/port/good/telemetry")])
        await acknowledged(source, 2)

    story(config_of(tmp_path), tell)
    reader = JournalReader(tmp_path / "journal")
    frames = [e.frame() for e in reader.read(0) if e.type is EntryType.FRAME]
    assert [reader.devices[i].device for i in frames[0].device] == ["good"]


def test_a_restart_knows_devices_and_event_clocks(tmp_path):
    config = Config(data_dir=str(tmp_path), clock=ClockConfig(mode="event"))

    async def tell(intake, source, committer):
        intake.offer(1, [reading(1)])
        await acknowledged(source, 1)

    story(config, tell)

    async def again(intake, source, committer):
        assert committer.journal.station_now == {"s": NOW + 1}
        far = json.dumps({"ts": NOW + 400 * 86_400_000}).encode()
        intake.offer(1, [reading(2, far), reading(3)])
        await acknowledged(source, 2)

    story(config, again)
    assert "366 days" in read_dead_letters(tmp_path / "journal")[0].reason
    assert [e.frame().device.tolist() for e in readings_of(tmp_path)] == [[0], [0]]
    with pytest.raises(JournalError, match=r"clock\.mode = 'event'"):
        Committer(Config(data_dir=str(tmp_path)))


def test_the_journals_clock_does_not_go_back(tmp_path):
    walls = iter([NOW, NOW - 5_000, NOW + 1])

    async def main() -> None:
        committer = Committer(Config(data_dir=str(tmp_path)), wall=lambda: next(walls))
        for connected in (True, False, True):
            await committer.tick(connected=connected)
        committer.close()

    asyncio.run(main())
    entries = JournalReader(tmp_path / "journal").read(0)
    assert [e.time_ms for e in entries] == [NOW, NOW, NOW + 1]
    assert [e.tick().connected for e in entries] == [True, False, True]
