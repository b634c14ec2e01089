"""Five asyncio agents share the quota of an API: at most two calls at once, whoever makes them.

The quota is on record, so it holds over processes too: start this twice with the same folder and both together stay below
it. An agent that dies gives back what it held when its lease ends. Run it: `python examples/python/shared_quota.py`
"""

import asyncio
import sys
import tempfile

import quorate

AT_ONCE = 2
CALLS = 3


class Api:
    """Somebody else's service, which counts how many call it at once."""

    def __init__(self) -> None:
        self.now = self.most = self.calls = 0

    async def call(self, question: str) -> str:
        self.now += 1
        self.calls += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return question.upper()


async def agent(name: str, q: quorate.AsyncClient, api: Api) -> None:
    for n in range(CALLS):
        # Waits for its turn; renewed while the call lasts, given back after it.
        async with q.capacity.hold(cell_id="api", amount=1, timeout_seconds=30, lease_seconds=5) as hold:
            answer = await api.call(f"{name} {n}")
            hold.check()
            print(f"{answer} under {hold.token_ids[0][:8]}")


async def main(folder: str) -> None:
    api = Api()
    async with quorate.aio.open(folder) as q:
        await q.capacity.configure("api", totals={"capacity": AT_ONCE})
        await asyncio.gather(*(agent(f"agent-{n}", q, api) for n in range(5)))
        left = await q.capacity.status("api")
    print(f"{api.calls} calls, at most {api.most} at once; {left['capacity']} of {left['total']} is free again")
    if api.most > AT_ONCE or api.calls != 5 * CALLS or left["capacity"] != left["total"]:
        raise SystemExit("the quota did not hold")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as place:
            asyncio.run(main(place))
