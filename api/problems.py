"""Every error of the API is a problem detail (RFC 9457) that names the value and the remedy."""

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from telemetry.errors import ConfigError, VoltairError

_log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - the field's name for it
    """An answer that is an error."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem_response(
    status: int, detail: str, *, headers: dict[str, str] | None = None, **members: Any
) -> Response:
    """Return an answer of type `application/problem+json`."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **members}
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json")


def _place(location: tuple[Any, ...]) -> str:
    kind, *path = location
    names = {"query": "parameter", "path": "path part", "body": "member"}
    return f"{names.get(kind, kind)} {'.'.join(str(p) for p in path)!r}" if path else str(kind)


def install(app: FastAPI) -> None:
    """Make the app answer every error as a problem detail."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, error: Problem) -> Response:
        return problem_response(error.status, error.detail, headers=error.headers)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        what = f"{request.method} {request.url.path}"
        details = {
            404: f"there is no {what}; all calls stand in /docs",
            405: f"{what} is not a call of this path; all calls stand in /docs",
        }
        detail = details.get(error.status_code, f"{what}: {error.detail}")
        return problem_response(error.status_code, detail, headers=dict(error.headers or {}) or None)

    @app.exception_handler(RequestValidationError)
    async def _validation(_request: Request, error: RequestValidationError) -> Response:
        errors = [
            {"place": _place(e["loc"]), "value": repr(e.get("input"))[:200], "message": e["msg"]}
            for e in error.errors()
        ]
        first = errors[0]
        detail = f"{first['place']} = {first['value']}: {first['message']}; see /docs for what this call takes"
        return problem_response(422, detail, errors=errors)

    @app.exception_handler(ConfigError)
    async def _config(_request: Request, error: ConfigError) -> Response:
        return problem_response(422, str(error))

    @app.exception_handler(VoltairError)
    async def _voltair(_request: Request, error: VoltairError) -> Response:
        return problem_response(503, str(error))

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem_response(
            500, f"{type(error).__name__} in Voltair; the log of 'voltair api' has the place, please report it"
        )
