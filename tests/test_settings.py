"""Settings: read from a mapping alone, nested, frozen, refused in one sentence."""

import pytest
from pydantic import BaseModel, ValidationError

from app.settings import BadSettings, Settings, load_settings


def test_without_an_environment_everything_has_a_default() -> None:
    settings = load_settings({})

    assert settings.port == 8000
    assert settings.database_url is None
    assert settings.sessions.ttl_seconds == 86_400


def test_only_the_mapping_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validating a settings class of the library reads the process's environment, too."""
    monkeypatch.setenv("COLLOQUY_PORT", "9")
    monkeypatch.setenv("COLLOQUY_SESSIONS__TTL_SECONDS", "9")

    settings = load_settings({})

    assert settings.port == 8000
    assert settings.sessions.ttl_seconds == 86_400


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLOQUY_PORT", "9")

    assert load_settings().port == 9


def test_groups_are_joined_by_two_underscores() -> None:
    settings = load_settings(
        {
            "COLLOQUY_SESSIONS__TTL_SECONDS": "60",
            "COLLOQUY_SESSIONS__REQUIRE_CREDENTIAL": "true",
            "COLLOQUY_SERVER__ORIGINS": '["https://a.example", "https://b.example"]',
            "COLLOQUY_LOG__LEVEL": "debug",
        }
    )

    assert settings.sessions.ttl_seconds == 60
    assert settings.sessions.require_credential is True
    assert settings.server.origins == ["https://a.example", "https://b.example"]
    assert settings.log.level == "debug"


def test_a_group_may_be_one_json_object_with_single_fields_over_it() -> None:
    settings = load_settings(
        {
            "COLLOQUY_SESSIONS": '{"ttl_seconds": 7, "warn_seconds": 1}',
            "COLLOQUY_SESSIONS__WARN_SECONDS": "2",
        }
    )

    assert (settings.sessions.ttl_seconds, settings.sessions.warn_seconds) == (7, 2)


def test_what_is_given_wins_over_the_environment() -> None:
    settings = load_settings({"COLLOQUY_PORT": "9"}, port=10)

    assert settings.port == 10


def test_other_programs_variables_are_left_alone() -> None:
    settings = load_settings({"PORT": "9", "XCOLLOQUY_PORT": "9", "PATH": "/bin"})

    assert settings.port == 8000


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("COLLOQUY_PROT", "9", "There is no setting COLLOQUY_PROT"),
        ("colloquy_prot", "9", "There is no setting colloquy_prot"),
        ("COLLOQUY_SESSIONS__TTL", "9", "There is no setting COLLOQUY_SESSIONS__TTL"),
        ("COLLOQUY_SESSIONS__TTL_SECONDS__X", "9", "There is no setting"),
        ("COLLOQUY_SESSIONS", '{"ttl": 9}', "COLLOQUY_SESSIONS__TTL: Extra"),
        ("COLLOQUY_PORT", "70000", "COLLOQUY_PORT: Input should be less"),
        ("COLLOQUY_PORT", "web", "COLLOQUY_PORT: Input should be a valid integer"),
        ("COLLOQUY_SESSIONS__TTL_SECONDS", "0", "COLLOQUY_SESSIONS__TTL_SECONDS: Input"),
        ("COLLOQUY_LOG__LEVEL", "loud", "COLLOQUY_LOG__LEVEL: Input should be 'debug'"),
        ("COLLOQUY_SESSIONS", "soon", "COLLOQUY_SESSIONS: not valid JSON"),
        ("COLLOQUY_SERVER__ORIGINS", "https://a.example", "COLLOQUY_SERVER__ORIGINS: not valid"),
        ("COLLOQUY_SERVER__ORIGINS", "[1]", "COLLOQUY_SERVER__ORIGINS__0: Input"),
        ("COLLOQUY_DATABASE__CONNECT_SECONDS", "inf", "COLLOQUY_DATABASE__CONNECT_SECONDS: "),
        ("COLLOQUY_DATABASE__CONNECT_SECONDS", "nan", "COLLOQUY_DATABASE__CONNECT_SECONDS: "),
        ("COLLOQUY_RUNS__HEARTBEAT_SECONDS", "8", "COLLOQUY_RUNS: heartbeat_seconds (8) must"),
        ("COLLOQUY_RUNS__LEASE_SECONDS", "9.5", "COLLOQUY_RUNS: heartbeat_seconds (5) must"),
        ("COLLOQUY_LIVENESS__TTL_SECONDS", "39", "COLLOQUY_LIVENESS: beat_seconds (20) must"),
        ("COLLOQUY_RUNS__CONCURRENCY", "-1", "COLLOQUY_RUNS__CONCURRENCY: Input"),
        ("COLLOQUY_DATABASE_URL", "", "COLLOQUY_DATABASE_URL is empty"),
        ("COLLOQUY_SECRET", " ", "COLLOQUY_SECRET is empty"),
    ],
)
def test_a_bad_setting_is_refused_in_one_sentence_that_names_it(
    name: str, value: str, says: str
) -> None:
    with pytest.raises(BadSettings) as caught:
        load_settings({name: value})

    assert caught.value.message.startswith(says)
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message


def test_a_secret_is_in_no_error_and_in_no_print() -> None:
    environ = {"COLLOQUY_SECRET": "hush-hush", "COLLOQUY_PORT": "x"}
    with pytest.raises(BadSettings) as caught:
        load_settings(environ)
    settings = load_settings({"COLLOQUY_SECRET": "hush-hush"})

    assert "hush" not in str(caught.value)
    assert "hush" not in repr(settings)


def test_settings_cannot_be_changed() -> None:
    settings = load_settings({})

    for model, name in ((settings, "port"), (settings.sessions, "ttl_seconds")):
        with pytest.raises(ValidationError):
            setattr(model, name, 9)


def test_every_setting_says_what_it_does() -> None:
    groups = [
        field.annotation
        for field in Settings.model_fields.values()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    ]

    models: list[type[BaseModel]] = [Settings, *groups]
    undocumented = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not field.description and field.annotation not in groups
    ]

    assert len(groups) > 5
    assert undocumented == []
