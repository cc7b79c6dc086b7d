"""The OpenAPI document: what FastAPI knows of the calls, and that every error is a problem detail."""

from typing import Any

from fastapi import FastAPI

_PROBLEM = {
    "type": "object", "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
        "detail": {"type": "string", "description": "names the value and the remedy"},
    },
}
_REFUSED = {
    "description": "A problem detail (RFC 9457) that names the value and the remedy",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def document_problems(app: FastAPI) -> None:
    """Make the app's document say of every call how it refuses."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            document["components"]["schemas"]["Problem"] = _PROBLEM
            for operations in document["paths"].values():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
                    operation["responses"] |= {"4XX": _REFUSED, "5XX": _REFUSED}
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]
