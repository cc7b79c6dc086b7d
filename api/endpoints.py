"""Receivers of alerts: those of voltair.toml and those added by the API."""

import hashlib
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from api.bodies import FORMATS
from api.guard import check_url
from api.signing import secret_key
from telemetry.config import WebhookConfig
from telemetry.errors import ConfigError
from telemetry.times import format_time


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One receiver."""

    id: str
    url: str
    secret: str = ""
    """`whsec_...`, several separated by spaces; "" sends unsigned bodies."""
    format: str = "standard"
    allow_private: tuple[str, ...] = ()
    """Private networks that the receiver may live in; plain http only to these."""
    source: str = "api"
    """`config` (voltair.toml) or `api`."""
    enabled: bool = True
    disabled_reason: str = ""
    """Why it is not enabled; "" where it is."""
    created_ms: int = 0

    def public(self) -> dict[str, Any]:
        """Return it as the API shows it: the secret stays here."""
        return {
            "id": self.id, "url": self.url, "format": self.format, "allow_private": list(self.allow_private),
            "source": self.source, "enabled": self.enabled, "disabled_reason": self.disabled_reason or None,
            "signed": bool(self.secret), "created": format_time(self.created_ms),
        }


_COLUMNS = "id, url, secret, format, allow_private, source, enabled, disabled_reason, created_ms"


def check_endpoint(endpoint: Endpoint) -> None:
    """Refuse an endpoint that could never be delivered to.

    Raises
    ------
    ConfigError
        If its URL, format or secret is wrong.
    """
    if endpoint.format not in FORMATS:
        msg = (
            f"webhook format {endpoint.format!r} is not yet in this release; use one of {', '.join(FORMATS)}"
        )
        raise ConfigError(msg)
    check_url(endpoint.url, endpoint.allow_private)
    for part in endpoint.secret.split():
        secret_key(part)


def from_config(webhook: WebhookConfig) -> Endpoint:
    """Return the endpoint of one `[[webhooks]]` table, checked.

    Raises
    ------
    ConfigError
        If it could never be delivered to.
    """
    endpoint = Endpoint(
        id=webhook.id or "ep_" + hashlib.sha256(webhook.url.encode()).hexdigest()[:12],
        url=webhook.url, secret=webhook.secret, format=webhook.format, allow_private=webhook.allow_private,
        source="config",
    )
    check_endpoint(endpoint)
    return endpoint


def configured_endpoints(webhooks: Sequence[WebhookConfig]) -> list[Endpoint]:
    """Return the endpoints of `[[webhooks]]`, checked.

    Raises
    ------
    ConfigError
        If one could never be delivered to, or two have the same id.
    """
    endpoints = [from_config(w) for w in webhooks]
    ids = [e.id for e in endpoints]
    for endpoint in endpoints:
        if ids.count(endpoint.id) > 1:
            msg = f'webhook {endpoint.url!r} has the id {endpoint.id!r} of another; give each its own id = "..."'
            raise ConfigError(msg)
    return endpoints


def put_endpoint(db: sqlite3.Connection, endpoint: Endpoint) -> None:
    """Write an endpoint, inside a transaction of the desk."""
    db.execute(
        f"INSERT OR REPLACE INTO endpoint({_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            endpoint.id, endpoint.url, endpoint.secret, endpoint.format, " ".join(endpoint.allow_private),
            endpoint.source, endpoint.enabled, endpoint.disabled_reason, endpoint.created_ms,
        ),
    )


def list_endpoints(db: sqlite3.Connection, endpoint: str | None = None) -> list[Endpoint]:
    """Return all endpoints, oldest first, or the one of that id."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM endpoint WHERE ? IS NULL OR id = ? ORDER BY created_ms, id",  # noqa: S608
        (endpoint, endpoint),
    )
    return [
        Endpoint(
            id=r[0], url=r[1], secret=r[2], format=r[3], allow_private=tuple(r[4].split()), source=r[5],
            enabled=bool(r[6]), disabled_reason=r[7], created_ms=r[8],
        )
        for r in rows
    ]


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
