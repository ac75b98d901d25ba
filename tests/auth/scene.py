"""People with accounts, and what they were mailed."""

import asyncio
import re
import uuid
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

from tests.support.client import Client
from tests.support.node import Node

PASSWORD = "correct horse battery"


def new_email() -> str:
    return f"ann-{uuid.uuid4().hex[:12]}@example.org"


async def registered(node: Node, **given: Any) -> tuple[Client, dict[str, Any]]:
    """Return a browser that has signed up, and the answer it got."""
    client = node.client()
    body = {"email": new_email(), "password": PASSWORD, **given}
    answer = await client.http.post("/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    return client, answer.json()


async def signed_in(node: Node, email: str, password: str = PASSWORD) -> Client:
    """Return another browser that has signed in."""
    client = node.client()
    answer = await client.http.post("/auth/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    return client


def mails_to(node: Node, email: str) -> list[Message]:
    """Return what lies in the node's folder for an address."""
    folder: Path = node.services.settings.data_dir / "mail"
    paths = sorted(folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    mails = [message_from_bytes(path.read_bytes()) for path in paths]
    return [mail for mail in mails if mail["To"] == email]


async def link_to(node: Node, email: str, purpose: str) -> str:
    """Wait for a mail with a link; return the newest link's token."""
    async with asyncio.timeout(5):
        while True:
            texts = [str(mail.get_payload(decode=False)) for mail in mails_to(node, email)]
            found = [m[1] for text in texts for m in re.finditer(rf"#{purpose}=(\S+)", text)]
            if found:
                return found[-1]
            await asyncio.sleep(0.02)
