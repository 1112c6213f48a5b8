"""A machine that only syncs has no local CRMs."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("missing", "command"), [("refloop_sandbox", "demo"), ("starlette", "sandbox")])
def test_it_is_told_what_to_install(missing: str, command: str) -> None:
    start = f"import sys; sys.modules[{missing!r}] = None; from refloop.cli import main; main()"
    answer = subprocess.run([sys.executable, "-c", start, command], capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert answer.stderr == 'refloop: the local CRMs are not installed: pip install "refloop[sandbox]"\n'
