"""A real Chromium, and pages of a node whose default agent does what the question says."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

from app.embedded.servers import Addresses
from app.web.static_files import FOLDER
from tests.conftest import make_settings
from tests.support.node import Node, running_node
from tests.support.scripted import NAME

# No connection of its own to anywhere; root needs --no-sandbox.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Return the browser `make test` found, or the one on the path."""
    found = os.environ.get("CHROMIUM") or next(
        (
            path
            for name in ("chromium", "google-chrome", "chrome", "chromium-browser")
            if (path := shutil.which(name))
        ),
        None,
    )
    assert found, "No browser: install Debian's chromium, or run `make test`."
    return found


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    assert (FOLDER / "index.html").is_file(), "The page is not built: run `make page`."
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def scripted(stores: Addresses) -> AsyncIterator[Node]:
    async with running_node(make_settings(stores, agent=NAME)) as node:
        yield node


@pytest.fixture(scope="session")
async def supervised(stores: Addresses) -> AsyncIterator[Node]:
    async with running_node(make_settings(stores), agents=[]) as node:
        yield node


@contextlib.asynccontextmanager
async def person(browser: Browser, **options: object) -> AsyncIterator[Page]:
    """A new browser profile with one page. An error on the page fails the test."""
    options.setdefault("locale", "en-US")
    context = await browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    errors: list[str] = []
    try:
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        assert errors == []
    finally:
        await context.close()


async def ask(page: Page, text: str) -> None:
    """Type a message and send it, as a person does."""
    await page.get_by_role("textbox", name="Message").fill(text)
    await page.keyboard.press("Enter")
