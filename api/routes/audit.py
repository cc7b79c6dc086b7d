"""`/audit`: who changed what."""

from fastapi import APIRouter

from api.desk import list_audit
from api.params import Cursor, Json, Limit, listing, offset_of
from api.problems import Problem
from api.services import Everywhere, Parts

router = APIRouter(tags=["operation"])


@router.get("/audit", summary="Who changed what")
def get_audit(parts: Parts, caller: Everywhere, limit: Limit = 100, cursor: Cursor = None) -> Json:
    """Newest first: time, caller (the name of the token), action, subject, and what was asked for, without secrets."""
    if not caller.admin:
        raise Problem(403, f"token {caller.name!r} may only read; the audit log needs an admin token")
    found = list_audit(parts.desk.reader, offset_of(cursor) or None, limit + 1)
    more = len(found) > limit
    found = found[:limit]
    return listing(found, str(found[-1]["n"]) if more else None)
