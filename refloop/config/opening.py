"""Finding and opening files that a person named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from refloop.errors import ConfigError


def at_home(path: Path) -> Path:
    """`path` with a leading `~` expanded. Raises ConfigError where there is no home."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigError(f"cannot tell which folder {path.parts[0]} is", remedy="Write the whole path.") from None


@contextmanager
def opened(path: Path, flags: int = 0) -> Iterator[int]:
    """A descriptor for reading `path`. Raises OSError; never waits for the writer of a named pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_up_to(descriptor: int, limit: int) -> bytes:
    """At most `limit` bytes of a regular file."""
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        return file.read(limit)
