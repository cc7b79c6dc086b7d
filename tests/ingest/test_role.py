"""The role as a process, on a real broker: killed, cut off, restarted; nothing acknowledged is ever missing."""

import json
import signal
import subprocess
import time

import msgspec
import paho.mqtt.client as paho
import pytest
from ingest_role import Ingest, publisher, started
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from servers import find_program, free_port, mosquitto

from ingest.role import until_tick_s
from store.deadletters import read_dead_letters
from store.journal import EntryType
from store.roles import read_status
from telemetry.channels import PORT
from telemetry.frame import FLAG_RETAINED
from telemetry.registry import registry_from_json

pytestmark = pytest.mark.server

NOW = 1_732_240_000_000
TOPIC = "voltair/v1/harbour/port/p{}/telemetry"
DIE_BEFORE_ACK = """
import os, signal
from ingest.session import Session
def die(self, generation, ids):
    os.kill(os.getpid(), signal.SIGKILL)
Session.acknowledge = die
"""


def send(client: paho.Client, seqs, device=1) -> None:
    """Publish one reading per seq at QoS 1 and wait until the broker has them all."""
    sent = [
        client.publish(TOPIC.format(device), json.dumps({"ts": NOW + s, "seq": s, "power_kw": 1}), qos=1) for s in seqs
    ]
    for info in sent:
        info.wait_for_publish(30)


@pytest.mark.parametrize("protocol", [5, 4])
def test_messages_sent_while_ingest_is_away_come_when_it_is_back(tmp_path, protocol):
    with mosquitto() as broker, publisher(broker) as client:
        ingest = Ingest(tmp_path / "v", broker.url, f"protocol = {protocol}")
        with started(ingest):
            ingest.ready()
            send(client, range(10))
            ingest.journalled(10)
            assert ingest.stop() == 0
            status = read_status(ingest.data, "ingest")
            assert not status.ready
            assert status.gauges["connected"] == 0
            send(client, range(10, 300))
            ingest.start()
            ingest.journalled(300)
            assert ingest.seqs() == list(range(300))
            totals = ingest.totals()
            assert (totals.received, totals.acknowledged) == (300, 300)
            counters = ingest.until(lambda s: s.counters.get("received") == 290, "counters").counters
            assert counters["redelivered"] == 0


def test_killed_between_commit_and_acknowledgement_everything_comes_again(tmp_path):
    with mosquitto() as broker, publisher(broker) as client:
        fatal = Ingest(tmp_path / "v", broker.url, patch=DIE_BEFORE_ACK)
        with started(fatal):
            fatal.ready()
            send(client, range(50))
            assert fatal.wait_exit() == -signal.SIGKILL
        committed = fatal.seqs()
        assert committed
        with started(Ingest(tmp_path / "v", broker.url)) as ingest:
            ingest.journalled(len(committed) + 50)
            assert ingest.seqs() == committed + list(range(50))
            ingest.until(lambda s: s.counters.get("redelivered", 0) >= len(committed), "redelivery")


def test_killed_again_and_again_under_load_nothing_is_missing_and_the_order_is_kept(tmp_path):
    with mosquitto() as broker, publisher(broker) as client, started(Ingest(tmp_path / "v", broker.url)) as ingest:
        ingest.ready()
        for life in range(5):
            before = ingest.totals().journalled
            sent = [
                client.publish(TOPIC.format(s % 7), json.dumps({"ts": NOW + s, "seq": s}), qos=1)
                for s in range(life * 2_000, life * 2_000 + 2_000)
            ]
            ingest.journalled(before + 100)
            ingest.kill9()
            for info in sent:
                info.wait_for_publish(30)
            ingest.start()
        ingest.journalled(10_000)
        deadline = time.monotonic() + 30
        while set(ingest.seqs()) != set(range(10_000)) and time.monotonic() < deadline:
            time.sleep(0.2)  # repetitions count as journalled too, so only the content tells the end
        # The broker begins with what was not acknowledged, then gives what it kept: later than before, never before.
        assert list(dict.fromkeys(ingest.seqs())) == list(range(10_000))


