"""The doors a program has, and programs that can be killed."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import quorate

DOORS = ["memory", "folder", "owner", "server"]


@pytest.fixture(params=DOORS)
def q(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[quorate.Client]:
    """The same client by every way there is: in memory, on a folder, through its owner, at a server."""
    door = request.param
    if door == "memory":
        with quorate.memory() as client:
            yield client
        return
    with quorate.open(tmp_path / "data") as owner:
        if door == "folder":
            yield owner
        elif door == "server":
            with quorate.connect(owner.serve()) as client:
                yield client
        else:
            with quorate.open(tmp_path / "data") as client:
                yield client


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Program:
    """Another Python program, told what to do on its command line; it says a line when it is so far."""

    def __init__(self, code: str, *arguments: object) -> None:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def said(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            assert self.process.stderr is not None
            raise AssertionError(f"it said nothing: {self.process.stderr.read()}")
        return line.strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def program() -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def start(code: str, *arguments: object) -> Program:
        started.append(Program(code, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.kill()
