"""What is held for as long as a ``with`` block runs: capacity, and the lease of a job.

Both are renewed in the background, by threads that a busy interpreter does not hold up. What was lost in spite of that
is told by ``lost`` and ``check()``, and raised at the end of the block unless another exception is on its way.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from quorate import _native, errors
from quorate._core import AsyncCore, Core, What, unwrap, wait

if TYPE_CHECKING:
    from typing_extensions import Self


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


class _Guard:
    """What both kinds of guard, sync and async, know of what is held."""

    _what: What = "hold"

    def __init__(self, core: Core, fields: Mapping[str, Any]) -> None:
        self._core = core
        self._fields = fields
        self._held: _native.Held | None = None

    @property
    def _taken(self) -> _native.Held:
        if self._held is None:
            raise RuntimeError("nothing is held: use it in a `with` block, or call acquire() first")
        return self._held

    @property
    def reply(self) -> dict[str, Any]:
        """What was answered when it was taken, or last renewed."""
        return cast("dict[str, Any]", json.loads(self._taken.latest()))

    @property
    def lost(self) -> errors.Error | None:
        """Why it is lost; None while it is held."""
        why = self._taken.lost()
        return None if why is None else errors.of(json.loads(why))

    def check(self) -> None:
        """Raises why it is lost, if it is: before each step that nobody else may do meanwhile."""
        lost = self.lost
        if lost is not None:
            raise lost

    def _take(self, held: object) -> None:
        self._held = cast("_native.Held", held)


class _Capacity(_Guard):
    @property
    def cell_id(self) -> str:
        """Who holds it."""
        return cast(str, self.reply["cell_id"])

    @property
    def need_id(self) -> str:
        """The need it was granted to."""
        return cast(str, self.reply["need_id"])

    @property
    def amount(self) -> float:
        """How much."""
        return cast(float, self.reply["capacity"])

    @property
    def token_ids(self) -> list[str]:
        """Its tokens: one of the cell's own, or one of each neighbour that lent."""
        return [token["token_id"] for token in self.reply["tokens"]]


class _Led(_Guard):
    _what: What = "lead"

    @property
    def job_id(self) -> str:
        """Which job."""
        return cast(str, self.reply["job_id"])

    @property
    def holder_id(self) -> str:
        """Who holds the lease."""
        return cast(str, self._fields["holder_id"])

    @property
    def token(self) -> int:
        """The fencing token in force: show it to whatever must refuse a leader that was replaced.

        A restart of what serves the job gives the lease another, higher one.
        """
        return cast(int, self.reply["fence_token"])

    def _under(self, **fields: object) -> dict[str, Any]:
        named = {"job_id": self.job_id, "datacenter": self._fields.get("datacenter"), "fence_token": self.token}
        return _given({**named, **fields})


class _Sync(_Guard):
    def acquire(self) -> Self:
        """Takes it, and waits for it; what ``with`` does."""
        if self._held is not None:
            raise RuntimeError("it is held already")
        self._take(self._core.run(self._what, "", self._fields))
        return self

    def release(self) -> None:
        """Gives it back. Durable on return; a repeat does nothing."""
        unwrap(self._taken.run("release"))

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        lost = self.lost
        try:
            self.release()
        except errors.Error:
            if error is None and lost is None:
                raise
        if error is None and lost is not None:
            raise lost


class _Async(_Guard):
    async def acquire(self) -> Self:
        """Takes it, and waits for it; what ``async with`` does."""
        if self._held is not None:
            raise RuntimeError("it is held already")
        self._take(await cast(AsyncCore, self._core).arun(self._what, "", self._fields))
        return self

    async def release(self) -> None:
        """Gives it back. Durable on return; a repeat does nothing."""
        held = self._taken
        await wait(lambda done: held.start(done, "release"))

    async def wait_lost(self) -> errors.Error:
        """Waits until it is lost, and says why. Never, once it is released."""
        held = self._taken
        why = await wait(lambda done: held.start(done, "lost"))
        return errors.of(json.loads(cast(str, why)))

    async def __aenter__(self) -> Self:
        return await self.acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        lost = self.lost
        try:
            await self.release()
        except errors.Error:
            if error is None and lost is None:
                raise
        if error is None and lost is not None:
            raise lost


class Hold(_Capacity, _Sync):
    """Capacity that is held: see :meth:`CapacityHolds.hold`."""


class AsyncHold(_Capacity, _Async):
    """Capacity that is held, for asyncio."""