def test_a_broker_that_goes_and_comes_back(tmp_path):
    with mosquitto() as broker, started(Ingest(tmp_path / "v", broker.url)) as ingest:
        ingest.ready()
        with publisher(broker) as client:
            send(client, range(5))
            ingest.journalled(5)
        broker.stop()  # in peace: it keeps our session on its disk
        status = ingest.until(lambda s: not s.gauges["connected"], "disconnected")
        assert not status.ready
        assert broker.url in status.problems[0]
        broker.start()
        ingest.until(lambda s: s.ready and s.counters["reconnects"] == 1, "reconnected")
        with publisher(broker) as client:
            send(client, range(5, 10))
            ingest.journalled(10)
        ticks = [e.tick().connected for e in ingest.entries()[0] if e.type is EntryType.TICK]
        changes = [c for i, c in enumerate(ticks) if i == 0 or c != ticks[i - 1]]
        assert changes in ([False, True, False, True], [True, False, True])


def test_a_broker_that_is_not_there_yet_is_waited_for(tmp_path):
    port = free_port()
    with started(Ingest(tmp_path / "v", f"mqtt://127.0.0.1:{port}")) as ingest:
        status = ingest.until(lambda s: "no connection" in " ".join(s.problems), "the problem")
        assert not status.ready
        with mosquitto(port=port):
            ingest.ready()


def test_a_wrong_password_ends_the_role_with_a_message(tmp_path):
    users = tmp_path / "users"
    program = find_program("mosquitto_passwd", "mosquitto")
    subprocess.run([program, "-b", "-c", users, "anna", "right"], check=True, capture_output=True)
    users.chmod(0o644)
    with mosquitto(f"allow_anonymous false\npassword_file {users}") as broker:
        wrong = Ingest(tmp_path / "v", broker.url, 'username = "anna"\npassword = "wrong"')
        with started(wrong):
            assert wrong.wait_exit() == 1
            assert "ConfigError" in wrong.log
            assert "'anna'" in wrong.log
            assert "mqtt.password" in wrong.log
            assert "right" not in wrong.log.replace("is mqtt.protocol right", "")
        with started(Ingest(tmp_path / "v", broker.url, 'username = "anna"\npassword = "right"')) as ingest:
            ingest.ready()


def test_the_stations_file_is_watched(tmp_path):
    with mosquitto() as broker:
        ingest = Ingest(tmp_path / "v", broker.url)
        file = ingest.folder / "stations.toml"
        file.write_text('[stations.harbour]\nkind = "charging"\n')
        with started(ingest):
            ingest.ready()
            file.write_text("[stations.harbour\n")
            status = ingest.until(lambda s: s.problems, "the problem")
            assert "stations.toml" in status.problems[0]
            assert status.ready
            file.write_text(
                '[stations.harbour]\nkind = "charging"\nopen_hours = "24/7"\n[[stations.harbour.ports]]\nid = "p1"\n'
                "commissioned = 2024-05-01\nranges = { power_kw = [0, 7] }\n"
            )
            ingest.until(lambda s: not s.problems, "the mended file")
            with publisher(broker) as client:
                client.publish(TOPIC.format(1), json.dumps({"ts": NOW, "power_kw": 8}), qos=1).wait_for_publish(30)
                ingest.journalled(1)
            assert ingest.totals().rejected == 1
            ingest.restart()
            ingest.ready()
            registries = [
                registry_from_json(e.body) for e in ingest.entries()[0] if e.type is EntryType.REGISTRY
            ]
            assert [list(r.stations["harbour"].listed("port")) for r in registries] == [[], ["p1"]]


def test_presence_messagepack_and_what_cannot_be_read(tmp_path):
    with mosquitto() as broker, publisher(broker) as client:
        presence = "voltair/v1/harbour/port/p1/online"
        client.publish(presence, b'{"online": 1, "ts": 1732240000000}', qos=1, retain=True).wait_for_publish(30)
        with started(Ingest(tmp_path / "v", broker.url)) as ingest:
            ingest.ready().journalled(1)
            client.publish(presence, b"0", qos=1).wait_for_publish(30)
            ingest.journalled(2)
            properties = Properties(PacketTypes.PUBLISH)
            properties.ContentType = "application/msgpack"
            packed = msgspec.msgpack.encode([{"ts": NOW, "power_kw": 6.5}, 3])
            client.publish(TOPIC.format(1), packed, qos=1, properties=properties).wait_for_publish(30)
            client.publish("voltair/v1/a/b/c/telemetry", b"{}", qos=1).wait_for_publish(30)
            ingest.until(lambda s: s.counters.get("dead_lettered") == 2, "dead letters")
            totals = ingest.totals()
            assert (totals.received, totals.acknowledged, totals.dead_lettered) == (4, 4, 2)
            letters = read_dead_letters(ingest.data / "journal")
            assert [(x.element, x.payload, x.content_type) for x in letters] == [
                (1, packed, "application/msgpack"), (None, b"{}", ""),
            ]  # fmt: skip
            frames = [e.frame() for e in ingest.entries()[0] if e.type is EntryType.FRAME]
            online = [f.codes[0, PORT.code_index["online"]] for f in frames[:2]]
            assert online == [1, 0]
            assert [int(f.flags[0]) & FLAG_RETAINED for f in frames[:2]] == [FLAG_RETAINED, 0]
            assert frames[2].values[0, PORT.value_index["power_kw"]] == 6.5


