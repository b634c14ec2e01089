"""Programs that are killed: nothing acknowledged is lost, and what they held comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from conftest import Program, free_port

import quorate

VOTES = """
import sys, quorate
q = quorate.open(sys.argv[1])
for n in range(10_000):
    q.quorum.start(quorum_type="global", quorum_id=f"q{n}", voters=["ann", "bob"], timeout_seconds=3600)
    q.quorum.vote(f"q{n}", voter_id="ann", vote=True)
    print(n, flush=True)
"""


def test_a_killed_program_has_lost_nothing_it_was_told(program: Callable[..., Program], tmp_path: Path) -> None:
    last = -1
    for _ in range(3):
        voting = program(VOTES.replace("range(10_000)", f"range({last + 2}, 10_000)"), tmp_path / "data")
        for _ in range(5):
            last = int(voting.said())
        voting.kill()
    with quorate.open(tmp_path / "data") as q:
        for n in (last, last - 1, 1):
            assert q.quorum.status(f"q{n}")["approve_votes"] == 1
        assert q.history.verify()["ok"] is True


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


HOLDS = """
import sys, time, quorate
q = quorate.open(sys.argv[1])
with q.capacity.hold("a", 1, lease_seconds=float(sys.argv[2]), need_id="n") as hold:
    print(hold.token_ids[0], flush=True)
    time.sleep(600)
"""


def test_what_a_killed_program_held_lapses_with_its_lease(program: Callable[..., Program], tmp_path: Path) -> None:
    holding = program(HOLDS, tmp_path / "data", 2)
    holding.said()
    holding.kill()
    with quorate.open(tmp_path / "data") as q:
        # Not before the lease has ended, and then without anybody's word.
        with q.capacity.hold("a", 1, timeout_seconds=60):
            pass
        events = q.history.query(cell_id="a")["events"]
        acked = next(event for event in events if event["event"] == "acked")
        returned = next(event for event in events if event["event"] == "returned")
        assert returned["data"]["why"] == "expired"
        assert instant(returned["at"]) >= instant(acked["data"]["expires"])


def test_the_next_life_takes_over_what_the_last_one_held(program: Callable[..., Program], tmp_path: Path) -> None:
    holding = program(HOLDS, tmp_path / "data", 600)
    token = holding.said()
    holding.kill()
    with quorate.open(tmp_path / "data") as q:
        with q.capacity.hold("a", 1, lease_seconds=600, need_id="n") as hold:
            assert hold.token_ids == [token]
        assert q.capacity.status("a")["capacity"] == 1.0


SERVES = """
import sys, time, quorate
q = quorate.open(sys.argv[1])
print(q.serve(sys.argv[2]), flush=True)
time.sleep(600)
"""


def test_a_hold_and_a_wait_outlive_a_killed_server(program: Callable[..., Program], tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_port()}"
    server = program(SERVES, tmp_path / "data", listen)
    with quorate.connect(server.said()) as q:
        q.quorum.start(quorum_type="global", quorum_id="d", voters=["ann"], timeout_seconds=3600)
        waiting = program(
            "import sys, quorate\nq = quorate.connect(sys.argv[1])\nprint('waits', flush=True)\n"
            "print(q.quorum.wait('d', timeout_ms=300_000)['state'], flush=True)",
            f"http://{listen}",
        )
        assert waiting.said() == "waits"
        with q.capacity.hold("a", 1, lease_seconds=30) as hold:
            server.kill()
            server = program(SERVES, tmp_path / "data", listen)
            server.said()
            q.capacity.renew(hold.token_ids[0], cell_id="a")
            q.quorum.vote("d", voter_id="ann", vote=True)
            assert waiting.said() == "approved"
            assert hold.lost is None
        assert q.capacity.status("a")["capacity"] == 1.0


def test_a_hold_whose_server_stays_away_is_lost_and_says_so(
    program: Callable[..., Program], tmp_path: Path
) -> None:
    server = program(SERVES, tmp_path / "data", "127.0.0.1:0")
    with quorate.connect(server.said()) as q, pytest.raises(quorate.LeaseLost):
        with q.capacity.hold("a", 1, lease_seconds=3) as hold:
            server.kill()
            while hold.lost is None:
                time.sleep(0.05)
            assert hold.lost.kind == "lease_lost" and "cause" in hold.lost.details


def test_a_second_program_goes_on_when_the_owner_is_killed(
    program: Callable[..., Program], tmp_path: Path
) -> None:
    owner = program(SERVES, tmp_path / "data", "127.0.0.1:0")
    owner.said()
    with quorate.open(tmp_path / "data") as q:
        q.quorum.start(quorum_type="global", quorum_id="d", voters=["ann", "bob"], timeout_seconds=3600)
        with q.capacity.hold("a", 1, lease_seconds=600) as hold:
            owner.kill()
            assert q.quorum.status("d")["state"] == "open"
            assert hold.lost is None
        assert q.capacity.status("a")["capacity"] == 1.0
