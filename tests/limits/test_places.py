"""What counts as one address."""

import pytest

from app.limits.places import place_of


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", None),
        ("unix:", None),
        ("{203.0.113.7}", None),
    ],
    ids=str,
)
def test_an_address_counts_as(host: str, place: str | None) -> None:
    assert place_of(host) == place
