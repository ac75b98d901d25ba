"""Mails: composed here, and handed to an SMTP server or put into a folder."""

import asyncio
import secrets
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from app.kit.errors import Unavailable
from app.settings import BadSettings, MailSettings

log = structlog.get_logger()

_TRIES = 3
_QUEUE = 1_000
_PORTS = {"smtp": 587, "smtps": 465}


class Mailer:
    """Sends in the background, so that an answer takes as long whether there is a mail or not.

    Without an SMTP server, mails are files in ``folder``: enough to try everything.

    Args:
        settings: the server and the sender.
        folder: where mails go without a server.

    Raises:
        BadSettings: the address of the server is none.
    """

    def __init__(self, settings: MailSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._queue: asyncio.Queue[EmailMessage] = asyncio.Queue(_QUEUE)
        self._server = None if settings.url is None else urlsplit(settings.url.get_secret_value())
        if self._server and (self._server.scheme not in _PORTS or not self._server.hostname):
            raise BadSettings(
                "COLLOQUY_MAIL__URL is smtp://user:password@host:port, or smtps:// with TLS from"
                " the beginning."
            )

    def send(self, to: str, subject: str, text: str) -> None:
        """Send a mail in a moment. Never waits.

        Raises:
            Unavailable: too many wait already.
        """
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = to
        message["Subject"] = subject
        message.set_content(text, cte="8bit")  # a link must stay whole, also in a file
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            raise Unavailable("No mail can be sent for the moment.") from None

    async def run(self) -> None:
        """Send what is waiting, until cancelled."""
        while True:
            message = await self._queue.get()
            for again in range(_TRIES):
                try:
                    await self._deliver(message)
                    break
                except Exception as error:  # noqa: BLE001 - one mail must not keep the others
                    log.warning("mail_not_sent", tries=again + 1, cause=type(error).__name__)
                    await asyncio.sleep(2**again)
            self._queue.task_done()

    async def flush(self) -> None:
        """Return when nothing waits any more."""
        await self._queue.join()

    async def _deliver(self, message: EmailMessage) -> None:
        if self._server is None:
            path = await asyncio.to_thread(self._write, message)
            log.info("mail_written", path=str(path))
            return
        implicit = self._server.scheme == "smtps"
        await aiosmtplib.send(
            message,
            hostname=self._server.hostname,
            port=self._server.port or _PORTS[self._server.scheme],
            username=unquote(self._server.username) if self._server.username else None,
            password=unquote(self._server.password) if self._server.password else None,
            use_tls=implicit,
            start_tls=None if not implicit else False,
            timeout=self._settings.seconds,
        )

    def _write(self, message: EmailMessage) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{secrets.token_hex(8)}.eml"
        path.touch(mode=0o600)
        path.write_bytes(bytes(message))
        return path
