"""The addresses of the page: every one answers the same document, which shows what its address says."""

import functools
import hashlib
import json
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

STATIC = Path(__file__).parent / "static"

PATHS = ("/s/{station}", "/a/{alert}", "/compare", "/data")
"""A station, an alert, the comparison of stations, data health; `/` is served with the files of the page."""


_NOT_KEPT = ("index.html", "worker.js", "uPlot.LICENSE")
"""The document is kept as the server answers it; the rest the page never asks for."""


def page_at(path: str) -> str:
    """Return the document for an address; its links are relative, so that a proxy may serve it below any prefix."""
    text = (STATIC / "index.html").read_text("utf-8")
    return text.replace('="./', '="' + ("../" * (path.count("/") - 1) or "./"))


@functools.cache
def page_worker() -> str:
    """Return the script that keeps the files of the page in the browser; it differs when any of them does."""
    paths = sorted(path for path in STATIC.rglob("*") if path.is_file() and path.name not in _NOT_KEPT)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in [*paths, STATIC / "index.html"])).hexdigest()
    files = json.dumps([path.relative_to(STATIC).as_posix() for path in paths])
    text = (STATIC / "worker.js").read_text("utf-8")
    return text.replace("FILES = []", f"FILES = {files}").replace('DIGEST = ""', f'DIGEST = "{digest}"')


def page_routes() -> APIRouter:
    """Return the addresses beside `/`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/worker.js")
    def get_worker() -> Response:
        return Response(page_worker(), media_type="text/javascript")

    for path in PATHS:
        _add(router, path)
    return router


def _add(router: APIRouter, path: str) -> None:
    @router.get(path)
    def get_page() -> HTMLResponse:
        return HTMLResponse(page_at(path))
