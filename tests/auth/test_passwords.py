"""Passwords are hashed, slowly, and few at once."""

import asyncio

import pytest

from app.auth import passwords as module
from app.auth.errors import TooBusy
from app.auth.passwords import Passwords


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords(at_once=2)


async def test_a_password_fits_its_own_hash_only(passwords: Passwords) -> None:
    first, second = await passwords.hash("one"), await passwords.hash("one")

    assert first != second
    assert first.startswith("$argon2id$")
    assert await passwords.check("one", first)
    assert not await passwords.check("One", first)


@pytest.mark.parametrize("stored", [None, "", "no hash", "$argon2id$"])
async def test_nothing_fits_what_is_no_hash(passwords: Passwords, stored: str | None) -> None:
    assert not await passwords.check("the password of no account", stored)


async def test_an_account_that_is_not_there_takes_as_much_work(passwords: Passwords) -> None:
    """The same function over the same parameters: so much is certain without a clock."""
    real = await passwords.hash("one")

    assert passwords._nobodys.split("$")[:4] == real.split("$")[:4]


async def test_more_than_anybody_waits_for_are_refused(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WAITING", 3)

    answers = await asyncio.gather(
        *(passwords.hash("one") for _ in range(6)), return_exceptions=True
    )

    assert sum(isinstance(one, TooBusy) for one in answers) == 3
    assert sum(isinstance(one, str) for one in answers) == 3
    assert await passwords.hash("one")
