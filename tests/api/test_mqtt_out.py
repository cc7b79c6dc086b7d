"""MQTT out against a real mosquitto: what is retained, over resolutions, crashes and brokers that are away."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiomqtt import Client, Topic
from api_support import T0, make_state, put_ports, transition
from mqtt_out_support import Site, listening, retained, until, working
from servers import Broker, find_program, free_port, mosquitto

from api.mqtt_out import MqttOut
from api.overview import Overview
from store.sqlite import connect
from telemetry.config import MqttConfig

pytestmark = pytest.mark.server

KPI = "voltair/v1/harbour/kpi"
A1, A2 = "voltair/v1/harbour/alert/a1", "voltair/v1/harbour/alert/a2"


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with mosquitto() as running:
        yield running


def story(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


@pytest.mark.parametrize("protocol", [5, 4])
def test_an_alert_is_retained_while_it_fires(broker: Broker, tmp_path: Path, protocol: int) -> None:
    site = Site(tmp_path, broker.url, protocol=protocol)
    a1, a2 = site.topic("harbour", "alert", "a1"), site.topic("harbour", "alert", "a2")

    async def work() -> None:
        site.take(transition("a1"))
        out = site.make_out()
        assert "not connected" in (out.problem or "")
        async with listening(broker.port, f"{site.prefix}/#") as seen, working(out):
            await seen.until(lambda: a1 in seen.held)
            await until(lambda: out.problem is None and out.connected)
            site.take(transition("a2"))
            out.wake()
            await seen.until(lambda: a2 in seen.held)
            held = dict(seen.held)
            assert await retained(broker, site) == held
            newest = site.desk.events(0, 10)[0]
            assert seen.held[a1] == json.loads(newest.body)["data"]
            site.desk.acknowledge("a1", "Li", "on my way", time_ms=T0, now_ms=T0)
            await seen.until(lambda: seen.held[a1]["acknowledgement"] is not None)
            site.take(transition("a1", "alert.resolved", number=2))
            out.wake()
            await seen.until(lambda: a1 not in seen.held)
            await until(lambda: site.known() == {a2})
        assert list(await retained(broker, site)) == [a2]

    story(work)


def test_what_fires_and_ends_between_two_looks_is_never_published(broker: Broker, tmp_path: Path) -> None:
    site = Site(tmp_path, broker.url)

    async def work() -> None:
        out = site.make_out()
        async with listening(broker.port, f"{site.prefix}/#") as seen, working(out):
            await until(lambda: out.connected)
            site.take(transition("a1"), transition("a1", "alert.resolved", number=2), transition("a2"))
            out.wake()
            await seen.until(lambda: bool(seen.got))
            assert seen.got == [site.topic("harbour", "alert", "a2")]

    story(work)


def test_a_crash_leaves_no_ghost(broker: Broker, tmp_path: Path) -> None:
    """The alert ends while nobody publishes: the next start clears what the last one left."""
    site = Site(tmp_path, broker.url)
    a1, a2 = site.topic("harbour", "alert", "a1"), site.topic("harbour", "alert", "a2")

    async def work() -> None:
        site.take(transition("a1"), transition("a2"))
        async with working(site.make_out()):
            await until(lambda: site.known() == {a1, a2})
        site.take(transition("a1", "alert.resolved", number=2))
        async with listening(broker.port, f"{site.prefix}/#") as seen, working(site.make_out()):
            await seen.until(lambda: a1 in seen.got)
            await until(lambda: site.known() == {a2})
        assert list(await retained(broker, site)) == [a2]

    story(work)


def test_the_desk_knows_a_topic_before_it_is_published(broker: Broker, tmp_path: Path) -> None:
    site = Site(tmp_path, broker.url)
    known: list[set[str]] = []

    class Watched(Client):
        async def publish(self, *args: Any, **how: Any) -> None:
            known.append(site.known())
            await super().publish(*args, **how)

    async def work() -> None:
        site.take(transition("a1"))
        out = site.make_out()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("api.mqtt_out.Client", Watched)
            async with working(out):
                await until(lambda: out.connected)
                site.take(transition("a1", "alert.resolved", number=2))
                out.wake()
                await until(lambda: site.known() == set())
        topic = {site.topic("harbour", "alert", "a1")}
        assert known == [topic, topic], "before publishing, and still before clearing"

    story(work)


def test_a_broker_that_comes_and_goes(tmp_path: Path) -> None:
    """It keeps nothing on disk: what fires is published again, and nothing is published before."""
    port = free_port()
    site = Site(tmp_path, f"mqtt://127.0.0.1:{port}")
    a1, a2 = site.topic("harbour", "alert", "a1"), site.topic("harbour", "alert", "a2")

    async def work() -> None:
        site.take(transition("a1"))
        out = site.make_out()
        with contextlib.ExitStack() as stack:
            async with working(out):
                await until(lambda: "refused" in (out.problem or "").lower())
                broker = stack.enter_context(mosquitto(port=port))
                await until(lambda: out.problem is None)
                assert list(await retained(broker, site)) == [a1]
                broker.kill9()
                await until(lambda: out.problem is not None)
                assert str(port) in (out.problem or "")
                assert not out.connected
                site.take(transition("a1", "alert.resolved", number=2), transition("a2"))
                broker.start()
                await until(lambda: out.problem is None)
                assert list(await retained(broker, site)) == [a2]
                assert site.known() == {a2}

    story(work)


def test_a_refused_login_is_said_and_tried_again(tmp_path: Path) -> None:
    find_program("mosquitto_passwd", "mosquitto")
    words = tmp_path / "words"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(words), "out", "right"], check=True)
    words.chmod(0o644)
    with mosquitto(f"allow_anonymous false\npassword_file {words}") as broker:

        async def work(password: str, condition: Callable[[MqttOut], bool]) -> None:
            site = Site(tmp_path, broker.url, username="out", password=password)
            out = site.make_out()
            async with working(out):
                await until(lambda: condition(out))
            site.desk.close()

        asyncio.run(work("wrong", lambda out: "uthori" in (out.problem or "")))
        asyncio.run(work("right", lambda out: out.problem is None))


@contextlib.contextmanager
def tls_broker(folder: Path) -> Iterator[tuple[Broker, str, Path]]:
    """Yield a broker with a plain and a TLS listener, the URL of the latter and its certificate."""
    find_program("openssl", "openssl")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )
    key.chmod(0o644)
    tls = free_port()
    with mosquitto(f"listener {tls} 127.0.0.1\ncertfile {cert}\nkeyfile {key}") as broker:
        yield broker, f"mqtts://127.0.0.1:{tls}", cert


def test_over_tls(tmp_path: Path) -> None:
    with tls_broker(tmp_path) as (broker, url, cert):

        async def work() -> None:
            site = Site(tmp_path, url, ca_file=str(cert))
            site.take(transition("a1"))
            out = site.make_out()
            async with working(out):
                await until(lambda: out.problem is None)
            assert list(await retained(broker, site)) == [site.topic("harbour", "alert", "a1")]

        story(work)


# paho leaves a socket whose handshake failed to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("ca_file", "said"), [("", "certificate verify failed"), ("no.pem", "No such file")])
def test_a_certificate_that_nobody_vouches_for(tmp_path: Path, ca_file: str, said: str) -> None:
    with tls_broker(tmp_path) as (_, url, _):

        async def work() -> None:
            out = Site(tmp_path, url, ca_file=ca_file).make_out()
            async with working(out):
                await until(lambda: said in (out.problem or ""))

        story(work)


def test_key_figures_of_every_station(broker: Broker, tmp_path: Path) -> None:
    site = Site(tmp_path, broker.url)
    (tmp_path / "stations.toml").write_text(
        '[stations.harbour]\nkind = "charging"\n[[stations.harbour.ports]]\nid = "p001"\n'
        '[stations.isle]\nkind = "compressed_air"\n'
    )
    make_state(site.config.data)
    put_ports(site.config.data, "harbour", {"p001": {"newest_ms": T0, "state": "Charging"}})
    record = {"station": "isle", "kind": "compressed_air", "at": "2026-11-18T11:06:00.000Z", "items": []}
    db = connect(site.config.data / "state.db")
    db.execute("INSERT INTO advice VALUES('isle', ?, ?)", (T0, json.dumps(record)))
    db.close()
    harbour, isle, advice = site.topic("harbour", "kpi"), site.topic("isle", "kpi"), site.topic("isle", "advice")

    async def work() -> None:
        out = site.make_out(every_s=0.2)
        async with listening(broker.port, f"{site.prefix}/#") as seen, working(out):
            await seen.until(lambda: len(seen.got) >= 6)
            assert seen.got[:6] == [harbour, isle, advice, harbour, isle, advice]
        held = await retained(broker, site)
        assert set(held) == {harbour, isle, advice} == site.known()
        assert held[advice] == record
        assert list(held[harbour]) == ["station", "from", "to", "coverage", "kpis", "reasons"]
        assert held[harbour]["station"] == "harbour"
        assert (held[harbour]["from"], held[harbour]["to"]) == ("2026-11-18T10:06:00.000Z", "2026-11-18T11:06:00.000Z")
        overview = Overview(site.sources, site.desk)
        for station, topic in (("harbour", harbour), ("isle", isle)):
            expected = {"station": station, **overview.last_hour(station)}
            assert held[topic] == json.loads(msgspec.json.encode(expected))

    story(work)


def test_a_station_is_published_once_per_interval(broker: Broker, tmp_path: Path) -> None:
    site = Site(tmp_path, broker.url)
    make_state(site.config.data)

    async def work() -> None:
        out = site.make_out(every_s=3600)
        async with listening(broker.port, f"{site.prefix}/#") as seen, working(out):
            await seen.until(lambda: bool(seen.got))
            site.take(transition("a1"))
            out.wake()
            await seen.until(lambda: len(seen.got) == 2)
            assert seen.got == [site.topic("harbour", "kpi"), site.topic("harbour", "alert", "a1")]

    story(work)


def test_topics_of_another_prefix_and_of_stations_that_are_gone_are_cleared(broker: Broker, tmp_path: Path) -> None:
    site = Site(tmp_path, broker.url)
    make_state(site.config.data)
    old = site.topic("old", "gone", "kpi")

    async def work() -> None:
        async with Client("127.0.0.1", broker.port) as other:
            await other.publish(old, b"{}", qos=1, retain=True)
        with site.desk.write() as db:
            db.execute("INSERT INTO mqtt_topic VALUES(?)", (old,))
        out = site.make_out()
        async with working(out):
            await until(lambda: site.known() == {site.topic("harbour", "kpi")})
            await until(lambda: out.published == 2)
        assert list(await retained(broker, site)) == [site.topic("harbour", "kpi")]

    story(work)


def test_what_ingest_would_take_in_again_is_not_published(broker: Broker, tmp_path: Path) -> None:
    site = Site(tmp_path, broker.url, topics=(f"t/{tmp_path.name}/+/alert/#",))
    make_state(site.config.data)
    site.take(transition("a1"))

    async def work() -> None:
        out = site.make_out()
        async with working(out):
            await until(lambda: out.published == 1 and out.connected)
            assert "of mqtt.topics would take it in again" in (out.problem or "")
        assert list(await retained(broker, site)) == [site.topic("harbour", "kpi")]

    story(work)


@pytest.mark.parametrize("topic", [KPI, A1, A2])
def test_the_default_subscriptions_of_ingest_leave_our_topics_alone(topic: str) -> None:
    assert not any(Topic(topic).matches(wildcard) for wildcard in MqttConfig().topics)


def test_a_desk_that_cannot_be_written_is_tried_again(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, broker.url)
    write = site.desk.write
    site.take(transition("a1"))

    def full() -> Any:
        msg = "database or disk is full"
        raise OSError(msg)

    async def work() -> None:
        out = site.make_out()
        monkeypatch.setattr(site.desk, "write", full)
        async with working(out):
            await until(lambda: "disk is full" in (out.problem or ""))
            monkeypatch.setattr(site.desk, "write", write)
            await until(lambda: out.problem is None)
        assert list(await retained(broker, site)) == [site.topic("harbour", "alert", "a1")]

    story(work)
