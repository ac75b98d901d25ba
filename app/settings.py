"""Every setting: read once at start, frozen, handed to whoever needs its group.

Each field's docstring says what it does; ``docs/settings.md`` is made from them and a
test keeps it so. Variables begin with ``COLLOQUY_``; groups are joined by two
underscores: ``COLLOQUY_SESSIONS__TTL_SECONDS=3600``.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from app.identity_settings import ExternalSettings, SocialSettings
from app.kit.errors import AppError, Kind
from app.kit.group import Group as _Group

PREFIX = "COLLOQUY_"


class BadSettings(AppError):
    """A setting cannot be read, is out of range, or does not exist."""

    code = "bad_settings"
    kind = Kind.INVALID


OFF = "off"
_RATE = r"off|[1-9]\d*/([1-9]\d* )?(second|minute|hour|day)s?"
Rate = Annotated[str, Field(pattern=rf"^({_RATE})$")]  # as the library writes it


def _require_half(group: _Group, name: str, *, of: str) -> None:
    """Refuse a pace at which one lost beat would already be too late."""
    pace, limit = getattr(group, name), getattr(group, of)
    if pace > limit / 2:
        raise ValueError(f"{name} ({pace:g}) must be at most half of {of} ({limit:g})")


class SessionSettings(_Group):
    ttl_seconds: int = Field(default=86_400, ge=1)
    """How long a session lives without activity."""
    max_seconds: int = Field(default=30 * 86_400, ge=1)
    """The longest a session can live, however active it is."""
    slide_seconds: float = Field(default=60, ge=0)
    """Activity moves a session's end at most once in this time, or in half its TTL if that is
    shorter."""
    warn_seconds: int = Field(default=300, ge=0)
    """How long before its end a session's sockets are told."""
    require_credential: bool = False
    """Whether an anonymous session's socket needs more than the session's id."""
    metadata_bytes: int = Field(default=8_192, ge=0)
    """Largest ``metadata`` of a session, as JSON."""


class ProtocolSettings(_Group):
    frame_bytes: int = Field(default=262_144, ge=1_024)
    """Largest frame a client may send; a larger one closes the socket with 4009."""
    frame_depth: int = Field(default=16, ge=1)
    """Deepest nesting of a frame's JSON."""
    text_chars: int = Field(default=16_000, ge=1)
    """Longest text of one message, in characters."""
    hello_seconds: float = Field(default=5, gt=0)
    """How long a socket that needs a credential may wait with its ``hello``."""
    greeting_seconds: float = Field(default=1, gt=0)
    """How long any other socket is given for its ``hello`` before it is shown the chat."""
    heartbeat_seconds: float = Field(default=25, gt=0)
    """Silence after which the server sends a ``ping``."""
    pong_seconds: float = Field(default=10, gt=0)
    """How long a client that said ``hello`` may take to answer a ``ping``."""
    frames_per_window: int = Field(default=20, ge=1)
    """Frames a connection may send in one window before it is refused."""
    window_seconds: float = Field(default=10, gt=0)
    """Length of that window."""
    unacknowledged: int = Field(default=8, ge=1)
    """Commands of one connection that may be in work at once."""
    malformed_frames: int = Field(default=10, ge=1)
    """Unreadable frames after which a connection is closed with 4000."""


class ConnectionSettings(_Group):
    queue_frames: int = Field(default=256, ge=1)
    """Frames that may wait for one socket."""
    queue_bytes: int = Field(default=1_048_576, ge=1_024)
    """Bytes that may wait for one socket beside the largest frame, which may be a long answer."""
    send_seconds: float = Field(default=10, gt=0)
    """How long one send may take before the client counts as not reading."""
    close_seconds: float = Field(default=1, gt=0)
    """How long a closing handshake may take before the connection is cut."""
    per_session: int = Field(default=10, ge=1)
    """Sockets one session may have open: tabs on all nodes, others on one."""
    per_node: int = Field(default=10_000, ge=1)
    """Sockets one node accepts; more are refused with HTTP 503."""
    tcp_user_timeout_ms: int = Field(default=30_000, ge=0)
    """Linux: how long sent bytes may stay unacknowledged before the kernel gives up."""