def signed(folder, name, more, ca=None):
    """Make a key and a certificate, signed by `ca` or by itself."""
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    signer = ["-CA", folder / f"{ca}.pem", "-CAkey", folder / f"{ca}.key"] if ca else []
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", *more, *signer, "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    key.chmod(0o644)
    return key, cert


def test_over_tls_with_client_certificates(tmp_path):
    _, ca = signed(tmp_path, "ca", ["-addext", "keyUsage=keyCertSign"])
    key, cert = signed(tmp_path, "broker", ["-addext", "subjectAltName=IP:127.0.0.1"], "ca")
    own_key, own_cert = signed(tmp_path, "voltair", [], "ca")
    strange_key, strange_cert = signed(tmp_path, "strange", [])
    tls = free_port()
    extra = f"""listener {tls} 127.0.0.1
        cafile {ca}
        certfile {cert}
        keyfile {key}
        require_certificate true
        use_identity_as_username true
        allow_anonymous true"""
    with mosquitto(extra) as broker, publisher(broker) as client:
        url = f"mqtts://127.0.0.1:{tls}"
        own = f'ca_file = "{ca}"\ncert_file = "{own_cert}"\nkey_file = "{own_key}"'
        with started(Ingest(tmp_path / "v", url, own)) as ingest:
            ingest.ready()
            send(client, range(3))
            ingest.journalled(3)
        with started(Ingest(tmp_path / "w", url, own.replace(f'ca_file = "{ca}"', ""))) as distrustful:
            distrustful.until(lambda s: "certificate" in " ".join(s.problems), "the refusal of the broker")
        for name, settings in (
            ("x", f'ca_file = "{ca}"'),
            ("y", f'ca_file = "{ca}"\ncert_file = "{strange_cert}"\nkey_file = "{strange_key}"'),
        ):
            with started(Ingest(tmp_path / name, url, settings)) as stranger:
                stranger.until(lambda s: "no connection" in " ".join(s.problems), "the refusal by the broker")
                assert not stranger.status().ready


def test_publications_of_qos_2_and_0_come_too(tmp_path):
    with mosquitto() as broker, publisher(broker) as client, started(Ingest(tmp_path / "v", broker.url)) as ingest:
        ingest.ready()
        for qos in (2, 0, 1):
            body = json.dumps({"ts": NOW + qos, "seq": qos})
            client.publish(TOPIC.format(1), body, qos=qos).wait_for_publish(30)
            ingest.journalled(len(ingest.seqs()) + (qos not in ingest.seqs()))
        ingest.journalled(3)
        assert sorted(ingest.seqs()) == [0, 1, 2]
        totals = ingest.totals()
        # QoS 2 is handed over at QoS 1; QoS 0 is not acknowledged.
        assert (totals.received, totals.acknowledged) == (3, 2)


def test_a_shared_subscription_is_split_between_instances_and_nothing_is_lost(tmp_path):
    shared = (
        'topics = ["$share/g/voltair/v1/+/+/+/telemetry"]\n[[decoders]]\ntopic = "plant/{device}"\nstation = "isle"\n'
        'kind = "port"\n[decoders.fields]\npower_kw = "p"\n'
    )
    with mosquitto() as broker, publisher(broker) as client:
        one = Ingest(tmp_path / "one", broker.url, f'client_id = "one"\n{shared}')
        two = Ingest(tmp_path / "two", broker.url, f'client_id = "two"\n{shared}')
        with started(one), started(two):
            one.ready()
            two.ready()
            send(client, range(200))
            sent = [client.publish("plant/c1", json.dumps({"p": n}), qos=1) for n in range(20)]
            for info in sent:
                info.wait_for_publish(30)
            one.until(lambda _: one.totals().journalled + two.totals().journalled == 220, "all of them")
            assert sorted(s for s in one.seqs() + two.seqs() if s >= 0) == list(range(200))
            assert one.seqs()
            assert two.seqs()


