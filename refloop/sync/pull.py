"""Pull: what the CRM shows into the ledger, page by page."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Protocol

from refloop.connectors.base import Clock, Connector
from refloop.ledger.forget import Forgotten
from refloop.ledger.rebuild import arrived, expect, known_between, refuse, shrunk
from refloop.ledger.records import cursor_of, keep_page
from refloop.ledger.store import Ledger
from refloop.mapping.people import email_key
from refloop.model import Between, Everything, Page, Since, Span, Wants
from refloop.sync.forget import without_forgotten
from refloop.sync.policy import Progress, silent


def span_since_last(ledger: Ledger, connection: str) -> Span:
    """What a connection's next pull has to bring."""
    cursor = cursor_of(ledger, connection)
    return Everything() if cursor is None else Since(cursor)


class Asked(Protocol):
    """What a pull is asked for. `span` None: what is new since the last one."""

    @property
    def span(self) -> Span | None: ...

    @property
    def allow_shrink(self) -> bool: ...


class Puller:
    """Pulls connections into one ledger, for one run. `counts` holds up to the last page that was kept, also after
    something was raised."""

    def __init__(self, ledger: Ledger, run: int, clock: Clock, progress: Progress = silent) -> None:
        self._ledger = ledger
        self._run = run
        self._clock = clock
        self._progress = progress
        self.counts: Counter[str] = Counter()
        self.shown = 0

    def pull(self, name: str, connector: Connector, wants: Wants, span: Span) -> Counter[str]:
        """Keeps every page with its cursor, each in one transaction: stopped anywhere, the next pull goes on.

        Raises what the connector raises; the pages before are kept.
        """
        forgotten = Forgotten(self._ledger)
        for page in connector.pull(wants, span):
            known = without_forgotten(tidy(page), forgotten)
            self.counts += keep_page(self._ledger, self._run, name, known, self._clock())
            self.shown += sum(not record.deleted for record in known.records)
            self._progress("pull", name, len(page.records))
        return self.counts

    def pull_guarded(self, name: str, connector: Connector, wants: Wants, task: Asked) -> None:
        """The same, for what is new or for `task.span`; a full pull that brings far fewer records than are known is
        refused.

        Raises SourceShrunk, unless `task.allow_shrink`: nothing may be decided then.
        """
        span = task.span or span_since_last(self._ledger, name)
        least = known_between(self._ledger, name, span.start, span.end) if isinstance(span, Between) else 0
        if isinstance(span, Everything):
            expect(self._ledger, name)
        self.pull(name, connector, wants, span)
        if task.span is None:
            arrived(self._ledger, name, allow_shrink=task.allow_shrink)
        elif shrunk(self.shown, least) and not task.allow_shrink:
            refuse(self.shown, least)


def tidy(page: Page) -> Page:
    """The page with e-mails as the key that identifies a person in both CRMs."""
    return replace(page, records=tuple(replace(record, email=email_key(record.email)) for record in page.records))
