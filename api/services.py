"""What every call needs, in one place, and how a call gets it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.auth import Caller, Token
from api.deliver import Deliverer
from api.desk import Desk
from api.hub import Hub
from api.intake import Intake
from api.problems import Problem
from api.session_pages import SessionPages
from api.sources import Sources
from store.roles import RoleStatus, wall_ms
from telemetry.config import Config


@dataclass(slots=True)
class Services:
    """The parts of the running API."""

    config: Config
    tokens: list[Token]
    desk: Desk
    sources: Sources
    intake: Intake
    deliverer: Deliverer
    hub: Hub
    own: RoleStatus
    """What this process says of itself."""
    clock_ms: Callable[[], int] = field(default=wall_ms)
    session_pages: SessionPages = field(init=False)

    def __post_init__(self) -> None:
        """Prepare what calls share."""
        self.session_pages = SessionPages(self.sources.sessions)

    def changed(self) -> None:
        """Deliver, and tell the pages, at once."""
        self.deliverer.wake()
        self.hub.wake()


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def _caller(request: Request) -> Caller:
    found: Caller | None = request.scope["state"].get("caller")
    if found is None:
        raise Problem(401, "this call needs a token: send Authorization: Bearer TOKEN, or log in")
    return found


def _everywhere(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
    if caller.stations:
        detail = (
            f"token {caller.name!r} holds for {', '.join(caller.stations)} only; this call concerns all stations "
            "and needs a token without stations"
        )
        raise Problem(403, detail)
    return caller


Parts = Annotated[Services, Depends(_services)]
CallerOf = Annotated[Caller, Depends(_caller)]
Everywhere = Annotated[Caller, Depends(_everywhere)]
"""A caller that may see all stations."""


def allow(caller: Caller, station: str) -> None:
    """Refuse a caller that may not see a station.

    Raises
    ------
    Problem
        403.
    """
    if not caller.sees(station):
        raise Problem(403, f"token {caller.name!r} does not hold for station {station!r}")
