"""What a start loads: a machine that only syncs needs nothing of the local CRMs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ONLY_FOR_LOCAL_CRMS = ("lark", "starlette", "uvicorn")


def test_a_start_loads_nothing_of_the_local_crms() -> None:
    program = "import sys, refloop.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "refloop.commands.demo" in loaded
    assert [name for name in loaded if "sandbox" in name or name.partition(".")[0] in ONLY_FOR_LOCAL_CRMS] == []
