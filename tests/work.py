"""Work as a number that is the same on every machine: calls made, and patterns that may go back without end."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

_parser: Any = importlib.import_module("re._parser")  # no public name: what a pattern is made of


def calls_of(act: Callable[[], object]) -> int:
    """How many functions, of Python or of C, this thread calls in `act`."""
    count = 0

    def called(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count


def goes_back(pattern: re.Pattern[str]) -> list[str]:
    """The repeats without end after which a pattern can still fail: searching may take quadratic time in these."""
    return [str(found) for found in _open_repeats(_parser.parse(pattern.pattern, pattern.flags), fails=False)]


def _open_repeats(items: Sequence[tuple[Any, Any]], *, fails: bool) -> Iterator[Any]:
    """`fails`: what comes after these items can fail."""
    for at, (kind, value) in enumerate(items):
        after = fails or any(_can_fail(*item) for item in items[at + 1 :])
        if kind in (_parser.MAX_REPEAT, _parser.MIN_REPEAT):
            if after and value[1] is _parser.MAXREPEAT:
                yield value[2]
            yield from _open_repeats(value[2], fails=after)
        elif kind is _parser.SUBPATTERN:
            yield from _open_repeats(value[-1], fails=after)
        elif kind is _parser.BRANCH:
            for branch in value[1]:
                yield from _open_repeats(branch, fails=after)
        elif kind in (_parser.ASSERT, _parser.ASSERT_NOT):
            yield from _open_repeats(value[1], fails=after)


def _can_fail(kind: Any, value: Any) -> bool:
    if kind in (_parser.MAX_REPEAT, _parser.MIN_REPEAT):
        return bool(value[0] > 0)
    if kind is _parser.SUBPATTERN:
        return any(_can_fail(*item) for item in value[-1])
    return True
