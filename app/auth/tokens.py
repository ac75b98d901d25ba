"""Secrets derived from the server's own, so that none of them needs to be stored.

HMAC-SHA-256 (RFC 2104) over a purpose and an id: whoever holds the server's secret can
check a token without looking anything up.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path

from app.kit.ids import SessionId, VisitorId, parse_session_id, parse_uuid

_TOKEN_PREFIX = "cst_"  # noqa: S105 - says what it is: a Colloquy session token
_VISITOR_SEPARATOR = "."


class Tokens:
    """Makes and checks session tokens and visitor cookies.

    Args:
        secret: at least 32 bytes, the same on every node.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def session_token(self, session_id: SessionId) -> str:
        """Return the token of a session: the proof of being its client."""
        return f"{_TOKEN_PREFIX}{session_id}_{self._mac('session', session_id)}"

    def check_session_token(self, token: str) -> SessionId | None:
        """Return whose token it is, or None if it is not one of ours."""
        body, _, mac = token.removeprefix(_TOKEN_PREFIX).partition("_")
        session_id = parse_session_id(body)
        if session_id is None or not token.startswith(_TOKEN_PREFIX):
            return None
        return session_id if self._same(mac, self._mac("session", session_id)) else None

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
        return hashlib.sha256(secret.encode()).digest()

    def _mac(self, purpose: str, text: str) -> str:
        digest = hmac.digest(self._secret, f"{purpose}:{text}".encode(), "sha256")
        return urlsafe_b64encode(digest).decode().rstrip("=")

    def _same(self, given: str, right: str) -> bool:
        return hmac.compare_digest(given.encode(), right.encode())


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
