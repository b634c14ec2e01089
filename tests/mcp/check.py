"""What the official Python SDK sees of the MCP door: `check.py PATH_OF_QUORATE`.

Every check prints one line. A server that is killed in the middle of a task, and a new session after it, must give the answer
that the one before would have given.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from typing import Any, Literal

import jsonschema
from mcp import Client, StdioServerParameters
from mcp.client.extension import ClientExtension, ResultClaim
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict, Field

QUORATE = os.path.abspath(sys.argv[1])
TASKS = "io.modelcontextprotocol/tasks"
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("QUORATE_")}


class TaskParams(RequestParams):
    task_id: str = Field(alias="taskId")


class GetTask(Request[TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    name_param = "taskId"


class CancelTask(Request[TaskParams, Literal["tasks/cancel"]]):
    method: Literal["tasks/cancel"] = "tasks/cancel"
    name_param = "taskId"


class Told(Result):
    """Any result, as it came."""

    model_config = ConfigDict(extra="allow")


class Created(Result):
    """A task instead of a result."""

    result_type: Literal["task"] = Field(alias="resultType")
    task_id: str = Field(alias="taskId")
    status: str
    created_at: str = Field(alias="createdAt")
    poll_interval_ms: int = Field(alias="pollIntervalMs")


class TaskExtension(ClientExtension):
    """A client that knows tasks. It polls until the task is over."""

    identifier = TASKS

    def claims(self):
        return [ResultClaim(result_type="task", model=Created, resolve=self.resolve)]

    async def resolve(self, created, context):
        while True:
            task = await get_task(context.session, created.task_id)
            if task["status"] != "working":
                return CallToolResult.model_validate(task["result"])
            await asyncio.sleep(created.poll_interval_ms / 1000)


async def get_task(session, task_id) -> dict[str, Any]:
    request = GetTask(params=TaskParams(taskId=task_id))
    told = await session.send_request(request, Told)
    return told.model_dump(by_alias=True, exclude_none=True)


async def cancel_task(session, task_id):
    await session.send_request(CancelTask(params=TaskParams(taskId=task_id)), Told)


async def begin_task(client, tool, arguments) -> Created:
    created = await client.session.call_tool(tool, arguments, allow_claimed=True)
    assert isinstance(created, Created), created
    return created


def stdio(folder, *args, pid=None, **env):
    """A server on stdin and stdout; its process number is written into a file, so that it can be killed."""
    command = [QUORATE, "mcp", *(["--data", folder] if folder else []), *args]
    if pid:
        command = ["/bin/sh", "-c", 'echo $$ > "$0"; exec "$@"', pid, *command]
    return StdioServerParameters(command=command[0], args=command[1:], env={**ENVIRONMENT, **env})


@asynccontextmanager
async def tasks(server):
    async with Client(server, extensions=[TaskExtension()]) as client:
        yield client


def quorate(*args):
    ran = subprocess.run([QUORATE, *args, "--json"], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    return json.loads(ran.stdout)


class Served:
    """`quorate serve` on a folder. It is always at the same address."""

    def __init__(self, folder, listen="127.0.0.1:0"):
        self.process = subprocess.Popen(
            [QUORATE, "serve", "--data", folder, "--listen", listen],
            stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.url = self.process.stdout.readline().removeprefix("listening on ").strip()
        assert self.url.startswith("http://"), self.url

    @property
    def listen(self):
        return self.url.removeprefix("http://")

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait()


def at(url, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else None
    return streamable_http_client(url + "/mcp", http_client=create_mcp_http_client(headers=headers))


def error_of(result):
    assert result.is_error, result
    assert result.content[-1].text.startswith("Next: "), result.content
    return result.structured_content["error"]


REPLIES = {op["name"].replace(".", "_"): op["reply"] for op in quorate("ops")["operations"]}


async def ok(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, (tool, result)
    assert json.loads(result.content[0].text) == result.structured_content
    jsonschema.validate(result.structured_content, REPLIES[tool])
    return result.structured_content


async def tools_are_listed(folder):
    async with Client(stdio(folder)) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert 15 <= len(listed) <= 24, sorted(listed)
        assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", name) for name in listed)
        assert listed["quorum_status"].annotations.read_only_hint
        assert listed["quorum_cancel"].annotations.destructive_hint
        assert not listed["quorum_start"].annotations.destructive_hint
        assert listed["quorum_vote"].input_schema["required"] == ["quorum_id", "voter_id", "vote"]
        assert "record" in client.instructions
    async with Client(stdio(folder, "--tools", "quorum,job")) as client:
        nouns = {tool.name.split("_")[0] for tool in (await client.list_tools()).tools}
        assert nouns == {"quorum", "job"}, nouns
        try:
            await client.call_tool("agent_list", {})
        except MCPError as error:
            assert "agent_list" in str(error)
        else:
            raise AssertionError("a tool that is not shown was called")
    async with Client(stdio(folder, "--tools", "all"), mode="legacy") as client:
        total = len((await client.list_tools()).tools)
        operations = len(quorate("ops")["operations"])
        assert total == operations, (total, operations)
    ran = subprocess.run([QUORATE, "mcp", "--data", folder, "--tools", "x"], capture_output=True, env=ENVIRONMENT)
    assert ran.returncode == 2, ran


async def a_decision_is_made_and_errors_say_what_to_do(folder):
    async with Client(stdio(folder)) as client:
        for agent in ("ann", "bob"):
            await ok(client, "agent_register", agent_id=agent)
        put = await ok(client, "consensus_request", proposal={"deploy": "1.2"}, timeout_ms=60_000, wait=False)
        assert put["state"] == "open", put
        voting = {"proposal_id": put["proposal_id"], "vote": "for"}
        for agent in ("ann", "bob"):
            await ok(client, "consensus_vote", agent_id=agent, **voting)
        result = await ok(client, "consensus_result", proposal_id=put["proposal_id"])
        assert result["state"] == "approved", result
        missing = error_of(await client.call_tool("quorum_status", {"quorum_id": "none"}))
        assert missing["kind"] == "not_found", missing
        wrong = error_of(await client.call_tool("quorum_vote", {"quorum_id": "q", "vote": "maybe"}))
        assert wrong["kind"] == "invalid_argument" and wrong["field"], wrong
        nothing = await client.call_tool("capacity_release", {"cell_id": "c", "token_id": "none"})
        assert nothing.is_error and error_of(nothing)["kind"], nothing


async def a_wait_is_bounded_and_tells_its_progress(folder):
    async with Client(stdio(folder)) as client:
        await ok(client, "quorum_start", quorum_type="global", quorum_id="slow", voters=["ann", "bob"],
                 required_votes=2, timeout_seconds=300)
        told = []

        async def progress(done, total, message):
            told.append((done, total, message))

        wait = {"quorum_id": "slow", "timeout_ms": 2_500}
        result = await client.call_tool("quorum_wait", wait, progress_callback=progress)
        assert not result.is_error and result.structured_content["state"] == "open", result
        assert "Next: call quorum_wait" in result.content[-1].text, result.content
        assert len(told) >= 2 and told[0][1] == 2.5 and "0 of 2" in told[0][2], told
        await ok(client, "quorum_vote", quorum_id="slow", voter_id="ann", vote=True)
        waiting = asyncio.create_task(client.call_tool("quorum_wait", {"quorum_id": "slow", "timeout_ms": 40_000}))
        await ok(client, "quorum_vote", quorum_id="slow", voter_id="bob", vote=True)
        assert (await waiting).structured_content["state"] == "approved"


async def resources_are_read(folder):
    async with Client(stdio(folder)) as client:
        await ok(client, "quorum_start", quorum_type="global", quorum_id="a/b ä", voters=["ann"], required_votes=1)
        templates = {t.uri_template for t in (await client.list_resource_templates()).resource_templates}
        assert templates == {"quorate://history/{entity}{?kind}", "quorate://state/{entity}{?kind}"}, templates
        read = (await client.read_resource("quorate://state/a%2Fb%20%C3%A4")).contents[0]
        assert json.loads(read.text)["state"] == "open", read
        read = (await client.read_resource("quorate://history/a%2Fb%20%C3%A4?kind=quorum")).contents[0]
        assert json.loads(read.text)["revision"] >= 1, read
        uris = [str(resource.uri) for resource in (await client.list_resources()).resources]
        assert "quorate://state/ann?kind=agent" in uris, uris
        for uri in uris:
            await client.read_resource(uri)
        for uri in ("quorate://state/none", "quorate://other/q"):
            try:
                await client.read_resource(uri)
            except MCPError:
                continue
            raise AssertionError(uri)


async def a_task_outlives_kill_9(folder):
    """The same answer before the kill, in the session after it, and in the one after that."""
    pid = os.path.join(folder, "..", "pid")
    task_id = None
    try:
        async with tasks(stdio(folder, pid=pid)) as client:
            created = await begin_task(client, "consensus_request", {"proposal": {"deploy": "2.0"}, "timeout_ms": 200_000})
            task_id = created.task_id
            assert (await get_task(client.session, task_id))["status"] == "working"
            await ok(client, "consensus_vote", proposal_id=task_id.split(":", 1)[1], agent_id="ann", vote="for")
            with open(pid) as file:
                os.kill(int(file.read()), signal.SIGKILL)
    except (Exception, BaseExceptionGroup) as error:
        assert task_id, error
    async with tasks(stdio(folder)) as client:
        again = await get_task(client.session, task_id)
        assert again["status"] == "working" and "1 have voted" in again["statusMessage"], again
        assert again["createdAt"] == created.created_at, again
        await ok(client, "consensus_vote", proposal_id=task_id.split(":", 1)[1], agent_id="bob", vote="for")
        done = await get_task(client.session, task_id)
        assert done["status"] == "completed", done
        assert done["result"]["structuredContent"]["state"] == "approved", done
    try:
        async with tasks(stdio(folder, pid=pid)) as client:
            assert await get_task(client.session, task_id) == done
            with open(pid) as file:
                os.kill(int(file.read()), signal.SIGKILL)
    except (Exception, BaseExceptionGroup):
        pass
    async with tasks(stdio(folder)) as client:
        assert await get_task(client.session, task_id) == done
        result = await ok(client, "consensus_result", proposal_id=task_id.split(":", 1)[1])
        assert result == done["result"]["structuredContent"], result


async def a_need_is_a_task_and_outlives_kill_9(folder):
    """Capacity that is granted later, one need that is given up, and one that nobody knows."""
    pid = os.path.join(folder, "..", "pid")
    async with tasks(stdio(folder, "--tools", "all")) as client:
        await ok(client, "capacity_configure", cell_id="eu:1", totals={"capacity": 1})
        held = await ok(client, "capacity_request", cell_id="eu:1", requested_capacity=1, lease_seconds=600)
    wanted = {"cell_id": "eu:1", "requested_capacity": 1, "timeout_seconds": 600, "wait": True}
    created = given_up = None
    try:
        async with tasks(stdio(folder, pid=pid)) as client:
            created = await begin_task(client, "capacity_request", {**wanted, "need_id": "n:1"})
            given_up = await begin_task(client, "capacity_request", {**wanted, "need_id": "n:2"})
            assert created.task_id == "capacity:eu%3A1:n:1", created
            await cancel_task(client.session, given_up.task_id)
            with open(pid) as file:
                os.kill(int(file.read()), signal.SIGKILL)
    except (Exception, BaseExceptionGroup) as error:
        assert created and given_up, error
    async with tasks(stdio(folder, "--tools", "all")) as client:
        again = await get_task(client.session, created.task_id)
        assert again["status"] == "working", again
        assert (await get_task(client.session, given_up.task_id))["status"] == "cancelled"
        await ok(client, "capacity_release", cell_id="eu:1", token_id=held["token_id"])
        done = await get_task(client.session, created.task_id)
        assert done["status"] == "completed", done
        assert done["result"]["structuredContent"]["status"] == "granted", done
        try:
            await get_task(client.session, "capacity:eu%3A1:nobody")
            raise AssertionError("a need that nobody knows has no task")
        except MCPError as error:
            assert "no task has this id" in str(error), error


async def a_task_is_waited_for_and_cancelled(folder):
    async with tasks(stdio(folder)) as client:
        for name in ("kept", "dropped"):
            await ok(client, "quorum_start", quorum_type="global", quorum_id=name, voters=["ann"], required_votes=1)
        waiting = asyncio.create_task(client.call_tool("quorum_wait", {"quorum_id": "kept"}))
        await asyncio.sleep(0.2)
        await ok(client, "quorum_vote", quorum_id="kept", voter_id="ann", vote=True)
        assert (await waiting).structured_content["state"] == "approved"
        created = await begin_task(client, "quorum_wait", {"quorum_id": "dropped"})
        assert created.task_id == "quorum:dropped", created
        await cancel_task(client.session, created.task_id)
        assert (await get_task(client.session, created.task_id))["status"] == "cancelled"
        await cancel_task(client.session, "quorum:kept")
        assert (await get_task(client.session, "quorum:kept"))["status"] == "completed"
        assert (await ok(client, "quorum_status", quorum_id="dropped"))["state"] == "cancelled"
        for unknown in ("quorum:none", "nothing", "cell:x"):
            try:
                await get_task(client.session, unknown)
            except MCPError as error:
                assert "no task has this id" in str(error), error
                continue
            raise AssertionError(unknown)


async def two_sessions_share_a_folder(folder):
    """The second asks the first; when the first has left, it goes on by itself."""
    async with Client(stdio(folder)) as second_later:
        async with Client(stdio(folder)) as other:
            await ok(other, "quorum_start", quorum_type="global", quorum_id="shared", voters=["ann"], required_votes=1)
            status = await ok(second_later, "quorum_status", quorum_id="shared")
            assert status["state"] == "open", status
    async with Client(stdio(folder)) as first, Client(stdio(folder)) as second:
        assert (await ok(second, "quorum_status", quorum_id="shared"))["state"] == "open"
        assert (await ok(first, "quorum_status", quorum_id="shared"))["state"] == "open"


async def a_server_has_the_same_door(folder):
    served = Served(folder)
    try:
        names = []
        for server in (at(served.url), stdio(None, "--url", served.url), stdio(folder)):
            async with Client(server) as client:
                names.append(sorted(tool.name for tool in (await client.list_tools()).tools))
        assert names[0] == names[1] == names[2], names
        async with Client(at(served.url), mode="legacy") as client:
            assert (await ok(client, "quorum_status", quorum_id="shared"))["state"] == "open"
            told = []

            async def progress(done, total, message):
                told.append(message)

            result = await client.call_tool(
                "quorum_wait", {"quorum_id": "shared", "timeout_ms": 1_500}, progress_callback=progress)
            assert result.structured_content["state"] == "open" and told, (result, told)
        async with tasks(at(served.url)) as client:
            created = await begin_task(client, "quorum_wait", {"quorum_id": "shared"})
            served.stop(signal.SIGKILL)
        served = Served(folder, served.listen)
        async with tasks(at(served.url)) as client:
            task = await get_task(client.session, created.task_id)
            assert task["status"] == "working" and task["createdAt"] == created.created_at, task
            await ok(client, "quorum_vote", quorum_id="shared", voter_id="ann", vote=True)
            done = await get_task(client.session, created.task_id)
            assert done["status"] == "completed", done
        served.stop(signal.SIGKILL)
        served = Served(folder, served.listen)
        async with tasks(at(served.url)) as client:
            assert await get_task(client.session, created.task_id) == done
        async with tasks(stdio(folder)) as client:
            assert await get_task(client.session, created.task_id) == done
    finally:
        served.stop()


async def the_identity_limits_the_tools(folder):
    quorate("identity", "create", "--name", "root", "--scopes", "admin", "--data", folder)
    made = quorate("identity", "create", "--name", "agent-7", "--scopes", "quorum.vote,quorum.wait,overview.inbox",
                   "--data", folder)
    token = made["token"]
    shown = {"quorum_vote", "quorum_wait", "overview_inbox"}
    served = Served(folder)
    try:
        for server in (
            at(served.url, token),
            stdio(None, "--url", served.url, QUORATE_TOKEN=token),
            stdio(folder, QUORATE_TOKEN=token),
        ):
            async with Client(server) as client:
                assert {tool.name for tool in (await client.list_tools()).tools} == shown
                refused = error_of(await client.call_tool("quorum_cancel", {"quorum_id": "shared"}))
                assert refused["kind"] == "not_authorized", refused
        try:
            async with Client(at(served.url)) as client:
                await client.list_tools()
        except (Exception, BaseExceptionGroup):
            pass
        else:
            raise AssertionError("whoever is not known saw the tools")
    finally:
        served.stop()
    async with Client(stdio(folder, QUORATE_TOKEN=token)) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == shown
    async with Client(stdio(folder)) as client:
        assert len((await client.list_tools()).tools) >= 15


async def main():
    with tempfile.TemporaryDirectory() as place:
        folder = os.path.join(place, "data")
        for check in (
            tools_are_listed,
            a_decision_is_made_and_errors_say_what_to_do,
            a_wait_is_bounded_and_tells_its_progress,
            resources_are_read,
            a_task_outlives_kill_9,
            a_need_is_a_task_and_outlives_kill_9,
            a_task_is_waited_for_and_cancelled,
            two_sessions_share_a_folder,
            a_server_has_the_same_door,
            the_identity_limits_the_tools,
        ):
            await asyncio.wait_for(check(folder), 120)
            print(f"python sdk: {check.__name__.replace('_', ' ')}", flush=True)


asyncio.run(main())
