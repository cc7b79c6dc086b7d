"""`voltair.toml` as types: every key with its default, overridden by `VOLTAIR__SECTION__KEY`; secrets also by file."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from telemetry.decoders import DecoderConfig
from telemetry.errors import ConfigError
from telemetry.notifying import BusinessCalendar, EscalationStep, Severity
from telemetry.times import parse_duration_ms

_SHARE = re.compile(r"\$share/[^/+#]+/(?=.)")
_NATIVE_LEVELS = ("/+/+/+/telemetry", "/+/+/+/online")


class MqttConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker and the session on it."""

    url: str = "mqtt://127.0.0.1:1883"
    """`mqtt://host:port`, or `mqtts://` for TLS."""
    protocol: Literal[4, 5] = 5
    """5: MQTT 5; 4: MQTT 3.1.1."""
    client_id: str = "voltair"
    """Stable name of the persistent session; unique on the broker."""
    username: str = ""
    password: str = ""
    password_file: str = ""
    topics: tuple[str, ...] = ("voltair/v1/+/+/+/telemetry", "voltair/v1/+/+/+/online")
    """Subscriptions. `$share/{group}/...` splits them between several `voltair ingest`, which is only for instances
    without analytics."""
    prefix: str = "voltair/v1"
    """First levels of the native topics, in and out; where only one of it and `topics` is set, the other follows."""
    session_expiry: str = "7d"
    """How long the broker keeps our session while we are away (MQTT 5)."""
    keepalive_s: int = 30
    ca_file: str = ""
    """CA that signed the broker's certificate; empty: the system's."""
    cert_file: str = ""
    key_file: str = ""

    @property
    def share(self) -> str:
        """`$share/{group}/` where the subscriptions are shared, else empty."""
        found = _SHARE.match(self.topics[0]) if self.topics else None
        return found[0] if found else ""


class IngestConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Batching and limits at the edge."""

    batch_messages: int = 2_000
    """A batch is committed at this many messages,"""
    batch_bytes: int = 1_048_576
    """or this many bytes of payload,"""
    batch_ms: int = 20
    """or this long after its first message."""
    max_payload_bytes: int = 1_048_576
    """A longer payload is dead-lettered."""
    max_nesting: int = 100
    """A payload whose arrays and objects are nested deeper is dead-lettered."""
    max_devices: int = 200_000
    """So many devices may speak in all; a message of one more is dead-lettered, unless stations.toml lists it,"""
    max_devices_per_station: int = 10_000
    """and so many in each station."""
    session_key: str = ""
    """A secret. With it, HMAC-SHA256 of each `session_id` is kept in place of the id; another key gives other ones."""
    session_key_file: str = ""


class JournalConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The journal on disk."""

    max_bytes: int = 10_000_000_000
    """At this size ingest stops acknowledging until segments are free to go."""
    keep: str = "24h"
    """Closed segments stay at least this long."""
    segment_bytes: int = 268_435_456


class InfluxConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An InfluxDB server."""

    version: Literal[1, 2, 3] = 1
    url: str = "http://127.0.0.1:8086"
    database: str = "voltair"
    """1.x database; raw readings and one-minute rows go to `{database}_raw`."""
    username: str = ""
    password: str = ""
    password_file: str = ""
    token: str = ""
    token_file: str = ""
    org: str = ""
    bucket: str = "voltair"
    """2.x and 3.x bucket; raw readings and one-minute rows go to `{bucket}_raw`."""


class StoreConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The series store."""

    kind: Literal["sqlite", "influx"] = "sqlite"
    keep_raw: str = ""
    """Raw readings and one-minute rows stay this long; empty: 30 d live, for ever in event mode."""
    influx: InfluxConfig = InfluxConfig()


class AnalyticsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of time in analytics."""

    reorder: str = "15m"
    """A late reading is exact up to this age against its device's newest."""
    backfill: str = "35d"
    """Readings of this age are still exact inside a gap."""
    lateness: str = ""
    """Watermark = now - lateness; empty: 1 s live, 24 h in event mode."""
    keep_1m: str = "90d"
    """Minute buckets stay this long in state.db. Not in this release: they stay for ever, whatever is said here."""
    rules: str = ""
    """A rule file that adds to the shipped rules or overrides them."""


class ClockConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which clock `now` follows."""

    mode: Literal["live", "event"] = "live"


class ApiConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP server."""

    listen: str = "127.0.0.1:8080"
    public_url: str = ""
    """Address under which people reach the page; used in links and allowed as `Host`."""
    grafana_url: Annotated[str, msgspec.Meta(pattern=r"^$|^https?://[^/\s]")] = ""
    """Address of a Grafana with Voltair's dashboards; the page links to them. Empty: no links."""
    tokens: str = ""
    """`name=token:read|admin[:station,...]`, separated by spaces or commas; also `VOLTAIR_API_TOKENS`."""


