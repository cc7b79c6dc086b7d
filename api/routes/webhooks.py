"""`/webhooks` and `/deliveries`: endpoints and their delivery log."""

import asyncio
from typing import Annotated, Any, Literal
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.bodies import body_of, notice_of_test
from api.desk import audit
from api.endpoints import Endpoint, check_endpoint, disable_endpoint, list_endpoints, put_endpoint
from api.outbox import STATES, Delivery, add_test, find_delivery, list_deliveries, replay
from api.params import Cursor, Json, Limit, listing, offset_of, page
from api.problems import Problem
from api.services import Everywhere, Parts
from api.signing import new_secret

router = APIRouter(tags=["webhooks"])

Formats = Literal["standard", "alertmanager", "cloudevents", "wecom", "dingtalk", "feishu", "slack"]
Severities = list[Literal["info", "warning", "critical"]]
_TEST_WAIT_S = 16.0


class NewEndpoint(BaseModel):
    """A receiver of alerts from now on; empty lists let everything pass."""

    model_config = ConfigDict(extra="forbid")

    url: str
    secret: Annotated[
        str | None,
        Field(description="whsec_..., several separated by spaces; without it one is made and shown once"),
    ] = None
    format: Formats = "standard"
    allow_private: list[str] = []
    stations: list[str] = []
    groups: list[str] = []
    severities: Severities = []
    categories: list[str] = []
    rules: list[str] = []
    tier: Annotated[int, Field(ge=1, le=9, description="above 1: only alerts that were escalated this far")] = 1
    language: Annotated[Literal["", "en", "zh"], Field(description="empty: the format's own")] = ""
    rate_per_minute: Annotated[int | None, Field(ge=0, description="null: the format's own; 0: no limit")] = None
    headers: Annotated[dict[str, str], Field(description="sent with every message; values are not shown again")] = {}
    calendar: Annotated[str, Field(description="name of a [calendars] table whose hours messages wait for")] = ""
    repeat: Annotated[str, Field(description="like 4h: what still fires is told again")] = ""


