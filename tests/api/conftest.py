"""A receiver of webhooks, a clock, a whole running Voltair, and a browser on the page, fed by a chosen stream."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import page_day
import page_events
import pytest
from api_support import Client, Clock, Receiver, client_of, config_of, make_services, make_state, receiver
from page_server import PageServer, page_server
from playwright.sync_api import Browser, Page
from river.stack import Stack, stack

from api.services import Services


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def river(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run everything over the day of `page_day`; tests read, acknowledge alerts, and leave the rest as it is."""
    folder = tmp_path_factory.mktemp("day")
    grafana = f'grafana_url = "{page_day.GRAFANA}"'  # stands in [api]
    with stack(folder, stations=page_day.STATIONS, settings="demo = true", sections=grafana) as made:
        made.publish(page_day.day())
        made.wait_drained()
        made.wait_settled()
        yield made


@pytest.fixture
def page_api() -> Iterator[PageServer]:
    with page_server(page_events.snapshot()) as running:
        yield running


@pytest.fixture
def show(browser: Browser, page_api: PageServer) -> Iterator[Callable[..., Page]]:
    """Open the page; at the end no script error may stand in its console."""
    problems: list[str] = []
    with ExitStack() as stack:

        def open_page(
            query: str = "", *, width: int = 1440, height: int = 900, wait: str = ".tile", **options: Any
        ) -> Page:
            context = stack.enter_context(
                browser.new_context(viewport={"width": width, "height": height}, **{"locale": "en-GB", **options})
            )
            page = context.new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on(
                "console",
                lambda m: (
                    problems.append(m.text)
                    if m.type == "error" and "Failed to load" not in m.text and "ERR_" not in m.text
                    else None
                ),
            )
            page.goto(page_api.url + query)
            page.locator(wait).first.wait_for()
            return page

        yield open_page
    assert problems == []


@pytest.fixture
def services(tmp_path: Path, clock: Clock) -> Iterator[Services]:
    config = config_of(tmp_path)
    make_state(config.data)
    made = make_services(config, clock=clock)
    yield made
    made.desk.close()


@pytest.fixture
def client(services: Services) -> Client:
    return client_of(services)
