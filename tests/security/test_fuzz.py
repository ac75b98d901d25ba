"""Requests made from the OpenAPI document, right and wrong: no bug answers, and what answers
is documented.

The examples are the same at each run; ``COLLOQUY_FUZZ=1000`` tries more, and other ones.
"""

import asyncio
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.main import ENDPOINTS
from app.storage.postgres import Postgres
from app.web.openapi import document
from tests.security.people import People, Things
from tests.support.node import Node

pytestmark = pytest.mark.usefixtures("no_tries")

EXAMPLES = int(os.environ.get("COLLOQUY_FUZZ", "0"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(document(ENDPOINTS, version="0"))
OPERATIONS = {
    f"{one.method.upper()} {one.path}": one
    for one in (found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok))
}


def test_every_operation_is_tried() -> None:
    assert len(OPERATIONS) == sum(1 + len(one.aliases) for one in ENDPOINTS)


@pytest.mark.parametrize("who", ["nobody", "a user", "a visitor"])
@pytest.mark.parametrize("name", OPERATIONS)
async def test_what_is_answered_is_documented_and_never_a_bug(
    guarded: Node, postgres: Postgres, name: str, who: str
) -> None:
    people = People(guarded, postgres)
    account = await people.account() if who == "a user" else None
    things = await people.things_of(account)
    headers = {"nobody": {}, "a user": account.bearer if account else {}}.get(who, things.cookie)

    await asyncio.to_thread(_try, guarded.url, name, headers, things)


def _try(url: str, name: str, headers: dict[str, str], things: Things) -> None:
    """Try one operation with many inputs; half of them reach for something that is there."""
    tried = 0

    @settings(
        max_examples=EXAMPLES or 12,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_inputs(OPERATIONS[name]))
    def attempt(case: Any) -> None:
        nonlocal tried
        tried += 1
        if tried % 2:
            known = {**things.session, "provider": "nobody"}
            own = {key: known[key] for key in case.path_parameters or {}}
            case.path_parameters = own or case.path_parameters
        case.call_and_validate(base_url=url, headers=headers, checks=CHECKS)

    attempt()
    assert tried


def _inputs(operation: Any) -> SearchStrategy[Any]:
    """Return inputs as they should be and, where there is anything to get wrong, others."""
    right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not (operation.body or operation.query):
        found: SearchStrategy[Any] = right
    else:
        found = right | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    return found
