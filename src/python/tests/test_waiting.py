"""Whoever waits holds up nobody, and can be told to stop."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Program

import quorate

WAITS = """
import contextlib, sys, quorate
with contextlib.ExitStack() as stack:
    q = stack.enter_context(quorate.open(sys.argv[1]))
    if sys.argv[2] == "server":
        q = stack.enter_context(quorate.connect(q.serve()))
    q.quorum.start(quorum_type="global", quorum_id="d", voters=["ann", "bob"], timeout_seconds=3600)
    q.agent.register(agent_id="ann")
    q.capacity.request("a", requested_capacity=1)
    try:
        print("waits", flush=True)
        if sys.argv[3] == "quorum":
            q.quorum.wait("d", timeout_ms=300_000)
        elif sys.argv[3] == "consensus":
            q.consensus.request(proposal=1, proposal_id="p", timeout_ms=300_000, idempotency_key="k")
        else:
            with q.capacity.hold("a", 1, timeout_seconds=3600, need_id="n"):
                pass
    except KeyboardInterrupt:
        print("interrupted", q.quorum.status("d")["state"], flush=True)
        raise
"""


@pytest.mark.parametrize("what", ["quorum", "consensus", "hold"])
@pytest.mark.parametrize("door", ["here", "server"])
def test_the_keyboard_ends_a_wait(
    program: Callable[..., Program], tmp_path: Path, door: str, what: str
) -> None:
    waiting = program(WAITS, tmp_path / "data", door, what)
    assert waiting.said() == "waits"
    with quorate.open(tmp_path / "data") as q:
        # It has asked by now; whether it waits already nobody sees, and a signal is heard before as well.
        while what == "consensus" and not q.consensus.open()["proposals"]:
            time.sleep(0.01)
        while what == "hold" and q.capacity.status("a")["pending_needs"] == 0:
            time.sleep(0.01)
    waiting.process.send_signal(signal.SIGINT)
    code, out, err = waiting.ended()
    assert out.strip() == "interrupted open" and "KeyboardInterrupt" in err
    assert code != 0
    with quorate.open(tmp_path / "data") as q:
        if what == "consensus":
            # The question goes on without whoever asked.
            assert q.consensus.result("p")["state"] == "open"
        # A hold gives up its place in the queue.
        assert q.capacity.status("a")["pending_needs"] == 0


def test_other_threads_run_while_one_waits(q: quorate.Client) -> None:
    q.quorum.start(quorum_type="global", quorum_id="d", voters=["ann", "bob"], timeout_seconds=3600)
    states: list[str] = []
    waiter = threading.Thread(target=lambda: states.append(q.quorum.wait("d")["state"]))
    waiter.start()
    # Would never be called if the waiter held the interpreter.
    for name in ("ann", "bob"):
        q.quorum.vote("d", voter_id=name, vote=True)
    waiter.join(60)
    assert states == ["approved"]


def test_a_cancelled_task_waits_no_more_and_the_question_goes_on(q: quorate.Client, tmp_path: Path) -> None:
    async def cancel(client: quorate.AsyncClient) -> None:
        await client.agent.register(agent_id="ann")
        asking = asyncio.create_task(
            client.consensus.request(proposal=1, proposal_id="p", timeout_ms=300_000, idempotency_key="k")
        )
        while True:
            try:
                await client.consensus.result("p")
                break
            except quorate.NotFound:
                await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await client.consensus.result("p"))["state"] == "open"
        with pytest.raises(asyncio.TimeoutError):
            again = client.consensus.request(proposal=1, proposal_id="p", timeout_ms=300_000, idempotency_key="k")
            await asyncio.wait_for(again, 0.05)
        await client.consensus.vote("p", agent_id="ann", vote="for")
        assert (await client.consensus.request(proposal=1, proposal_id="p", timeout_ms=300_000, idempotency_key="k"))["state"] == (
            "approved"
        )

    async def both() -> None:
        async with quorate.aio.open(tmp_path / "own") as here:
            await cancel(here)
        await cancel(quorate.AsyncClient(quorate._core.AsyncCore(q._core.door)))

    asyncio.run(both())


def test_a_loop_has_many_waits_at_once(tmp_path: Path) -> None:
    async def many() -> None:
        async with quorate.aio.open(tmp_path / "data") as q:
            there = quorate.aio.connect(await q.serve())
            ids = [f"q{n}" for n in range(50)]
            for name in ids:
                await q.quorum.start(quorum_type="global", quorum_id=name, voters=["ann"])
            waits = [asyncio.create_task(client.quorum.wait(n)) for n in ids for client in (q, there)]
            await asyncio.gather(*(q.quorum.vote(n, voter_id="ann", vote=True) for n in ids))
            assert {done["state"] for done in await asyncio.gather(*waits)} == {"approved"}
            await there.close()

    asyncio.run(many())


ENDS = """
import asyncio, quorate
async def main():
    async with quorate.aio.memory() as q:
        await asyncio.gather(*(q.quorum.stats() for _ in range(20)))
asyncio.run(main())
"""


def test_a_program_may_end_right_after_an_answer(program: Callable[..., Program]) -> None:
    # A thread that was still telling an answer would take the process down with it.
    for _ in range(10):
        assert program(ENDS).ended() == (0, "", "")
