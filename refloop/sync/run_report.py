"""What a run did, what trouble it met, and with which exit code that ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from refloop.errors import Exit, RefloopError
from refloop.model import FieldChange

_ATTENTION = ("conflicts", "refused", "parked", "unknown", "moved", "overwrote")


class Counting(Protocol):
    """What a part of a run has done so far."""

    @property
    def counts(self) -> Counter[str]: ...


Counted = TypeVar("Counted", bound=Counting)


@dataclass
class Report:
    """What a run did: counts by connection (and under "" what concerns all), whose trouble it met, and what else a
    person should know of a connection. `pushed` are the connections in which it came to the end of what it had to
    write."""

    run: int
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    problems: list[tuple[str, RefloopError]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    pushed: set[str] = field(default_factory=set)

    @property
    def exit(self) -> Exit:
        """The worst trouble first; else whether a person has to look."""
        if self.problems:
            return max((error.exit for _, error in self.problems), key=severity)
        if any(counts[word] for counts in self.counts.values() for word in _ATTENTION):
            return Exit.ATTENTION
        return Exit.OK

    def troubled(self, name: str) -> bool:
        """Whether a connection had trouble: nothing more is tried with it in this run."""
        return any(troubled == name for troubled, _ in self.problems)

    def met(self, name: str, error: RefloopError) -> None:
        """Notes whose trouble it was. It is told under the connection's name, and need not say it again."""
        error.message = error.message.removeprefix(f"{name}: ")
        self.problems.append((name, error))

    def add(self, name: str, counts: Mapping[str, int]) -> None:
        self.counts.setdefault(name, Counter()).update(counts)

    @contextmanager
    def counting(self, name: str, part: Counted) -> Iterator[Counted]:
        """Adds what a part of the run did for a connection, also when it raised midway."""
        try:
            yield part
        finally:
            self.add(name, part.counts)

    @contextmanager
    def counting_unsent(self, planned: Mapping[str, Sequence[FieldChange]]) -> Iterator[None]:
        """Counts as unsent, however it ends, those of the planned changes that were not even begun."""
        try:
            yield
        finally:
            for name, changes in planned.items():
                unsent = len(changes) - self.counts.get(name, Counter())["planned"]
                self.add(name, {"planned": unsent, "unsent": unsent})


def severity(code: Exit) -> int:
    """Ranks exit codes, so that the worst of several speaks for all."""
    order = (Exit.OK, Exit.ATTENTION, Exit.LATER, Exit.UNAVAILABLE, Exit.AUTH, Exit.CONFIG)
    return order.index(code) if code in order else len(order)
