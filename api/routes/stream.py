"""`/stream`: what the page lives on."""

from collections.abc import AsyncIterable

from fastapi import APIRouter
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.services import CallerOf, Parts

router = APIRouter(tags=["stream"])


@router.get("/stream", response_class=EventSourceResponse, summary="Live picture (Server-Sent Events)")
async def get_stream(parts: Parts, caller: CallerOf) -> AsyncIterable[ServerSentEvent]:
    """Events `hello`, `kpi`, `device`, `alert`, `time`: the whole picture first, then what changed."""
    async for message in parts.hub.listen(caller.sees):
        yield ServerSentEvent(event=message.name, raw_data=message.text)
