"""What other tools of this kind get wrong at HubSpot's real caps: they loop for ever, lose records, or double them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from refloop.ledger import Ledger
from refloop.ledger.records import keep_page
from refloop.model import Everything, Page
from tests.connectors.hubspot.account import DAY, MINUTE, START, Account, calls
from tests.new_ledger import new_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = new_ledger(tmp_path / "refloop.db")
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


def test_more_changes_than_a_search_may_give(accounts: Callable[..., Account], ledger: Ledger) -> None:
    """12,500 changes in one window, the cap of a query being 10,000: each comes once, in the fewest calls."""
    account = accounts()
    kept(ledger, account.pull(account.hubspot(), Everything()))
    for batch in range(5):
        account.contacts(2_500, at=START + batch * MINUTE)
    account.clock.now = START + DAY / 24
    calls(account.crm)
    counts = kept(ledger, account.pull(account.hubspot()))
    assert (counts["new"], rows(ledger)) == (12_500, 12_500)
    assert sum(calls(account.crm).values()) <= 12_500 / 200 + 2


def test_one_time_stamp_on_more_records_than_a_search_may_give(
    accounts: Callable[..., Account], ledger: Ledger
) -> None:
    """12,000 of 12,500 contacts share a modification time, as after an import."""
    account = accounts()
    kept(ledger, account.pull(account.hubspot(), Everything()))
    account.contacts(500, at=START)
    account.contacts(12_000, at=START + MINUTE)
    account.clock.now = START + 2 * MINUTE
    counts = kept(ledger, account.pull(account.hubspot()))
    assert (counts["new"], rows(ledger)) == (12_500, 12_500)


def test_nothing_is_doubled_by_pulling_again(accounts: Callable[..., Account], ledger: Ledger) -> None:
    """Ten changed deals a run: the ledger grows by none of them."""
    account = accounts()
    deals = account.deals(100)
    kept(ledger, account.pull(account.hubspot(), Everything()))
    for run in range(1, 4):
        account.clock.now += MINUTE
        for deal in deals[:10]:
            account.crm.update("deals", deal, {"amount": str(100 + run)})
        counts = kept(ledger, account.pull(account.hubspot()))
        assert (counts["new"], counts["changed"], rows(ledger)) == (0, 10, 100)
    again = kept(ledger, account.pull(account.hubspot(), Everything()))
    assert (again["new"], again["changed"]) == (0, 0)
