"""What a schema is made of, by name, as its steps say it: so that what is missing from a database is noticed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from refloop.ledger.engine.base import Engine, Row
from refloop.ledger.engine.dialect import Dialect

_MADE = re.compile(r"\s*(?P<verb>CREATE|DROP) (?P<kind>TABLE|VIEW|INDEX|TRIGGER) (?P<name>\w+)")


def made_by(steps: Mapping[str, Callable[[Engine], None]], taken: Collection[str], dialect: Dialect) -> dict[str, str]:
    """Name -> kind (`table`, `view`, `index`, `trigger`) of all that the steps that were `taken` leave behind."""
    listening = _Listening(dialect)
    for name, step in steps.items():
        if name in taken:
            step(cast("Engine", listening))  # a step asks for nothing else of a database
    return listening.names


@dataclass
class _Listening:
    """A database without a row that carries nothing out, and remembers the names of what it is told to make."""

    dialect: Dialect
    names: dict[str, str] = field(default_factory=dict)

    def execute(self, sql: str, parameters: Iterable[object] = ()) -> int:  # noqa: ARG002 - as a database takes them
        if made := _MADE.match(sql):
            if made["verb"] == "DROP":
                self.names.pop(made["name"], None)
            else:
                self.names[made["name"]] = made["kind"].lower()
        return 0

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:  # noqa: ARG002 - the same
        return self.execute(sql)

    def rows(self, sql: str, parameters: Iterable[object] = ()) -> Iterator[Row]:  # noqa: ARG002 - the same
        return iter(())
