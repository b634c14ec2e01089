"""Capacity and leases that are held for as long as a block runs."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

import quorate


def free(q: quorate.Client, cell: str = "a") -> float:
    return q.capacity.status(cell)["capacity"]


def wait_until_lost(guard: quorate.Hold | quorate.Lease) -> quorate.Error:
    told = threading.Event()
    while (lost := guard.lost) is None:
        told.wait(0.01)
    return lost


def test_a_hold_is_renewed_while_the_block_runs_and_given_back_at_its_end(q: quorate.Client) -> None:
    with q.capacity.hold(cell_id="a", amount=0.6, lease_seconds=3) as hold:
        assert (hold.amount, hold.cell_id, len(hold.token_ids)) == (0.6, "a", 1)
        while not q.history.query(cell_id="a", event="renewed")["events"]:
            time.sleep(0.05)
        with pytest.raises(quorate.Expired):
            q.capacity.hold("a", 0.6, timeout_seconds=0.1).acquire()
        hold.check()
        assert hold.lost is None
    assert free(q) == 1.0


def test_who_waits_gets_it_when_it_is_given_back(q: quorate.Client) -> None:
    order: list[str] = []

    def second() -> None:
        with q.capacity.hold("a", 0.6, timeout_seconds=60):
            order.append("second")

    with q.capacity.hold("a", 0.6):
        waiter = threading.Thread(target=second)
        waiter.start()
        while q.capacity.status("a")["pending_needs"] == 0:
            pass
        order.append("first")
    waiter.join(60)
    assert order == ["first", "second"]
    assert free(q) == 1.0


def test_what_was_taken_away_is_told_and_raised_at_the_end(q: quorate.Client) -> None:
    with pytest.raises(quorate.TokenRevoked):
        with q.capacity.hold("a", 0.6, lease_seconds=3) as hold:
            q.capacity.revoke(hold.token_ids[0])
            assert wait_until_lost(hold).kind == "token_revoked"
            with pytest.raises(quorate.TokenRevoked):
                hold.check()
    with pytest.raises(KeyError), q.capacity.hold("a", 0.6, lease_seconds=3) as hold:
        q.capacity.revoke(hold.token_ids[0])
        wait_until_lost(hold)
        raise KeyError("what the block raises comes first")
    assert free(q) == 1.0


def test_an_exception_in_the_block_gives_back_too(q: quorate.Client) -> None:
    with pytest.raises(KeyError), q.capacity.hold("a", 0.6):
        raise KeyError("x")
    assert free(q) == 1.0


def test_a_forgotten_hold_is_given_back(q: quorate.Client) -> None:
    hold = q.capacity.hold("a", 0.6).acquire()
    del hold
    with q.capacity.hold("a", 0.6, timeout_seconds=60):
        pass


def test_one_lease_has_one_leader_and_a_token_that_grows(q: quorate.Client) -> None:
    q.job.submit(job_id="j")
    with q.job.lead("j", lease_ms=3000) as lease:
        first, ends = lease.token, lease.reply["lease_expires_at"]
        assert lease.job_id == "j" and lease.lost is None
        with pytest.raises(quorate.LeaseHeld):
            q.job.lead("j").acquire()
        while lease.reply["lease_expires_at"] == ends:
            time.sleep(0.05)  # it is renewed
        with pytest.raises(quorate.LeaseHeld):
            q.job.lead("j", wait_seconds=0.1).acquire()
        assert lease.progress()["changed"] is True
    with q.job.lead("j", holder_id="second", wait_seconds=60) as lease:
        assert lease.token > first and lease.holder_id == "second"
        assert lease.complete()["status"] == "completed"
    with pytest.raises(quorate.JobEnded):
        q.job.lead("j").acquire()


def test_a_leader_that_was_replaced_is_told_and_refused(q: quorate.Client) -> None:
    q.job.submit(job_id="j")
    with pytest.raises(quorate.Error) as told:
        with q.job.lead("j", lease_ms=3000) as lease:
            q.job.transfer("j", new_leader_id="other", force=True)
            assert wait_until_lost(lease).kind in ("lease_lost", "stale_token")
            with pytest.raises(quorate.StaleToken):
                lease.complete()
    assert told.value.kind in ("lease_lost", "stale_token")
    assert q.job.status("j")["datacenters"][0]["status"] != "completed"


async def hold_wait_and_lose(q: quorate.AsyncClient) -> None:
    async with q.capacity.hold("a", 0.6, lease_seconds=3) as hold:
        waiting = asyncio.create_task(q.capacity.hold("a", 0.6, timeout_seconds=60).acquire())
        while (await q.capacity.status("a"))["pending_needs"] == 0:
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        # Who was cancelled gives up its place.
        while (await q.capacity.status("a"))["pending_needs"]:
            await asyncio.sleep(0.01)
        losing = asyncio.create_task(hold.wait_lost())
        await q.capacity.revoke(hold.token_ids[0])
        assert (await losing).kind == "token_revoked"


def test_the_same_for_asyncio_and_who_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with quorate.aio.open(tmp_path / "data") as here:
            for q in (here, quorate.aio.connect(await here.serve())):
                with pytest.raises(quorate.TokenRevoked):
                    await hold_wait_and_lose(q)
                assert (await q.capacity.status("a"))["capacity"] == 1.0
                submitted = await q.job.submit()
                async with q.job.lead(submitted["job_id"]) as lease:
                    await lease.progress()
                    assert (await lease.complete("failed", reason="why"))["status"] == "failed"
                if q is not here:
                    await q.close()

    asyncio.run(run())


def _meter(q: quorate.Client, per_minute: int) -> None:
    q.budget.set("acme", rates={"tokens": {"amount": per_minute, "per_seconds": 60}})


def level(q: quorate.Client) -> int:
    return q.budget.status("acme")["rates"]["tokens"]["level"]


def test_a_reservation_is_settled_with_what_was_used_at_the_end_of_the_block(q: quorate.Client) -> None:
    _meter(q, 6)
    with q.capacity.reservation("ann", {"tokens": 6}, budgets=["acme"]) as spent:
        with pytest.raises(quorate.RateLimited) as refused:
            with q.capacity.reservation("bob", {"tokens": 6}, budgets=["acme"], wait=False):
                pass
        assert 0 < refused.value.details["retry_after_ms"] <= 60_000
        with pytest.raises(quorate.LimitExceeded):
            with q.capacity.reservation("bob", {"tokens": 7}, budgets=["acme"]):
                pass
        spent.used(tokens=2)
    assert level(q) == 4
    assert q.budget.status("acme")["reservations"] == 0


def test_a_block_that_fails_leaves_the_estimate(q: quorate.Client) -> None:
    _meter(q, 6)
    with pytest.raises(ZeroDivisionError):
        with q.capacity.reservation("ann", {"tokens": 5}, budgets=["acme"]):
            1 / 0
    assert level(q) == 1


def test_a_reservation_waits_for_what_others_give_back() -> None:
    async def call(q: quorate.AsyncClient) -> None:
        async with q.capacity.reservation("ann", {"tokens": 6}, budgets=["acme"]) as spent:
            await asyncio.sleep(0)
            spent.used(tokens=0)

    async def main() -> None:
        async with quorate.aio.memory() as q:
            await q.budget.set("acme", rates={"tokens": {"amount": 6, "per_seconds": 86_400}})
            await asyncio.gather(*(call(q) for _ in range(5)))
            assert (await q.budget.status("acme"))["rates"]["tokens"]["level"] == 6

    asyncio.run(main())
