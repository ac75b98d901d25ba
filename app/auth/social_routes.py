"""HTTP: signing in by the word of a provider. A browser goes there and comes back."""

from collections.abc import Sequence

from pydantic import ValidationError
from starlette.requests import Request

from app.auth.errors import Forbidden, SignInExpired
from app.auth.identity import Identity
from app.auth.routes import address_of, caller_of, me_of, take_in
from app.auth.schemas import LinkedProvider, LinkedView, ProviderAnswer, ProvidersView
from app.auth.social import SocialAuth
from app.auth.types import Linked
from app.kit.clock import wire_time
from app.kit.endpoint import Endpoint, Reply

ATTEMPT_COOKIE = "colloquy_attempt"
# Apple's page posts its answer. State and cookie prove that this browser has asked for it.
POSTED_ELSEWHERE = frozenset({"/auth/apple/callback"})


async def providers(request: Request) -> Reply:
    social: SocialAuth = request.state.social_auth
    return Reply(ProvidersView(providers=social.names))


async def begin(request: Request) -> Reply:
    """Send the browser to the provider."""
    social: SocialAuth = request.state.social_auth
    name = request.path_params["provider"]
    link = request.query_params.get("link") == "1"
    if link and request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        # Else another site could have its own person linked with this browser's account.
        raise Forbidden("This page may not act here.")
    address, begun = await social.begin(
        name,
        then=request.query_params.get("next", "/"),
        caller=await caller_of(request),
        link=link,
    )
    seconds: int = request.state.attempt_seconds
    kept = _attempt_cookie(request, begun.cookie, seconds, cross_site=social.posts(name))
    return Reply(headers=(("location", address), kept))


async def come_back(request: Request) -> Reply:
    try:
        answer = ProviderAnswer.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise SignInExpired("Begin to sign in once more.") from error
    return await _finish(request, answer)


async def come_back_posted(request: Request, answer: ProviderAnswer) -> Reply:
    return await _finish(request, answer)


async def unlink(request: Request) -> Reply:
    social: SocialAuth = request.state.social_auth
    user, _ = await me_of(request, await caller_of(request))
    name = request.path_params["provider"]
    return Reply(_linked_view(await social.unlink(user.id, name, address=address_of(request))))


async def linked(request: Request) -> Reply:
    social: SocialAuth = request.state.social_auth
    user, _ = await me_of(request, await caller_of(request))
    return Reply(_linked_view(await social.linked(user.id)))


async def _finish(request: Request, answer: ProviderAnswer) -> Reply:
    social: SocialAuth = request.state.social_auth
    identity: Identity = request.state.identity
    name = request.path_params["provider"]
    attempt, signed_in = await social.finish(
        name,
        answer.model_dump(exclude_defaults=True),
        cookie=identity.read(request, ATTEMPT_COOKIE) or "",
        address=address_of(request),
    )
    headers = [
        ("location", attempt.next),
        _attempt_cookie(request, "", 0, cross_site=social.posts(name)),
    ]
    if signed_in is not None:
        _, cookies = await take_in(request, signed_in, visitor_id=attempt.visitor_id)
        headers += cookies
    return Reply(status=303, headers=tuple(headers))


def _attempt_cookie(
    request: Request, value: str, seconds: int, *, cross_site: bool = False
) -> tuple[str, str]:
    identity: Identity = request.state.identity
    return "set-cookie", identity.cookie(
        request, ATTEMPT_COOKIE, value, seconds=seconds, cross_site=cross_site
    )


def _linked_view(found: Sequence[Linked]) -> LinkedView:
    return LinkedView(
        providers=[
            LinkedProvider(
                provider=one.provider, email=one.email, linked_at=wire_time(one.linked_at)
            )
            for one in found
        ]
    )


_ANSWER = {name: {"type": "string"} for name in ("state", "code", "error")}
_REFUSALS = (401, 403, 404, 409, 422, 503)

ENDPOINTS = [
    Endpoint(
        "GET",
        "/auth/providers",
        providers,
        "Providers one can sign in with.",
        answer=ProvidersView,
    ),
    Endpoint(
        "GET",
        "/auth/{provider}/login",
        begin,
        "Go to a provider to sign in there, or with link=1 to link it with one's account.",
        status=302,
        query={"next": {"type": "string"}, "link": {"type": "string", "enum": ["1"]}},
        errors=(401, 403, 404, 503),
    ),
    Endpoint(
        "GET",
        "/auth/{provider}/callback",
        come_back,
        "Where a provider sends the browser back to.",
        status=303,
        query=_ANSWER,
        errors=_REFUSALS,
    ),
    Endpoint(
        "POST",
        "/auth/{provider}/callback",
        come_back_posted,
        "The same for a provider whose page posts its answer.",
        body=ProviderAnswer,
        body_required=True,
        is_form=True,
        status=303,
        errors=(*_REFUSALS, 413),
    ),
    Endpoint(
        "DELETE",
        "/auth/{provider}",
        unlink,
        "Take a provider from one's account, unless it is the last way to sign in.",
        answer=LinkedView,
        errors=(401, 404, 409, 503),
    ),
    Endpoint(
        "GET",
        "/users/me/providers",
        linked,
        "Providers that one's account is linked with.",
        answer=LinkedView,
        errors=(401, 503),
    ),
]
