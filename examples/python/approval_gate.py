"""An approval gate around a tool call: a dangerous tool runs after a yes of two out of three, and after nothing else.

The question has a name made of the call, so an agent that is killed and started again asks the same one, and finds what
was answered meanwhile. Run it: `python examples/python/approval_gate.py`
"""

import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import quorate


class NotApproved(Exception):
    """The tool did not run. The state says why: rejected, timed_out or cancelled."""


def gated(
    q: quorate.Client, tool: Callable[..., str], *, call_id: str, approvers: list[str], **arguments: Any
) -> str:
    """Asks, waits for the decision, and runs the tool only if it was approved."""
    try:
        q.quorum.start(
            quorum_type="global",
            quorum_id=call_id,
            voters=approvers,
            subject={"tool": tool.__name__, "arguments": arguments},
            timeout_seconds=60,
        )
    except quorate.AlreadyExists:
        pass  # an earlier life of this agent asked
    while (state := q.quorum.wait(call_id)["state"]) == "open":
        pass  # one wait lasts minutes at most; people may take longer
    if state != "approved":
        raise NotApproved(f"{call_id}: {state}")
    return tool(**arguments)


def refund(order: str, cents: int) -> str:
    return f"refunded {cents} cents of order {order}"


def person(q: quorate.Client, name: str, call_id: str, agrees: bool) -> threading.Thread:
    """Somebody who looks at the question and votes; elsewhere a button in a chat."""

    def look_and_vote() -> None:
        while True:
            try:
                asked = q.quorum.status(call_id)
                break
            except quorate.NotFound:
                time.sleep(0.01)  # not asked yet
        try:
            q.quorum.vote(call_id, voter_id=name, vote=agrees)
            print(f"  {name} was asked about {asked['subject']} and said {'yes' if agrees else 'no'}")
        except quorate.QuorumClosed:
            print(f"  {name} came too late: it is decided")

    thread = threading.Thread(target=look_and_vote)
    thread.start()
    return thread


def main() -> None:
    approvers = ["ann", "bob", "cid"]
    with tempfile.TemporaryDirectory() as folder, quorate.open(folder) as q:
        people = [person(q, name, "refund-1", True) for name in approvers]
        print(gated(q, refund, call_id="refund-1", approvers=approvers, order="A17", cents=1250))
        for thread in people:
            thread.join()
        # Asked again, as after a restart: the answer is on record, and nobody is asked twice.
        print(gated(q, refund, call_id="refund-1", approvers=approvers, order="A17", cents=1250))

        people = [person(q, name, "refund-2", False) for name in approvers]
        try:
            gated(q, refund, call_id="refund-2", approvers=approvers, order="A18", cents=9_000_000)
        except NotApproved as why:
            print(f"not run: {why}")
        else:
            raise SystemExit("a tool ran without approval")
        for thread in people:
            thread.join()


if __name__ == "__main__":
    main()
