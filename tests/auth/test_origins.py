"""Which pages may act here."""

import pytest

from app.auth.origins import may_act

HOST = "chat.example.org:8443"
LISTED = ["https://shop.example.com"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://chat.example.org:8443",
        "http://chat.example.org:8443",
        "https://CHAT.example.org:8443",
        "https://shop.example.com",
    ],
)
def test_pages_of_this_address_and_listed_ones_may(origin: str) -> None:
    assert may_act(origin, HOST, LISTED)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "https://example.org",
        "https://chat.example.org",
        "https://chat.example.org:8443.evil.net",
        "https://evil.net/chat.example.org:8443",
        "https://evil.net#chat.example.org:8443",
        "https://chat.example.org:8443@evil.net",
        "https://xchat.example.org:8443",
        "https://shop.example.com.evil.net",
        "https://shop.example.com:444",
        "http://shop.example.com",
        "https://shop.example.comX",
        "file://chat.example.org:8443",
        "chrome-extension://chat.example.org:8443",
        "https://[",
        "https://[::1",
        "//chat.example.org:8443",
        "chat.example.org:8443",
    ],
)
def test_others_may_not_however_they_look(origin: str) -> None:
    assert not may_act(origin, HOST, LISTED)


@pytest.mark.parametrize("origin", ["", "null", "http://", "https://"])
def test_without_a_host_nobody_is_at_home(origin: str) -> None:
    assert not may_act(origin, None, [])
    assert not may_act(origin, "", [])
