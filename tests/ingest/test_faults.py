"""What goes wrong around ingest: the broker dies, devices send garbage, the connection flaps, the disk is full.

An oracle of message numbers at the end: every good one is in the journal.
"""

import json
import os
import random
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from hardened import PASSWORDS, hardened_mosquitto
from ingest_role import Ingest, publisher, started
from paho.mqtt.enums import CallbackAPIVersion
from servers import Broker, mosquitto

from store.deadletters import read_dead_letters
from store.journal import EntryType
from store.journal_reader import JournalReader

pytestmark = [pytest.mark.server, pytest.mark.slow]

NOW = 1_732_240_000_000
TOPIC = "voltair/v1/harbour/port/p{}/telemetry"
PATIENCE_S = float(os.environ.get("VOLTAIR_PATIENCE_S", "3"))
"""A device that hears nothing of a message for this long sends it again."""
KILLS = int(os.environ.get("VOLTAIR_BROKER_KILLS", "4"))


def message(seq: int) -> bytes:
    return json.dumps({"ts": NOW + seq, "seq": seq, "power_kw": 1}).encode()


class Confirmed:
    """The numbers that the journal holds, followed while ingest writes it."""

    def __init__(self, ingest: Ingest) -> None:
        self._reader = JournalReader(ingest.data / "journal")
        self._after = 0
        self.seqs: set[int] = set()

    def look(self) -> set[int]:
        while entries := self._reader.read(self._after):
            for entry in entries:
                if entry.type is EntryType.FRAME:
                    self.seqs.update(entry.frame().seq.tolist())
            self._after = entries[-1].number
        return self.seqs

    def until(self, total: int, ingest: Ingest) -> None:
        deadline_s = time.monotonic() + 60
        while len(self.look()) < total:
            assert time.monotonic() < deadline_s, f"{len(self.seqs)} of {total}: {ingest.log[-2000:]}"
            time.sleep(0.1)
        assert self.seqs == set(range(total))


class Stubborn:
    """A station that sends every message again until the journal confirms it."""

    def __init__(self, broker: Broker) -> None:
        self._sent_s: dict[int, float] = {}
        self._first: dict[int, int] = {}
        """Number -> packet id of its first attempt."""
        self._taken: set[int] = set()
        """Packet ids that the broker has acknowledged."""
        self.again: set[int] = set()
        """Those that were sent again."""
        self._client = client = paho.Client(CallbackAPIVersion.VERSION2, client_id="station", protocol=paho.MQTTv5)
        client.username_pw_set("harbour", PASSWORDS["harbour"])
        client.reconnect_delay_set(1, 1)
        client.max_inflight_messages_set(1_000)
        client.max_queued_messages_set(0)
        client.on_publish = self._on_publish
        client.connect(broker.host, broker.port)
        client.loop_start()

    def _on_publish(self, _client: object, _data: object, mid: int, *_: object) -> None:
        self._taken.add(mid)

    def acknowledged(self) -> set[int]:
        """Return the numbers that the broker took at the first attempt."""
        return {seq for seq, mid in self._first.items() if mid in self._taken}

    def send(self, seq: int) -> None:
        info = self._client.publish(TOPIC.format(seq % 7), message(seq), qos=1)
        self._first.setdefault(seq, info.mid)
        self._sent_s[seq] = time.monotonic()

    def repeat(self, confirmed: set[int]) -> int:
        """Send again what has waited too long; return how many are not confirmed."""
        now_s = time.monotonic()
        missing = self._sent_s.keys() - confirmed
        for seq in [seq for seq in missing if now_s - self._sent_s[seq] > PATIENCE_S]:
            self.again.add(seq)
            self.send(seq)
        return len(missing)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_kill_9_of_the_shipped_broker_costs_nothing_where_devices_repeat(tmp_path: Path) -> None:
    """Every fourth kill finds ingest away, so that only the broker holds what has just come."""
    chance = random.Random(20_261_125)  # noqa: S311 - moments, no secret
    login = f'username = "voltair"\npassword = "{PASSWORDS["voltair"]}"'
    folder = tmp_path / "v"
    with hardened_mosquitto(tmp_path / "broker") as broker, started(Ingest(folder, broker.url, login)) as ingest:
        ingest.ready()
        station, confirmed = Stubborn(broker), Confirmed(ingest)
        seq = 0
        for kill in range(KILLS):
            away = kill % 4 == 3
            if away:
                ingest.stop()
            ends_s = time.monotonic() + chance.uniform(0.5, 2.0)
            while time.monotonic() < ends_s:
                for _ in range(10):
                    station.send(seq)
                    seq += 1
                time.sleep(0.02)  # 500 a second
                station.repeat(confirmed.look())
            broker.kill9()
            broker.start()
            if away:
                ingest.start()
        deadline_s = time.monotonic() + 10 * PATIENCE_S + 30
        while missing := station.repeat(confirmed.look()):
            assert time.monotonic() < deadline_s, f"{missing} of {seq} are not in the journal"
            time.sleep(0.1)
        station.leave()
        assert confirmed.look() == set(range(seq))
        lost = station.acknowledged() & station.again
        print(  # noqa: T201 - shown with -s
            f"\n{KILLS} kills of the broker, {seq} messages: {len(lost)} were not on after {PATIENCE_S:g} s though it "
            f"had acknowledged them; {len(station.again)} were sent again; 0 are lost"
        )


