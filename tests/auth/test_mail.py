"""Mails reach a real SMTP server, or a folder."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from app.auth.mail import Mailer
from app.settings import BadSettings, MailSettings


class Inbox:
    """What an SMTP server was handed."""

    def __init__(self, *, refuses: int = 0) -> None:
        self.mails: list[Envelope] = []
        self.users: list[Any] = []
        self._refuses = refuses

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self._refuses:
            self._refuses -= 1
            return "451 Come back later"
        self.mails.append(envelope)
        self.users.append(session.auth_data)
        return "250 OK"


def to(url: str, **given: str) -> MailSettings:
    return MailSettings.model_validate({"url": url, **given})


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def mail_of(envelope: Envelope) -> Message:
    assert isinstance(envelope.content, bytes)
    return message_from_bytes(envelope.content)


@asynccontextmanager
async def smtp_server(inbox: Inbox, **options: Any) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, loop=loop, **options), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def mailing(settings: MailSettings, folder: Path) -> AsyncIterator[Mailer]:
    mailer = Mailer(settings, folder)
    task = asyncio.create_task(mailer.run())
    try:
        yield mailer
        async with asyncio.timeout(10):
            await mailer.flush()
    finally:
        task.cancel()


async def test_a_mail_reaches_the_server(tmp_path: Path) -> None:
    inbox = Inbox()
    async with smtp_server(inbox) as port:
        settings = to(f"smtp://127.0.0.1:{port}", sender="Us <us@example.org>")
        async with mailing(settings, tmp_path) as mailer:
            mailer.send("ann@example.org", "Grüße", "Hello\n\nhttps://example.org/#a=b\n")

    [envelope] = inbox.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("us@example.org", ["ann@example.org"])
    mail = mail_of(envelope)
    assert (mail["From"], mail["To"]) == ("Us <us@example.org>", "ann@example.org")
    assert "https://example.org/#a=b" in str(mail.get_payload())
    assert files_in(tmp_path) == []


async def test_the_server_is_told_who_sends(tmp_path: Path) -> None:
    def authenticate(*given: Any) -> AuthResult:
        return AuthResult(success=True, auth_data=given[-1])

    inbox = Inbox()
    async with smtp_server(inbox, authenticator=authenticate, auth_require_tls=False) as port:
        settings = to(f"smtp://me%40example.org:p%2Fw@127.0.0.1:{port}")
        async with mailing(settings, tmp_path) as mailer:
            mailer.send("ann@example.org", "Hello", "Hello")

    [user] = inbox.users
    assert (user.login, user.password) == (b"me@example.org", b"p/w")


async def test_a_mail_that_is_refused_for_now_is_sent_again(tmp_path: Path) -> None:
    inbox = Inbox(refuses=1)
    async with (
        smtp_server(inbox) as port,
        mailing(to(f"smtp://127.0.0.1:{port}"), tmp_path) as mailer,
    ):
        mailer.send("ann@example.org", "Hello", "Hello")

    assert len(inbox.mails) == 1


async def test_one_mail_that_cannot_be_sent_does_not_keep_the_next(tmp_path: Path) -> None:
    inbox = Inbox(refuses=3)
    async with (
        smtp_server(inbox) as port,
        mailing(to(f"smtp://127.0.0.1:{port}"), tmp_path) as mailer,
    ):
        mailer.send("ann@example.org", "lost", "Hello")
        mailer.send("ann@example.org", "kept", "Hello")

    [envelope] = inbox.mails
    assert mail_of(envelope)["Subject"] == "kept"


async def test_without_a_server_mails_are_files_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    async with mailing(MailSettings(), folder) as mailer:
        mailer.send("ann@example.org", "Hello", "Hello")

    [path] = folder.iterdir()
    assert message_from_bytes(path.read_bytes())["To"] == "ann@example.org"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("field", ["to", "subject"])
async def test_a_header_has_one_line(tmp_path: Path, field: str) -> None:
    mailer = Mailer(MailSettings(), tmp_path)
    given = {"to": "ann@example.org", "subject": "Hello"}
    given[field] += "\r\nBcc: all@example.org"

    with pytest.raises(ValueError, match="linefeed"):
        mailer.send(given["to"], given["subject"], "Hello")


@pytest.mark.parametrize("url", ["http://example.org", "smtp://", "example.org:25"])
def test_what_is_no_mail_server_is_said_at_once(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadSettings, match="COLLOQUY_MAIL__URL"):
        Mailer(to(url), tmp_path)
