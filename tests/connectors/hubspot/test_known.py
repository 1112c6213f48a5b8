"""What a pull reads again behind the last one, once the ledger knows it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from itertools import islice

import pytest

from refloop.connectors.hubspot import HubSpot
from refloop.model import Cursor, Everything, Kind, Page, Record, Ref, Since
from tests.connectors.hubspot.account import (
    DAY,
    EDGES,
    FIELDS,
    FIND_CONTACTS,
    FIND_DEALS,
    MINUTE,
    Account,
    calls,
    records,
)

MANY = 450


class Desk:
    """A ledger as far as a pull knows of it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.kept: dict[Ref, Record] = {}
        self.cursor: Cursor | None = None
        self.pull(account.hubspot(), Everything())

    def saved_at(self, refs: Collection[Ref]) -> dict[Ref, datetime]:
        return {ref: self.kept[ref].modified_at for ref in refs if ref in self.kept and not self.kept[ref].deleted}

    def pull(self, connector: HubSpot, span: Everything | Since, most: int | None = None) -> list[Page]:
        pages = []
        for page in islice(connector.pull(FIELDS, span), most):
            self.kept |= {record.ref: record for record in page.records}
            self.cursor = page.cursor or self.cursor
            pages.append(page)
        return pages

    def tick(self, *, knows: bool = True) -> list[Page]:
        assert self.cursor is not None
        self.account.clock.now += 5 * MINUTE
        calls(self.account.crm)
        return self.pull(self.account.hubspot(), Since(self.cursor, self.saved_at if knows else None))


@pytest.fixture
def desk(account: Account) -> Desk:
    """Of 450 contacts and as many deals, all were just edited, as a push does, and read twice since."""
    people, deals = account.contacts(MANY), account.deals(MANY)
    account.crm.load_associations("deals", "contacts", list(zip(deals, people, strict=True)))
    made = Desk(account)
    account.clock.now += DAY / 2
    for person, deal in zip(people, deals, strict=True):
        account.crm.update("contacts", person, {"ref_code": "ANN"})
        account.crm.update("deals", deal, {"ref_code": "ANN"})
    assert len(records(made.tick())) == 2 * MANY
    for _ in range(3):
        made.tick()
    return made


def test_what_a_push_wrote_is_not_read_again_in_each_pull_of_the_next_hour(desk: Desk) -> None:
    assert records(desk.tick(knows=False)).keys() == {f"{ref.kind}:{ref.id}" for ref in desk.kept}
    made = calls(desk.account.crm)
    assert (made[FIND_CONTACTS], made[FIND_DEALS], made[EDGES]) == (3, 3, 3)
    assert records(desk.tick()) == {}
    assert calls(desk.account.crm) == {FIND_CONTACTS: 5, FIND_DEALS: 5}


def test_what_is_edited_meanwhile_is_read(desk: Desk) -> None:
    person = next(ref.id for ref in desk.kept if ref.kind == "contact")
    desk.account.crm.update("contacts", person, {"ref_code": "BEN"})
    assert records(desk.tick())[f"contact:{person}"].found == {"ref_code": "BEN"}


def test_an_edit_that_the_index_learns_late_is_read(accounts: Callable[..., Account]) -> None:
    account = accounts(index_lag=20 * MINUTE)
    people = account.contacts(MANY)
    made = Desk(account)
    account.clock.now += DAY / 2
    for person in people:
        account.crm.update("contacts", person, {"ref_code": "ANN"})
    for _ in range(5):
        made.tick()
    account.crm.update("contacts", people[7], {"ref_code": "BEN"})
    for _ in range(5):  # the hour is not over: nothing else is read
        assert records(made.tick()).keys() <= {f"contact:{people[7]}"}
    assert made.kept[Ref("hub", Kind.CONTACT, people[7])].found == {"ref_code": "BEN"}


def test_what_was_deleted_and_is_there_again_is_read(desk: Desk) -> None:
    ref = next(iter(desk.kept))
    del desk.kept[ref]
    assert records(desk.tick()).keys() == {f"{ref.kind}:{ref.id}"}


def test_a_pull_that_was_stopped_goes_on(desk: Desk) -> None:
    refs = [ref for ref in desk.kept if ref.kind == "contact"]
    for ref in refs[::2]:
        desk.account.crm.update("contacts", ref.id, {"ref_code": "BEN"})
    desk.account.clock.now += 5 * MINUTE
    assert desk.cursor is not None
    before, start, stop = dict(desk.kept), desk.cursor, 0
    edited = set(refs[::2])
    is_through = False
    while not is_through:
        stop += 1
        desk.kept, desk.cursor = dict(before), start
        is_through = len(desk.pull(desk.account.hubspot(), Since(start, desk.saved_at), most=stop)) < stop
        desk.pull(desk.account.hubspot(), Since(desk.cursor, desk.saved_at))
        assert {ref for ref, record in desk.kept.items() if record.found == {"ref_code": "BEN"}} == edited
    assert stop > 3