class _Reserved:
    """What both kinds of reservation, sync and async, know of what was estimated and used."""

    def __init__(self, core: Core, fields: Mapping[str, Any]) -> None:
        self._core = core
        self._fields = fields
        self._reply: dict[str, Any] | None = None
        self._used: dict[str, int] = {}

    @property
    def reply(self) -> dict[str, Any]:
        """What was answered when it was reserved."""
        if self._reply is None:
            raise RuntimeError("nothing is reserved: use it in a `with` block")
        return self._reply

    def used(self, **units: int) -> None:
        """Says how much of each unit was used; of a unit that is never said, the estimate counts."""
        self._used.update(units)

    def _take(self, reply: dict[str, Any]) -> None:
        told = _REFUSALS.get(reply["status"])
        if told is not None:
            kind, message = told
            short = {name: reply[name] for name in ("retry_after_ms", "short") if reply.get(name) is not None}
            raise errors.of({"kind": kind, "message": message, **short})
        self._reply = reply

    def _settlement(self) -> dict[str, Any]:
        reply = self.reply
        return {"token_id": reply["token_id"], "cell_id": reply["cell_id"], "actual": self._used}


_REFUSALS = {
    "exhausted": ("rate_limited", "a rate has not enough ready; nothing was reserved"),
    "never": ("limit_exceeded", "a rate never has so much ready; ask for less"),
    "expired": ("expired", "the reservation was not settled in time, and is over"),
    "settled": ("nothing_done", "the reservation is settled, and is over"),
}


class Reservation(_Reserved):
    """What is reserved of the rates of budgets: see :meth:`CapacityHolds.reservation`."""

    def __enter__(self) -> Self:
        self._take(self._core.call("capacity.reserve", self._fields))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._core.call("capacity.settle", self._settlement())
        except errors.Error:
            # The block's own exception says more; unsettled, the estimate counts.
            if error is None:
                raise


class AsyncReservation(_Reserved):
    """What is reserved of the rates of budgets, for asyncio."""

    async def __aenter__(self) -> Self:
        self._take(await cast(AsyncCore, self._core).acall("capacity.reserve", self._fields))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await cast(AsyncCore, self._core).acall("capacity.settle", self._settlement())
        except errors.Error:
            if error is None:
                raise


class Lease(_Led, _Sync):
    """The lease of a job: see :meth:`JobLeases.lead`."""

    def progress(self, *, workflow_id: str | None = None, completed_count: int | None = None) -> dict[str, Any]:
        """Says that the job got on, or how many items a workflow of it has done (``job.progress``), under the token."""
        fields = self._under(completed_count=completed_count, workflow_id=workflow_id)
        return cast("dict[str, Any]", self._core.call("job.progress", fields))

    def complete(self, status: str = "completed", *, reason: str = "") -> dict[str, Any]:
        """Ends the job as ``completed`` or ``failed`` (``job.complete``), under the token. The lease ends with it."""
        reply = self._core.call("job.complete", self._under(status=status, reason=reason))
        self._taken.ended()
        return cast("dict[str, Any]", reply)


class AsyncLease(_Led, _Async):
    """The lease of a job, for asyncio."""

    async def progress(
        self, *, workflow_id: str | None = None, completed_count: int | None = None
    ) -> dict[str, Any]:
        """Says that the job got on, or how many items a workflow of it has done (``job.progress``), under the token."""
        fields = self._under(completed_count=completed_count, workflow_id=workflow_id)
        return cast("dict[str, Any]", await cast(AsyncCore, self._core).acall("job.progress", fields))

    async def complete(self, status: str = "completed", *, reason: str = "") -> dict[str, Any]:
        """Ends the job as ``completed`` or ``failed`` (``job.complete``), under the token. The lease ends with it."""
        fields = self._under(status=status, reason=reason)
        reply = await cast(AsyncCore, self._core).acall("job.complete", fields)
        self._taken.ended()
        return cast("dict[str, Any]", reply)


