"""A type checker accepts the package and its examples, and finds mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
ROOT = Path(__file__).parents[3]


def mypy(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_examples_are_typed() -> None:
    checked = mypy(*(ROOT / "examples/python" / name for name in ("approval_gate.py", "shared_quota.py")))
    assert checked.returncode == 0, checked.stdout


def test_the_package_itself_is_typed() -> None:
    checked = mypy("-p", "quorate")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    "line",
    [
        'q.quorum.start(quorum_type="globul")',
        'q.quorum.vote("d", voter_id="ann")',
        'q.quorum.vote("d", voter_id="ann", vote=True, wait=1)',
        'q.quorum.status("d")["stat"]',
        "q.quorm",
        "q.capacity.hold()",
    ],
)
def test_a_mistake_is_found(tmp_path: Path, line: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"import quorate\n\nq = quorate.memory()\n{line}\n")
    assert "program.py:4: error" in mypy(program).stdout
