"""The HTTP application: calls, page, documents and errors put together."""

from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.auth import Gate
from api.bodies import FORMATS
from api.docs_page import docs_page
from api.limits import BodyLimit, Failures
from api.openapi import document_problems
from api.page import STATIC, page_routes
from api.params import Json
from api.problems import Problem
from api.routes import (
    alerts,
    audit,
    groups,
    nevi,
    operation,
    planning,
    rules,
    series,
    silences,
    statements,
    stations,
    stream,
    webhooks,
)
from api.schemas import TYPES, format_schema, webhook_schema
from api.services import Services

BASE = "/api/v1"
PARTS = (
    stations, rules, groups, nevi, planning, statements, series, alerts, silences, webhooks, stream, audit, operation,
)
"""Modules of the calls under `BASE`, in the order of the OpenAPI document."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class _SafeHeaders:
    """ASGI middleware: no foreign scripts, no guessing of types, and pages that are asked for anew."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, with_headers)


def create_app(services: Services) -> FastAPI:
    """Return the application over running services."""
    app = FastAPI(
        title="Voltair", version=version("voltair"), docs_url=None, redoc_url=None, openapi_url="/openapi.json",
        description="One monitor for EV charging stations and compressed-air stations.",
    )
    app.state.services = services
    problems.install(app)
    app.state.failures = Failures()
    app.add_middleware(BodyLimit)
    app.add_middleware(Gate, api=services.config.api, tokens=services.tokens, failures=app.state.failures)
    app.add_middleware(_SafeHeaders)
    for part in PARTS:
        app.include_router(part.router, prefix=BASE)
    app.include_router(operation.outside)
    document_problems(app)
    app.include_router(_documents(app))
    app.include_router(page_routes())
    app.mount("/", StaticFiles(directory=STATIC, html=True))
    return app


def _documents(app: FastAPI) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    def get_docs() -> HTMLResponse:
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(docs_page(app.openapi()), headers=headers)

    @router.get("/schemas/")
    def get_schemas() -> Json:
        items: list[dict[str, str | None]] = [
            {"type": t, "format": "standard", "url": f"/schemas/{t}.json"} for t in TYPES
        ]
        items += [{"type": None, "format": f, "url": f"/schemas/{f}.json"} for f in FORMATS if f != "standard"]
        return Json({"items": items, "next_cursor": None})

    @router.get("/schemas/{name}")
    def get_schema(name: str) -> Json:
        stem = name.removesuffix(".json")
        if stem in TYPES:
            schema = webhook_schema(stem)
        elif stem in FORMATS and stem != "standard":
            schema = format_schema(stem)
        else:
            raise Problem(404, f"there is no schema {name!r}; /schemas/ lists all")
        return Json(schema, media_type="application/schema+json")

    return router
