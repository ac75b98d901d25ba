"""The image and the composition of two nodes, as far as they can be read without an engine."""

import fnmatch
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its types are not installed

from app.settings import PREFIX, load_settings

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "deploy" / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
NODES = ("node-1", "node-2")
CADDYFILE = (REPOSITORY / "deploy" / "Caddyfile").read_text()

Instruction = tuple[str, str]


def instructions() -> list[list[Instruction]]:
    """Return the Dockerfile's stages, each a list of (name, rest)."""
    text = re.sub(r"\\\n\s*", "", DOCKERFILE)
    stages: list[list[Instruction]] = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            if name == "FROM":
                stages.append([])
            stages[-1].append((name, rest))
    return stages


def sent_to_the_engine(path: str) -> bool:
    """Whether ``.dockerignore`` lets ``path`` through; its last matching line decides."""
    sent = True
    here_and_above = [path, *(str(parent) for parent in Path(path).parents)][:-1]
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if any(fnmatch.fnmatchcase(part, pattern) for part in here_and_above):
            sent = line.startswith("!")
    return sent


def copied() -> list[str]:
    return [
        source
        for stage in instructions()
        for name, rest in stage
        if name == "COPY" and not rest.startswith("--from")
        for source in shlex.split(rest)[:-1]
    ]


def last(name: str) -> str:
    (rest,) = [rest for found, rest in instructions()[-1] if found == name]
    return rest


@pytest.mark.parametrize("source", copied())
def test_what_the_image_copies_exists_and_is_sent(source: str) -> None:
    assert (REPOSITORY / source).exists()
    assert sent_to_the_engine(source)


@pytest.mark.parametrize(
    "path", [".git", ".venv", "web/node_modules/lit", "app/web/static/index.html", "tests", "bench"]
)
def test_what_the_image_makes_itself_or_does_not_need_is_not_sent(path: str) -> None:
    assert not sent_to_the_engine(path)


def test_every_stage_copied_from_is_an_earlier_one() -> None:
    names: list[str] = []
    for stage in instructions():
        for name, rest in stage:
            if name == "COPY" and (found := re.match(r"--from=(\S+)", rest)):
                assert found[1] in names
        names.append(stage[0][1].rpartition(" AS ")[2])


def test_the_image_runs_as_an_ordinary_user_and_gets_its_signals() -> None:
    assert last("USER") not in {"root", "0"}
    assert json.loads(last("ENTRYPOINT")) == ["colloquy"]
    assert json.loads(last("CMD")) == ["serve", "--host", "0.0.0.0"]


def test_the_image_checks_its_health_with_what_is_in_it() -> None:
    command = json.loads(last("HEALTHCHECK").partition("CMD ")[2])

    assert command[0] == "python"
    compile(command[2], "healthcheck", "exec")
    assert "/health/live" in command[2]


def test_two_nodes_that_differ_in_nothing_wait_for_the_migration() -> None:
    first, second = (SERVICES[name] for name in NODES)

    assert first == second
    assert first["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["command"] == ["db", "upgrade"]
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_the_nodes_variables_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["node-1"]["environment"].items():
        assert name.startswith(PREFIX)
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]*\}", "x", value))

    settings = load_settings()

    assert settings.database.migrate is False
    assert settings.server.trusted_proxies == SERVICES["proxy"]["networks"]["edge"]["ipv4_address"]


def test_secrets_are_asked_for_and_not_written_down() -> None:
    environment = SERVICES["node-1"]["environment"]

    assert environment["COLLOQUY_SECRET"].startswith("${COLLOQUY_SECRET:?")
    assert ":${POSTGRES_PASSWORD:?" in environment["COLLOQUY_DATABASE_URL"]
    assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${")


def test_only_the_proxy_is_open_to_the_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_named_volumes_and_networks_are_declared() -> None:
    volumes = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    networks = {name for service in SERVICES.values() for name in service["networks"]}

    assert volumes == set(COMPOSE["volumes"])
    assert networks == set(COMPOSE["networks"])


def test_the_proxy_spreads_over_both_nodes_without_stickiness() -> None:
    (upstreams,) = re.findall(r"reverse_proxy (.+) \{", CADDYFILE)

    assert set(upstreams.split()) == {f"{name}:8000" for name in NODES}
    assert re.findall(r"lb_policy (\S+)", CADDYFILE) == ["least_conn"]
    assert "health_uri /health/ready" in CADDYFILE
    assert CADDYFILE.count("{") == CADDYFILE.count("}")
    assert any(volume.startswith("./Caddyfile:") for volume in SERVICES["proxy"]["volumes"])


def test_a_node_has_time_to_hand_over_before_it_is_killed() -> None:
    assert int(SERVICES["node-1"]["stop_grace_period"].rstrip("s")) >= (
        2 * load_settings({}).runs.drain_seconds
    )
