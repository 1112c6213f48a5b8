"""Money as people read it: in the CRM, in `status` and `explain` the same, whatever the currency and the amount."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from refloop.errors import Exit
from refloop.ledger.accounts import keep_account
from refloop.ledger.reads.explain import referral_story
from refloop.ledger.reads.summary import summary
from refloop.mapping.money import Won
from refloop.model import NO_CURRENCY, Account, Kind, Ref
from refloop.report.as_json.run import summary_json
from refloop.report.as_json.story import referral_story_json
from refloop.testing import Draft, MemoryCrm
from tests.sync.loop import NOW, Loop


def sell(loop: Loop, code: str, *amounts: Won) -> list[Ref]:
    """Deals that were won through a code, one an amount."""
    sales = loop.crms["sales"]
    assert isinstance(sales, MemoryCrm)
    deals: list[Ref] = []
    for amount in amounts:
        number = len(deals)
        buyer = sales.create(Kind.CONTACT, Draft(email=f"{code}{number}@buyer.io".lower(), code=code))
        deal = sales.create(Kind.DEAL, Draft(title="Deal"))
        sales.price(deal, amount)
        sales.associate(deal, buyer)
        sales.win(deal)
        deals.append(deal)
    return deals


def partner(loop: Loop, name: str) -> Ref:
    loop.code(f"{name.upper()}-7K2Q", name, f"{name}@partners.io")
    return loop.crms["sales"].create(Kind.CONTACT, Draft(email=f"{name}@partners.io"))


def told(loop: Loop, contact: Ref) -> tuple[str | None, ...]:
    held = loop.fields(contact)
    return tuple(held.get(name) for name in ("won", "won_amount", "won_currency", "won_note"))


def amounts(currency: str, *values: str) -> list[Won]:
    return [Won(Decimal(value), currency) for value in values]


def test_a_referrer_is_told_which_currency_counts_and_what_there_is_beside(loop: Loop) -> None:
    anna, ben = partner(loop, "anna"), partner(loop, "ben")
    sell(loop, "ANNA-7K2Q", *amounts("EUR", "1500", "2500"), *amounts("USD", "2000"))
    sell(loop, "BEN-7K2Q", *amounts("USD", "900"))
    loop.sync()
    assert told(loop, anna) == ("3", "4000", "EUR", "Not in it: 2,000.00 USD")
    assert told(loop, ben) == ("1", None, "EUR", "Not in it: 900.00 USD"), "an amount of 0 would be untrue"


@pytest.mark.parametrize(
    ("currency", "values", "text"),
    [
        ("EUR", ["10.005"], "10.01"),
        ("EUR", ["0.005", "0.004"], "0.01"),
        ("JPY", ["10.5"], "11"),
        ("BHD", ["10.0005"], "10.001"),
        ("EUR", ["12345678901234567890123456.125"], "12345678901234567890123456.13"),
        ("EUR", ["1E+30"], "1" + "0" * 30 + ".00"),
    ],
)
def test_what_is_written_is_what_is_shown(loop: Loop, currency: str, values: list[str], text: str) -> None:
    anna = partner(loop, "anna")
    sell(loop, "ANNA-7K2Q", *amounts(currency, *values))
    report = loop.sync()
    assert report.exit is Exit.OK
    assert Decimal(loop.fields(anna)["won_amount"]) == Decimal(text)
    assert summary_json(summary(loop.ledger))["won_amount"] == {currency: text}
    assert loop.sync().counts["sales"]["written"] == 0


def test_explain_tells_the_credited_amount_by_the_same_rule(loop: Loop) -> None:
    partner(loop, "anna")
    sell(loop, "ANNA-7K2Q", *amounts("EUR", "10.005"))
    loop.sync()
    row = loop.ledger.one("SELECT referral FROM referrals")
    assert row is not None
    story = referral_story(loop.ledger, row["referral"])
    assert story is not None
    told = json.loads(json.dumps(referral_story_json(story)))
    assert [(deal["amount"], deal["credited"]) for deal in told["deals"]] == [("10.005", "10.01")]


def test_the_currency_that_most_deals_are_in_may_change_and_every_referrer_follows(loop: Loop) -> None:
    anna, ben = partner(loop, "anna"), partner(loop, "ben")
    sell(loop, "ANNA-7K2Q", *amounts("EUR", "100"))
    loop.sync()
    assert told(loop, anna) == ("1", "100", "EUR", None)
    assert told(loop, ben) == (None, None, None, None)
    sell(loop, "BEN-7K2Q", *amounts("USD", "5", "6"))  # nothing of Anna's
    loop.sync()
    assert told(loop, ben) == ("2", "11", "USD", None)
    assert told(loop, anna) == ("1", None, "USD", "Not in it: 100.00 EUR")
    assert loop.sync().counts["sales"]["written"] == 0


def test_the_currency_of_the_account_itself_comes_before_that_of_most_deals(loop: Loop) -> None:
    anna = partner(loop, "anna")
    sell(loop, "ANNA-7K2Q", *amounts("USD", "5", "6"), *amounts("EUR", "100"))
    loop.sync()
    assert told(loop, anna) == ("3", "11", "USD", "Not in it: 100.00 EUR")
    keep_account(loop.ledger, 1, "sales", Account(currency="EUR"), NOW)
    loop.crms["sales"].create(Kind.LEAD, Draft(email="news@buyer.io"))
    loop.sync()
    assert told(loop, anna) == ("3", "100", "EUR", "Not in it: 11.00 USD")


def test_amounts_without_a_currency_are_told_and_not_taken_for_another(loop: Loop) -> None:
    anna = partner(loop, "anna")
    sell(loop, "ANNA-7K2Q", *amounts(NO_CURRENCY, "5"))
    loop.sync()
    assert told(loop, anna) == ("1", "5", None, None)