def test_a_third_of_garbage_and_a_storm_of_reconnections(tmp_path: Path) -> None:
    garbage = [b"", b"{", b"[[1]]", b"\xff\xfe", b'{"ts": "yesterday"}', b'"text"', b"[" * 5_000]
    chance = random.Random(3)  # noqa: S311 - an order, no secret
    total, bad = 6_000, 0
    with mosquitto() as broker, started(Ingest(tmp_path / "v", broker.url)) as ingest, publisher(broker) as client:
        ingest.ready()
        stop = threading.Event()

        def storm() -> None:
            while not stop.wait(0.2):
                # Another client under ingest's name: the broker cuts ingest off, and hands it what was under way.
                thief = paho.Client(CallbackAPIVersion.VERSION2, client_id="voltair", protocol=paho.MQTTv311,
                                    clean_session=False)  # fmt: skip
                with suppress(OSError):
                    thief.connect(broker.host, broker.port)
                    thief.loop(0.02)
                thief.disconnect()

        thread = threading.Thread(target=storm, daemon=True)
        thread.start()
        sent = []
        for seq in range(total):
            if chance.random() < 0.43:  # 30 of 100 messages
                bad += 1
                sent.append(client.publish(TOPIC.format(seq % 7), chance.choice(garbage), qos=1))
            sent.append(client.publish(TOPIC.format(seq % 7), message(seq), qos=1))
            if seq % 100 == 0:
                time.sleep(0.05)  # so that the storm meets all of it
        for info in sent:
            info.wait_for_publish(30)
        stop.set()
        thread.join()
        confirmed = Confirmed(ingest)
        confirmed.until(total, ingest)
        status = ingest.until(lambda s: s.ready and ingest.totals().dead_lettered >= bad, "ready again")
        assert status.counters["reconnects"] >= 5
        letters = read_dead_letters(ingest.data / "journal", limit=100_000)
        assert {letter.payload for letter in letters} == set(garbage)
        assert all(letter.reason for letter in letters)
        assert len(letters) == ingest.totals().dead_lettered


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_stops_acknowledgements_and_passes_by_itself(tmp_path: Path) -> None:
    total = 40_000
    with mosquitto() as broker, publisher(broker) as client:
        ingest = Ingest(tmp_path / "v", broker.url)
        ingest.data.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(ingest.data)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"no small disk here: {mounted.stderr.decode()}")
        try:
            ballast = ingest.data / "ballast"
            ballast.write_bytes(bytes(5_000_000))
            with started(ingest):
                ingest.ready()
                sent = [client.publish(TOPIC.format(seq % 7), message(seq), qos=1) for seq in range(total)]
                for info in sent:
                    info.wait_for_publish(60)
                # Its status may have no room either: then the API says that ingest is silent, and the log says why.
                deadline_s = time.monotonic() + 30
                while "free space" not in ingest.log:
                    assert time.monotonic() < deadline_s, f"{ingest.totals()} {ingest.log}"
                    time.sleep(0.05)
                assert ingest.totals().acknowledged < total
                assert ingest.process is not None
                assert ingest.process.poll() is None
                ballast.unlink()
                Confirmed(ingest).until(total, ingest)
                ingest.ready()
                assert "takes more again" in ingest.log
        finally:
            subprocess.run(["umount", "-l", str(ingest.data)], check=True)
