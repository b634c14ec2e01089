"""What could not be done is an exception of its kind; a no, a timeout and a question nobody could be asked are answers."""

from __future__ import annotations

import json
import pickle

import pytest

import quorate
from quorate import _native, errors


def test_every_kind_has_a_class_of_its_own() -> None:
    kinds = json.loads(_native.table())["kinds"]
    made = {type(errors.of({"kind": kind["name"], "message": "m"})) for kind in kinds}
    assert len(made) == len(kinds) and errors.Error not in made
    for kind in kinds:
        error = errors.of({"kind": kind["name"], "message": "m", "x": 1})
        assert (error.kind, error.message, error.details) == (kind["name"], "m", {"x": 1})
        assert error.retryable == kind["retry"]
        assert getattr(quorate, type(error).__name__) is type(error)
        assert type(error).__doc__


def test_a_kind_of_a_later_version_is_an_error_that_says_so() -> None:
    error = errors.of({"kind": "later", "message": "m"})
    assert type(error) is quorate.Error and error.kind == "later"


def test_an_exception_survives_the_way_to_another_process() -> None:
    error = errors.of({"kind": "not_found", "message": "m", "field": "job_id"})
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is quorate.NotFound
    assert (copy.kind, copy.message, copy.details) == (error.kind, error.message, error.details)


def test_what_is_not_there_or_does_not_fit_is_raised(q: quorate.Client) -> None:
    with pytest.raises(quorate.NotFound):
        q.quorum.status("none")
    q.quorum.start(quorum_type="global", quorum_id="d", voters=["ann", "bob"])
    with pytest.raises(quorate.AlreadyExists):
        q.quorum.start(quorum_type="global", quorum_id="d", voters=["ann", "bob"])
    with pytest.raises(quorate.InvalidArgument) as refused:
        q.quorum.start(quorum_type="global", voters=["ann"], timeout_seconds=-1)
    assert refused.value.details["field"] == "timeout_seconds"
    with pytest.raises(quorate.NotEligible):
        q.quorum.start(quorum_type="global", quorum_id="e", voters=["ann"], outsiders="refuse")
        q.quorum.vote("e", voter_id="eve", vote=True)


def test_no_timeout_and_nobody_to_ask_are_answers_and_three_different_ones(q: quorate.Client) -> None:
    aborted = q.consensus.request(proposal={"deploy": 7})
    assert aborted["state"] == "aborted"
    for name in ("ann", "bob"):
        q.agent.register(agent_id=name)
    late = q.consensus.request(proposal={"deploy": 7}, timeout_ms=100)
    assert late["state"] == "timeout"
    asked = q.consensus.request(proposal={"deploy": 8}, wait=False)
    # One of two against: more than half cannot be for it any more.
    q.consensus.vote(asked["proposal_id"], agent_id="ann", vote="against")
    assert q.consensus.result(asked["proposal_id"])["state"] == "rejected"


def test_what_was_asked_for_and_not_done_is_an_answer_too(q: quorate.Client) -> None:
    assert q.capacity.release("a", capacity=0.5)["status"] == "nothing_to_release"
