"""Receivers of alerts: those of voltair.toml and those added by the API."""

import functools
import hashlib
import re
import sqlite3
from collections.abc import Container, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from api.guard import check_url
from api.signing import ROBOT_SIGNED, secret_key
from telemetry.config import WebhookConfig, WebhookSettings
from telemetry.errors import ConfigError
from telemetry.times import format_time, parse_duration_ms


class Endpoint(WebhookSettings, frozen=True, kw_only=True):
    """One receiver."""

    id: str
    source: str = "api"
    """`config` (voltair.toml) or `api`."""
    enabled: bool = True
    disabled_reason: str = ""
    """Why it is not enabled; "" where it is."""
    created_ms: int = 0

    def public(self) -> dict[str, Any]:
        """Return it as the API shows it: secrets, values of headers and keys in a robot's URL stay here."""
        shown = msgspec.to_builtins(self)
        for name in ("secret", "created_ms"):
            del shown[name]
        return {
            **shown, "id": self.id, "url": _shown_url(self), "headers": dict.fromkeys(self.headers, "***"),
            "disabled_reason": self.disabled_reason or None, "signed": bool(self.secret),
            "created": format_time(self.created_ms),
        }


def _shown_url(endpoint: Endpoint) -> str:
    """Return a URL without what opens the robot behind it: a key in its query, or the end of its path."""
    if endpoint.format not in ("wecom", "dingtalk", "feishu", "slack"):
        return endpoint.url
    parts = urlsplit(endpoint.url)
    if parts.query:
        return parts._replace(query=re.sub(r"=[^&]*", "=***", parts.query)).geturl()
    return parts._replace(path=parts.path.rpartition("/")[0] + "/***").geturl()


def check_endpoint(endpoint: Endpoint, calendars: Container[str] = ()) -> None:
    """Refuse an endpoint that could never be delivered to.

    Parameters
    ----------
    endpoint
        With everything that was asked for.
    calendars
        Names of `[calendars]`.

    Raises
    ------
    ConfigError
        If its URL, secret, a header, `repeat` or `calendar` is wrong.
    """
    check_url(endpoint.url, endpoint.allow_private)
    for part in endpoint.secret.split():
        if part.startswith("whsec_") or endpoint.format not in ROBOT_SIGNED:
            secret_key(part)
    for name, value in endpoint.headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("webhook-"):
            msg = f"webhook headers: {name!r} is no name of a header, or one that Voltair itself must set; leave it out"
            raise ConfigError(msg)
        if not value.isascii() or not value.isprintable():
            msg = f"webhook headers: the value of {name!r} holds what no header can; use printable ASCII"
            raise ConfigError(msg)
    if endpoint.repeat and not parse_duration_ms(endpoint.repeat):
        msg = f"webhook repeat = {endpoint.repeat!r} is no duration; write for example 4h"
        raise ConfigError(msg)
    if endpoint.calendar and endpoint.calendar not in calendars:
        msg = f"webhook calendar {endpoint.calendar!r} is not there; write a table [calendars.{endpoint.calendar}]"
        raise ConfigError(msg)


_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = (
    "host", "content-length", "content-type", "transfer-encoding", "connection", "idempotency-key", "user-agent",
    "accept-encoding",
)


def from_config(webhook: WebhookConfig, calendars: Container[str] = ()) -> Endpoint:
    """Return the endpoint of one `[[webhooks]]` table, checked.

    Raises
    ------
    ConfigError
        If it could never be delivered to.
    """
    settings = {name: getattr(webhook, name) for name in WebhookSettings.__struct_fields__}
    id_ = webhook.id or "ep_" + hashlib.sha256(webhook.url.encode()).hexdigest()[:12]
    endpoint = Endpoint(id=id_, source="config", **settings)
    check_endpoint(endpoint, calendars)
    return endpoint


def configured_endpoints(webhooks: Sequence[WebhookConfig], calendars: Container[str] = ()) -> list[Endpoint]:
    """Return the endpoints of `[[webhooks]]`, checked.

    Raises
    ------
    ConfigError
        If one could never be delivered to, or two have the same id.
    """
    endpoints = [from_config(w, calendars) for w in webhooks]
    ids = [e.id for e in endpoints]
    for endpoint in endpoints:
        if ids.count(endpoint.id) > 1:
            msg = f'webhook {endpoint.url!r} has the id {endpoint.id!r} of another; give each its own id = "..."'
            raise ConfigError(msg)
    return endpoints


def put_endpoint(db: sqlite3.Connection, endpoint: Endpoint) -> None:
    """Write an endpoint, inside a transaction of the desk."""
    db.execute(
        "INSERT OR REPLACE INTO endpoint VALUES(?, ?, ?, ?, ?)",
        (
            endpoint.id, endpoint.created_ms, endpoint.enabled, endpoint.disabled_reason,
            msgspec.json.encode(endpoint),
        ),
    )


def list_endpoints(db: sqlite3.Connection, endpoint: str | None = None) -> list[Endpoint]:
    """Return all endpoints, oldest first, or the one of that id."""
    rows = db.execute(
        "SELECT body, enabled, disabled_reason FROM endpoint WHERE ? IS NULL OR id = ? ORDER BY created_ms, id",
        (endpoint, endpoint),
    )
    return [_read(*row) for row in rows]


def _read(body: bytes, enabled: int, reason: str) -> Endpoint:
    return msgspec.structs.replace(_stored(body), enabled=bool(enabled), disabled_reason=reason)


@functools.lru_cache(maxsize=256)
def _stored(body: bytes) -> Endpoint:
    """Return an endpoint from its row; they are asked for at every step and seldom change."""
    return msgspec.json.decode(body, type=Endpoint)


def disable_endpoint(db: sqlite3.Connection, endpoint: str, reason: str) -> None:
    """Stop an endpoint, inside a transaction of the desk: what was still to be sent becomes a dead letter."""
    db.execute("UPDATE endpoint SET enabled = 0, disabled_reason = ? WHERE id = ?", (reason, endpoint))
    db.execute(
        "UPDATE delivery SET state = 'dead', last_error = ? WHERE endpoint = ? AND state IN ('pending', 'held')",
        (f"endpoint disabled: {reason}", endpoint),
    )


def sync_config(db: sqlite3.Connection, configured: list[Endpoint], now_ms: int) -> None:
    """Bring the endpoints of voltair.toml up to date, inside a transaction of the desk.

    One that has left the file is disabled and kept with its log; one that stays disabled by its receiver (410)
    stays so until a person enables it again.
    """
    known = {e.id: e for e in list_endpoints(db)}
    for endpoint in configured:
        old = known.get(endpoint.id)
        back = old is not None and old.disabled_reason == _LEFT_FILE
        put_endpoint(
            db,
            msgspec.structs.replace(
                endpoint,
                created_ms=now_ms if old is None else old.created_ms,
                enabled=old is None or back or old.enabled,
                disabled_reason="" if old is None or back else old.disabled_reason,
            ),
        )
    wanted = {e.id for e in configured}
    for old in known.values():
        if old.source == "config" and old.id not in wanted and old.enabled:
            disable_endpoint(db, old.id, _LEFT_FILE)


_LEFT_FILE = "no longer in voltair.toml"
