"""Nobody learns from an answer, or from the work behind it, who has an account here."""

import uuid
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from app.auth.errors import WrongPassword
from app.auth.local import LocalAuth
from app.auth.mail import Mailer
from app.auth.passwords import Passwords
from app.auth.throttle import Throttle
from app.kit.ids import new_session_id
from app.settings import MailSettings
from app.storage.postgres import Postgres
from app.users.errors import EmailTaken
from tests.auth.scene import PASSWORD, new_email, registered
from tests.security.people import People, Who
from tests.support.answers import error_of
from tests.support.node import Node

pytestmark = pytest.mark.usefixtures("no_tries")


class CountingPasswords(Passwords):
    """Counts what takes time: argon2 works 50 ms on each, and the rest of a sign-in 5."""

    def __init__(self) -> None:
        super().__init__(at_once=2)
        self.hashed = 0
        self.checked = 0

    async def hash(self, password: str) -> str:
        self.hashed += 1
        return await super().hash(password)

    def _verify(self, stored: str, password: str) -> bool:
        self.checked += 1
        return super()._verify(stored, password)


@pytest.fixture
def passwords() -> CountingPasswords:
    return CountingPasswords()


@pytest.fixture
def local(
    guarded: Node, postgres: Postgres, redis: Redis, passwords: CountingPasswords, tmp_path: Path
) -> LocalAuth:
    settings = guarded.services.settings
    return LocalAuth(
        postgres=postgres,
        logins=guarded.services.logins,
        passwords=passwords,
        throttle=Throttle(redis, settings.auth),
        mailer=Mailer(MailSettings(), tmp_path),
        public_url="http://127.0.0.1",
        settings=settings.auth,
    )


@pytest.mark.parametrize("kind", ["known", "unknown", "no address", "disabled", "no password"])
async def test_a_wrong_password_costs_one_check_whoever_it_is_for(
    guarded: Node,
    postgres: Postgres,
    local: LocalAuth,
    passwords: CountingPasswords,
    kind: str,
) -> None:
    people = People(guarded, postgres)
    account = await people.account()
    if kind == "disabled":
        await people.kill(Who.DISABLED, account)
    if kind == "no password":
        await people._sql("DELETE FROM local_auths WHERE user_id = :id", id=account.user_id)
    email = {"unknown": new_email(), "no address": "nobody"}.get(kind, account.email)

    with pytest.raises(WrongPassword) as refusal:
        await local.sign_in(email, "a wrong one", address="a")

    assert (passwords.checked, passwords.hashed) == (1, 0)
    assert refusal.value.message == "The e-mail address or the password is wrong."


async def test_signing_up_costs_one_hash_whether_the_address_is_taken_or_not(
    local: LocalAuth, passwords: CountingPasswords
) -> None:
    email = new_email()
    await local.register(email, PASSWORD, display_name=None, address="a")
    assert passwords.hashed == 1

    with pytest.raises(EmailTaken):
        await local.register(email, PASSWORD, display_name=None, address="a")

    assert passwords.hashed == 2


async def test_asking_for_a_link_costs_no_hash_and_no_mail_is_waited_for(
    local: LocalAuth, passwords: CountingPasswords
) -> None:
    email = new_email()
    await local.register(email, PASSWORD, display_name=None, address="a")
    passwords.hashed = 0

    for wanted in (email, new_email()):  # nobody takes mails here, and neither call waits
        await local.ask_reset(wanted, address="a")

    assert (passwords.hashed, passwords.checked) == (0, 0)


async def test_a_wrong_sign_in_is_answered_alike_for_all(guarded: Node) -> None:
    _, known = await registered(guarded)

    answers = [
        await guarded.client().http.post("/auth/login", json={"email": email, "password": "wrong"})
        for email in (known["user"]["email"], new_email(), "nobody")
    ]

    assert len({_said(one) for one in answers}) == 1
    error_of(answers[0], 401, "wrong_password")


async def test_asking_for_a_link_is_answered_alike_for_all(
    guarded: Node, postgres: Postgres
) -> None:
    people = People(guarded, postgres)
    known, disabled = await people.account(), await people.account()
    await people.kill(Who.DISABLED, disabled)

    answers = [
        await guarded.client().http.post("/auth/password/forgot", json={"email": email})
        for email in (known.email, disabled.email, new_email(), "nobody")
    ]

    assert len({_said(one) for one in answers}) == 1
    assert answers[0].status_code == 202


@pytest.mark.parametrize("known", [True, False])
async def test_tries_run_out_alike_for_accounts_that_are_there_and_that_are_not(
    guarded: Node, postgres: Postgres, known: bool
) -> None:
    email = (await People(guarded, postgres).account()).email if known else new_email()

    codes = []
    for _ in range(7):
        answer = await guarded.client().http.post(
            "/auth/login", json={"email": email, "password": "wrong"}
        )
        codes.append(answer.json()["error"]["code"])

    assert codes == ["wrong_password"] * 5 + ["too_many_tries"] * 2


async def test_another_persons_things_and_things_that_never_were_are_one_answer(
    guarded: Node, postgres: Postgres
) -> None:
    people = People(guarded, postgres)
    things, headers = await people.scene(Who.STRANGER)
    session_ids = (things.session["session_id"], new_session_id())
    chat_ids = (things.session["chat_id"], uuid.uuid4())

    for method, path, ids in [
        ("GET", "/chat/sessions/{}", session_ids),
        ("DELETE", "/chat/sessions/{}", session_ids),
        ("POST", "/chat/sessions/{}/ticket", session_ids),
        ("GET", "/chats/{}", chat_ids),
        ("GET", "/chats/{}/messages", chat_ids),
        ("GET", "/chats/{}/snapshot", chat_ids),
    ]:
        answers = [
            await people.http.request(method, path.format(one), headers=headers) for one in ids
        ]
        assert len({_said(one) for one in answers}) == 1, path
        assert answers[0].status_code == 404


def _said(answer: httpx.Response) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
    headers = sorted(pair for pair in answer.headers.multi_items() if pair[0] != "date")
    return answer.status_code, answer.content, tuple(headers)
