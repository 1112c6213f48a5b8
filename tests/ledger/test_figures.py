"""Figures of the whole ledger: told as they are now, and counted again only when something changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from refloop.ledger import Ledger
from refloop.ledger import figures as module
from refloop.ledger.codes import keep_code
from refloop.ledger.decisions import keep_credits, keep_members, keep_referral, keep_status
from refloop.ledger.figures import count, figures, keep_figures
from refloop.ledger.runs import end_run, start_run
from refloop.model import Code, Credit, Link, Outcome, Referrer, Relation, Role, Status, StatusChange
from tests.ledger.samples import DAY, by, contact, deal, keep, lead, record, referral


@pytest.fixture
def counted(ledger: Ledger) -> Ledger:
    """A ledger in which every figure says something, and which keeps them."""
    keep(
        ledger,
        record(lead(1)),
        record(contact(1)),
        record(deal(1), outcome=Outcome.WON, amount=Decimal(100), currency="EUR"),
        record(deal(2), outcome=Outcome.WON),
        record(deal(3), outcome=Outcome.OPEN, amount=Decimal(7), currency="EUR"),
    )
    with ledger.writing():
        keep_code(ledger, Code("ANNA-7K2Q", "anna7k2q", "anna", "p"), Referrer("anna"), DAY)
        for name, void in (("rf_1", None), ("rf_2", Status.DUPLICATE)):
            keep_referral(ledger, by(1), referral(name, void=void))
            keep_status(ledger, by(1), StatusChange(name, Status.WON, DAY, "", ""))
        keep_members(ledger, by(1), "rf_1", frozenset({lead(1)}))
        for number in (1, 3):
            credit = Credit(deal(number), "rf_1", Decimal(1), Role.SOURCED, "first")
            keep_credits(ledger, by(1), deal(number), "first", (credit,))
    keep_figures(ledger)
    return ledger


def held(ledger: Ledger) -> None:
    with ledger.writing():
        keep_members(ledger, by(2), "rf_1", frozenset({lead(1), deal(2)}))


def stood(ledger: Ledger) -> None:
    with ledger.writing():
        keep_status(ledger, by(2), StatusChange("rf_1", Status.LOST, DAY + timedelta(days=1), "", ""))


def void(ledger: Ledger) -> None:
    with ledger.writing():
        keep_referral(ledger, by(2), referral("rf_1", void=Status.DUPLICATE))


def credited(ledger: Ledger) -> None:
    with ledger.writing():
        keep_credits(ledger, by(2), deal(1), "first", ())


def shown(ledger: Ledger) -> None:
    keep(ledger, record(deal(1), hours=9, outcome=Outcome.WON, amount=Decimal(250), currency="EUR"))


def linked(ledger: Ledger) -> None:
    keep(ledger, record(deal(2), outcome=Outcome.WON), links=[Link(deal(2), Relation.ASSOCIATED_WITH, contact(1))])


def deleted(ledger: Ledger) -> None:
    keep(ledger, record(lead(1), hours=9, deleted=True))


@pytest.mark.parametrize("change", [held, stood, void, credited, shown, linked, deleted])
def test_whatever_changes_one_is_seen(counted: Ledger, change: Callable[[Ledger], None]) -> None:
    before = figures(counted)
    assert before == count(counted)
    change(counted)
    now = figures(counted)
    assert now == count(counted) != before
    keep_figures(counted)
    assert figures(counted) == now


def test_nothing_new_is_nothing_counted(counted: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    before = figures(counted)
    keep(counted, record(lead(1)))
    end_run(counted, start_run(counted, "sync", "1", DAY), 0, {}, [], DAY)

    def counts(_: Ledger) -> None:
        raise AssertionError("counted again")

    monkeypatch.setattr(module, "count", counts)
    assert figures(counted) == before
    keep_figures(counted)
