"""Health and figures: is the process alive, is it ready, what does it do."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.datastructures import Address
from starlette.requests import Request
from starlette.responses import Response

from app.kit.endpoint import Endpoint, Reply
from app.observability.metrics import REGISTRY
from app.web.errors import NotFound
from app.web.readiness import Readiness


class LiveView(BaseModel):
    status: str


class ReadyView(BaseModel):
    status: str  # ready, draining, unavailable
    checks: dict[str, str]  # each store, and the workers if it needs some: ok, or what is wrong


async def live(_: Request) -> Reply:
    return Reply(LiveView(status="alive"))


async def ready(request: Request) -> Reply:
    """Readiness asks every store, briefly: a load balancer sends people elsewhere if one
    does not answer.
    """
    readiness: Readiness = request.state.readiness
    if request.state.gateway.draining:
        return Reply(ReadyView(status="draining", checks={}), status=503)
    is_ready, checks = await readiness.check()
    if is_ready:
        return Reply(ReadyView(status="ready", checks=checks))
    return Reply(ReadyView(status="unavailable", checks=checks), status=503)


async def metrics(request: Request) -> Response:
    """Figures are the operator's: whoever asks from elsewhere is told that there is nothing."""
    if not _is_within(request.client, request.state.metrics_networks):
        raise NotFound("There is nothing at this address.")
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


def _is_within(client: Address | None, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        address = ip_address(client.host if client else "")
    except ValueError:  # a Unix socket: whoever may open it is on this machine
        return client is None or not client.host
    return any(address in network for network in networks)


ENDPOINTS = [
    Endpoint("GET", "/health/live", live, "Whether the process runs.", answer=LiveView),
    Endpoint(
        "GET",
        "/health/ready",
        ready,
        "Whether it should be sent people.",
        answer=ReadyView,
        also=(503,),
    ),
]
