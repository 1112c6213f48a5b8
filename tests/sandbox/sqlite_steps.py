"""Work as SQLite counts it: the same on every machine, however busy."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable


def steps_of(connection: sqlite3.Connection, act: Callable[[], object]) -> int:
    """How many hundreds of SQLite's own instructions `act` takes."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    connection.set_progress_handler(count, 100)
    try:
        act()
    finally:
        connection.set_progress_handler(None, 0)
    return counted
