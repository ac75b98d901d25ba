"""A real server that vouches for people, with the shapes and the quirks of each provider."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode

import uvicorn
from joserfc import jwk, jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.support.node import _Server

TEAM, APPLE_KEY_ID = "TEAM123456", "KEY1234567"


@dataclass
class Grant:
    """What a code stands for, once."""

    flavour: str
    redirect_uri: str
    challenge: str
    nonce: str
    person: dict[str, Any]


@dataclass
class Provider:
    """Whoever comes is the one ``person`` describes, and says yes unless ``refuses``."""

    url: str
    public_url: str
    person: dict[str, Any] = field(default_factory=dict)
    refuses: bool = False
    claims: dict[str, Any] = field(default_factory=dict)  # to say instead in the next token
    forge: Callable[[dict[str, Any]], str] | None = None  # to sign the next token otherwise
    key: jwk.RSAKey = field(
        default_factory=lambda: jwk.RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
    )
    apple_key: jwk.ECKey = field(default_factory=lambda: jwk.ECKey.generate_key("P-256"))
    keys_read: int = 0
    broken: bool = False  # tells no keys
    grants: dict[str, Grant] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)

    def somebody(self, **given: Any) -> dict[str, Any]:
        """Let a new person be there, with an e-mail address that was checked."""
        self.refuses, self.claims, self.forge = False, {}, None
        name = secrets.token_hex(6)
        self.person = {
            "sub": f"sub-{name}",
            "email": f"{name}@example.org",
            "email_verified": True,
            "name": "Ann Lee",
            **given,
        }
        return self.person

    def settings(self) -> dict[str, Any]:
        """Return the settings of a node that believes this provider."""

        def client(flavour: str, **more: str) -> dict[str, str]:
            return {"client_id": f"id-{flavour}", "client_secret": f"secret-{flavour}", **more}

        def oauth(flavour: str, user: str) -> dict[str, str]:
            base = f"{self.url}/{flavour}"
            return client(
                flavour,
                authorize_url=f"{base}/authorize",
                token_url=f"{base}/token",
                user_url=base + user,
            )

        return {
            "google": client("google", issuer=f"{self.url}/google"),
            "apple": {
                "client_id": "id-apple",
                "team_id": TEAM,
                "key_id": APPLE_KEY_ID,
                "private_key": self.apple_key.as_pem(private=True).decode(),
                "issuer": f"{self.url}/apple",
            },
            "kakao": oauth("kakao", "/v2/user/me"),
            "naver": oauth("naver", "/v1/nid/me"),
            "oidc": {"work": client("work", issuer=f"{self.url}/work")},
            "refresh_seconds": 0.05,
        }

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    async def describe(self, request: Request) -> Response:
        flavour = request.path_params["flavour"]
        base = f"{self.url}/{flavour}"
        ways = {"apple": ["client_secret_post"], "work": ["client_secret_basic"]}
        return JSONResponse(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "jwks_uri": f"{base}/keys",
                "userinfo_endpoint": f"{base}/userinfo",
                "token_endpoint_auth_methods_supported": ways.get(
                    flavour, ["client_secret_post", "client_secret_basic"]
                ),
            }
        )

    async def keys(self, request: Request) -> Response:
        self.keys_read += 1
        if self.broken:
            return Response("out of order", status_code=500)
        public = self.key.as_dict(private=False)
        return JSONResponse({"keys": [{"kty": "new-kind", "kid": "k0"}, public]})

    async def authorize(self, request: Request) -> Response:
        """Ask the person, and answer to the one registered address."""
        flavour, asked = request.path_params["flavour"], request.query_params
        registered = f"{self.public_url}/auth/{flavour}/callback"
        if asked["client_id"] != f"id-{flavour}" or asked["redirect_uri"] != registered:
            return Response("redirect_uri or client_id is not registered", status_code=400)
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        answer = {"state": asked["state"]}
        if self.refuses:
            answer["error"] = "access_denied"
        else:
            answer["code"] = secrets.token_urlsafe(16)
            self.grants[answer["code"]] = Grant(
                flavour,
                registered,
                asked["code_challenge"],
                asked.get("nonce", ""),
                dict(self.person),
            )
        if flavour == "apple":
            assert asked["response_mode"] == "form_post"
            first, _, last = self.person.get("name", "").partition(" ")
            answer["user"] = json.dumps({"name": {"firstName": first, "lastName": last}})
            inputs = "".join(
                f'<input type="hidden" name="{name}" value="{escape(value)}">'
                for name, value in answer.items()
            )
            inputs += "<button>Continue</button>"
            return HTMLResponse(f'<form method="post" action="{registered}">{inputs}</form>')
        there = f"{registered}?{urlencode(answer)}"
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(f'<a href="{escape(there)}">Continue</a>')
        return RedirectResponse(there)

    async def token(self, request: Request) -> Response:
        """Give a token for a code, to the client it was made for."""
        flavour = request.path_params["flavour"]
        asked = dict(parse_qsl((await request.body()).decode()))
        grant = self.grants.pop(asked["code"], None)
        if not self._knows(flavour, request, asked):
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        if (
            grant is None
            or grant.flavour != flavour
            or asked["redirect_uri"] != grant.redirect_uri
            or challenge_of(asked["code_verifier"]) != grant.challenge
        ):
            # Naver says so with 200.
            status = 200 if flavour == "naver" else 400
            return JSONResponse({"error": "invalid_grant"}, status_code=status)
        access = secrets.token_urlsafe(16)
        self.tokens[access] = grant.person
        token: dict[str, Any] = {"access_token": access, "token_type": "bearer"}
        token["expires_in"] = "3600" if flavour == "naver" else 3600
        if flavour not in {"kakao", "naver"}:
            token["id_token"] = self._id_token(flavour, grant)
        return JSONResponse(token)

    def _id_token(self, flavour: str, grant: Grant) -> str:
        now = int(time.time())
        claims = {
            "iss": f"{self.url}/{flavour}",
            "aud": f"id-{flavour}",
            "iat": now,
            "exp": now + 600,
            "nonce": grant.nonce,
            **grant.person,
            **self.claims,
        }
        if flavour == "apple":
            claims["email_verified"] = str(claims["email_verified"]).lower()
            del claims["name"]
        if flavour == "work":  # keeps everything but who it is for the user info
            for name in ("email", "email_verified", "name"):
                del claims[name]
        return (self.forge or self.sign)(claims)

    def _knows(self, flavour: str, request: Request, asked: dict[str, str]) -> bool:
        if flavour == "apple":
            secret = jwt.decode(asked["client_secret"], self.apple_key, algorithms=["ES256"])
            right = {"iss": TEAM, "aud": f"{self.url}/apple", "sub": "id-apple"}
            return (
                secret.header["kid"] == APPLE_KEY_ID
                and right.items() <= secret.claims.items()
                and time.time() < secret.claims["exp"] < time.time() + 180 * 86_400
            )
        given = asked.get("client_id", ""), asked.get("client_secret", "")
        scheme, _, basic = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            user, _, password = base64.b64decode(basic).decode().partition(":")
            given = user, password
        return given == (f"id-{flavour}", f"secret-{flavour}")

    async def user_info(self, request: Request) -> Response:
        person = self.tokens.get(request.headers["authorization"].removeprefix("Bearer "))
        if person is None:
            return Response(status_code=401)
        return JSONResponse(person)

    async def kakao(self, request: Request) -> Response:
        person = self.tokens[request.headers["authorization"].removeprefix("Bearer ")]
        account = {
            "profile": {"nickname": person["name"]},
            "email": person["email"],
            "is_email_valid": True,
            "is_email_verified": person["email_verified"],
        }
        number = int(hashlib.sha256(person["sub"].encode()).hexdigest()[:12], 16)
        return JSONResponse({"id": number, "kakao_account": account})

    async def naver(self, request: Request) -> Response:
        person = self.tokens.get(request.headers["authorization"].removeprefix("Bearer "))
        if person is None or self.claims.get("resultcode"):
            return JSONResponse({"resultcode": "024", "message": "Authentication failed"})
        shown = {"id": person["sub"], "email": person["email"], "nickname": person["name"]}
        return JSONResponse({"resultcode": "00", "message": "success", "response": shown})


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def unsigned(claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    """Return a token that nobody has signed."""
    parts = [json.dumps(one).encode() for one in (header or {"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in parts) + "."


def signed_by_public_key(key: jwk.RSAKey, claims: dict[str, Any]) -> str:
    """Return a token signed by HMAC with what everybody can read."""
    body = unsigned(claims, {"alg": "HS256", "kid": key.kid}).rstrip(".")
    mac = hmac.digest(key.as_pem(private=False), body.encode(), "sha256")
    return f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@contextlib.asynccontextmanager
async def running_provider(public_url: str) -> AsyncIterator[Provider]:
    """Serve a provider that knows the service at ``public_url``. For browsers it is another
    site: ``localhost``, not ``127.0.0.1``.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    provider = Provider(f"http://localhost:{listener.getsockname()[1]}", public_url)
    app = Starlette(
        routes=[
            Route("/{flavour}/.well-known/openid-configuration", provider.describe),
            Route("/{flavour}/keys", provider.keys),
            Route("/{flavour}/authorize", provider.authorize),
            Route("/{flavour}/token", provider.token, methods=["POST"]),
            Route("/{flavour}/userinfo", provider.user_info),
            Route("/kakao/v2/user/me", provider.kakao),
            Route("/naver/v1/nid/me", provider.naver),
        ]
    )
    server = _Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait on
            await asyncio.sleep(0.005)
        try:
            yield provider
        finally:
            server.should_exit = True


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
