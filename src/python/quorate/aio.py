"""Quorate for asyncio.

    async with quorate.aio.open("decisions") as q:
        answer = await q.consensus.request(proposal={"deploy": 7}, timeout_ms=60_000)

A task that is cancelled waits no more. What it asked for stands: a question goes on, and a repeat under the same id is
answered.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from quorate import _native
from quorate._client import TIMEOUT, token_or_outside
from quorate._core import AsyncCore, unwrap, wait
from quorate._operations import AsyncNouns

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AsyncClient", "connect", "memory", "open"]


class AsyncClient(AsyncNouns):
    """Every operation as ``await client.noun.verb(...)``. Made by :func:`open`, :func:`connect` and :func:`memory`."""

    def __init__(self, core: AsyncCore) -> None:
        super().__init__(core)
        self._core = core

    async def call(self, operation: str, fields: Mapping[str, Any] | None = None) -> Any:
        """Runs an operation by its name, such as ``quorum.start``, with the fields as they are."""
        return await self._core.acall(operation, fields or {})

    async def serve(self, listen: str = "127.0.0.1:0") -> str:
        """As :meth:`quorate.Client.serve`."""
        return cast(str, await self._core.arun("serve", listen, {}))

    async def close(self) -> None:
        """Lets go of the folder, or of the connections. Calls are refused from then on; a repeat does nothing."""
        await self._core.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class Opening(Awaitable[AsyncClient]):
    """A client that is being opened: ``await`` it, or use it in ``async with``."""

    def __init__(self, start: Callable[[], Awaitable[object]]) -> None:
        self._start = start
        self._client: AsyncClient | None = None

    async def _open(self) -> AsyncClient:
        return AsyncClient(AsyncCore(await self._start()))

    def __await__(self) -> Generator[Any, None, AsyncClient]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncClient:
        self._client = await self._open()
        return self._client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.close()


def open(folder: str | os.PathLike[str], *, create: bool = True, accept_loss: bool = False) -> Opening:
    """As :func:`quorate.open`."""
    return Opening(lambda: wait(lambda done: _native.start_open(done, folder, create, accept_loss)))


def memory() -> Opening:
    """As :func:`quorate.memory`."""
    return Opening(lambda: wait(lambda done: _native.start_open(done, None, True, False)))


def connect(url: str, token: str | None = None, *, timeout: float = TIMEOUT) -> AsyncClient:
    """As :func:`quorate.connect`. Nothing is sent before the first call, so there is nothing to wait for."""
    return AsyncClient(AsyncCore(unwrap(_native.connect(url, token_or_outside(token), timeout))))
