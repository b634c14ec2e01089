"""The handle for programs that wait."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from quorate import _native
from quorate._core import Core, LossWarning, unwrap
from quorate._operations import Nouns

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Client", "LossWarning", "connect", "memory", "open"]

#: How long a server may take to answer what does not wait for anything, in seconds.
TIMEOUT = 330.0


class Client(Nouns):
    """Every operation as ``client.noun.verb(...)``. Made by :func:`open`, :func:`connect` and :func:`memory`.

    Threads may share it. It is closed by :meth:`close`, or at the end of a ``with`` block.
    """

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._core = core

    def call(self, operation: str, fields: Mapping[str, Any] | None = None) -> Any:
        """Runs an operation by its name, such as ``quorum.start``, with the fields as they are."""
        return self._core.call(operation, fields or {})

    def serve(self, listen: str = "127.0.0.1:0") -> str:
        """Answers at an address too, as ``quorate serve`` does, until the client is closed; tells its URL.

        Only where the runtime is in this process. Port 0 takes a free one. Only addresses of the loopback are served.
        """
        return cast(str, self._core.run("serve", listen, {}))

    def close(self) -> None:
        """Lets go of the folder, or of the connections. Calls are refused from then on; a repeat does nothing."""
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open(folder: str | os.PathLike[str], *, create: bool = True, accept_loss: bool = False) -> Client:
    """Runs Quorate in this process, on a data folder.

    When another process has the folder open, its runtime does the work, reached at the socket in the folder; when that
    process ends, this one opens the folder itself.

    :param create: make the folder when there is none.
    :param accept_loss: open a damaged folder without what cannot be read; a :class:`LossWarning` names it.
    """
    return Client(Core(unwrap(_native.open(folder, create, accept_loss))))


def memory() -> Client:
    """Runs Quorate in this process without a disk: for tests and trials."""
    return Client(Core(unwrap(_native.open(None, True, False))))


def connect(url: str, token: str | None = None, *, timeout: float = TIMEOUT) -> Client:
    """The handle of a server, such as ``http://127.0.0.1:7171``. Nothing is sent before the first call.

    :param token: the token of an identity; that of the environment's ``QUORATE_TOKEN`` when left out.
    :param timeout: how many seconds the server may take to answer what does not wait for anything.
    """
    return Client(Core(unwrap(_native.connect(url, token_or_outside(token), timeout))))


def token_or_outside(token: str | None) -> str | None:
    return token if token is not None else os.environ.get("QUORATE_TOKEN") or None
