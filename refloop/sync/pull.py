"""Pull: what the CRM shows into the ledger, page by page."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from refloop.connectors.base import Connector, Erases, answers_of
from refloop.ledger.forget import erase_gone
from refloop.ledger.missed import asked, came_back, settle, to_ask
from refloop.ledger.policies import span_to_pull
from refloop.ledger.rebuild import arrived, expect, known_between, refuse
from refloop.ledger.records import keep_page, keep_seen_up_to, merged_among, records_of
from refloop.mapping.people import email_key
from refloop.mapping.trust import is_shrunk
from refloop.model import Between, Everything, Kind, Named, Page, Record, Span
from refloop.sync.context import RunContext
from refloop.sync.forget import without_forgotten


class Asked(Protocol):
    """What a pull is asked for. `span` None: what is new since the last one."""

    @property
    def span(self) -> Span | None: ...

    @property
    def allow_shrink(self) -> bool: ...


class Puller:
    """Pulls connections into one ledger, for one run. `counts` holds up to the last page that was kept, also after
    something was raised."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._ledger = context.ledger
        self.counts: Counter[str] = Counter()
        self.records_seen = 0
        self._latest = datetime.min.replace(tzinfo=UTC)

    def pull(self, name: str, connector: Connector, span: Span) -> Counter[str]:
        """Keeps every page with its cursor, each in one transaction: stopped anywhere, the next pull goes on.

        Raises what the connector raises; the pages before are kept.
        """
        context = self._context
        for page in answers_of(name, lambda: connector.pull(context.policy.fields, span)):
            known = without_forgotten(tidy(page), context.forgotten)
            self.counts += keep_page(
                self._ledger, context.run, name, known, context.clock(), by_name=isinstance(span, Named)
            )
            self._erase(connector, known)
            self.records_seen += sum(not record.deleted for record in known.records)
            self._latest = max([self._latest, *(record.modified_at for record in known.records)])
            context.kept("pull", name, len(page.records))
        return self.counts

    def pull_guarded(self, name: str, connector: Connector, task: Asked) -> None:
        """Keeps the pages of what is new, or of `task.span`; a full pull that brings far fewer records than are
        known is refused.

        Raises SourceShrunk, unless `task.allow_shrink`: nothing may be decided then.
        """
        span = task.span or span_to_pull(self._ledger, name, self._context.policy)
        known = known_between(self._ledger, name, span.start, span.end) if isinstance(span, Between) else 0
        if isinstance(span, Everything):
            expect(self._ledger, name)
        self.pull(name, connector, span)
        least_shown = 0.0 if task.allow_shrink else self._context.policy.pull.least_shown
        if task.span is None:
            arrived(self._ledger, name, least_shown)
            came_back(self._ledger, name)
            if self.records_seen:
                keep_seen_up_to(self._ledger, name, self._latest)
        elif is_shrunk(self.records_seen, known, least_shown):
            refuse(self.records_seen, known)
        self._ask(name, connector)

    def _erase(self, connector: Connector, page: Page) -> None:
        """Erases who was erased in the CRM. What was merged into another record is gone for that reason, and stays."""
        if not page.gone or not isinstance(connector, Erases) or not connector.gone_is_erased:
            return
        context = self._context
        persons = {ref for ref in page.gone if ref.kind is not Kind.DEAL}
        persons -= merged_among(self._ledger, persons) | context.forgotten.refs(persons)
        known = {record.ref for record in records_of(self._ledger, persons)}
        if known:
            self.counts["erased"] += len(known)
            erase_gone(self._ledger, context.forgotten, known, context.clock())

    def _ask(self, name: str, connector: Connector) -> None:
        """Asks for what is missed, by name, so that a deletion is not taken for something that a person took back."""
        while refs := to_ask(self._ledger, name):
            self.pull(name, connector, Named(tuple(refs)))
            asked(self._ledger, refs)
        settle(self._ledger, name)


def tidy(page: Page) -> Page:
    """The page with e-mails as the key that identifies a person in both CRMs."""
    return replace(page, records=tuple(map(_tidy, page.records)))


def _tidy(record: Record) -> Record:
    email = email_key(record.email)
    if not record.emails:
        return record if email == record.email else replace(record, email=email)
    keys = {key for text in record.emails if (key := email_key(text))}
    return replace(record, email=email, emails=tuple(sorted(keys - {email})))
