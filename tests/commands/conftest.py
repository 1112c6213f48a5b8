"""The commands, each over the same two local CRMs as the command line as a whole."""

from __future__ import annotations

from tests.cli.conftest import office, quick, refloop

__all__ = ["office", "quick", "refloop"]
