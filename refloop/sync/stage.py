"""A stage: what is done with the names that wait in one queue. It works in chunks, and says what each chunk caused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from refloop.ledger.queue import Topic, dequeue_ids, dequeue_up_to, enqueue, enqueue_ids, next_ids, next_refs
from refloop.ledger.store import Ledger
from refloop.model import Kind, Ref
from refloop.sync.context import RunContext

CHUNK = 1000

Name = TypeVar("Name")


@dataclass
class Caused:
    """The work that a chunk of a stage leaves to be done: records, and things that are named by an id, by topic."""

    records: dict[Topic, set[Ref]] = field(default_factory=dict)
    ids: dict[Topic, set[str]] = field(default_factory=dict)

    def look_at(self, topic: Topic, refs: Iterable[Ref]) -> None:
        """Adds records to be looked at by the stage of a topic."""
        self.records.setdefault(topic, set()).update(refs)

    def look_at_ids(self, topic: Topic, ids: Iterable[str]) -> None:
        """Adds referrals or referrers to be looked at by the stage of a topic."""
        self.ids.setdefault(topic, set()).update(ids)

    def queue(self, ledger: Ledger) -> None:
        """Puts all of it into the queues. To be called in the transaction that keeps what caused it."""
        for topic, refs in self.records.items():
            enqueue(ledger, topic, refs)
        for topic, ids in self.ids.items():
            enqueue_ids(ledger, topic, ids)


@dataclass(frozen=True)
class Waiting(Generic[Name]):
    """How the names of a queue are taken: the next ones, and off the list once they are."""

    next: Callable[[Ledger, Topic, int], list[Name]]
    drop: Callable[[Ledger, Topic, list[Name]], None]


RECORDS: Waiting[Ref] = Waiting(next_refs, lambda ledger, topic, refs: dequeue_up_to(ledger, topic, refs[-1]))
IDS: Waiting[str] = Waiting(next_ids, dequeue_ids)


@dataclass(frozen=True)
class Stage(Generic[Name]):
    """One stage. `decide` decides about a chunk of names with the pure functions of `refloop.mapping`, keeps the
    verdicts, and returns what they caused. It may be repeated: deciding the same again changes nothing."""

    topic: Topic
    waiting: Waiting[Name]
    decide: Callable[[RunContext, Sequence[Name]], Caused]

    def work(self, context: RunContext) -> int:
        """Takes one chunk, decides about it, and queues what that caused: all in one transaction. Returns how many
        names there were; 0 when nothing waits. May so stop anywhere, and be repeated."""
        names = self.waiting.next(context.ledger, self.topic, CHUNK)
        if names:
            with context.ledger.writing():
                # before the decision, which may put a name back
                self.waiting.drop(context.ledger, self.topic, names)
                self.decide(context, names).queue(context.ledger)
        return len(names)


def deals_among(refs: Iterable[Ref]) -> list[Ref]:
    """Those of the records that are deals."""
    return [ref for ref in refs if ref.kind is Kind.DEAL]
