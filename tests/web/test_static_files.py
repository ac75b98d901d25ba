"""The built page, if there is one."""

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from app.web import static_files
from app.web.routing import HANDLERS
from tests.support.answers import error_of
from tests.support.node import Node


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Colloquy</title>")
    (folder / "icon.svg").write_text("<svg/>")
    (folder / "assets" / "app-abc123.js").write_text("console.log(1)")
    (tmp_path / "secret").write_text("do not show")
    monkeypatch.setattr(static_files, "FOLDER", folder)
    return folder


def client() -> httpx.AsyncClient:
    app = Starlette(routes=static_files.routes(), exception_handlers=HANDLERS)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page")


async def test_the_page_is_asked_for_anew_and_its_parts_are_kept(built: Path) -> None:
    async with client() as page:
        index = await page.get("/")
        part = await page.get("/assets/app-abc123.js")
        icon = await page.get("/icon.svg")

    assert (index.status_code, index.headers["cache-control"]) == (200, "no-cache")
    assert index.headers["content-type"].startswith("text/html")
    assert "immutable" in part.headers["cache-control"]
    assert "javascript" in part.headers["content-type"]
    assert (icon.status_code, icon.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    "path",
    ["/assets/gone.js", "/assets/", "/assets/../secret", "/assets/%2e%2e/%2e%2e/secret", "/secret"],
)
async def test_nothing_else_is_shown(built: Path, path: str) -> None:
    async with client() as page:
        answer = await page.get(path)

    error_of(answer, 404, "not_found")


async def test_without_a_build_the_page_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_files, "FOLDER", tmp_path / "none")
    async with client() as page:
        answer = await page.get("/")

    assert answer.status_code == 503
    assert "make page" in answer.text


async def test_a_node_serves_the_page_that_is_built(node: Node) -> None:
    index = static_files.FOLDER / "index.html"

    answer = await node.client().http.get("/")

    assert answer.status_code == (200 if index.is_file() else 503)
    if index.is_file():
        assert answer.content == index.read_bytes()
