"""Which pages may act here with a browser's cookies."""

from collections.abc import Collection
from urllib.parse import urlsplit


def may_act(origin: str, host: str | None, listed: Collection[str]) -> bool:
    """Whether a page may: one of this very address, or of a listed origin.

    Args:
        origin: what the browser says in ``Origin``; ``null`` is nobody's.
        host: what it says in ``Host``: where it believes to be.
        listed: other sites' origins that the operator trusts.
    """
    if origin in listed:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # brackets that hold no address
        return False
    own = parts.scheme in {"http", "https"} and parts.netloc != ""
    return own and parts.netloc.lower() == (host or "").lower()
