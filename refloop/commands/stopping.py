"""Ctrl-C and SIGTERM: the first one stops a command, which says what is kept; a second one ends it at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from refloop.errors import Exit

_AT_ONCE = b"\nrefloop: ended at once; the next run finds out what became of it\n"
_KEPT = "what was done is kept"
_HOW = {Exit.INTERRUPTED: "stopped by Ctrl-C", Exit.TERMINATED: "told to stop (SIGTERM)"}
_CODES = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


class Stopping:
    """Whether this process was told to stop, and what is to be said about it. One for the whole process, as signals
    are."""

    def __init__(self) -> None:
        self._code: Exit | None = None
        self._kept = _KEPT
        self._before: dict[signal.Signals, Any] = {}

    @property
    def stopped(self) -> bool:
        """Whether a signal has come."""
        return self._code is not None

    def listen(self) -> None:
        """Takes the signals over, for one command line. One that whoever started the process has it ignore (as a shell
        does with Ctrl-C for what runs in the background) stays ignored."""
        self._code, self._kept = None, _KEPT
        for number in _CODES:
            self._before[number] = signal.getsignal(number)
            if self._before[number] is not signal.SIG_IGN:
                signal.signal(number, self._stop)

    def leave(self) -> None:
        """Gives the signals back, unless the process is ending by one: what is still to be cleared away then may be
        ended at once."""
        if self._code is None:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        code = _CODES[signal.Signals(number)]
        if self._code is not None:
            os.write(2, _AT_ONCE)
            os._exit(code)
        self._code = code
        if code is Exit.INTERRUPTED:
            raise KeyboardInterrupt
        raise SystemExit(code)

    @contextmanager
    def kept(self, words: str) -> Iterator[None]:
        """Work of which, if it is stopped, these words say what is kept and what to do next."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            self._kept = words
            raise

    @contextmanager
    def left_to_another(self) -> Iterator[None]:
        """Ctrl-C is another program's meanwhile: a pager's, which stops a search with it."""
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def last_words(self, code: object) -> str | None:
        """What to say of a command that ended with this exit code; None where no signal was the cause."""
        if self._code is None or code != self._code:
            return None
        return f"refloop: {_HOW[self._code]}; {self._kept}"


stopping = Stopping()