class EndpointChange(BaseModel):
    """Members that are absent stay as they are."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = None
    secret: str | None = None
    format: Formats | None = None
    allow_private: list[str] | None = None
    stations: list[str] | None = None
    groups: list[str] | None = None
    severities: Severities | None = None
    categories: list[str] | None = None
    rules: list[str] | None = None
    tier: Annotated[int, Field(ge=1, le=9)] | None = None
    language: Literal["", "en", "zh"] | None = None
    rate_per_minute: Annotated[int, Field(ge=0)] | None = None
    headers: dict[str, str] | None = None
    calendar: str | None = None
    repeat: str | None = None
    enabled: bool | None = None


def _checked(parts: Parts, old: Endpoint | None, given: dict[str, Any]) -> Endpoint:
    """Return an endpoint with what was asked for."""
    members = {} if old is None else msgspec.to_builtins(old)
    found = msgspec.convert({**members, **given}, Endpoint)
    check_endpoint(found, parts.config.calendars)
    return found


def _find(parts: Parts, endpoint: str) -> Endpoint:
    found = list_endpoints(parts.desk.reader, endpoint)
    if not found:
        raise Problem(404, f"there is no webhook {endpoint!r}; GET /api/v1/webhooks lists all")
    return found[0]


@router.get("/webhooks", summary="Endpoints")
def get_webhooks(parts: Parts, _caller: Everywhere, limit: Limit = 1_000, cursor: Cursor = None) -> Json:
    """Oldest first; secrets are not shown."""
    return listing(*page([e.public() for e in list_endpoints(parts.desk.reader)], limit, cursor))


@router.post("/webhooks", status_code=201, summary="Add an endpoint")
def add_webhook(parts: Parts, caller: Everywhere, body: NewEndpoint) -> Json:
    """Add a receiver of transitions from now on. The answer alone shows the secret."""
    now_ms = parts.clock_ms()
    given = {**body.model_dump(), "secret": body.secret or new_secret()}
    endpoint = _checked(parts, None, {**given, "id": "ep_" + uuid4().hex[:12], "created_ms": now_ms})
    with parts.desk.write() as db:
        put_endpoint(db, endpoint)
        audit(db, now_ms=now_ms, caller=caller.name, action="add webhook", subject=endpoint.id, body=endpoint.public())
    return Json({**endpoint.public(), "secret": endpoint.secret}, status_code=201)


@router.get("/webhooks/{endpoint}", summary="One endpoint")
def get_webhook(parts: Parts, _caller: Everywhere, endpoint: str) -> Json:
    """Its settings, without the secret."""
    return Json(_find(parts, endpoint).public())


@router.patch("/webhooks/{endpoint}", summary="Change an endpoint")
def change_webhook(parts: Parts, caller: Everywhere, endpoint: str, body: EndpointChange) -> Json:
    """Of an endpoint of voltair.toml only `enabled` can be changed here."""
    old = _find(parts, endpoint)
    given = body.model_dump(exclude_unset=True)
    given = {k: v for k, v in given.items() if v is not None or k == "rate_per_minute"}
    if old.source == "config" and set(given) - {"enabled"}:
        raise Problem(409, f"webhook {endpoint!r} stands in voltair.toml; change {sorted(given)[0]!r} there")
    new = _checked(parts, old, given)
    if new.enabled:
        new = msgspec.structs.replace(new, disabled_reason="")
    with parts.desk.write() as db:
        put_endpoint(db, new)
        if old.enabled and not new.enabled:
            disable_endpoint(db, new.id, f"by {caller.name}")
        audit(
            db, now_ms=parts.clock_ms(), caller=caller.name, action="change webhook", subject=new.id,
            body=new.public(),
        )
    parts.deliverer.forgive(endpoint)
    return Json(_find(parts, endpoint).public())


@router.delete("/webhooks/{endpoint}", status_code=204, summary="Remove an endpoint")
def delete_webhook(parts: Parts, caller: Everywhere, endpoint: str) -> Response:
    """Forget an endpoint; what was still to be sent to it becomes a dead letter."""
    old = _find(parts, endpoint)
    if old.source == "config" and old.disabled_reason != "no longer in voltair.toml":
        raise Problem(409, f"webhook {endpoint!r} stands in voltair.toml; remove it there")
    with parts.desk.write() as db:
        disable_endpoint(db, endpoint, f"removed by {caller.name}")
        db.execute("DELETE FROM endpoint WHERE id = ?", (endpoint,))
        audit(db, now_ms=parts.clock_ms(), caller=caller.name, action="delete webhook", subject=endpoint)
    return Response(status_code=204)


@router.post("/webhooks/{endpoint}/test", summary="Send a test")
async def test_webhook(parts: Parts, caller: Everywhere, endpoint: str) -> Json:
    """Post `webhook.test` once, and answer what came of it."""
    message_id = "msg_" + uuid4().hex

    def add() -> None:
        found = _find(parts, endpoint)
        _must_be_enabled(found)
        now_ms = parts.clock_ms()
        notice = notice_of_test(endpoint, parts.desk.base_url, now_ms)
        with parts.desk.write() as db:
            add_test(db, message_id, endpoint, body_of(found.format, [notice], found.language), now_ms)
            audit(db, now_ms=now_ms, caller=caller.name, action="test webhook", subject=endpoint)

    await run_in_threadpool(add)
    parts.deliverer.wake()
    return Json((await _wait_for(parts, message_id)).public())


async def _wait_for(parts: Parts, message_id: str) -> Delivery:
    """Return a delivery when its attempt is over."""
    end = asyncio.get_running_loop().time() + _TEST_WAIT_S
    while True:
        found = await run_in_threadpool(lambda: find_delivery(parts.desk.reader, message_id))
        assert found is not None  # noqa: S101 - just added, and never deleted
        if found.state != "pending" or asyncio.get_running_loop().time() > end:
            return found
        await asyncio.sleep(0.05)


def _must_be_enabled(endpoint: Endpoint) -> None:
    if not endpoint.enabled:
        detail = (
            f"webhook {endpoint.id!r} is disabled ({endpoint.disabled_reason}); enable it first: "
            f'PATCH /api/v1/webhooks/{endpoint.id} {{"enabled": true}}'
        )
        raise Problem(409, detail)


@router.get("/webhooks/{endpoint}/deliveries", summary="Delivery log")
def get_deliveries(
    parts: Parts,
    _caller: Everywhere,
    endpoint: str,
    state: Annotated[str | None, Query(description=f"one of {', '.join(STATES)}")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Json:
    """Newest first, with attempts, last status and the frozen body."""
    _find(parts, endpoint)
    if state is not None and state not in STATES:
        raise Problem(422, f"state = {state!r} is none of {', '.join(STATES)}")
    before = offset_of(cursor) or None
    found = list_deliveries(parts.desk.reader, endpoint, state, before, limit + 1)
    more = len(found) > limit
    found = found[:limit]
    return listing([d.public() for d in found], str(found[-1].n) if more else None)


@router.post("/deliveries/{delivery}/replay", status_code=202, summary="Send a delivery again")
def replay_delivery(parts: Parts, caller: Everywhere, delivery: str) -> Json:
    """With its old id and body, at once."""
    found = find_delivery(parts.desk.reader, delivery)
    if found is None:
        raise Problem(404, f"there is no delivery {delivery!r}; GET /api/v1/webhooks/ID/deliveries lists them")
    endpoints = list_endpoints(parts.desk.reader, found.endpoint)
    if not endpoints:
        raise Problem(409, f"webhook {found.endpoint!r} of delivery {delivery!r} was removed; add it again")
    _must_be_enabled(endpoints[0])
    now_ms = parts.clock_ms()
    with parts.desk.write() as db:
        if not replay(db, delivery, now_ms):
            raise Problem(409, f"delivery {delivery!r} is still pending; it goes out by itself")
        audit(db, now_ms=now_ms, caller=caller.name, action="replay", subject=delivery)
    parts.deliverer.forgive(found.endpoint)
    again = find_delivery(parts.desk.reader, delivery)
    assert again is not None  # noqa: S101 - found above, and never deleted
    return Json(again.public(), status_code=202)
