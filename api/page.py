"""The addresses of the page: every one answers the same document, which shows what its address says."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import HTMLResponse

STATIC = Path(__file__).parent / "static"

PATHS = ("/s/{station}", "/a/{alert}", "/compare", "/data")
"""A station, an alert, the comparison of stations, data health; `/` is served with the files of the page."""


def page_at(path: str) -> str:
    """Return the document for an address; its links are relative, so that a proxy may serve it below any prefix."""
    text = (STATIC / "index.html").read_text("utf-8")
    return text.replace('="./', '="' + ("../" * (path.count("/") - 1) or "./"))


def page_routes() -> APIRouter:
    """Return the addresses beside `/`."""
    router = APIRouter(include_in_schema=False)
    for path in PATHS:
        _add(router, path)
    return router


def _add(router: APIRouter, path: str) -> None:
    @router.get(path)
    def get_page() -> HTMLResponse:
        return HTMLResponse(page_at(path))
