"""What tests ask of the pages of a pull."""

from __future__ import annotations

from collections.abc import Sequence

from refloop.model import Cursor, Page


def last_cursor(pages: Sequence[Page]) -> Cursor:
    cursor = pages[-1].cursor
    assert cursor
    return cursor
