"""Standard output and standard error whose reader may go away: `refloop codes list | head`.

A command goes on to its end all the same, for what it does besides printing must not depend on who reads, and its
exit code says how that ended. What only prints asks `is_read` and stops.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class _Patient:
    """A stream as it was, but that what nobody reads any more is dropped instead of raising BrokenPipeError."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_read = True

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._drop()

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def _drop(self) -> None:
        """From now on the stream leads nowhere: also what its buffer holds still, and is written when it is closed."""
        self.is_read = False
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def patient() -> Iterator[None]:
    """Both streams outlive their readers while the block runs."""
    before = sys.stdout, sys.stderr
    ours = [stream and _Patient(stream) for stream in before]  # None: it was closed before refloop began
    sys.stdout, sys.stderr = (cast("TextIO", stream) for stream in ours)
    try:
        yield
    finally:
        if sys.stdout is ours[0]:
            sys.stdout = before[0]
        if sys.stderr is ours[1]:
            sys.stderr = before[1]


def is_read() -> bool:
    """Whether somebody may still read what is printed."""
    return not isinstance(sys.stdout, _Patient) or sys.stdout.is_read
