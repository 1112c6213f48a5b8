"""Deleted, restored, merged, deleted for good: what a pull of what is new says of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from refloop.model import Account, Cursor, Everything, Kind, Page, Ref, Relation, Since
from refloop_sandbox.salesforce import LocalSalesforce
from tests.connectors.salesforce.connections import Connections, connections
from tests.connectors.salesforce.pages import last_cursor

OBJECTS = {Kind.LEAD: "Lead", Kind.CONTACT: "Contact", Kind.DEAL: "Opportunity"}


@dataclass
class Org:
    """An org with a record of each kind and a role between two, of which all was pulled."""

    local: LocalSalesforce
    connect: Connections
    ids: dict[Kind, str]
    role: str
    now: datetime
    cursor: Cursor | None = None

    def ref(self, kind: Kind) -> Ref:
        return Ref("crm", kind, self.ids[kind])

    def pull(self, *, some: int | None = None, **changes: Any) -> list[Page]:
        """What is new; of the first pages only, where it stops after `some`."""
        crm = self.connect(**changes)
        crm.account(Account(self.local.organization_id, "GMT", "USD"))
        span = Since(self.cursor) if self.cursor else Everything()
        pages = list(zip(range(some), crm.pull((), span), strict=False)) if some else enumerate(crm.pull((), span))
        found = [page for _, page in pages]
        self.cursor = last_cursor(found)
        return found

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[Org]:
    monkeypatch.setenv("SF_SECRET", "local-secret")
    made: list[Org] = []
    with LocalSalesforce(clock=lambda: made[0].now if made else datetime(2026, 3, 1, tzinfo=UTC)) as local:
        deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
        ids = {
            Kind.LEAD: local.create("Lead", {"LastName": "Roe", "Company": "Roe"}),
            Kind.CONTACT: local.create("Contact", {"LastName": "Doe"}),
        }
        ids[Kind.DEAL] = local.create("Opportunity", {**deal, "ContactId": ids[Kind.CONTACT]})
        role = str(next(local.rows("OpportunityContactRole"))["Id"])
        with connections(local) as connect:
            made.append(Org(local, connect, ids, role, datetime(2026, 3, 1, tzinfo=UTC)))
            made[0].later(hours=1)
            made[0].pull()
            made[0].later(hours=1)
            yield made[0]


def gone(pages: list[Page]) -> set[Ref]:
    return {ref for page in pages for ref in page.gone}


def deleted(pages: list[Page]) -> dict[Ref, bool]:
    return {record.ref: record.deleted for page in pages for record in page.records}


@pytest.mark.parametrize("kind", OBJECTS)
def test_what_was_deleted_for_good_is_gone(org: Org, kind: Kind) -> None:
    org.local.delete(OBJECTS[kind], org.ids[kind], hard=True)
    org.later(minutes=5)
    calls = org.local.api_usage
    pages = org.pull()
    assert org.local.api_usage == calls + 2
    assert (gone(pages), deleted(pages)) == ({org.ref(kind)}, {})
    assert all(page.cursor is None for page in pages[:-1])
    if kind is not Kind.LEAD:
        assert {(link.key, link.gone) for page in pages for link in page.links} == {(org.role, True)}
    org.later(hours=1)
    org.pull()  # which looks back to before the deletion
    org.later(hours=1)
    calls = org.local.api_usage
    assert gone(org.pull()) == set()
    assert org.local.api_usage == calls + 1


@pytest.mark.parametrize("kind", OBJECTS)
def test_what_is_in_the_recycle_bin_is_deleted_and_comes_back(org: Org, kind: Kind) -> None:
    org.local.delete(OBJECTS[kind], org.ids[kind])
    org.later(minutes=5)
    calls = org.local.api_usage
    pages = org.pull()
    assert org.local.api_usage == calls + 1
    assert (gone(pages), deleted(pages)) == (set(), {org.ref(kind): True})
    org.later(minutes=5)
    org.local.undelete(OBJECTS[kind], org.ids[kind])
    org.later(minutes=5)
    pages = org.pull()
    assert (gone(pages), deleted(pages)) == (set(), {org.ref(kind): False})
    org.local.delete(OBJECTS[kind], org.ids[kind])
    org.later(minutes=1)
    org.local.delete(OBJECTS[kind], org.ids[kind], hard=True)  # the bin is emptied before anybody looks
    org.later(minutes=1)
    assert gone(org.pull()) == {org.ref(kind)}


@pytest.mark.parametrize("kind", [Kind.LEAD, Kind.CONTACT])
def test_the_loser_of_a_merge_is_deleted_and_known_to_be_merged(org: Org, kind: Kind) -> None:
    fields = {"LastName": "Roe", **({"Company": "Roe"} if kind is Kind.LEAD else {})}
    survivor = org.local.create(OBJECTS[kind], fields)
    org.local.merge(OBJECTS[kind], survivor, org.ids[kind])
    org.later(minutes=5)
    pages = org.pull()
    assert deleted(pages)[org.ref(kind)]
    merged = {
        (link.source, link.target.id) for page in pages for link in page.links if link.relation is Relation.MERGED_INTO
    }
    assert (merged, gone(pages)) == ({(org.ref(kind), survivor)}, set())


def test_what_was_restored_but_still_listed_is_not_gone(org: Org) -> None:
    """The list and the query are two looks: what came back in between is looked at by name."""
    lead = org.ids[Kind.LEAD]
    stamp = "2026-03-01T01:55:00.000+0000"
    org.local._org.store.execute("INSERT INTO deletions (object, id, at) VALUES ('Lead', ?, ?)", (lead, stamp))
    pages = org.pull()
    assert (gone(pages), deleted(pages)) == (set(), {org.ref(Kind.LEAD): False})


@pytest.mark.parametrize("by_jobs", [False, True])
def test_a_pull_that_goes_on_asks_again_what_was_deleted(org: Org, by_jobs: bool) -> None:
    org.local.delete("Contact", org.ids[Kind.CONTACT], hard=True)
    for name in ("First", "Second"):
        org.local.load("Lead", [{"LastName": name, "Company": "Roe"}] * 2100)
    org.later(days=2)
    changes = {"bulk_rows": 0} if by_jobs else {}
    org.pull(some=1, **changes)
    assert gone(org.pull(**changes)) == {org.ref(Kind.CONTACT)}


def test_a_list_that_is_refused_is_missed_by_nobody(org: Org) -> None:
    org.local.fail_next(403, path="deleted", times=10)
    org.later(days=20)  # longer than the list goes back
    org.local.delete("Lead", org.ids[Kind.LEAD], hard=True)
    org.later(minutes=2)
    assert gone(org.pull()) == {org.ref(Kind.LEAD)}
