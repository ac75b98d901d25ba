"""Secrets derived from the server's own, so that none of them needs to be stored.

HMAC-SHA-256 (RFC 2104) over a purpose and an id: whoever holds the server's secret can
check a token without looking anything up.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path
from uuid import UUID

from app.auth.types import SessionToken
from app.kit.ids import LoginId, SessionId, VisitorId, parse_session_id, parse_uuid

_TOKEN_PREFIX = "cst_"  # noqa: S105 - says what it is: a Colloquy session token
_VISITOR_SEPARATOR = "."
_NO_LOGIN = "0"


class Tokens:
    """Makes and checks session tokens and visitor cookies.

    Args:
        secret: at least 32 bytes, the same on every node.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def session_token(self, session_id: SessionId, login_id: LoginId | None = None) -> str:
        """Return the token of a session: the proof of being its client.

        Given out under a sign-in, it is good for no longer than that is; given out to a
        visitor, not after a user has claimed the session.
        """
        body = f"{session_id}_{login_id.hex if login_id else _NO_LOGIN}"
        return f"{_TOKEN_PREFIX}{body}_{self._mac('session', body)}"

    def check_session_token(self, token: str) -> SessionToken | None:
        """Return what a token says, or None if it is not one of ours."""
        session, _, rest = token.removeprefix(_TOKEN_PREFIX).partition("_")
        login, _, mac = rest.partition("_")
        session_id = parse_session_id(session)
        if session_id is None or not token.startswith(_TOKEN_PREFIX):
            return None
        if not self._same(mac, self._mac("session", f"{session}_{login}")):
            return None
        return SessionToken(session_id, None if login == _NO_LOGIN else LoginId(UUID(login)))

    def visitor_cookie(self, visitor_id: VisitorId) -> str:
        return f"{visitor_id}{_VISITOR_SEPARATOR}{self._mac('visitor', str(visitor_id))}"

    def check_visitor_cookie(self, cookie: str) -> VisitorId | None:
        """Return whose cookie it is, or None if it is not one of ours."""
        body, _, mac = cookie.partition(_VISITOR_SEPARATOR)
        value = parse_uuid(body)
        if value is None or not self._same(mac, self._mac("visitor", str(value))):
            return None
        return VisitorId(value)

    def hash(self, secret: str) -> bytes:
        """Return what may be stored of ``secret``."""
        return secret_hash(secret)

    def _mac(self, purpose: str, text: str) -> str:
        digest = hmac.digest(self._secret, f"{purpose}:{text}".encode(), "sha256")
        return urlsafe_b64encode(digest).decode().rstrip("=")

    def _same(self, given: str, right: str) -> bool:
        return hmac.compare_digest(given.encode(), right.encode())


def secret_hash(secret: str) -> bytes:
    """Return what may be stored of a secret that has bits enough not to be guessed."""
    return hashlib.sha256(secret.encode()).digest()


def keep_secret(data_dir: Path) -> bytes:
    """Return the secret kept in ``data_dir``; the first call makes it, readable by its owner only.

    Safe when two processes do it at once: one file wins, and both read that one.
    """
    path = data_dir / "secret"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        own = data_dir / f"secret.{secrets.token_hex(4)}"
        own.touch(mode=0o600)
        own.write_bytes(secrets.token_bytes(32))
        try:
            path.hardlink_to(own)
        except FileExistsError:
            pass  # another process was first
        finally:
            own.unlink()
    return path.read_bytes()