class EventSettings(_Group):
    log_events: int = Field(default=5_000, ge=10)
    """Events kept for replay in one chat's log (about; Redis trims in blocks)."""
    log_seconds: int = Field(default=86_400, ge=60)
    """How long an idle chat's log is kept in Redis."""
    replay_events: int = Field(default=1_000, ge=1)
    """More missed events than this are answered with a snapshot."""
    replay_bytes: int = Field(default=1_048_576, ge=1_024)
    """More missed bytes than this are answered with a snapshot."""
    park_events: int = Field(default=64, ge=1)
    """Events kept aside while a gap before them is filled."""
    tick_active_seconds: float = Field(default=5, gt=0)
    """How often a chat with an active run is compared with its log's top."""
    tick_idle_seconds: float = Field(default=30, gt=0)
    """The same for a chat at rest."""
    relay_seconds: float = Field(default=5, gt=0)
    """How often the outbox is searched for events that a crash left behind: those older than
    this; younger ones are on their way."""


class RunSettings(_Group):
    concurrency: int = Field(default=64, ge=0)
    """Runs one node executes at once; more wait. 0: none, and workers execute them all."""
    queued_per_chat: int = Field(default=5, ge=0)
    """Messages that may wait behind a chat's running one."""
    lease_seconds: float = Field(default=15, gt=0)
    """How long a node owns a run without renewing its lease."""
    heartbeat_seconds: float = Field(default=5, gt=0)
    """How often a node renews the leases of its runs."""
    poll_seconds: float = Field(default=5, gt=0)
    """How often a node looks for runs nobody works on, signals apart."""
    patience_seconds: float = Field(default=30, gt=0)
    """A run that waits longer than this for a free place is warned of in the log."""
    max_losses: int = Field(default=2, ge=1)
    """A run that has lost its node so often, by a crash or a lapsed lease, ends as failed. Runs
    that a stopping node hands over do not count."""
    timeout_seconds: float = Field(default=600, gt=0)
    """Longest one execution of a run may take."""
    team_seconds: float = Field(default=60, gt=0)
    """Longest one team may take; after that the answer comes without it."""
    delta_ms: int = Field(default=40, ge=0)
    """Words are collected for this long before they are sent; the first go at once."""
    delta_chars: int = Field(default=256, ge=1)
    """Or until this many characters have come together."""
    drain_seconds: float = Field(default=20, ge=0)
    """How long a stopping node lets its runs and sockets finish."""
    answer_chars: int = Field(default=1_000_000, ge=1_000)
    """Longest answer of one run; a longer one fails it."""
    tool_result_bytes: int = Field(default=65_536, ge=0)
    """Largest result of a tool that is kept for the case that its run's node dies; of a larger
    one it is only known that there was one."""
    history_messages: int = Field(default=40, ge=2)
    """Messages of a chat the agent sees; older ones stay in the chat's history."""

    @model_validator(mode="after")
    def _leases_are_renewed_in_time(self) -> Self:
        _require_half(self, "heartbeat_seconds", of="lease_seconds")
        return self


class RetentionSettings(_Group):
    anonymous_seconds: int = Field(default=30 * 86_400, ge=0)
    """How long an anonymous visitor's chat is kept after its last session ran out. 0: for good."""
    empty_seconds: int = Field(default=86_400, ge=0)
    """The same for a chat in which nothing was ever said. 0: for good."""
    session_seconds: int = Field(default=30 * 86_400, ge=1)
    """How long a session's row is kept after it ran out; not shorter than a visitor's chat,
    whose age it tells."""
    late_seconds: int = Field(default=86_400, ge=1)
    """After this time a deleted chat's checkpoints and Redis keys are looked for once more: a
    run that was stopped may have written late."""
    every_seconds: float = Field(default=600, gt=0)
    """How often a node looks for what has been kept long enough."""
    batch: int = Field(default=200, ge=1)
    """Chats, or sessions, that one transaction deletes."""
    pause_seconds: float = Field(default=0.2, ge=0)
    """Pause between two such transactions."""


