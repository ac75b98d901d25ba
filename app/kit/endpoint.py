"""An HTTP endpoint as data: the edge serves it, the OpenAPI document describes it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer: a model, and what goes beside it."""

    body: BaseModel | None = None
    status: int | None = None  # None: the endpoint's own
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path.

    ``handler`` gets the request and, if ``body`` names a model, the body as that model;
    it returns a ``Reply`` or raises an ``AppError``.
    """

    method: str
    path: str
    handler: Callable[..., Awaitable[Reply]]
    summary: str
    body: type[BaseModel] | None = None
    body_required: bool = False
    is_form: bool = False  # the body is a form that a page posts, not JSON
    answer: type[BaseModel] | None = None
    status: int = 200
    also: tuple[int, ...] = ()  # other statuses with the same answer
    query: dict[str, dict[str, Any]] = field(default_factory=dict)  # name to JSON Schema
    headers: dict[str, str] = field(default_factory=dict)  # name to what it does
    errors: tuple[int, ...] = ()
    aliases: tuple[str, ...] = ()  # where first clients look for it, too
