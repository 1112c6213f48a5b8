"""What refloop does, for machines: one JSON object a line.

    {"time": "2026-03-12T12:00:00.000Z", "level": "info", "event": "page kept", "run": 17, "connection": "sf", ...}

Fields are names, ids and numbers: never a body, a header, what an address asks for, or a record's values. What other
libraries log, and exceptions, are told by their form alone (`frames_of`): their words quote what they worked on.
Nothing is logged before `start`.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import Any

from refloop.errors import DiskError
from refloop.redaction import redacted

_OURS = logging.getLogger("refloop")
_RUN: ContextVar[int | None] = ContextVar("run", default=None)
_LONGEST_FIELD = 2_000
_MOST_FRAMES = 20


class Level(StrEnum):
    """How much is logged; each level holds those before it."""

    ERROR = "error"  # refloop could not do what it was told to
    WARNING = "warning"  # a person has to look: trouble with a connection, a change that was refused
    INFO = "info"  # runs, pages, batches, waits
    DEBUG = "debug"  # each call to a CRM


def start(level: Level | None, file: Path | None) -> None:
    """Begins to log into `file` (private, appended to), else to standard error; with neither, does not log.

    `level` is info where it is not given. Raises DiskError when the file cannot be written, is no regular file, or
    belongs to somebody else.
    """
    stop()
    _failed.clear()
    if level is None and file is None:
        logging.getLogger().addHandler(_NOWHERE)  # else Python prints other libraries' warnings by itself
        return
    stream = sys.stderr if file is None else os.fdopen(_opened(file), "a", encoding="ascii")
    logging.getLogger().addHandler(_Handler(stream))
    _OURS.setLevel((level or Level.INFO).upper())


def stop() -> None:
    """Ends what `start` began. Safe to repeat."""
    root = logging.getLogger()
    for handler in [*root.handlers]:
        if isinstance(handler, _Handler):
            root.removeHandler(handler)
            handler.close()
    root.removeHandler(_NOWHERE)
    _OURS.setLevel(logging.CRITICAL)
    _RUN.set(None)


def begin_run(run: int) -> None:
    """Events are of this run from here on."""
    _RUN.set(run)


def end_run() -> None:
    """Events are of no run any more."""
    _RUN.set(None)


def error(event: str, **fields: object) -> None:
    _log(logging.ERROR, event, fields)


def warning(event: str, **fields: object) -> None:
    _log(logging.WARNING, event, fields)


def info(event: str, **fields: object) -> None:
    _log(logging.INFO, event, fields)


def debug(event: str, **fields: object) -> None:
    _log(logging.DEBUG, event, fields)


def _log(level: int, event: str, fields: dict[str, object]) -> None:
    if _OURS.isEnabledFor(level):
        _OURS.log(level, event, extra={"fields": {"run": _RUN.get(), **fields}})


def frames_of(error: BaseException) -> list[str]:
    """Where an exception comes from, the innermost last: types and places. No message: it quotes what it is about."""
    lines: list[str] = []
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        frames = [
            f"{frame.f_globals.get('__name__', '?')}:{line} in {frame.f_code.co_name}"
            for frame, line in traceback.walk_tb(cause.__traceback__)
        ]
        lines[:0] = [*frames[-_MOST_FRAMES:], type(cause).__qualname__]
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return lines


class JsonLines(logging.Formatter):
    """One line a record, ASCII alone, so that nothing in it can act on a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": at.replace("+00:00", "Z"), "level": record.levelname.lower()}
        line |= _own(record) if record.name == _OURS.name else _foreign(record)
        if record.exc_info and record.exc_info[1]:
            line["frames"] = frames_of(record.exc_info[1])
        return json.dumps({name: _inert(value) for name, value in line.items()})


def _own(record: logging.LogRecord) -> dict[str, Any]:
    return {"event": record.msg, **getattr(record, "fields", {})}


def _foreign(record: logging.LogRecord) -> dict[str, Any]:
    told = {"event": "library", "run": _RUN.get(), "logger": record.name, "place": f"{record.module}:{record.lineno}"}
    return {**told, "message": str(record.msg)} if record.args else told


def _inert(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_inert(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _inert(one) for name, one in value.items()}
    if value is None or isinstance(value, bool | int | float):
        return value
    return redacted(str(value))[:_LONGEST_FIELD]


_failed = Event()  # said across threads


def has_failed() -> bool:
    """Whether a line of the log could not be written."""
    return _failed.is_set()


class _Handler(logging.StreamHandler[Any]):
    """Writes lines as they come. A log that cannot be written is said once, and does not end the work; the command ends
    with its exit code (`has_failed`)."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.setFormatter(JsonLines())
        self._failed = False

    def filter(self, record: logging.LogRecord) -> bool:
        """What others log below a warning tells addresses and bodies."""
        return record.name == _OURS.name or record.levelno >= logging.WARNING

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the base class's; it prints the record
        if not self._failed:
            self._failed = True
            _failed.set()
            print("refloop: the log cannot be written; the work goes on", file=sys.stderr)  # noqa: T201 - the last resort

    def close(self) -> None:
        try:
            if self.stream is not sys.stderr and not self.stream.closed:
                self.stream.close()
        except OSError:
            pass  # a full disk; it was said
        finally:
            super().close()


_NOWHERE = logging.NullHandler()
_OURS.setLevel(logging.CRITICAL)


def _opened(file: Path) -> int:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            return descriptor
        os.close(descriptor)
        reason = "it is no regular file of yours"
    except OSError as failure:
        reason = failure.strerror or "not a path"
    raise DiskError(f"cannot write the log {file}: {reason}", remedy="Name another file with --log.")
