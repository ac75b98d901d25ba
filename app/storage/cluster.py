"""A Redis Cluster behind the plain client: each command goes to the node that has its key.

The library's own asyncio cluster client will not do: it sends ASKING on one connection and
the command on another, so that nothing works in a slot on its way between nodes, and it
takes connections away from under other tasks that use them.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline, PubSub
from redis.commands.core import AsyncScript
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeout

from app.storage.addresses import RedisNode

_LOOK_EVERY_SECONDS = 1.0  # at most so often the cluster is asked who has which slots
_ANSWER_SECONDS = 1.0  # then the next node is asked
_PAUSE_SECONDS = 0.05  # between attempts while a slot's keys lie on both sides
_HOPS_AT_ONCE = 4

_WITHOUT_KEY = frozenset({"INFO", "PING", "PUBLISH"})
_SCRIPTS = frozenset({"EVAL", "EVALSHA"})

# Nothing was executed; another node, a moment later or the script's text will do.
_NOT_EXECUTED = (AskError, MovedError, TryAgainError, NoScriptError)
_UNREACHABLE = (RedisConnectionError, RedisTimeout, OSError)

Command = tuple[tuple[Any, ...], Mapping[str, Any]]  # as the library's pipelines keep them
_ASKING: Command = (("ASKING",), {})


class ClusterRedis(Redis):
    """Takes commands whose keys share a slot, pipelines over any slots, and subscriptions.

    A command with a key that may have been executed is never repeated.

    Args:
        seeds: nodes to ask first; one that answers is enough.
        open_node: makes a plain client of one node, which connects when used.
        command_seconds: longest one command may take, however often it is sent elsewhere.
    """

    def __init__(
        self,
        seeds: Sequence[RedisNode],
        open_node: Callable[[RedisNode], Redis],
        *,
        command_seconds: float,
    ) -> None:
        self._seeds = list(seeds)
        self._open_node = open_node
        self._command_seconds = command_seconds
        self._nodes: dict[RedisNode, Redis] = {}
        self._members = random.sample(self._seeds, len(self._seeds))
        self._owners: list[RedisNode | None] = []  # by slot; empty: not known yet
        self._doubtful = True  # whether the owners are to be asked for again
        self._look_at = 0.0  # the event loop's time before which they are not
        self._looking = asyncio.Lock()
        self._failure: Exception | None = None  # why the last node that was asked did not say
        self._texts: dict[str, str] = {}  # of scripts, by their hash
        super().__init__(connection_pool=self._node(self._seeds[0]).connection_pool)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        for node in list(self._nodes.values()):
            await node.aclose(close_connection_pool)

    def register_script(self, script: Any) -> AsyncScript:  # type: ignore[override]  # so is its own
        registered = super().register_script(script)
        self._texts[registered.sha] = script
        return registered

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        if transaction:
            raise ValueError("commands on several nodes are no transaction")
        return _Pipeline(self, shard_hint)

    def pubsub(self, **kwargs: Any) -> PubSub:
        """Return a subscriber on any one node: each hears what is published on all of them.

        Another one every time, so that one that is gone or hears nothing costs one attempt.
        """
        self._members = [*self._members[1:], self._members[0]]
        return self._node(self._members[0]).pubsub(**kwargs)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command to where its keys are.

        Raises:
            RedisError, TimeoutError: as a plain client; also while the cluster is down.
        """
        try:
            async with asyncio.timeout(self._command_seconds):
                if args[0] in _WITHOUT_KEY:
                    return await self._anywhere((args, options))
                return await self._follow((args, options))
        except TimeoutError:
            self._doubtful = True
            raise

    async def execute_many(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands, those for one node together; return answers or errors, in order.

        They are executed in any order.
        """
        answers: list[Any] = [None] * len(commands)
        try:
            async with asyncio.timeout(self._command_seconds):
                by_node: defaultdict[RedisNode, list[int]] = defaultdict(list)
                for number, (args, _) in enumerate(commands):
                    by_node[await self._owner(_slot(args))].append(number)
                async with asyncio.TaskGroup() as group:
                    for address, numbers in by_node.items():
                        group.create_task(self._send(address, commands, numbers, answers))
                for number, answer in enumerate(answers):
                    if isinstance(answer, _NOT_EXECUTED):
                        answers[number] = await self._followed(commands[number])
        except TimeoutError:
            self._doubtful = True
            raise
        return answers

    # One command

    async def _anywhere(self, command: Command) -> Any:
        """Ask nodes until one answers: for what may be done twice."""
        members = random.sample(self._members, len(self._members))
        for address in members:
            try:
                return await self._ask(address, command)
            except _UNREACHABLE:
                if address == members[-1]:
                    raise
        raise AssertionError("a cluster has members")

    async def _follow(self, command: Command) -> Any:
        """Go where the cluster sends us, until the command is executed."""
        address, asking, hops = None, False, 0
        slot = _slot(command[0])
        while True:
            if address is None:
                address = await self._owner(slot)
            try:
                return await self._ask(address, command, asking=asking)
            except MovedError as error:
                address, asking = self._moved(error, address), False
            except AskError as error:
                address, asking = RedisNode(error.host or address.host, error.port), True
            except TryAgainError:
                address, asking, hops = None, False, _HOPS_AT_ONCE
            except NoScriptError:
                command = self._with_text(command)
            hops += 1
            if hops > _HOPS_AT_ONCE:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _followed(self, command: Command) -> Any:
        try:
            return await self._follow(command)
        except (RedisError, OSError) as error:
            return error

    async def _ask(self, address: RedisNode, command: Command, *, asking: bool = False) -> Any:
        if asking:  # holds for the next command of the same connection
            answers: list[Any] = [None, None]
            await self._send(address, [_ASKING, command], range(2), answers)
            if isinstance(answers[1], Exception):
                raise answers[1]
            return answers[1]
        args, options = command
        try:
            return await self._node(address).execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except (*_UNREACHABLE, ClusterDownError):
            self._doubtful = True
            raise

    async def _send(
        self,
        address: RedisNode,
        commands: Sequence[Command],
        numbers: Sequence[int],
        answers: list[Any],
    ) -> None:
        """Send some of ``commands`` to one node on one connection, and note their answers."""
        pipe = self._node(address).pipeline(transaction=False)
        for number in numbers:
            args, options = commands[number]
            pipe.execute_command(*args, **options)
        try:
            found = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            found = [error] * len(numbers)
        for number, answer in zip(numbers, found, strict=True):
            answers[number] = answer
            if isinstance(answer, (*_UNREACHABLE, ClusterDownError)):
                self._doubtful = True

    def _with_text(self, command: Command) -> Command:
        """Return the call of a script with its text: a node that just started knows no hash."""
        (_, sha, *rest), options = command
        return ("EVAL", self._texts[sha], *rest), options

    # Who has which slots

    def _node(self, address: RedisNode) -> Redis:
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = self._open_node(address)
        return node

    def _moved(self, error: MovedError, teller: RedisNode) -> RedisNode:
        address = RedisNode(error.host or teller.host, error.port)
        if self._owners:
            self._owners[error.slot_id] = address
        self._doubtful = True  # where one slot went, others will have gone
        return address

    async def _owner(self, slot: int) -> RedisNode:
        if not self._owners or (self._doubtful and self._may_look()):
            await self._look()
        owner = self._owners[slot]
        if owner is None:
            self._doubtful = True
            raise ClusterDownError(f"no node has slot {slot}")
        return owner

    def _may_look(self) -> bool:
        return not self._looking.locked() and asyncio.get_running_loop().time() >= self._look_at

    async def _look(self) -> None:
        """Ask who has which slots, unless somebody just did."""
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() >= self._look_at:
                candidates = list({*self._members, *self._seeds})
                for address in random.sample(candidates, len(candidates)):
                    if await self._learn_from(address):
                        break
                self._look_at = loop.time() + _LOOK_EVERY_SECONDS
            if not self._owners:
                raise RedisConnectionError(f"no node of the cluster answers: {self._failure}")

    async def _learn_from(self, teller: RedisNode) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                ranges = await self._ask(teller, (("CLUSTER SLOTS",), {}))
        except (RedisError, OSError) as error:
            self._failure = error
            return False
        owners: list[RedisNode | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, (host, port, *_), *_ in ranges:
            owner = RedisNode(host.decode() if host else teller.host, port)
            owners[first : last + 1] = [owner] * (last + 1 - first)
        members = {owner for owner in owners if owner is not None}
        if not members:
            self._failure = ClusterDownError("no node has any slot")
            return False
        gone = set(self._members) - members if self._owners else set()
        self._owners, self._members, self._doubtful = owners, list(members), False
        for address in gone:
            await self._node(address).connection_pool.disconnect(inuse_connections=False)
        return True


class _Pipeline(Pipeline):
    """Commands that are sent together, each to its node; one that fails hides no other."""

    def __init__(self, cluster: ClusterRedis, shard_hint: str | None) -> None:
        super().__init__(
            cluster.connection_pool,
            cluster.response_callbacks,
            False,
            shard_hint,
        )
        self._cluster = cluster

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands, self.command_stack = self.command_stack, []
        answers = await self._cluster.execute_many(commands)
        for answer in answers:
            if raise_on_error and isinstance(answer, Exception):
                raise answer
        return answers


def _slot(args: Sequence[Any]) -> int:
    """Return the slot of a command's first key; the others are in the same, or it is refused."""
    key = args[3 if args[0] in _SCRIPTS else 1]
    return key_slot(key.encode() if isinstance(key, str) else key)
