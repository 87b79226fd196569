"""Scripts of the money path: they run on the run of Redis that the coordinator approved, and nowhere else.

The approved run's id is part of the script's text. A server loads the text only while its own run has that id, and the
script compares it with the shard's meta. So a server that restarted, or took over, does not know the script, and a
server whose shard was given to another run refuses it. On the way of a call this costs one comparison.
"""

import hashlib
from collections.abc import Sequence
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final

from redis.exceptions import NoScriptError, ResponseError

from giftserver.cluster.client import server_of
from giftserver.cluster.pipe import Pipes
from giftserver.ledger import keys

SCRIPTS: Final = files("giftserver.ledger") / "scripts"


class RunNotApproved(ResponseError):
    """This run of Redis has not been compared with PostgreSQL yet; nothing was done."""


@cache
def source_of(name: str) -> str:
    """Text of a script of the ledger."""
    return (SCRIPTS / name).read_text()


async def run_of(server: Any) -> str:
    """Id of the run of one Redis server; a restart changes it."""
    return str((await server.info("server"))["run_id"])


async def run_and_time(server: Any) -> tuple[str, int]:
    """Id of the run of one Redis server and its clock, in milliseconds."""
    found = await server.info("server")
    return str(found["run_id"]), int(found["server_time_usec"]) // 1_000


async def run_script(redis: Any, name: str, shard: int, *args: str | int) -> int:
    """Number that a script of the coordinator returns, on the shard's meta. Raises redis-py's errors.

    These scripts change what is approved, so no approval stands before them; they check by themselves.
    """
    return int(await redis.eval(source_of(name), 1, keys.meta(shard), *args))


class _Script:
    """A script's text for one run."""

    def __init__(self, source: str, run: str) -> None:
        self.text = f"local RUN = '{run}'\n{source}"

    @cached_property
    def sha(self) -> str:
        """Its hash, by which servers know it."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class GuardedScript:
    """A script that is called by its hash alone, through `pipes` if there are any; nothing is ever retried here."""

    def __init__(self, redis: Any, name: str, pipes: Pipes | None = None) -> None:
        self._redis, self._pipes = redis, pipes
        self._source = source_of(name)
        self._runs: dict[str, _Script] = {}

    async def __call__(self, shard: int, run: str, names: Sequence[str], args: Sequence[str | int | bytes]) -> Any:
        """Reply of the script. Raises RunNotApproved and redis-py's errors; a lost reply leaves the outcome unknown."""
        script = self._script(run)
        try:
            return await self._call(shard, script, names, args)
        except NoScriptError:
            await self._load(shard, run, script)
        try:
            return await self._call(shard, script, names, args)
        except NoScriptError as problem:
            raise RunNotApproved(f"shard {shard:02d}: its Redis changed just now") from problem

    def _call(self, shard: int, script: _Script, names: Sequence[str], args: Sequence[str | int | bytes]) -> Any:
        if self._pipes is not None:
            return self._pipes.call(shard, "EVALSHA", script.sha, len(names), *names, *args)
        return self._redis.evalsha(script.sha, len(names), *names, *args)

    def _script(self, run: str) -> _Script:
        if not run.isalnum():
            raise RunNotApproved("no run is approved")
        script = self._runs.get(run)
        if script is None:
            if len(self._runs) > 100:
                self._runs.clear()
            script = self._runs[run] = _Script(self._source, run)
        return script

    async def _load(self, shard: int, run: str, script: _Script) -> None:
        """Load the script into the approved run; on one connection, which no other run can answer."""
        async with (await server_of(self._redis, keys.meta(shard))).client() as server:
            found = await run_of(server)
            if found != run:
                raise RunNotApproved(f"shard {shard:02d}: run {found[:8]} is not approved")
            await server.script_load(script.text)
            if await run_of(server) != run:
                await server.script_flush()
                raise RunNotApproved(f"shard {shard:02d}: its Redis restarted just now")
