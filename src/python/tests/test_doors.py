"""Every operation by every way, with the same answers."""

from __future__ import annotations

import asyncio
import inspect
import json
import keyword
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import quorate
from quorate import _native

TABLE: dict[str, Any] = json.loads(_native.table())


@pytest.mark.parametrize("row", TABLE["operations"], ids=lambda row: row["name"])
def test_every_operation_is_a_method_of_both_classes_with_its_fields(row: dict[str, Any]) -> None:
    noun, verb = row["name"].split(".")
    fields = {f"{f['name']}_" if keyword.iskeyword(f["name"]) else f["name"]: f for f in row["fields"]}
    with quorate.memory() as here, quorate.connect("http://127.0.0.1:1") as there:
        away = quorate.aio.connect("http://127.0.0.1:1")
        for client in (here, there, away):
            method = getattr(getattr(client, noun), f"{verb}_" if keyword.iskeyword(verb) else verb)
            parameters = inspect.signature(method).parameters
            assert set(parameters) == set(fields)
            for name, field in fields.items():
                assert (parameters[name].default is inspect.Parameter.empty) == field["required"]
                assert field["description"] in method.__doc__
            assert inspect.iscoroutinefunction(method) == (client is away)


def ask(q: quorate.Client, quorum_id: str = "deploy", **more: Any) -> Any:
    return q.quorum.start(quorum_type="global", quorum_id=quorum_id, voters=["ann", "bob", "cid"], **more)


def test_a_question_is_asked_voted_on_and_decided(q: quorate.Client) -> None:
    assert ask(q)["required_votes"] == 2
    assert q.quorum.vote("deploy", voter_id="ann", vote=True)["state"] == "open"
    assert q.quorum.vote(quorum_id="deploy", voter_id="bob", vote=True)["state"] == "approved"
    assert q.quorum.status("deploy")["consensus"] is True
    assert q.call("quorum.wait", {"quorum_id": "deploy"})["state"] == "approved"


def test_whole_numbers_keep_every_digit_or_are_refused(q: quorate.Client) -> None:
    amounts = {"most": 2**64 - 1, "least": -(2**63), "odd": 2**53 + 1, "list": [10**18 + 1]}
    ask(q, subject=amounts)
    told = q.quorum.status("deploy")["subject"]
    assert told == amounts
    assert all(type(told[name]) is int for name in ("most", "least", "odd"))
    for beyond in (2**64, -(2**63) - 1, 10**30):
        with pytest.raises(quorate.InvalidArgument) as refused:
            ask(q, "other", subject={"to": [{"cents": beyond}]})
        assert refused.value.details["field"] == "subject.to[0].cents"
        assert str(beyond) in str(refused.value.details["value"])
    with pytest.raises(ValueError):
        ask(q, "other", subject=float("nan"))


def test_fractions_come_back_as_they_went(q: quorate.Client) -> None:
    numbers = [0.1, -1.5e18, 5e-324, 1 / 3, 123456.789]
    ask(q, subject=numbers)
    assert q.quorum.status("deploy")["subject"] == numbers


def test_a_null_is_a_payload_and_elsewhere_nothing(q: quorate.Client) -> None:
    ask(q, subject={"none": None}, rule=None, timeout_seconds=None)
    assert q.quorum.status("deploy")["subject"] == {"none": None}
    q.flow.open(flow_id="f", config={"max_buffer_size": 4})
    assert q.flow.offer("f", message=None, sender=None)["accepted"] is True
    assert q.flow.drain("f", count=None)["messages"][0]["message"] is None


def test_a_field_that_is_a_keyword_gets_another_end(q: quorate.Client) -> None:
    q.job.submit(job_id="j", class_="nightly")
    # None of the class has ended, so nothing is known of it, whichever way it is named.
    with pytest.raises(quorate.NotFound, match="class=nightly"):
        q.job.estimate("nightly")
    with pytest.raises(quorate.NotFound, match="class=nightly"):
        q.job.estimate(class_="nightly")


def test_what_no_operation_takes_is_a_mistake_of_the_program(q: quorate.Client) -> None:
    with pytest.raises(TypeError, match=r"quorum\.vote.*voter"):
        q.quorum.vote("deploy", voter="ann", vote=True)  # type: ignore[call-arg]
    with pytest.raises(quorate.UnknownOperation):
        q.call("quorum.no", {})