class DatabaseSettings(_Group):
    pool_size: int = Field(default=10, ge=1)
    """Connections of the service's own pool."""
    checkpoint_pool_size: int = Field(default=8, ge=1)
    """Connections of the checkpointer's pool."""
    connect_seconds: float = Field(default=5, gt=0)
    """Longest wait for a new connection or for a free one."""
    statement_seconds: float = Field(default=10, gt=0)
    """Longest one statement may take, and longest a transaction may wait for its next one: then
    Postgres takes it back, so that a node that is gone keeps nothing locked."""
    migrate: bool = True
    """Whether ``serve`` brings the tables up to date before it starts."""


class RedisSettings(_Group):
    connections: int = Field(default=32, ge=2)
    """Connections of the pool for commands; of a cluster, to each of its nodes."""
    command_seconds: float = Field(default=5, gt=0)
    """Longest one command may take."""


class ServerSettings(_Group):
    origins: list[str] = Field(default=[])
    """Origins of other sites' pages that may use this server, as ``https://example.org``.
    Pages of its own address always may."""
    body_bytes: int = Field(default=1_048_576, ge=1_024)
    """Largest body of an HTTP request."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses whose ``X-Forwarded-*`` headers are believed, with commas between."""
    metrics_networks: list[IPvAnyNetwork] = Field(
        default=[ip_network("127.0.0.0/8"), ip_network("::1/128")]
    )
    """Networks from which ``/metrics`` may be read; for others there is nothing there."""
    public_url: str | None = None
    """What people type to get here, as ``https://chat.example.org``: links in mails begin
    with it. Unset: the address that is listened on."""
    secure_cookies: bool | None = None
    """Whether cookies need HTTPS. Unset: yes, except on plain-http loopback addresses."""


class KnowledgeSettings(_Group):
    file_bytes: int = Field(default=20_971_520, ge=1_024)
    """Largest file ``ingest`` reads."""
    chunk_chars: int = Field(default=1_200, ge=200)
    """Characters of a passage, about."""
    results: int = Field(default=5, ge=1)
    """Passages a search gives to the answer."""
    glossary: Path | None = None
    """A file of your field's words in several languages, in the form of ``glossary.json``;
    it is used beside the built-in one."""


class AuthSettings(_Group):
    login_seconds: float = Field(default=30 * 86_400, gt=0)
    """How long a sign-in is good."""
    link_seconds: float = Field(default=3_600, gt=0)
    """How long the link of a mail is good."""
    hashes_at_once: int = Field(default=2, ge=1)
    """Passwords checked at the same time; each takes 64 MiB and some 50 ms of a core."""
    tries_per_account: int = Field(default=5, ge=1)
    """Wrong passwords for one account after which it takes ever longer to try again."""
    tries_per_address: int = Field(default=30, ge=1)
    """The same from one address of the network."""
    tries_seconds: int = Field(default=900, ge=1)
    """Tries are forgotten when there was none for this long."""
    wait_seconds: int = Field(default=900, ge=1)
    """Longest wait for the next try."""


class MailSettings(_Group):
    url: SecretStr | None = None
    """The server that sends mails: ``smtp://user:password@host:port`` (with STARTTLS if the
    server has it) or ``smtps://…``. Unset: mails are put into the data directory."""
    sender: str = "Colloquy <no-reply@localhost>"
    """Whom mails are from."""
    seconds: float = Field(default=20, gt=0)
    """Longest time that handing over one mail may take."""


class LimitSettings(_Group):
    """How much is too much, on all nodes together. An IPv6 address counts by its first 64 bits."""

    starts: Rate = "20/minute"
    """Sessions that may be started from one address: ``20/minute``, ``5/10 seconds``, or ``off``.
    """
    handshakes: Rate = "300/minute"
    """Sockets that may be opened from one address, successfully or not. Tabs that lose their
    node come back several times each."""
    queries: Rate = "30/minute"
    """Messages a user may send."""
    anonymous_queries: Rate = "10/minute"
    """Messages an anonymous visitor may send."""
    sockets_per_user: int = Field(default=20, ge=0)
    """Sockets a user may have open. 0: any number."""
    sockets_per_address: int = Field(default=50, ge=0)
    """The same from one address."""
    runs_per_user: int = Field(default=4, ge=0)
    """Chats of a user that may be answered at once; a message in one more is refused. 0: any
    number."""


