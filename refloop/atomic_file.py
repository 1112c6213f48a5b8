"""Putting a file in place in one step: it is there whole, or what was there before still is."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[TextIO]:
    """A file of UTF-8 text that takes the place of `path`, with `mode`, when the block ended well. Raises OSError."""
    handle, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600, never an old file
    beside = Path(made)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def is_regular(path: Path) -> bool:
    """Whether a regular file stands there, or nothing yet: no link, folder, pipe or device. Raises OSError."""
    return not os.path.lexists(path) or stat.S_ISREG(path.lstat().st_mode)


def sync_folder(folder: Path) -> None:
    """So that a new name in it outlasts a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
