"""The application as a whole: what it mounts, and what it keeps to itself."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.routing import WebSocketRoute

from app.main import SOCKET_PATHS, create_app, from_environment
from app.settings import BadSettings, load_settings
from app.storage.postgres import Postgres


def test_both_socket_addresses_are_mounted() -> None:
    app = create_app(load_settings({}))

    paths = {route.path for route in app.routes if isinstance(route, WebSocketRoute)}

    assert paths == {"/ws/{session_id}", "/api/v1/chat/ws/{session_id}"} == set(SOCKET_PATHS)


def test_any_server_can_be_given_the_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLOQUY_SERVER__ORIGINS", '["https://shop.example.com"]')

    assert from_environment().routes

    monkeypatch.setenv("COLLOQUY_PROT", "1")
    with pytest.raises(BadSettings, match="COLLOQUY_PROT"):
        from_environment()


async def test_what_was_asked_of_the_database_is_not_in_its_errors(postgres: Postgres) -> None:
    """Errors are logged; with them went session ids, cookies' hashes and what people wrote."""
    with pytest.raises(DBAPIError) as caught:
        async with postgres.unit() as db:
            await db.execute(
                text("INSERT INTO visitors (id, secret_hash) VALUES (NULL, CAST(:x AS bytea))"),
                {"x": b"whisper"},
            )

    assert "whisper" not in str(caught.value)
