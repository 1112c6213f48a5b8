"""What other tools of this kind get wrong at HubSpot's real caps: they loop for ever, lose records, or double them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from refloop.ledger import Ledger, open_ledger
from refloop.ledger.records import keep_page
from refloop.model import Everything, Page
from tests.connectors.hubspot.account import DAY, MINUTE, START, Office, calls


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "refloop.db")
    yield opened
    opened.close()


def kept(ledger: Ledger, pages: list[Page]) -> Counter[str]:
    """Keeps pages as a run does, and says how many records were new, changed, unchanged."""
    counts: Counter[str] = Counter()
    for page in pages:
        counts += keep_page(ledger, 1, "hub", page, START)
    return counts


def rows(ledger: Ledger) -> int:
    found = ledger.one("SELECT count(*) FROM records")
    return int(found[0]) if found else 0


def test_more_changes_than_a_search_may_give(offices: Callable[..., Office], ledger: Ledger) -> None:
    """12,500 changes in one window, the cap of a query being 10,000: each comes once, in the fewest calls."""
    office = offices()
    kept(ledger, office.pull(office.hubspot(), Everything()))
    for batch in range(5):
        office.contacts(2_500, at=START + batch * MINUTE)
    office.clock.now = START + DAY / 24
    calls(office.crm)
    counts = kept(ledger, office.pull(office.hubspot()))
    assert (counts["new"], rows(ledger)) == (12_500, 12_500)
    assert sum(calls(office.crm).values()) <= 12_500 / 200 + 2


def test_one_time_stamp_on_more_records_than_a_search_may_give(offices: Callable[..., Office], ledger: Ledger) -> None:
    """12,000 of 12,500 contacts share a modification time, as after an import."""
    office = offices()
    kept(ledger, office.pull(office.hubspot(), Everything()))
    office.contacts(500, at=START)
    office.contacts(12_000, at=START + MINUTE)
    office.clock.now = START + 2 * MINUTE
    counts = kept(ledger, office.pull(office.hubspot()))
    assert (counts["new"], rows(ledger)) == (12_500, 12_500)


def test_nothing_is_doubled_by_pulling_again(offices: Callable[..., Office], ledger: Ledger) -> None:
    """Ten changed deals a run: the ledger grows by none of them."""
    office = offices()
    deals = office.deals(100)
    kept(ledger, office.pull(office.hubspot(), Everything()))
    for run in range(1, 4):
        office.clock.now += MINUTE
        for deal in deals[:10]:
            office.crm.update("deals", deal, {"amount": str(100 + run)})
        counts = kept(ledger, office.pull(office.hubspot()))
        assert (counts["new"], counts["changed"], rows(ledger)) == (0, 10, 100)
    again = kept(ledger, office.pull(office.hubspot(), Everything()))
    assert (again["new"], again["changed"]) == (0, 0)