Names = tuple[str, ...]


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be said of a receiver of alerts, in the file and by the API alike."""

    url: str
    secret: str = ""
    """`whsec_` + base64 signs every body; several separated by spaces while one is changed; of dingtalk and feishu
    also the robot's own."""
    format: Literal["standard", "alertmanager", "cloudevents", "wecom", "dingtalk", "feishu", "slack"] = "standard"
    allow_private: Names = ()
    """Private networks that this receiver may live in; plain http only to these."""
    stations: Names = ()
    """It gets alerts of these stations; empty: of all. So with the next four."""
    groups: Names = ()
    severities: tuple[Severity, ...] = ()
    categories: Names = ()
    rules: Names = ()
    tier: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    """1: told at once; higher: only of alerts that were escalated this far."""
    language: Literal["", "en", "zh"] = ""
    """Of texts that are in one language; empty: the format's own."""
    rate_per_minute: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Most messages a minute; None: the format's own; 0: no limit."""
    headers: dict[str, str] = {}
    """Sent with every message; never shown again."""
    calendar: str = ""
    """Messages wait for the hours of this `[calendars.NAME]`; empty: never."""
    repeat: str = ""
    """What still fires and nobody has taken on is told again after this long; empty: never."""


class WebhookConfig(WebhookSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[webhooks]]`."""

    secret_file: str = ""
    id: str = ""
    """Stable name of the endpoint; empty: derived from the URL."""


class AlertsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to alerts that nobody takes on."""

    escalation: tuple[EscalationStep, ...] = ()
    """Steps for stations that name none of their own."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings."""

    data_dir: str = "voltair-data"
    """journal/, state.db, series.db, desk.db, roles/."""
    stations: str = "stations.toml"
    mqtt: MqttConfig = MqttConfig()
    ingest: IngestConfig = IngestConfig()
    journal: JournalConfig = JournalConfig()
    store: StoreConfig = StoreConfig()
    analytics: AnalyticsConfig = AnalyticsConfig()
    clock: ClockConfig = ClockConfig()
    api: ApiConfig = ApiConfig()
    alerts: AlertsConfig = AlertsConfig()
    calendars: dict[str, BusinessCalendar] = {}
    """Name -> hours in which people are there; endpoints and escalation name them."""
    webhooks: tuple[WebhookConfig, ...] = ()
    decoders: tuple[DecoderConfig, ...] = ()
    """How payloads of foreign devices become readings."""
    demo: bool = False
    """Set by `voltair demo`: the page says that the data are simulated."""

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.data_dir)

    @property
    def stations_file(self) -> Path:
        """The registry of stations."""
        return Path(self.stations)

    @property
    def rules_file(self) -> Path | None:
        """The user's rule file, None where there is none."""
        return Path(self.analytics.rules) if self.analytics.rules else None

    @property
    def lateness_ms(self) -> int:
        """How far the watermark stays behind `now` [ms]."""
        return duration(self.analytics.lateness or ("1s" if self.clock.mode == "live" else "24h"))

    @property
    def keep_raw_ms(self) -> int | None:
        """How long the series store keeps raw readings and one-minute rows [ms]; None: for ever."""
        keep = self.store.keep_raw or ("30d" if self.clock.mode == "live" else "")
        return duration(keep) if keep else None


def duration(text: str) -> int:
    """Return a checked duration setting in ms."""
    found = parse_duration_ms(text)
    if found is None:
        msg = f"{text!r} is no duration; write for example 500ms, 30s, 15m, 24h or 35d"
        raise ConfigError(msg)
    return found


def load_config(path: Path | None, environ: Mapping[str, str] | None = None) -> Config:
    """Read `voltair.toml` (None: the one in the working directory, or all defaults), then the environment.

    Relative paths in the file are relative to the file's folder.

    Raises
    ------
    ConfigError
        If the file is missing, no TOML, or a key or value is wrong.
    """
    environ = os.environ if environ is None else environ
    tables: dict[str, Any] = {}
    source = path or Path("voltair.toml")
    try:
        tables = tomllib.loads(source.read_text("utf-8"))
    except FileNotFoundError:
        if path is not None:
            msg = f"no configuration file {path}; write one with 'voltair init', or leave --config out"
            raise ConfigError(msg) from None
    except tomllib.TOMLDecodeError as error:
        msg = f"{source} is not valid TOML: {error}"
        raise ConfigError(msg) from error
    _override(tables, environ)
    _read_secret_files(tables, source.parent)
    _align_prefix(tables.get("mqtt"))
    try:
        config = msgspec.convert(tables, Config, strict=False)
    except msgspec.ValidationError as error:
        msg = f"{source}: {error}"
        raise ConfigError(msg) from error
    config = msgspec.structs.replace(
        config,
        data_dir=str(source.parent / config.data_dir),
        stations=str(source.parent / config.stations),
    )
    if config.analytics.rules:
        rules = str(source.parent / config.analytics.rules)
        config = msgspec.structs.replace(config, analytics=msgspec.structs.replace(config.analytics, rules=rules))
    _check(config, str(source))
    return config


def _override(tables: dict[str, Any], environ: Mapping[str, str]) -> None:
    for name, value in environ.items():
        if not name.startswith("VOLTAIR__"):
            continue
        *sections, key = name.removeprefix("VOLTAIR__").lower().split("__")
        table = tables
        for section in sections:
            table = table.setdefault(section, {})
        try:
            table[key] = tomllib.loads(f"v = {value}")["v"] if value[:1] in "[{" else value
        except tomllib.TOMLDecodeError as error:
            msg = f"environment variable {name}={value!r} is not valid TOML: {error}"
            raise ConfigError(msg) from error
    if environ.get("VOLTAIR_API_TOKENS"):
        tables.setdefault("api", {})["tokens"] = environ["VOLTAIR_API_TOKENS"]


_SECRETS = ("password", "token", "secret", "session_key")


def _read_secret_files(table: Any, folder: Path) -> None:
    """Fill `password`, `token`, `secret` and `session_key` from their `_file` variants."""
    if isinstance(table, list):
        for item in table:
            _read_secret_files(item, folder)
    if not isinstance(table, dict):
        return
    for key, value in list(table.items()):
        _read_secret_files(value, folder)
        secret = key.removesuffix("_file")
        if secret in _SECRETS and key != secret and value:
            try:
                table[secret] = (folder / value).read_text("utf-8").strip()
            except OSError as error:
                msg = f"{key} = {value!r} cannot be read: {error.strerror}"
                raise ConfigError(msg) from error


def _align_prefix(mqtt: Any) -> None:
    """Let `prefix` and the native ones among `topics` follow each other, for else every message would be foreign."""
    if not isinstance(mqtt, dict):
        return
    prefix, topics = mqtt.get("prefix"), mqtt.get("topics")
    if isinstance(prefix, str) and topics is None:
        mqtt["topics"] = [prefix + levels for levels in _NATIVE_LEVELS]
    elif prefix is None and isinstance(topics, list):
        plain = [_SHARE.sub("", topic, 1) for topic in topics if isinstance(topic, str)]
        native = {t.removesuffix(levels) for t in plain for levels in _NATIVE_LEVELS if t.endswith(levels)}
        if len(native) == 1:
            mqtt["prefix"] = native.pop()


def _check(config: Config, source: str) -> None:
    for text in (
        config.journal.keep, config.analytics.reorder, config.analytics.backfill, config.analytics.keep_1m,
        config.mqtt.session_expiry, config.store.keep_raw or "30d", config.analytics.lateness or "1s",
    ):
        duration(text)
    url = urlsplit(config.mqtt.url)
    if url.scheme not in ("mqtt", "mqtts") or not url.hostname:
        msg = f"{source}: mqtt.url {config.mqtt.url!r} is not like mqtt://host:1883 or mqtts://host:8883"
        raise ConfigError(msg)
    share = config.mqtt.share
    for topic in config.mqtt.topics:
        if topic.startswith("$share/") and not _SHARE.match(topic):
            msg = f"{source}: mqtt.topics has {topic!r}, which is not like $share/GROUP/FILTER"
            raise ConfigError(msg)
        if topic.startswith("$share/") != bool(share) or not topic.startswith(share):
            msg = (
                f"{source}: mqtt.topics mixes {config.mqtt.topics[0]!r} and {topic!r}; share all topics in one group, "
                "or none"
            )
            raise ConfigError(msg)
    split_listen(config.api.listen)
    for name, calendar in config.calendars.items():
        calendar.check(f"{source}: [calendars.{name}]")
    for step in config.alerts.escalation:
        step.check(f"{source}: [[alerts.escalation]]")
    for name in [w.calendar for w in config.webhooks] + [s.calendar for s in config.alerts.escalation]:
        if name and name not in config.calendars:
            msg = f"{source}: calendar {name!r} is not there; write a table [calendars.{name}]"
            raise ConfigError(msg)


def check_whole(config: Config) -> None:
    """Refuse shared subscriptions where analytics run: they would see a part of each station.

    Raises
    ------
    ConfigError
        If `mqtt.topics` are shared.
    """
    if config.mqtt.share:
        msg = (
            f"mqtt.topics = {list(config.mqtt.topics)!r}: a shared subscription gives this instance only a part of "
            "each station's messages, and key figures and alerts made of a part are wrong; take "
            f"{config.mqtt.share!r} away, or run 'voltair ingest' and 'voltair writer' alone"
        )
        raise ConfigError(msg)


def split_listen(listen: str) -> tuple[str, int]:
    """Return host and port of `api.listen`."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        msg = f"api.listen = {listen!r} is not like 127.0.0.1:8080"
        raise ConfigError(msg)
    return host.strip("[]"), int(port)
