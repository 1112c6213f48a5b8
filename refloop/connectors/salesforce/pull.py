"""Brings leads, contacts, deals and contact roles: all four in one call a page, or what is large by Bulk jobs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from refloop.connectors.salesforce.account import Account
from refloop.connectors.salesforce.answers import Row, RowPage, first_error
from refloop.connectors.salesforce.bulk_query import QueryJobs
from refloop.connectors.salesforce.client import Client, Part, PartAnswer
from refloop.connectors.salesforce.cursor import ALL_OBJECTS, FROM_THE_START, Job, Position, parse_cursor
from refloop.connectors.salesforce.deletions import NOTHING, Deleted, deleted, deletion_parts
from refloop.connectors.salesforce.errors import SchemaChanged
from refloop.connectors.salesforce.fields import Layout, is_missing_some, layout
from refloop.connectors.salesforce.jobs import JobLost
from refloop.connectors.salesforce.named import NamedRecords
from refloop.connectors.salesforce.names import ROLE
from refloop.connectors.salesforce.organization import Organization
from refloop.connectors.salesforce.page import KINDS, Pages
from refloop.connectors.salesforce.records import Reader
from refloop.connectors.salesforce.seen import checked_pages
from refloop.connectors.salesforce.soql import Window, count_query, page_query
from refloop.connectors.salesforce.values import moment
from refloop.errors import LedgerError
from refloop.model import (
    Between,
    Cursor,
    Everything,
    FieldSpec,
    Named,
    Page,
    Ref,
    Since,
    Span,
    format_time,
)

SKEW = timedelta(minutes=5)
"""How far the clocks of one org's servers may lie apart."""


@dataclass(frozen=True, slots=True)
class _Progress:
    """A pull under way: what is asked for, in which window, and how far each unfinished object is, be it by queries
    (`after`) or by a Bulk job (`jobs`).

    `watermark` is None until the first answer has told the server's clock; `gone` until it was asked what was deleted
    in the window. It holds what did not come as a row so far.
    """

    window: Window
    layout: Layout
    described: datetime
    after: Mapping[str, str]
    watermark: datetime | None = None
    jobs: Mapping[str, Job] = field(default_factory=dict)
    gone: Deleted | None = None

    def came(self, rows: Mapping[str, Sequence[Row]]) -> _Progress:
        """Behind some more rows."""
        if not any((self.gone or NOTHING).values()):
            return self
        seen = {name: {row.get("Id") for row in some} for name, some in rows.items()}
        return replace(self, gone={name: ids - seen.get(name, set()) for name, ids in (self.gone or NOTHING).items()})


@dataclass(frozen=True, slots=True)
class _Step:
    """What one call brought: a page of each unfinished object, up to when everything committed was to be seen, and what
    was deleted."""

    pages: Mapping[str, RowPage]
    safe: datetime
    gone: Deleted


_Taken = tuple[_Progress, Mapping[str, Sequence[Row]]]
"""Where a pull stands, and the rows that brought it there."""


