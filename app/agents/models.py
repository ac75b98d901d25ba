"""Language models by name: ``provider:name``, from the provider's own LangChain package."""

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel

from app.agents.errors import BadModel


class _Provider(NamedTuple):
    module: str
    class_name: str
    name_field: str
    address_field: str
    given: Mapping[str, Any] = {}


PROVIDERS = {
    # It would not ask a server of another address for the tokens that a stream took.
    "openai": _Provider(
        "langchain_openai", "ChatOpenAI", "model", "base_url", {"stream_usage": True}
    ),
    "anthropic": _Provider("langchain_anthropic", "ChatAnthropic", "model", "base_url"),
    "google": _Provider("langchain_google_genai", "ChatGoogleGenerativeAI", "model", "base_url"),
    "ollama": _Provider("langchain_ollama", "ChatOllama", "model", "base_url"),
}


def load_model(spec: str, *, base_url: str | None = None) -> BaseChatModel:
    """Return the model that ``spec`` names. Keys come from the provider's own variables,
    such as ``OPENAI_API_KEY``.

    Raises:
        BadModel: the provider is unknown, its package is not installed, or it refuses.
    """
    provider_name, _, model_name = spec.partition(":")
    provider = PROVIDERS.get(provider_name)
    if provider is None or not model_name:
        known = ", ".join(sorted(PROVIDERS))
        raise BadModel(f"COLLOQUY_MODEL is provider:name with one of {known}; it is {spec!r}.")
    try:
        module = importlib.import_module(provider.module)
    except ImportError as error:
        raise BadModel(
            f"COLLOQUY_MODEL needs the package of {provider_name}:"
            f" pip install 'colloquy[{provider_name}]'."
        ) from error
    fields: dict[str, Any] = {**provider.given, provider.name_field: model_name}
    if base_url is not None:
        fields[provider.address_field] = base_url
    try:
        model: BaseChatModel = getattr(module, provider.class_name)(**fields)
    except Exception as error:  # each package refuses in its own way; the first line says why
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else "no reason"
        raise BadModel(f"The model {spec} cannot be used: {reason}") from error
    return model
