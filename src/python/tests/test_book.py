"""The programs of the README and of the page on Python run as they stand there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = ["README.md", "src/docs/python.md"]


def programs() -> list[tuple[str, str]]:
    shown = []
    for page in PAGES:
        for n, block in enumerate((ROOT / page).read_text().split("```python\n")[1:]):
            shown.append((f"{page}-{n}", block.split("```\n")[0]))
    return shown


@pytest.mark.parametrize(("place", "program"), programs(), ids=lambda value: value[:30])
def test_a_shown_program_runs(place: str, program: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, f"{place}\n{ran.stderr}"


def test_every_page_shows_a_program() -> None:
    assert {place.rsplit("-", 1)[0] for place, _ in programs()} == set(PAGES)
