"""How long a test waits for what must come: so long that only what never comes is given up."""

from __future__ import annotations

PATIENCE = 600.0
"""Seconds. Within `timeout` of pyproject.toml, so that the test itself can say what did not come."""
