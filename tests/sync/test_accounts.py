"""Which account a connection leads to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from refloop.errors import Exit
from refloop.ledger import open_ledger
from refloop.ledger.accounts import account_of, zones
from refloop.model import Account, Kind
from refloop.testing import Draft
from refloop.testing.memory import MemoryConnector, MemoryCrm
from tests.sync.loop import Loop

said: list[Account] = []
"""What the account says from now on, and what it was asked with."""
asked: list[Account | None] = []


class Telling(MemoryConnector):
    """A connector whose account says which one it is."""

    def account(self, known: Account | None) -> Account:
        asked.append(known)
        return said[-1]


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    said[:], asked[:] = [Account("4711", "Europe/Berlin", "EUR")], []
    made = Loop(open_ledger(tmp_path / "refloop.db"), {"crm": MemoryCrm("crm", connector_class=Telling)})
    made.provision()
    made.code("ANN-2026", "ann")
    yield made
    made.ledger.close()


def test_what_it_says_is_kept_and_need_only_be_confirmed(loop: Loop) -> None:
    loop.sync()
    loop.sync()
    assert asked == [None, said[0]]
    assert account_of(loop.ledger, "crm") == said[0]
    assert zones(loop.ledger) == {"crm": "Europe/Berlin"}


def test_another_account_is_neither_read_nor_written(loop: Loop) -> None:
    crm = loop.crms["crm"]
    assert isinstance(crm, MemoryCrm)
    loop.sync()
    lead = crm.create(Kind.LEAD, Draft(email="bo@acme.com", code="ANN-2026"))
    said.append(Account("4712"))
    crm.calls.clear()
    report = loop.sync()
    assert report.exit is Exit.DATA
    assert "4711" in str(report.problems[0][1])
    assert not crm.calls
    assert loop.ledger.one("SELECT 1 FROM records") is None
    said.append(Account("4711"))
    assert loop.sync().exit is Exit.OK
    assert loop.fields(lead)["referrer"] == "Ann"


def test_what_it_does_not_say_today_stands_as_it_said_before(loop: Loop) -> None:
    loop.sync()
    said.append(Account())
    loop.sync()
    assert account_of(loop.ledger, "crm") == said[0]
