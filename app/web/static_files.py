"""The built page: one HTML file, and assets whose names change with their content."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).with_name("static")
_FOREVER = "public, max-age=31536000, immutable"


class _Assets(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = _FOREVER
        return response


async def page(_: Request) -> Response:
    index = FOLDER / "index.html"
    if not index.is_file():
        return PlainTextResponse(
            "The page is not built: run `make page`. The API works without it.", status_code=503
        )
    return FileResponse(index, headers={"cache-control": "no-cache"})


async def _root_file(request: Request) -> Response:
    path = FOLDER / request.url.path.strip("/")
    if not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, headers={"cache-control": "no-cache"})


def routes() -> list[BaseRoute]:
    found: list[BaseRoute] = [Route("/", page)]
    if (FOLDER / "assets").is_dir():
        found.append(Mount("/assets", _Assets(directory=FOLDER / "assets")))
    found += [
        Route(f"/{path.name}", _root_file)
        for path in sorted(FOLDER.glob("*"))
        if path.is_file() and path.name != "index.html"
    ]
    return found