def test_names_of_any_kind_reach_their_entity(q: quorate.Client) -> None:
    ask(q, "a/b ä? &=%")
    assert q.quorum.status("a/b ä? &=%")["quorum_id"] == "a/b ä? &=%"


def test_a_closed_client_refuses(q: quorate.Client) -> None:
    q.close()
    q.close()
    with pytest.raises(quorate.StoreError, match="closed"):
        ask(q)


def test_an_identity_calls_by_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with quorate.open(tmp_path / "data") as owner:
        url = owner.serve()
        token = owner.identity.create(name="root", scopes=["admin"])["token"]
        with quorate.connect(url) as nobody, pytest.raises(quorate.NotAuthenticated):
            nobody.identity.list()
        with quorate.connect(url, token) as root:
            assert len(root.identity.list()["identities"]) == 1
        monkeypatch.setenv("QUORATE_TOKEN", str(token))
        with quorate.connect(url) as root:
            assert len(root.identity.list()["identities"]) == 1


def test_what_is_no_url_and_no_server_says_so() -> None:
    for url in ("127.0.0.1:7171", "https://127.0.0.1", "http://", "http://a b", "http://u@h", "http://h/x"):
        with pytest.raises(quorate.InvalidArgument):
            quorate.connect(url)
    with quorate.connect("http://127.0.0.1:1") as q, pytest.raises(quorate.NoAnswer, match="no answer"):
        q.consensus.request(proposal=1)


def test_a_folder_that_is_missing_is_made_only_if_wanted(tmp_path: Path) -> None:
    with pytest.raises(quorate.StoreMissing):
        quorate.open(tmp_path / "none", create=False)
    quorate.open(tmp_path / "none").close()
    quorate.open(tmp_path / "none", create=False).close()


def test_two_programs_share_a_folder_and_outlive_each_other(tmp_path: Path) -> None:
    first = quorate.open(tmp_path / "data")
    with quorate.open(tmp_path / "data") as second:
        ask(second)
        first.quorum.vote("deploy", voter_id="ann", vote=True)
        with pytest.raises(quorate.StoreLocked):
            second.serve()
        first.close()
        # Now the second opens it itself.
        assert second.quorum.vote("deploy", voter_id="bob", vote=True)["state"] == "approved"
        with quorate.connect(second.serve()) as third:
            assert third.quorum.status("deploy")["state"] == "approved"


def test_the_same_for_asyncio(tmp_path: Path) -> None:
    async def both() -> None:
        async with quorate.aio.open(tmp_path / "data") as here:
            there = quorate.aio.connect(await here.serve())
            await there.quorum.start(quorum_type="global", quorum_id="d", voters=["ann", "bob"])
            votes = [c.quorum.vote("d", voter_id=n, vote=True) for c, n in ((here, "ann"), (there, "bob"))]
            assert "approved" in [vote["state"] for vote in await asyncio.gather(*votes)]
            with pytest.raises(quorate.NotFound):
                await there.quorum.status("other")
            await there.close()
        again = await quorate.aio.open(tmp_path / "data")
        assert (await again.quorum.status("d"))["state"] == "approved"
        await again.close()

    asyncio.run(both())


FORKS = """
import os, quorate
with quorate.memory() as q:
    q.quorum.stats()
    child = os.fork()
    if child == 0:
        try:
            q.quorum.stats()
        except RuntimeError as error:
            with quorate.memory() as own:
                own.quorum.stats()
            os._exit(0 if "fork" in str(error) else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    q.quorum.stats()
"""


def test_after_a_fork_the_child_opens_its_own() -> None:
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKS], timeout=60, check=False)
    assert ended.returncode == 0


FORGETS = """
import sys, quorate
q = quorate.open(sys.argv[1])
q.quorum.start(quorum_type="global", quorum_id="d", voters=["ann", "bob"])
"""


def test_what_a_program_forgot_to_close_is_closed_when_it_ends(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORGETS, str(tmp_path / "data")], timeout=60, check=True)
    assert not (tmp_path / "data" / "quorate.sock").exists()
    with quorate.open(tmp_path / "data") as q:
        assert q.quorum.status("d")["state"] == "open"
