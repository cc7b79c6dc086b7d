"""The role that listens: broker -> journal -> acknowledgement, and what it says of itself."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable

import msgspec

from ingest.batch import Intake
from ingest.commit import Committer
from ingest.decode import Decoder
from ingest.letters import Answer, Letters, Request, Work, mailbox
from ingest.rebirths import Rebirths
from ingest.session import Session
from ingest.watched import RulesFile, StationsFile, WatchedFile
from store.journal import EntryType, JournalWriter
from store.roles import RoleLock, RoleStatus, explained, wall_ms, write_status
from telemetry.config import Config
from telemetry.registry import Registry
from wire.foreign import ForeignDecoders

ROLE = "ingest"
TICK_S = 1.0
"""Period of ticks, of the look at stations.toml and the rule file, and of the status."""
_PHASE_MS = 20
"""Ticks come this long after a full second: the watermark, whole seconds behind, has then just passed the minute."""
RETIRE_S = 30.0
"""Period of retention."""
_RECEIVE_MAXIMUM = 65_535


def until_tick_s(now_ms: int) -> float:
    """Return how long after `now_ms` (wall time) the next tick is due [s]."""
    return TICK_S - (now_ms % 1_000 - _PHASE_MS) / 1_000


def run(config: Config) -> None:
    """Run the role until SIGTERM or SIGINT.

    Raises
    ------
    RoleLocked
        If the role already runs on this data directory.
    JournalError
        If the data directory belongs to the other clock mode, or the journal is damaged.
    ConfigError
        If a decoder is wrong, the broker refuses the login, or TLS files are wrong.
    """
    with RoleLock(config.data, ROLE), explained(config.data, ROLE):
        factory: Callable[[], asyncio.AbstractEventLoop] | None = None
        with contextlib.suppress(ImportError):
            import uvloop  # noqa: PLC0415 - the extra `speed`

            factory = uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(_Ingest(config).run())


def settle(config: Config, request: Request) -> Answer:
    """Do what a command wants done with dead letters, where ingest does not run.

    Raises
    ------
    RoleLocked
        If it does: leave it to that.
    JournalError, ConfigError
        As in `run`.
    """
    with RoleLock(config.data, ROLE):
        foreign = ForeignDecoders(config.decoders, config.mqtt.prefix, config.ingest.max_nesting)
        committer = Committer(config)
        stations = StationsFile(config.stations_file, committer.journal.latest(EntryType.REGISTRY))
        stations.poll()
        decoder = _decoder(config, committer.journal, stations.registry, foreign)

        async def now(work: Work) -> None:
            full = asyncio.Event()  # a full journal is not waited for
            await work(full.set, full)

        try:
            return asyncio.run(Letters(config, decoder, committer).do(request, now))
        finally:
            committer.close()


def _decoder(config: Config, journal: JournalWriter, registry: Registry, foreign: ForeignDecoders) -> Decoder:
    return Decoder(
        prefix=config.mqtt.prefix,
        clock_mode=config.clock.mode,
        limits=config.ingest,
        devices=journal.devices,
        station_now=journal.station_now,
        registry=registry,
        foreign=foreign,
    )


class _Ingest:
    """The parts of the role, wired."""

    def __init__(self, config: Config) -> None:
        self._config = config
        foreign = ForeignDecoders(config.decoders, config.mqtt.prefix, config.ingest.max_nesting)
        foreign.check_share(config.mqtt.share)
        self._committer = Committer(config)
        journal = self._committer.journal
        foreign.recall(journal.memory())
        self._stations = StationsFile(config.stations_file, journal.latest(EntryType.REGISTRY))
        self._rules = RulesFile(config.rules_file, journal.latest(EntryType.RULES))
        self._decoder = _decoder(config, journal, self._stations.registry, foreign)
        self._letters = Letters(config, self._decoder, self._committer)
        self._mailbox = mailbox(config.data)
        filters = [config.mqtt.share + name for name in foreign.filters]
        self._intake = Intake(config.ingest, self._decoder, self._committer)
        self._changed = asyncio.Event()
        self._session = Session(
            msgspec.structs.replace(config.mqtt, topics=tuple(dict.fromkeys((*config.mqtt.topics, *filters)))),
            receive_maximum=min(_RECEIVE_MAXIMUM, 4 * config.ingest.batch_messages),
            on_messages=self._intake.offer,
            on_change=self._changed.set,
            memory=config.data / "roles" / "ingest-subscriptions.json",
        )
        self._intake.attach(self._session)
        self._host = foreign.host
        self._rebirths = Rebirths(foreign.host, config.data / "roles" / "ingest-edge-nodes.json", self._session.publish)
        self._due: dict[EntryType, bytes] = {}
        """Changes of files that the journal has yet to take."""
        self._started_ms = wall_ms()

    async def run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        await self._look_at_files()
        self._say()
        intake = asyncio.ensure_future(self._intake.run())
        tasks = [
            asyncio.ensure_future(work)
            for work in (
                self._session.run(),
                self._tick(),
                self._every(RETIRE_S, self._committer.retire),
                self._every(TICK_S, self._read_mail),
                stop.wait(),
            )
        ]
        try:
            done, _ = await asyncio.wait((intake, *tasks), return_when=asyncio.FIRST_COMPLETED)
            self._session.pause_reading()
            self._intake.stop()
            await asyncio.wait((intake,))
            for task in done | {intake}:
                task.result()
        finally:
            for task in (intake, *tasks):
                task.cancel()
            await asyncio.wait((intake, *tasks))
            self._session.disconnect()
            self._committer.close()
            self._say(running=False)

    async def _tick(self) -> None:
        """Tick once a second, and at once when the connection comes or goes."""
        while True:
            self._changed.clear()
            await self._committer.tick(connected=self._session.connected)
            await self._look_at_files()
            if self._session.connected:
                self._intake.connected(self._session.generation)
                self._rebirths.tick()
            self._say()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(until_tick_s(wall_ms())):
                    await self._changed.wait()

    async def _every(self, period_s: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(period_s)
            await work()

    async def _read_mail(self) -> None:
        for name, request in self._mailbox.take():
            self._mailbox.answer(name, await self._letters.do(request, self._intake.between))

    async def _look_at_files(self) -> None:
        watched: dict[EntryType, WatchedFile] = {EntryType.REGISTRY: self._stations, EntryType.RULES: self._rules}
        for type_, file in watched.items():
            body = file.poll()
            if body is not None:
                self._decoder.set_registry(self._stations.registry)
                self._due[type_] = body
            if type_ in self._due and await self._committer.put(type_, self._due[type_]):
                del self._due[type_]

    def _say(self, *, running: bool = True) -> None:
        """Write the role's status."""
        session, committer, intake = self._session, self._committer, self._intake
        problems = [p for p in (session.problem, committer.full, self._stations.problem, self._rules.problem) if p]
        connected = running and session.connected
        status = RoleStatus(
            role=ROLE,
            pid=os.getpid(),
            started_ms=self._started_ms,
            updated_ms=wall_ms(),
            ready=connected and committer.full is None,
            problems=problems if running else ["stopped; start it with 'voltair ingest' or 'voltair run'"],
            gauges={
                "connected": float(connected),
                "journal_bytes": float(committer.journal.bytes),
                "journal_entry": float(committer.journal.next_number - 1),
                "waiting_messages": float(intake.waiting),
                "lag_s": intake.lag_s,
            },
            counters={
                **intake.counters,
                **self._host.counters,
                "reconnects": session.reconnects,
                "stale_acks": session.stale_acks,
            },
        )
        with contextlib.suppress(OSError):  # a full disk: ingest waits for room and must not die of its status
            write_status(self._config.data, status)