def test_a_full_journal_is_said_and_survived(tmp_path):
    with mosquitto() as broker, publisher(broker) as client:
        ingest = Ingest(tmp_path / "v", broker.url, '[journal]\nmax_bytes = 30000\nkeep = "0s"')
        with started(ingest):
            ingest.ready()
            send(client, range(3_000))
            status = ingest.until(lambda s: not s.ready and s.problems, "full")
            assert "journal.max_bytes" in status.problems[0]
            assert status.gauges["connected"] == 1
            assert ingest.totals().acknowledged < 3_000
            ingest.kill9()
            toml = ingest.folder / "voltair.toml"
            toml.write_text(toml.read_text().replace("30000", "30000000"))
            ingest.start()
            ingest.journalled(3_000)
            assert set(ingest.seqs()) == set(range(3_000))
            ingest.ready()


def test_the_role_is_held_by_one_process(tmp_path):
    with mosquitto() as broker, started(Ingest(tmp_path / "v", broker.url)) as ingest:
        ingest.ready()
        second = Ingest(tmp_path / "v", broker.url)
        second.log_path = tmp_path / "second.log"
        with started(second):
            assert second.wait_exit() == 1
        assert f"process {ingest.pid}" in second.log


def test_topics_of_decoders_are_subscribed_to_and_read(tmp_path):
    decoder = """
[[decoders]]
topic = "plant/{station}/{device}/power"
kind = "compressor"
format = "text"
fields = {power_kw = {unit = "W"}}
"""
    with mosquitto() as broker, started(Ingest(tmp_path / "ingest", broker.url, decoder)) as ingest:
        ingest.ready()
        with publisher(broker) as client:
            client.publish("plant/isle/c1/power", "75000", qos=1).wait_for_publish(30)
            send(client, [1])
        ingest.journalled(2)
        entries, devices = ingest.entries()
        assert {(d.station, d.kind, d.device) for d in devices} == {
            ("isle", "compressor", "c1"), ("harbour", "port", "p1"),
        }
        assert 75.0 in [v for e in entries if e.type is EntryType.FRAME for v in e.frame().values[:, 0].tolist()]


def test_killed_between_start_and_stop_a_transaction_ends_at_its_connector(tmp_path):
    """OCPP 1.6 says at the end only which transaction it is."""
    decoder = '[[decoders]]\ntopic = "ocpp/{charge_point}/{way}"\nformat = "ocpp16"\nstation = "depot"\n'
    at = {"timestamp": "2026-11-22T03:00:00Z"}
    begin = [
        *([2, "1", "StatusNotification", {"connectorId": n, "status": "Available", "errorCode": "NoError", **at}]
          for n in (1, 2)),
        [2, "2", "StartTransaction", {"connectorId": 2, "idTag": "x", "meterStart": 0, **at}],
    ]  # fmt: skip
    end = [2, "3", "StopTransaction", {"transactionId": 7, "meterStop": 5_000, "timestamp": "2026-11-22T04:00:00Z"}]
    with mosquitto() as broker, started(Ingest(tmp_path / "v", broker.url, decoder)) as ingest:
        ingest.ready()
        with publisher(broker) as client:

            def say(frame, readings, way="up"):
                client.publish(f"ocpp/CP/{way}", json.dumps(frame), qos=1).wait_for_publish(30)
                ingest.journalled(readings)

            for n, frame in enumerate(begin):
                say(frame, n + 1)
            ingest.kill9()
            ingest.start()
            say([3, "2", {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}], 4, "down")
            ingest.kill9()
            ingest.start()
            say(end, 5)
        assert ingest.totals().dead_lettered == 0
        entries, devices = ingest.entries()
        last = [e for e in entries if e.type is EntryType.FRAME][-1].frame()
        assert devices[int(last.device[0])].device == "CP-2"
        session = last.kind.code_index["session_id"]
        assert last.texts[int(last.codes[0, session])] == "7"


def test_ticks_come_just_after_a_full_second():
    for now_ms in range(1_795_000_000_000, 1_795_000_002_000):
        wait_ms = round(1000 * until_tick_s(now_ms))
        assert (now_ms + wait_ms) % 1000 == 20
        assert 20 < wait_ms <= 1020
