"""What is read again when codes are issued, or mean something else, or a referrer's address does: that, and no more."""

from __future__ import annotations

from datetime import date

import pytest

from refloop.ledger import Ledger
from refloop.ledger.arrivals import keep_arrivals
from refloop.ledger.codes import keep_code, reread_if_codes_changed
from refloop.mapping.rereading import MOST_SOUGHT
from refloop.model import Arrival, Code, Link, Match, Presence, Referrer, Relation, Rule
from tests.ledger.samples import DAY, by, contact, deal, keep, lead, queued, record


def code(name: str = "ANNA-7K2Q", referrer: str = "anna", **dates: date) -> Code:
    return Code(name, name.replace("-", "").lower(), referrer, "p", **dates)


def issue(ledger: Ledger, *codes: Code) -> None:
    """Adds codes, and has read again what they may stand in."""
    with ledger.writing():
        for one in codes:
            keep_code(ledger, one, Referrer(one.referrer), DAY)
    reread_if_codes_changed(ledger)


@pytest.mark.parametrize("others", [50, 500])
def test_of_a_new_code_only_what_it_may_stand_in_is_read_again(ledger: Ledger, others: int) -> None:
    issue(ledger, code("BENS-4F6T"))
    keep(ledger, *(record(lead(number), texts={"Note": f"call {number}"}) for number in range(others)))
    carrying = {lead(others): "by ANNA-7K2Q", lead(others + 1): "code ANNA-7K2", lead(others + 2): "?ref=ANNA%2D7K2Q"}
    keep(ledger, *(record(ref, texts={"Note": text}) for ref, text in carrying.items()))
    queued(ledger)
    issue(ledger, code("ANNA-7K2Q"))
    assert queued(ledger) == set(carrying)


def test_a_code_that_widens_what_looks_like_one_has_all_text_read_again(ledger: Ledger) -> None:
    issue(ledger, code("BENS-4F6T"))
    keep(ledger, record(lead(1), texts={"Promo_Code__c": "QXZW"}), record(lead(2)))
    queued(ledger)
    issue(ledger, code("ABCD"))
    assert queued(ledger) == {lead(1)}, "letters alone, as long: QXZW is one that nobody issued"


def test_of_more_codes_than_are_worth_looking_for_all_text_is_read_again(ledger: Ledger) -> None:
    issue(ledger, code("BENS-4F6T"))
    keep(ledger, record(lead(1), texts={"Note": "call"}))
    queued(ledger)
    issue(ledger, *(code(f"BENS-4{number:03d}") for number in range(MOST_SOUGHT)))
    assert queued(ledger) == set()
    issue(ledger, *(code(f"BENS-5{number:03d}") for number in range(MOST_SOUGHT + 1)))
    assert queued(ledger) == {lead(1)}


def test_a_code_that_means_something_else_is_looked_for_where_it_ever_came(ledger: Ledger) -> None:
    issue(ledger, code(), code("BENS-4F6T"))
    keep(ledger, record(lead(1), texts={"Note": "asked"}), record(lead(2), texts={"Note": "asked"}))
    came = Arrival(Match("anna7k2q", Rule.TEXT, "Note", "ANNA-7K2Q", 90), DAY, DAY, DAY, presence=Presence.OVERWRITTEN)
    keep_arrivals(ledger, by(1), {}, {lead(1): {"anna7k2q": came}})
    queued(ledger)
    issue(ledger, code(valid_to=date(2026, 1, 1)))
    assert queued(ledger) == {lead(1)}


def test_whose_address_is_a_referrers_is_looked_at_with_their_deals(ledger: Ledger) -> None:
    issue(ledger, code())
    keep(
        ledger,
        record(contact(1), email="anna@partners.io"),
        record(contact(2), email="second@x.io", emails=("anna.b@partners.io",)),
        record(contact(3), email="bo@buyer.io"),
        record(deal(1)),
        record(deal(2)),
        links=[
            Link(deal(1), Relation.ASSOCIATED_WITH, contact(1)),
            Link(contact(2), Relation.ASSOCIATED_WITH, deal(2)),
        ],
    )
    queued(ledger)
    keep_code(ledger, code(), Referrer("anna", "", "anna@partners.io"), DAY)
    assert queued(ledger) == {contact(1), deal(1)}
    keep_code(ledger, code(), Referrer("anna", "", "anna.b@partners.io"), DAY)
    assert queued(ledger) == {contact(1), deal(1), contact(2), deal(2)}, "and who is not any more"
    issue(ledger, code("ANNA-2ND1"))
    assert queued(ledger) == {contact(2), deal(2)}, "who hands out a code, and did not"
