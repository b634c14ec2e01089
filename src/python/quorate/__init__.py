"""Coordination for long-running agents: durable questions, capacity and jobs.

``quorate.open("folder")`` runs Quorate in this process, ``quorate.connect(url)`` speaks to a server. Both give a
:class:`Client` with the same methods; :mod:`quorate.aio` has the same for asyncio.

    import quorate

    with quorate.open("decisions") as q:
        q.quorum.start(quorum_type="global", quorum_id="deploy-7", voters=["ann", "bob", "cid"])
        q.quorum.vote("deploy-7", voter_id="ann", vote=True)
        print(q.quorum.vote("deploy-7", voter_id="bob", vote=True)["state"])  # approved

An answer is a dict; what was asked and came out as a no, a timeout or could not be asked is an answer. What could not be
done is an exception, of one class for each kind: see :mod:`quorate.errors`.
"""

from quorate import aio, errors
from quorate._client import Client, LossWarning, connect, memory, open
from quorate._guards import AsyncHold, AsyncLease, AsyncReservation, Hold, Lease, Reservation
from quorate._native import VERSION as __version__
from quorate.aio import AsyncClient
from quorate.errors import *  # noqa: F403
from quorate.errors import __all__ as _kinds

__all__ = [
    "AsyncClient",
    "AsyncHold",
    "AsyncLease",
    "AsyncReservation",
    "Client",
    "Hold",
    "Lease",
    "LossWarning",
    "Reservation",
    "__version__",
    "aio",
    "connect",
    "errors",
    "memory",
    "open",
]
__all__ += _kinds