def _this_process() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _hold_fields(cell_id: str, amount: float | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    return _given({"cell_id": cell_id, "requested_capacity": amount, **fields})


def _lead_fields(job_id: str, holder_id: str | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    return _given({"job_id": job_id, "holder_id": holder_id or _this_process(), **fields})


def _reserve_fields(cell_id: str, amounts: Mapping[str, int], fields: Mapping[str, Any]) -> dict[str, Any]:
    named = {"token_id": uuid.uuid4().hex, "wait": True, **_given(fields)}
    return {"cell_id": cell_id, "amounts": dict(amounts), **named}


class CapacityHolds:
    """What ``client.capacity`` has beside its operations."""

    _core: Core

    def reservation(
        self,
        cell_id: str,
        amounts: Mapping[str, int],
        *,
        budgets: Iterable[str] = (),
        wait: bool = True,
        timeout_seconds: float | None = None,
        lease_seconds: float | None = None,
        **fields: Any,
    ) -> Reservation:
        """An estimate of what a ``with`` block uses, taken from the rates of all budgets or of none.

            with q.capacity.reservation("ann", {"requests": 1, "tokens": 3000}, budgets=["acme", "team"]) as spent:
                answer = ask_the_model()
                spent.used(tokens=answer.usage.total_tokens)

        It is reserved and waited for at the start of the block and settled at its end: what was not used comes back, and
        what was used beyond the estimate is taken. :exc:`quorate.RateLimited` when the refill did not suffice in time,
        with ``retry_after_ms``; :exc:`quorate.LimitExceeded` when a rate never has so much.

        :param amounts: how much of each unit is expected to be used at most.
        :param wait: False raises at once instead of waiting.
        :param timeout_seconds: how long to wait, 30 when left out.
        :param lease_seconds: how long the block may take, 300 when left out. After that the estimate counts as used.
        """
        more = {"wait": wait, "timeout_seconds": timeout_seconds, "lease_seconds": lease_seconds, **fields}
        return Reservation(self._core, _reserve_fields(cell_id, amounts, {"budgets": sorted(budgets), **more}))

    def hold(
        self,
        cell_id: str,
        amount: float | None = None,
        *,
        timeout_seconds: float | None = None,
        lease_seconds: float | None = None,
        **fields: Any,
    ) -> Hold:
        """Capacity for as long as a ``with`` block runs.

            with q.capacity.hold(cell_id="gpu", amount=0.5, timeout_seconds=60) as hold:
                ...

        It is asked for and waited for at the start of the block, renewed in the background, and given back at its end.
        :exc:`quorate.Expired` when nothing came free in time, :exc:`quorate.Overloaded` when too many wait. When this
        process dies nobody renews, and the lease brings the capacity back. Under the ``need_id`` of a process that
        died, the same request takes over what it held.

        :param amount: how much, 0.1 when left out.
        :param timeout_seconds: how long to wait for it, 5 when left out.
        :param lease_seconds: how long it may be kept without a renewal, 60 when left out.
        :param fields: the other fields of ``capacity.request``, such as ``resource`` and ``budgets``.
        """
        more = {"timeout_seconds": timeout_seconds, "lease_seconds": lease_seconds, **fields}
        return Hold(self._core, _hold_fields(cell_id, amount, more))


class AsyncCapacityHolds:
    """What ``client.capacity`` has beside its operations, for asyncio."""

    _core: AsyncCore

    def reservation(
        self,
        cell_id: str,
        amounts: Mapping[str, int],
        *,
        budgets: Iterable[str] = (),
        wait: bool = True,
        timeout_seconds: float | None = None,
        lease_seconds: float | None = None,
        **fields: Any,
    ) -> AsyncReservation:
        """As :meth:`CapacityHolds.reservation`, in ``async with``."""
        more = {"wait": wait, "timeout_seconds": timeout_seconds, "lease_seconds": lease_seconds, **fields}
        fields = _reserve_fields(cell_id, amounts, {"budgets": sorted(budgets), **more})
        return AsyncReservation(self._core, fields)

    def hold(
        self,
        cell_id: str,
        amount: float | None = None,
        *,
        timeout_seconds: float | None = None,
        lease_seconds: float | None = None,
        **fields: Any,
    ) -> AsyncHold:
        """As :meth:`CapacityHolds.hold`, in ``async with``."""
        more = {"timeout_seconds": timeout_seconds, "lease_seconds": lease_seconds, **fields}
        return AsyncHold(self._core, _hold_fields(cell_id, amount, more))


class JobLeases:
    """What ``client.job`` has beside its operations."""

    _core: Core

    def lead(
        self,
        job_id: str,
        *,
        holder_id: str | None = None,
        lease_ms: int | None = None,
        wait_seconds: float | None = None,
        **fields: Any,
    ) -> Lease:
        """The lease of a job for as long as a ``with`` block runs.

            with q.job.lead("train-7") as lease:
                publish(result, token=lease.token)
                lease.complete()

        It is taken at the start of the block, renewed in the background, and given back at its end unless the job was
        completed. :exc:`quorate.LeaseHeld` when another holds it.

        :param holder_id: who leads; a name of this process alone when left out. A program that is started again under
            the same name keeps its lease.
        :param lease_ms: how long it lasts from each renewal, 30000 when left out.
        :param wait_seconds: how long to wait for another holder to end; not at all when left out.
        :param fields: the other fields of ``job.acquire``.
        """
        more = {"lease_ms": lease_ms, "wait_seconds": wait_seconds, **fields}
        return Lease(self._core, _lead_fields(job_id, holder_id, more))


class AsyncJobLeases:
    """What ``client.job`` has beside its operations, for asyncio."""

    _core: AsyncCore

    def lead(
        self,
        job_id: str,
        *,
        holder_id: str | None = None,
        lease_ms: int | None = None,
        wait_seconds: float | None = None,
        **fields: Any,
    ) -> AsyncLease:
        """As :meth:`JobLeases.lead`, in ``async with``."""
        more = {"lease_ms": lease_ms, "wait_seconds": wait_seconds, **fields}
        return AsyncLease(self._core, _lead_fields(job_id, holder_id, more))
