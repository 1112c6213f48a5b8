"""What holds for all tests: how Hypothesis judges, and what is made once."""

from __future__ import annotations

from tests.command_tree import build_once

build_once()
