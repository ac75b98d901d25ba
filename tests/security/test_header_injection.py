"""Line breaks in what a client sends never end up as lines of a header, of HTTP or of a mail."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from app.auth.identity import LOGIN_COOKIE, VISITOR_COOKIE
from tests.auth.scene import PASSWORD, link_to, mails_to, new_email, registered
from tests.support.answers import error_of
from tests.support.node import Node
from tests.support.raw import dialled

BREAKS = ("\r\n", "\n", "\r", "\x85", "\u2028", "\x00", "\x0b")
_SOUGHT = "X-Injected: yes"


@pytest.mark.parametrize("line_break", BREAKS, ids=repr)
@pytest.mark.parametrize("field", ["email", "display_name", "locale", "timezone", "avatar_url"])
async def test_no_field_of_an_account_holds_a_line_break(
    guarded: Node, field: str, line_break: str
) -> None:
    client, answer = await registered(guarded)
    value = {"email": new_email(), "avatar_url": "https://example.org/a"}.get(field, "en")
    bad = {field: f"{value}{line_break}{_SOUGHT}"}

    if field == "email":
        said = await guarded.client().http.post(
            "/auth/register", json={"password": PASSWORD, **bad}
        )
        error_of(said, 422, "bad_email")
    else:
        error_of(await client.http.patch("/users/me", json=bad), 422, "malformed_body")
    assert (await client.http.get("/users/me")).json() == answer["user"]


@pytest.mark.parametrize("name", ["=?utf-8?q?a=0D=0ABcc:_b@example.org?=", "<a@b>"])
async def test_a_display_name_stands_in_no_header_of_a_mail(guarded: Node, name: str) -> None:
    email = new_email()
    said = await guarded.client().http.post(
        "/auth/register", json={"email": email, "password": PASSWORD, "display_name": name}
    )
    assert said.json()["user"]["display_name"] == name
    await link_to(guarded, email, "verify")

    [mail] = mails_to(guarded, email)

    assert name not in str(mail)
    assert mail["To"] == email
    assert mail["Bcc"] is None


@pytest.mark.parametrize(
    "email",
    [
        '"a\\r\\nBcc: b"@example.org',
        "a@example.org,b@example.org",
        "a@example.org\nBcc: b@example.org",
        "=?utf-8?q?a=0ABcc?=@example.org\r\n",
        "Ann <a@example.org>",
        "a@example.org ",
    ],
)
async def test_one_address_is_mailed_to_and_no_more(guarded: Node, email: str) -> None:
    unique = email.replace("a@example.org", new_email())
    said = await guarded.client().http.post(
        "/auth/register", json={"email": unique, "password": PASSWORD}
    )
    if said.status_code != 201:
        error_of(said, 422, "bad_email")
        return
    stored = said.json()["user"]["email"]
    await link_to(guarded, stored, "verify")

    [mail] = mails_to(guarded, stored)

    assert stored == unique.strip().casefold()
    assert sorted(mail.keys()) == sorted(set(mail.keys()))
    assert not {"Bcc", "Cc", "X-Injected"} & set(mail.keys())


@pytest.mark.parametrize("name", [LOGIN_COOKIE, VISITOR_COOKIE])
async def test_a_cookie_is_never_given_back_as_it_came(guarded: Node, name: str) -> None:
    planted = quote(f"a\r\n{_SOUGHT}")

    for method, path, body in [
        ("POST", "/chat/start", {}),
        ("POST", "/auth/logout", {}),
        ("POST", "/auth/register", {"email": new_email(), "password": PASSWORD}),
    ]:
        answer = await guarded.client().http.request(
            method, path, json=body, headers={"cookie": f"{name}={planted}"}
        )
        assert answer.is_success
        assert "x-injected" not in answer.headers
        assert "njected" not in str(answer.headers)


@pytest.mark.parametrize(
    "path",
    [
        f"/%0d%0a{quote(_SOUGHT)}",
        f"/users/me/%0d%0a{quote(_SOUGHT)}",
        f"/users/me/?next=%0d%0a{quote(_SOUGHT)}",
        f"/chat/sessions/%0d%0a{quote(_SOUGHT)}",
        f"/chat/conversations?cursor=%0d%0a{quote(_SOUGHT)}",
        "//evil.example/users/me/",
        "/\\evil.example/",
        "//evil.example/%2e%2e/users/me/",
    ],
)
async def test_an_address_makes_no_header_and_leads_to_no_other_site(
    guarded: Node, path: str
) -> None:
    status, headers = await _raw(guarded, path)

    assert status < 500
    assert "x-injected" not in headers
    location = headers.get("location", guarded.url)
    assert location.startswith(guarded.url), location


@pytest.mark.parametrize(
    "host", ["a; script-src *", "a'b", "a b", "evil.example/x", "[::1]; x", "a,b", "é", "a:b@c"]
)
async def test_a_host_adds_nothing_to_the_policy_of_the_page(guarded: Node, host: str) -> None:
    status, headers = await _raw(guarded, "/", host=host)

    assert status < 500
    policy = headers.get("content-security-policy", "")
    assert "connect-src 'self';" in policy or status == 400
    assert host not in policy


async def test_an_origin_is_not_given_back_unless_it_is_listed(guarded: Node) -> None:
    for origin in ("https://evil.example", "null", guarded.url + ".evil.example"):
        answer = await guarded.client().http.get("/health/live", headers={"origin": origin})
        assert not [name for name in answer.headers if name.startswith("access-control-")]


async def _raw(node: Node, path: str, *, host: str | None = None) -> tuple[int, dict[str, str]]:
    """Send a request that a library would clean up; return the status and the headers."""
    port = int(node.url.rpartition(":")[2])
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\nConnection: close\r\n\r\n"
    )
    async with dialled(port) as raw, asyncio.timeout(5):
        await raw.send(request.encode())
        head = await raw.head()
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(first.split(" ")[1]), headers
