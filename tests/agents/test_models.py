"""Language models by name, through their providers' own packages and wire formats."""

import builtins
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage

from app.agents.errors import BadModel
from app.agents.models import PROVIDERS, load_model
from tests.agents.providers import IN, OUT, Provider, provider

# where each provider's package expects its API below the address
BASES = {"openai": "/v1", "anthropic": "", "ollama": ""}


@pytest.fixture
async def served() -> AsyncIterator[Provider]:
    async with provider() as one:
        yield one


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "a key")


@pytest.mark.parametrize("name", BASES)
async def test_a_model_streams_its_words_and_counts_its_tokens(served: Provider, name: str) -> None:
    model = load_model(f"{name}:test", base_url=served.url + BASES[name])

    chunks = [chunk async for chunk in model.astream([HumanMessage("Hi")])]

    words = [str(chunk.text) for chunk in chunks if str(chunk.text)]
    assert words == ["Hel", "lo ", "there."]
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert isinstance(total, AIMessageChunk)
    usage = total.usage_metadata
    assert usage is not None
    assert (usage["input_tokens"], usage["output_tokens"]) == (IN, OUT)
    assert usage["total_tokens"] == IN + OUT
    assert served.asked[0]["model"] == "test"


@pytest.mark.parametrize("spec", ["", "gpt-5", "nobody:model", "openai:", ":x", "OpenAI:x"])
def test_a_model_that_cannot_be_named_is_told_in_one_sentence(spec: str) -> None:
    with pytest.raises(BadModel) as caught:
        load_model(spec)

    assert caught.value.message == (
        "COLLOQUY_MODEL is provider:name with one of anthropic, google, ollama, openai;"
        f" it is {spec!r}."
    )


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_missing_package_is_told_with_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, real = PROVIDERS[name].module, builtins.__import__

    def without(wanted: str, *rest: Any) -> Any:
        if wanted == module:
            raise ImportError(wanted)
        return real(wanted, *rest)

    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(BadModel) as caught:
        load_model(f"{name}:x")

    assert caught.value.message == (
        f"COLLOQUY_MODEL needs the package of {name}: pip install 'colloquy[{name}]'."
    )


@pytest.mark.parametrize("name", ["openai", "google"])
def test_a_missing_key_is_told_in_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)

    with pytest.raises(BadModel) as caught:
        load_model(f"{name}:x")

    assert caught.value.message.startswith(f"The model {name}:x cannot be used: ")
    assert "\n" not in caught.value.message


def test_every_provider_that_can_be_named_can_be_installed_and_made() -> None:
    for name in PROVIDERS:
        assert load_model(f"{name}:x", base_url="http://127.0.0.1:1") is not None
