"""What every test folder may use: the recordings and a browser."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings
from servers import find_program, missing

# A busy machine is no reason to fail: what takes too long is caught by pytest-timeout.
hypothesis_settings.register_profile("voltair", deadline=None)
hypothesis_settings.load_profile("voltair")

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of recordings: $VOLTAIR_TEST_DATA, else ../shared/data beside the clone."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("VOLTAIR_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}; set VOLTAIR_TEST_DATA")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Yield a headless Chromium from the Debian package, driven by Playwright.

    Not longer than a module: while it lives, Playwright's event loop runs in the main thread, and `asyncio.run` of any
    other test would be refused.
    """
    program = find_program("chromium-headless-shell", "chromium-headless-shell")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only tests of the page need it
    except ImportError:
        missing("the Python package playwright")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()