class LivenessSettings(_Group):
    beat_seconds: float = Field(default=20, gt=0)
    """How often a node says which sessions and tabs it holds."""
    ttl_seconds: float = Field(default=60, gt=0)
    """How long such a word is believed."""

    @model_validator(mode="after")
    def _words_are_repeated_in_time(self) -> Self:
        _require_half(self, "beat_seconds", of="ttl_seconds")
        return self


class LogSettings(_Group):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important level that is logged."""
    format: Literal["auto", "json", "console"] = "auto"
    """``auto``: lines for people on a terminal, JSON elsewhere."""


def _default_data_dir() -> Path:
    """Where the default run keeps its data: the account's data folder."""
    if os.name == "posix" and os.geteuid() == 0:
        return Path("/var/lib/colloquy")
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "colloquy"


class Settings(BaseSettings):
    """The whole configuration of one process."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        use_attribute_docstrings=True,
    )

    database_url: SecretStr | None = None
    """``postgresql://user:password@host:port/name``. Unset: an embedded server."""
    redis_url: SecretStr | None = None
    """``redis://…``, ``rediss://…`` or ``unix://…``, for a cluster with ``?cluster=true``.
    Unset: an embedded server."""
    data_dir: Path = Field(default_factory=_default_data_dir)
    """Where embedded servers and the generated secret are kept."""
    secret: SecretStr | None = None
    """Signs session tokens; the same on every node. Unset: made once and kept in the data
    directory, which nodes with their own stores do not share, so set it there."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65_535)
    """Port to listen on; 0 takes a free one."""
    model: str | None = None
    """``provider:name`` of a language model (openai, anthropic, google, ollama). Unset: the
    offline assistant."""
    model_base_url: str | None = None
    """Address of a server that speaks the provider's wire format. Unset: the provider's."""
    agent: str = "supervisor"
    """The agent of sessions that name none."""

    sessions: SessionSettings = SessionSettings()
    protocol: ProtocolSettings = ProtocolSettings()
    connections: ConnectionSettings = ConnectionSettings()
    events: EventSettings = EventSettings()
    runs: RunSettings = RunSettings()
    retention: RetentionSettings = RetentionSettings()
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    mail: MailSettings = MailSettings()
    social: SocialSettings = SocialSettings()
    external: ExternalSettings = ExternalSettings()
    knowledge: KnowledgeSettings = KnowledgeSettings()
    limits: LimitSettings = LimitSettings()
    liveness: LivenessSettings = LivenessSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller alone: ``from_mapping`` decides what is an environment."""
        return (init_settings,)

    @classmethod
    def from_mapping(cls, environ: Mapping[str, str], given: Mapping[str, Any]) -> "Settings":
        """Read from ``environ`` and nothing else; ``given`` wins."""
        source = EnvSettingsSource(cls)
        source.env_vars = {name.lower(): value for name, value in environ.items()}
        return cls.model_validate({**source(), **given})


def load_settings(environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Read the settings from ``environ`` (default: the process's); ``given`` wins.

    Raises:
        BadSettings: a value is out of range, or a ``COLLOQUY_`` variable is unknown or
            empty: neither a typo nor a lost address may be a silent default.
    """
    environ = os.environ if environ is None else environ
    known = _variables()
    for name, value in environ.items():
        if not name.upper().startswith(PREFIX):
            continue
        if name.upper() not in known:
            raise BadSettings(f"There is no setting {name}; docs/settings.md lists them all.")
        if not value.strip():
            raise BadSettings(f"{name} is empty; give it a value or leave it out.")
    try:
        return Settings.from_mapping(environ, given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = "__".join(str(part) for part in first["loc"]).upper()
        says = first["msg"].removeprefix("Value error, ")
        raise BadSettings(f"{PREFIX}{path}: {says}.") from error
    except SettingsError as error:
        text = getattr(error.__cause__, "doc", None)
        name = next((name for name, value in environ.items() if value == text), PREFIX + "*")
        raise BadSettings(f"{name}: not valid JSON, which lists and whole groups are.") from error


def _variables(group: type[BaseModel] = Settings, prefix: str = PREFIX) -> set[str]:
    names: set[str] = set()
    for name, field in group.model_fields.items():
        upper = prefix + name.upper()
        names.add(upper)
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Group):
            names |= _variables(field.annotation, f"{upper}__")
    return names