class Puller:
    """Pulls for one connection.

    The window of a pull is open at its end: a row that is edited while its pages are read keeps its id, so it
    comes now or, its stamp being behind the watermark, again next time. Salesforce stamps a row within its
    transaction and shows it only after the commit. So the watermark is the server's clock before the first query
    or, while a long transaction runs, its start; and the next window starts `look_back` earlier.
    """

    def __init__(self, reader: Reader, client: Client, account: Account, organization: Organization) -> None:
        """`reader` is one for none of our fields."""
        self._reader = reader
        self._connection = reader.connection
        self._settings = reader.settings
        self._client = client
        self._account = account
        self._organization = organization
        self._jobs = QueryJobs(client)

    def pages(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        """The pages of a pull. At least one where it has a cursor: the watermark moves also when nothing changed."""
        if isinstance(span, Between):
            progress = self._surveyed(fields, Window(span.start, span.end))
            yield from (replace(page, cursor=None) for page in self._run(fields, progress))
        elif isinstance(span, Everything):
            yield from self._run(fields, self._surveyed(fields, Window()))
        elif isinstance(span, Named):
            yield from NamedRecords(self._pages(fields), self._client, self._account).pages(span.refs)
        else:
            before = self._position(span)
            # where days begin at another moment than before, what was read of them is wrong
            is_moved = before.zone and self._organization.zone_name not in ("", before.zone)
            yield from self._run(
                fields, self._surveyed(fields, Window()) if is_moved else self._resumed(fields, before)
            )

    def _pages(self, fields: Sequence[FieldSpec]) -> Pages:
        return Pages(replace(self._reader, fields=fields), self._organization)

    def _surveyed(self, fields: Sequence[FieldSpec], window: Window) -> _Progress:
        """Begins a pull of unknown size: one call tells the schema, how many rows there are and the watermark, and
        only then the jobs are started."""
        counts = [Part(f"{name}Count", "GET", "queryAll", {"q": count_query(name, window)}) for name in ALL_OBJECTS]
        coverage, log = self._coverage(window), self._deletions(window)
        schemas, answers = self._account.survey([*counts, *coverage, *log])
        sizes = dict(zip(ALL_OBJECTS, map(_size, answers), strict=False))
        covered, said = _split(answers[len(counts) :], len(coverage))
        watermark = min([self._client.clock_at_start(), *_covered(covered)])
        known = layout(schemas, self._settings, fields)
        large = sorted(
            (name for name, size in sizes.items() if size > self._settings.bulk_rows), key=lambda name: sizes[name]
        )
        jobs = self._jobs.start(known, large, window)
        after = {name: "" for name in ALL_OBJECTS if name not in jobs}
        return _Progress(window, known, self._account.described_at, after, watermark, jobs, deleted(said))

    def _position(self, span: Since) -> Position:
        try:
            before = parse_cursor(span.cursor)
        except ValueError:
            before = None
        if before is None:
            raise LedgerError(
                f"{self._connection}: the cursor of the last pull cannot be read",
                remedy="Pull everything from this connection again.",
            )
        now = self._client.clock()
        if before.organization and self._client.organization and before.organization != self._client.organization:
            raise LedgerError(
                f"{self._connection}: the ledger's cursor is of the org {before.organization}, "
                f"and the connection leads to {self._client.organization}",
                remedy="Correct `url` of the connection; or use a ledger of its own for the other org.",
            )
        if before.watermark > now + SKEW:  # it would skip whatever changes until then
            raise LedgerError(
                f"{self._connection}: the cursor of the last pull lies in the future of the org's clock",
                remedy="Was the ledger edited, or the sandbox refreshed? Pull everything from this connection again.",
            )
        return before

    def _resumed(self, fields: Sequence[FieldSpec], before: Position) -> _Progress:
        """Goes on within the window of a pull that stopped; else opens the next one: at once where the last pull was
        today, with a survey where so much time went by that the org must be described again."""
        is_known = before.is_fresh(self._client.clock()) and not is_missing_some(before.layout, self._settings, fields)
        if before.is_unfinished:
            known = (before.layout, before.described) if is_known else self._describe(fields)
            return _Progress(Window(before.floor), *known, before.after, before.watermark, before.jobs)
        window = Window(before.watermark - timedelta(minutes=self._settings.look_back))
        if not is_known:
            return self._surveyed(fields, window)
        return _Progress(window, before.layout, before.described, FROM_THE_START)

    def _describe(self, fields: Sequence[FieldSpec], *, afresh: bool = False) -> tuple[Layout, datetime]:
        schemas = self._account.schemas(afresh=afresh)
        return layout(schemas, self._settings, fields), self._account.described_at

    def _run(self, fields: Sequence[FieldSpec], progress: _Progress) -> Iterator[Page]:
        """By queries first, while the jobs are at work; then what the jobs found."""
        made = self._pages(fields)
        if progress.jobs:
            yield Page(cursor=self._cursor(progress))  # so that a pull that dies now finds its jobs again
        while progress.after or progress.jobs:
            steps = self._queried(fields, progress) if progress.after else self._fetched(progress)
            for progress, pages in steps:
                page = made.page(pages)
                progress = progress.came(pages)
                if not (progress.after or progress.jobs) and any((progress.gone or NOTHING).values()):
                    yield page
                    yield from self._vanished(made, progress)
                    page = Page()
                yield replace(page, cursor=self._cursor(progress))

    def _vanished(self, made: Pages, progress: _Progress) -> Iterator[Page]:
        """What was deleted and is in no query: looked at once more by name, for it may have been restored. Of a contact
        role its id is all that there is; it is also all that the edge needs to end."""
        gone = progress.gone or NOTHING
        refs = [Ref(self._connection, KINDS[name], text) for name in KINDS for text in sorted(gone.get(name, ()))]
        if refs:
            yield from NamedRecords(made, self._client, self._account, progress.layout).pages(refs)
        if roles := gone.get(ROLE):
            yield Page(links=tuple(made.reader.lost_role(role) for role in sorted(roles)))

    def _cursor(self, progress: _Progress) -> Cursor:
        if progress.watermark is None:
            raise AssertionError("a page before the first answer")
        return Position(
            progress.watermark,
            progress.window.start,
            progress.after,
            progress.layout,
            progress.described,
            self._client.organization,
            progress.jobs,
            self._organization.zone_name,
        ).cursor()

    def _queried(self, fields: Sequence[FieldSpec], progress: _Progress) -> Iterator[_Taken]:
        while progress.after:
            progress, step = self._ask(fields, progress)
            after = {name: page.last for name, page in step.pages.items() if page.last is not None}
            progress = replace(
                progress,
                watermark=progress.watermark or step.safe,
                after=after,
                gone=step.gone if progress.gone is None else progress.gone,
            )
            yield progress, {name: page.rows for name, page in step.pages.items()}

    def _fetched(self, progress: _Progress) -> Iterator[_Taken]:
        """The rows of the first job. One that is gone is started anew, once; for one that failed, queries do it."""
        name, job = next(iter(progress.jobs.items()))
        others = {other: found for other, found in progress.jobs.items() if other != name}
        try:
            for rows, here in self._jobs.rows(name, job):
                progress = replace(progress, jobs={name: here, **others} if here else others)
                yield progress, {name: rows}
            self._jobs.delete(job)
        except JobLost as lost:
            if not lost.anew:
                self._jobs.delete(job)
            again = (
                self._jobs.start(progress.layout, [name], progress.window) if lost.anew and not job.is_second else {}
            )
            second = {name: replace(found, is_second=True) for name, found in again.items()}
            yield replace(progress, jobs={**second, **others}, after={} if again else {name: ""}), {}

    def _ask(self, fields: Sequence[FieldSpec], progress: _Progress) -> tuple[_Progress, _Step]:
        """The next page of each unfinished object; asked twice where the org has changed meanwhile."""
        try:
            return progress, self._step(progress)
        except SchemaChanged:
            known, described = self._describe(fields, afresh=True)
        progress = replace(progress, layout=known, described=described)
        return progress, self._step(progress)

    def _step(self, progress: _Progress) -> _Step:
        parts = [
            Part(name, "GET", "queryAll", {"q": page_query(name, progress.layout[name], progress.window, last)})
            for name, last in progress.after.items()
        ]
        coverage = self._coverage(progress.window) if progress.watermark is None else ()
        log = self._deletions(progress.window) if progress.gone is None else ()
        bodies, beside = self._client.each_beside(parts, [*coverage, *log])
        covered, said = _split(beside, len(coverage))
        pages = checked_pages(self._client, parts, bodies, list(progress.after.values()))
        return _Step(
            dict(zip(progress.after, pages, strict=True)),
            min([self._client.clock_at_start(), *_covered(covered)]),
            deleted(said),
        )

    def _deletions(self, window: Window) -> Sequence[Part]:
        return deletion_parts(window, self._client.clock()) if window.start else ()

    def _coverage(self, window: Window) -> Sequence[Part]:
        """Asks, once a pull, up to when all commits can be seen. While a long transaction runs, that is its start
        (SOAP API docs, GetUpdatedResult.latestDateCovered); the ids of that minute are not looked at."""
        if window.end is not None:
            return ()
        end = self._client.clock().replace(second=0, microsecond=0)
        span = {"start": format_time(end - timedelta(minutes=1)), "end": format_time(end)}
        return [Part(f"{name}Updated", "GET", f"sobjects/{name}/updated", span) for name in KINDS]


def _size(answer: PartAnswer) -> float:
    """How many rows an object has, by a count. What cannot be counted in time is large; else queries will tell."""
    if answer.is_good and isinstance(answer.body, dict) and isinstance(answer.body.get("totalSize"), int):
        return float(answer.body["totalSize"])
    return math.inf if first_error(answer.body)[0] == "QUERY_TIMEOUT" else 0.0


def _split(answers: Sequence[PartAnswer], count: int) -> tuple[Sequence[PartAnswer], Sequence[PartAnswer]]:
    return answers[:count], answers[count:]


def _covered(answers: Sequence[PartAnswer]) -> Iterator[datetime]:
    for answer in answers:
        try:
            yield moment(answer.body["latestDateCovered"])
        except (KeyError, TypeError, ValueError):
            continue  # it is a help, not a need: the look-back stands
