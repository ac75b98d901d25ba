"""Is everything this node needs there, and does it fit together?"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, NamedTuple

from app.kit.clock import SystemClock
from app.kit.errors import AppError, Unavailable
from app.kit.ids import NodeId
from app.liveness.store import LivenessStore
from app.settings import Settings
from app.storage import migrations
from app.storage.postgres import Postgres
from app.storage.redis import connect, redis_errors
from app.stores import addresses

_MIN_POSTGRES = 150_000  # server_version_num: 15
_MIN_REDIS = 7
_MAX_SKEW_SECONDS = 2.0


class Finding(NamedTuple):
    what: str
    ok: bool
    says: str
    advice: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; one finding that is not ok does not hide the others."""
    findings: list[Finding] = []
    async with contextlib.AsyncExitStack() as stack:
        try:
            database_url, redis_url = await addresses(settings, stack)
        except AppError as error:
            return [Finding("embedded servers", False, error.message)]
        findings += await _looked_at("Postgres", "DATABASE", _postgres(settings, database_url))
        findings += await _looked_at("Redis", "REDIS", _redis(settings, redis_url))
    findings.append(_secret(settings))
    return findings


async def _looked_at(
    what: str, setting: str, look: Coroutine[Any, Any, list[Finding]]
) -> list[Finding]:
    """Return what a look at a store found, or why nothing could be seen: whatever it is."""
    try:
        return await look
    except AppError as error:
        says = error.message
        if isinstance(error, Unavailable) and error.__cause__ is not None:
            says = f"{says.rstrip('.')}: {_first_line(error.__cause__)}."
    except Exception as error:  # noqa: BLE001 - refusals have many classes
        says = _first_line(error)
    advice = f"Is COLLOQUY_{setting}_URL right, and may this machine connect?"
    return [Finding(what, False, says, advice)]


def _first_line(error: BaseException) -> str:
    told = getattr(error, "orig", None) or error
    lines = str(told).strip().splitlines() or [type(told).__name__]
    return lines[0].rsplit("'>: ")[-1].rstrip(".")


async def _postgres(settings: Settings, url: str) -> list[Finding]:
    postgres = Postgres(url, settings.database)
    try:
        async with postgres.statement() as db:
            row = (
                await db.exec_driver_sql(
                    "SELECT current_setting('server_version'),"
                    " current_setting('server_version_num')::int,"
                    " current_setting('max_connections')::int,"
                    " (SELECT count(*) FROM pg_stat_activity"
                    "   WHERE backend_type = 'client backend'),"
                    " extract(epoch FROM clock_timestamp())::float8"
                )
            ).one()
    finally:
        await postgres.close()
    version, number, most, used, now = tuple(row)
    skew = abs(SystemClock().now().timestamp() - now)
    wanted = settings.database.pool_size + settings.database.checkpoint_pool_size
    revision, head = await asyncio.to_thread(migrations.revisions, url)
    return [
        Finding(
            "Postgres",
            number >= _MIN_POSTGRES,
            f"version {version}",
            "" if number >= _MIN_POSTGRES else "Colloquy needs PostgreSQL 15 or newer.",
        ),
        Finding(
            "pools",
            wanted < most,
            f"a node takes up to {wanted} of {most} connections ({used} in use now):"
            f" room for {most // wanted} nodes",
            "" if wanted < most else "Lower COLLOQUY_DATABASE__POOL_SIZE or raise max_connections.",
        ),
        Finding(
            "clock",
            skew <= _MAX_SKEW_SECONDS,
            f"{skew:.2f} s from the database's",
            "" if skew <= _MAX_SKEW_SECONDS else "Let NTP set this machine's clock.",
        ),
        Finding(
            "tables",
            revision == head,
            f"revision {revision or 'none'}, newest {head}",
            "" if revision == head else "Run: colloquy db upgrade",
        ),
    ]


async def _redis(settings: Settings, url: str) -> list[Finding]:
    redis = connect(url, settings.redis)
    try:
        with redis_errors():
            server = await redis.info("server")
            memory = await redis.info("memory")
        workers = await LivenessStore(redis, settings.liveness, NodeId("doctor")).workers()
    finally:
        await redis.aclose()
    version = str(server.get("valkey_version") or server.get("redis_version"))
    name = "Valkey" if "valkey_version" in server else "Redis"
    new_enough = int(version.split(".", maxsplit=1)[0]) >= _MIN_REDIS
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    keeps = policy in {"noeviction", "volatile-ttl"}
    findings = [
        Finding(
            "Redis",
            new_enough,
            f"{name} {version}",
            "" if new_enough else "Colloquy needs Redis or Valkey 7 or newer.",
        ),
        Finding(
            "eviction",
            keeps,
            policy,
            "" if keeps else "Set maxmemory-policy to noeviction: live logs must not vanish.",
        ),
    ]
    if settings.runs.concurrency == 0:
        advice = "" if workers else "This node executes nothing. Start one: colloquy worker"
        findings.append(Finding("workers", bool(workers), f"{len(workers)} there", advice))
    return findings


def _secret(settings: Settings) -> Finding:
    if settings.secret is not None:
        return Finding("secret", True, "set")
    if settings.database_url is None:
        return Finding("secret", True, "kept in the data directory")
    return Finding(
        "secret",
        False,
        "not set; each node makes its own in its data directory",
        "Set COLLOQUY_SECRET to the same random text on every node.",
    )
