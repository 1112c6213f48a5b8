"""The tree of all commands, built once. A process of refloop builds it for the one command that it runs."""

from __future__ import annotations

from functools import cache

import typer.main


def build_once() -> None:
    """From now on, commands that run in this process share one tree; to build it costs more than many of them."""
    setattr(typer.main, "get_command", cache(typer.main.get_command))  # noqa: B010 - of this process alone
