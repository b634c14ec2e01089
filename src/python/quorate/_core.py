"""How the classes of the package reach the part that is written in Rust."""

from __future__ import annotations

import asyncio
import atexit
import json
import warnings
import weakref
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, cast

from quorate import _native, errors

What = Literal["call", "hold", "lead", "serve", "close"]


class LossWarning(RuntimeWarning):
    """Opening a folder found something gone, or made it good from elsewhere."""


def _plain(value: object) -> object:
    """What JSON has no form for, as the operations read it."""
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"a time needs a zone: {value!r}")
        return value.isoformat()
    raise TypeError(f"this has no form in JSON: {value!r}")


def encode(fields: Mapping[str, Any]) -> str:
    """A request as JSON. Whole numbers keep every digit; what is no number is refused."""
    return json.dumps(fields, allow_nan=False, ensure_ascii=False, default=_plain)


def unwrap(result: tuple[object, str | None]) -> object:
    """What came about; raises the error."""
    value, error = result
    if error is not None:
        raise errors.of(json.loads(error))
    return value


# What a program forgot to close is closed when it ends, so that others need not repair anything.
_open: weakref.WeakSet[Core] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for core in list(_open):
        core.door.run("close", "", "{}")
    _native.end_calls()


class Core:
    """A place where operations are carried out, for callers that wait."""

    def __init__(self, door: object) -> None:
        self.door = cast("_native.Door", door)
        for sentence in self.door.told:
            warnings.warn(sentence, LossWarning, stacklevel=3)
        _open.add(self)

    def run(self, what: What, name: str, fields: Mapping[str, Any]) -> object:
        return unwrap(self.door.run(what, name, encode(fields)))

    def call(self, name: str, fields: Mapping[str, Any]) -> Any:
        return json.loads(cast(str, self.run("call", name, fields)))

    def close(self) -> None:
        _open.discard(self)
        self.run("close", "", {})


class AsyncCore(Core):
    """The same for asyncio."""

    async def arun(self, what: What, name: str, fields: Mapping[str, Any]) -> object:
        text = encode(fields)
        return await wait(lambda done: self.door.start(done, what, name, text))

    async def acall(self, name: str, fields: Mapping[str, Any]) -> Any:
        return json.loads(cast(str, await self.arun("call", name, fields)))

    async def aclose(self) -> None:
        _open.discard(self)
        await self.arun("close", "", {})


async def wait(start: Callable[[_native.Done], _native.Started]) -> object:
    """Starts work and waits for it. Who is cancelled waits no more, and ends the work."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[object, str | None]] = loop.create_future()

    def settle(value: object, error: str | None) -> None:
        if not future.done():
            future.set_result((value, error))

    def done(value: object, error: str | None) -> None:
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:
            pass  # the loop has ended, and nobody waits

    started = start(done)
    try:
        return unwrap(await future)
    finally:
        started.cancel()
