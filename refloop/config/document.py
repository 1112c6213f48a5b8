"""YAML text -> plain data, with the line of every key. Inert: no anchors, aliases, tags or merges.

Plain scalars mean what they mean in JSON (`true`, `null`, `50`, `0.5`; `~` and nothing are null); all else is
text. So `NO`, `0123` and `12:30` stay what was written. Faults are values: all of them are found in one go.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import yaml

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # PyYAML without libyaml: the same language, slower
    from yaml import SafeLoader as Loader  # type: ignore[assignment]  # the two are used alike

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50
MAX_EVENTS = 10_000

Key = tuple[str | int, ...]
Data = None | bool | int | float | str | list["Data"] | dict[str, "Data"]

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_QUOTED = re.compile(r"(['\"])[^'\"]{2,}\1")


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake: at which line, under which key, what is wrong and what to do."""

    line: int
    key: Key
    message: str


@dataclass(slots=True)
class Document:
    """What a text says. `lines` gives the line of each key; `refused` are the keys whose value was not read.

    `whole` is False when reading stopped midway: then `data` is not to be judged.
    """

    data: Data = None
    lines: dict[Key, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    refused: set[Key] = field(default_factory=set)
    whole: bool = True

    def line(self, key: Key) -> int:
        """The line of `key`, or of the nearest key around it that was written."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)


def read_document(content: bytes) -> Document:
    """Reads UTF-8 YAML of at most `MAX_BYTES`, `MAX_DEPTH` levels and `MAX_EVENTS` keys, values and brackets.

    Never raises: what is wrong is in the document's `faults`.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _unreadable(content.count(b"\n", 0, error.start) + 1, "is not UTF-8; save it as UTF-8")
    if len(content) > MAX_BYTES:
        return _unreadable(1, "is larger than 1 MiB; a configuration is a few kilobytes")
    if found := _FORBIDDEN.search(text):
        line = text.count("\n", 0, found.start()) + 1
        return _unreadable(line, "holds a control character; remove it")
    return _Reader(text).read()


def _unreadable(line: int, message: str) -> Document:
    return Document(faults=[Fault(line, (), message)], whole=False)


class _Stop(Exception):  # noqa: N818 - not an error: reading ends here
    def __init__(self, line: int, key: Key, message: str) -> None:
        self.fault = Fault(line, key, message)


class _Reader:
    """Builds data straight from the event stream, so that nothing is ever expanded or constructed."""

    def __init__(self, text: str) -> None:
        self._events = self._counted(text)
        self._document = Document()

    def read(self) -> Document:
        document = self._document
        try:
            self._read_all()
        except _Stop as stop:
            document.faults.append(stop.fault)
            document.whole = False
        except yaml.MarkedYAMLError as error:
            document.faults.append(Fault(_line(error.problem_mark), (), _syntax(error)))
            document.whole = False
        return document

    def _counted(self, text: str) -> Iterator[yaml.Event]:
        for number, event in enumerate(yaml.parse(text, Loader=Loader)):
            if number > MAX_EVENTS:
                raise _Stop(
                    _line(event.start_mark), (), "holds too many values; a configuration has a few hundred at most"
                )
            yield event

    def _read_all(self) -> None:
        for event in self._events:
            match event:
                case yaml.DocumentStartEvent() if event.version or event.tags:
                    raise _Stop(_line(event.start_mark), (), "uses a `%` directive; remove it")
                case yaml.NodeEvent() if self._document.lines:
                    raise _Stop(_line(event.start_mark), (), "holds a second document; keep one, without `---`")
                case yaml.NodeEvent():
                    self._document.lines[()] = _line(event.start_mark)
                    self._document.data = self._value(event, ())

    def _value(self, event: yaml.NodeEvent, key: Key) -> Data:
        if len(key) > MAX_DEPTH:
            raise _Stop(_line(event.start_mark), key[:3], f"is nested deeper than {MAX_DEPTH} levels; flatten it")
        if isinstance(event, yaml.AliasEvent):
            self._fault(event, key, "uses an alias (`*`); write the value out, or quote it")
            self._document.refused.add(key)
        elif event.anchor is not None:
            self._fault(event, key, "carries an anchor (`&`); remove it, or quote the value")
        elif getattr(event, "tag", None) is not None:
            self._fault(event, key, "carries a tag (`!`); remove it, or quote the value")
        match event:
            case yaml.MappingStartEvent():
                return self._mapping(key)
            case yaml.SequenceStartEvent():
                return self._sequence(key)
            case yaml.ScalarEvent():
                return _scalar(event)
        return None

    def _mapping(self, key: Key) -> Data:
        mapping: dict[str, Data] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            name = self._name(event, key)
            inner = (*key, name)
            first = self._document.lines.setdefault(inner, _line(event.start_mark))
            value = self._value(self._node(), inner)
            if name in mapping:
                self._fault(event, inner, f"is there twice (first in line {first}); keep one")
            mapping.setdefault(name, value)
        return mapping

    def _name(self, event: yaml.Event, key: Key) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.tag or event.anchor:
            raise _Stop(_line(event.start_mark), key, "has a key that is not plain text; write `key: value`")
        name: str = event.value
        return name

    def _sequence(self, key: Key) -> Data:
        items: list[Data] = []
        while isinstance(event := next(self._events), yaml.NodeEvent):  # else: the sequence's end
            inner = (*key, len(items))
            self._document.lines.setdefault(inner, _line(event.start_mark))
            items.append(self._value(event, inner))
        return items

    def _node(self) -> yaml.NodeEvent:
        event = next(self._events)
        assert isinstance(event, yaml.NodeEvent)  # noqa: S101 - what the parser's grammar promises
        return event

    def _fault(self, event: yaml.Event, key: Key, message: str) -> None:
        self._document.faults.append(Fault(_line(event.start_mark), key, message))


class _Mark(Protocol):  # libyaml's marks and PyYAML's are two classes
    @property
    def line(self) -> int: ...


def _line(mark: _Mark | None) -> int:
    return mark.line + 1 if mark else 1


def _scalar(event: yaml.ScalarEvent) -> Data:
    text: str = event.value
    if event.style:  # quoted or a block: text as it stands
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _syntax(error: yaml.MarkedYAMLError) -> str:
    """The parser's complaint without what it quotes: that could be a secret."""
    problem = _QUOTED.sub("something else", error.problem or "cannot be read")
    return f"is not YAML ({problem}); correct it, or quote the value"
