"""A terminal of its own for a command line, as wide as one likes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping

_SEQUENCE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def on_terminal(*words: str, width: int = 200, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Runs a command line on a terminal of its own; gives its exit code and what stood on the screen."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    left_out = ("NO_COLOR", "PAGER", "LESS", "COLUMNS")
    known = {name: value for name, value in os.environ.items() if name not in left_out}
    process = subprocess.Popen(
        words,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**known, "TERM": "xterm", **(environment or {})},
    )
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:  # Linux's word for the end of a terminal
        pass
    os.close(ours)
    return process.wait(), seen.decode().replace("\r\n", "\n")


def without_colours(seen: str) -> str:
    """What stood on the screen, without the sequences that paint it."""
    return _SEQUENCE.sub("", seen)
