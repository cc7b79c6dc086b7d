"""How Voltair itself is: `/progress`, `/dead-letters`, `/livez`, `/readyz`, `/metrics`, and `/login`."""

import base64
import contextlib
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, Response

from api.auth import COOKIE, find_caller
from api.desk import audit
from api.health import RiverCollector, readiness
from api.limits import address_of
from api.outbox import pending_count
from api.params import Cursor, Json, Limit, listing, offset_of
from api.problems import Problem
from api.progress import read_progress
from api.services import CallerOf, Everywhere, Parts
from store.deadletters import DeadLetter, read_dead_letters
from telemetry.times import format_time

router = APIRouter(tags=["operation"])
outside = APIRouter(tags=["operation"])
"""Calls outside `/api/v1`."""


@router.get("/progress", summary="Counters of the river")
def get_progress(parts: Parts, caller: CallerOf) -> Json:
    """Totals since the data directory was made.

    Drained: `connected` and `journalled == written == analysed`, unchanged for 2 s.
    """
    progress = read_progress(parts.config.data, pending_count(parts.desk.reader))
    for station in [s for s in progress.watermark if not caller.sees(s)]:
        del progress.watermark[station]
    return Json(progress)


@router.get("/dead-letters", summary="What could not be read")
def get_dead_letters(parts: Parts, _caller: Everywhere, limit: Limit = 100, cursor: Cursor = None) -> Json:
    """Oldest first: time, topic, reason and the bytes (`payload` where they are text, `payload_base64` always)."""
    found = read_dead_letters(parts.config.data / "journal", after=offset_of(cursor), limit=limit + 1)
    more = len(found) > limit
    found = found[:limit]
    return listing([_letter_item(x) for x in found], str(found[-1].id) if more else None)


def _letter_item(letter: DeadLetter) -> dict[str, Any]:
    text = None
    with contextlib.suppress(UnicodeDecodeError):
        text = letter.payload.decode()
    return {
        "id": letter.id, "time": format_time(letter.time_ms), "topic": letter.topic, "reason": letter.reason,
        "element": letter.element, "content_type": letter.content_type or None, "payload": text,
        "payload_base64": base64.b64encode(letter.payload).decode(),
    }


@outside.get("/livez", summary="The process answers")
async def get_livez() -> Json:
    """Nothing else is looked at."""
    return Json({"status": "alive"})


@outside.get(
    "/readyz", summary="All roles run and the river flows",
    responses={503: {"description": "not ready, with the reasons", "content": {"application/json": {}}}},
)
def get_readyz(parts: Parts) -> Json:
    """Answer 503 with the reasons while not; a dead series store or receiver is degraded and still 200."""
    ready, body = readiness(parts.config.data, parts.own)
    return Json(body, status_code=200 if ready else 503)


@outside.get(
    "/metrics", summary="Prometheus metrics", response_class=PlainTextResponse,
)
def get_metrics(parts: Parts, _caller: Everywhere) -> Response:
    """Of every role, from their status files and counters on disk."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RiverCollector(parts.config.data, parts.desk))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class Login(BaseModel):
    """A token to trade for a cookie."""

    token: str


@router.post("/login", summary="Trade a token for a cookie")
@outside.post("/login", include_in_schema=False)
def log_in(parts: Parts, request: Request, body: Login) -> Json:
    """Set an HttpOnly, SameSite=Strict cookie, for the page and the stream; it ends with the token."""
    caller = find_caller(parts.tokens, body.token)
    if caller is None and parts.tokens:
        request.app.state.failures.note(address_of(request.scope))
        raise Problem(401, "this token is none of api.tokens; ask whoever runs Voltair for one")
    if caller is None:
        return Json({"name": "local", "admin": True, "stations": None})
    answer = Json({"name": caller.name, "admin": caller.admin, "stations": list(caller.stations) or None})
    cookie = next(t.cookie for t in parts.tokens if t.caller is caller)
    secure = request.url.scheme == "https" or parts.config.api.public_url.startswith("https:")
    with parts.desk.write() as db:
        audit(db, now_ms=parts.clock_ms(), caller=caller.name, action="login", subject=address_of(request.scope))
    answer.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure, path="/", max_age=30 * 86_400)
    return answer


@router.post("/logout", summary="Forget the cookie")
@outside.post("/logout", include_in_schema=False)
def log_out() -> Json:
    """Remove the cookie from the browser."""
    answer = Json({})
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer
