"""Matches, questions, referrals, credits, statuses: added, and "now" is the latest."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from refloop.ledger import Ledger
from refloop.ledger.claims import keep_submitted, submitted_for
from refloop.ledger.codes import (
    CodeTaken,
    Kept,
    code_of,
    codes,
    keep_code,
    referrer_of,
    reread_if_codes_changed,
)
from refloop.ledger.decisions import (
    credits_of,
    current_matches,
    ever_matched,
    keep_credits,
    keep_matches,
    keep_members,
    keep_referral,
    keep_status,
    members_of,
    referrals_around,
    referrals_holding,
    status_of_referral,
)
from refloop.ledger.queue import Topic, next_ids
from refloop.ledger.reviews import keep_review_items
from refloop.model import (
    Code,
    Credit,
    Match,
    Ref,
    Referral,
    Referrer,
    ReviewItem,
    ReviewReason,
    Role,
    Rule,
    Status,
    StatusChange,
)
from tests.ledger.samples import DAY, by, contact, deal, keep, lead, queued, record, referral

ANNA = Match("anna7k2q", Rule.EXACT, "Code", "ANNA-7K2Q", 100)
BEN = Match("bens4f6t", Rule.TEXT, "Notes", "bens 4f6t", 90)


READ = (ReviewReason.NEAR, ReviewReason.UNKNOWN)


def hold(ledger: Ledger, run: int, what: Referral, members: set[Ref]) -> bool:
    """Keeps a referral and what it holds; true when anything was new."""
    changed = keep_referral(ledger, by(run), what)
    return keep_members(ledger, by(run), what.id, frozenset(members)) or changed


def count(ledger: Ledger, table: str) -> int:
    row = ledger.one(f"SELECT count(*) FROM {table}")  # noqa: S608 - a table's name
    assert row is not None
    return int(row[0])


def test_a_match_is_added_only_when_it_is_another(ledger: Ledger) -> None:
    for found in ({lead(1): ANNA, lead(2): None}, {lead(1): ANNA}, {lead(1): BEN}, {lead(1): BEN, lead(2): None}):
        keep_matches(ledger, by(1), found)
    assert count(ledger, "matches") == 2
    assert current_matches(ledger, [lead(1), lead(2)]) == {lead(1): BEN}
    keep_matches(ledger, by(2), {lead(1): None})
    assert current_matches(ledger, [lead(1)]) == {}
    assert ever_matched(ledger, [lead(1), lead(2)]) == {lead(1)}
    keep_matches(ledger, by(3), {lead(1): None})
    assert count(ledger, "matches") == 3


def test_questions_of_a_stage_are_replaced_and_the_others_stay(ledger: Ledger) -> None:
    near = ReviewItem(lead(1), ReviewReason.NEAR, "Code", "ANNA-7K2X", ("anna7k2q",))
    late = ReviewItem(lead(1), ReviewReason.CLOSED_BEFORE, "closed_at", "2026-01-01", ("rf_1",))
    keep_review_items(ledger, by(1), [lead(1)], [near, near], READ)
    keep_review_items(ledger, by(1), [lead(1)], [late], (ReviewReason.CLOSED_BEFORE,))
    keep_review_items(ledger, by(2), [lead(2)], [], READ)
    assert count(ledger, "questions") == 2
    keep_review_items(ledger, by(2), [lead(1)], [], READ)
    assert [row["doubt"] for row in ledger.rows("SELECT doubt FROM questions")] == ["closed-before-referral"]


def test_a_referral_says_whether_anything_was_new(ledger: Ledger) -> None:
    first = referral(claimed_at=DAY + timedelta(microseconds=5))
    assert hold(ledger, 1, first, {lead(1), contact(1)})
    assert not hold(ledger, 2, first, {lead(1), contact(1)})
    assert hold(ledger, 2, first, {lead(1)})
    assert members_of(ledger, "rf_1") == {lead(1)}
    for change in (referral(void=Status.DUPLICATE), referral(why="other"), referral()):
        assert hold(ledger, 2, change, {lead(1)})
    assert referrals_holding(ledger, [lead(1), contact(1)]) == {lead(1): [referral(claimed_at=DAY)]}


def test_referrals_are_around_their_origin_their_members_and_their_email(ledger: Ledger) -> None:
    keep(ledger, record(contact(1), email="bo@buyer.io"), record(contact(2), email="cy@buyer.io"))
    hold(ledger, 1, referral("rf_a", origin=lead(1)), {lead(2)})
    hold(ledger, 1, referral("rf_b", origin=None, submitted=True, email="bo@buyer.io"), set())
    found = referrals_around(ledger, [lead(1), lead(2), contact(1)])
    around = {ref: {referral.id for referral in found.get(ref, ())} for ref in (lead(1), lead(2), contact(1))}
    assert around == {lead(1): {"rf_a"}, lead(2): {"rf_a"}, contact(1): {"rf_b"}}
    assert referrals_around(ledger, [contact(2), lead(3)]) == {}


def credit(name: str, share: str) -> Credit:
    return Credit(deal(1), name, Decimal(share), Role.SOURCED, "first")


def test_the_latest_decision_about_a_deal_counts_the_empty_one_too(ledger: Ledger) -> None:
    hold(ledger, 1, referral(), {lead(1)})
    keep_credits(ledger, by(1), deal(1), "linear", [credit("rf_1", "0.500000"), credit("rf_2", "0.500000")])
    keep_credits(ledger, by(1), deal(2), "first", [Credit(deal(2), "rf_1", Decimal(1), Role.INFLUENCED, "first")])
    keep_credits(ledger, by(2), deal(1), "first", [credit("rf_2", "1.000000")])
    assert credits_of(ledger, [deal(1)]) == {deal(1): [credit("rf_2", "1.000000")]}
    keep_credits(ledger, by(3), deal(1), "first", [])
    assert credits_of(ledger, [deal(1), deal(2), deal(3)]).keys() == {deal(2)}
    keep_credits(ledger, by(4), deal(1), "first", [credit("rf_1", "1.000000")])
    assert credits_of(ledger, [deal(1)]) == {deal(1): [credit("rf_1", "1.000000")]}
    decisions = [row["decision"] for row in ledger.rows("SELECT DISTINCT decision FROM credits ORDER BY seq")]
    assert decisions == sorted(set(decisions)), "each decision has a number of its own, later ones a higher one"


def test_the_latest_status_counts(ledger: Ledger) -> None:
    hold(ledger, 1, referral(), {lead(1)})
    assert status_of_referral(ledger, "rf_1") is None
    for status in (Status.SUBMITTED, Status.WON, Status.REVERSED):
        keep_status(ledger, by(1), StatusChange("rf_1", status, DAY, "why", "Buyer"))
    assert status_of_referral(ledger, "rf_1") == StatusChange("rf_1", Status.REVERSED, DAY, "why", "Buyer")


# codes and referrers


def code(name: str = "ANNA-7K2Q", referrer: str = "anna", program: str = "p", **dates: date) -> Code:
    return Code(name, name.replace("-", "").lower(), referrer, program, **dates)


def test_a_code_is_new_changed_or_known(ledger: Ledger) -> None:
    anna = Referrer("anna", "Anna", "anna@partners.io")
    assert keep_code(ledger, code(), anna, DAY) is Kept.NEW
    assert keep_code(ledger, code(), anna, DAY) is Kept.UNCHANGED
    assert keep_code(ledger, code(), Referrer("anna"), DAY) is Kept.UNCHANGED, "nothing said is nothing changed"
    assert keep_code(ledger, code(), Referrer("anna", "Anna B."), DAY) is Kept.CHANGED
    assert keep_code(ledger, code(valid_to=date(2026, 1, 1)), anna, DAY) is Kept.CHANGED
    assert code_of(ledger, "anna7k2q") == code(valid_to=date(2026, 1, 1))
    assert referrer_of(ledger, "anna") == anna
    assert list(codes(ledger)) == [code(valid_to=date(2026, 1, 1))]


@pytest.mark.parametrize("other", [code(referrer="ben"), code(program="q")])
def test_a_code_never_changes_hands(ledger: Ledger, other: Code) -> None:
    keep_code(ledger, code(), Referrer("anna"), DAY)
    with pytest.raises(CodeTaken):
        keep_code(ledger, other, Referrer(other.referrer), DAY)
    assert code_of(ledger, "anna7k2q") == code()
    assert referrer_of(ledger, "ben") is None


def test_changed_codes_have_all_text_read_again_even_when_the_import_dies_before(ledger: Ledger) -> None:
    keep(ledger, record(lead(1), texts={"Code": "x"}), record(lead(2)), record(lead(3), found={"ref_code": "x"}))
    queued(ledger)
    with ledger.writing():
        keep_code(ledger, code(), Referrer("anna"), DAY)
    # the process dies here; the next run finds the note
    reread_if_codes_changed(ledger)
    assert queued(ledger) == {lead(1), lead(3)}
    with ledger.writing():
        keep_code(ledger, code(), Referrer("anna"), DAY)
    reread_if_codes_changed(ledger)
    assert queued(ledger) == set()


def test_a_referrers_new_address_has_their_referrals_decided_anew(ledger: Ledger) -> None:
    keep_code(ledger, code(), Referrer("anna"), DAY)
    hold(ledger, 1, referral(), {lead(1)})
    keep_code(ledger, code(), Referrer("anna", "", "anna@partners.io"), DAY)
    assert queued(ledger, Topic.CLAIM) == {lead(1)}
    assert next_ids(ledger, Topic.TOTAL, 9) == ["anna"]


# submitted referrals


def test_a_claim_is_kept_once_and_waits_for_its_person(ledger: Ledger) -> None:
    keep(ledger, record(contact(1), email="bo@buyer.io"), record(deal(1), email="bo@buyer.io"))
    claim = referral("rf_c", submitted=True, origin=None, email="bo@buyer.io")
    with ledger.writing():
        assert keep_submitted(ledger, by(1), claim, [claim], "from the fair") is Kept.NEW
        assert keep_submitted(ledger, by(2), claim, [claim], "again") is Kept.UNCHANGED
    assert queued(ledger, Topic.CLAIM) == {contact(1)}
    assert next_ids(ledger, Topic.STATUS, 9) == ["rf_c"]
    assert [row["note"] for row in ledger.rows("SELECT note FROM referrals")] == ["from the fair"]


def test_submitted_referrals_wait_or_hold_records(ledger: Ledger) -> None:
    for name in ("rf_a", "rf_b", "rf_c"):
        keep_referral(ledger, by(1), referral(name, submitted=True, origin=None, email="bo@buyer.io"))
    keep_referral(ledger, by(1), referral("rf_d", submitted=True, origin=None, email="cy@buyer.io"))
    keep_members(ledger, by(1), "rf_b", frozenset([contact(1)]))
    waiting, holding = submitted_for(ledger, "bo@buyer.io")
    assert [item.id for item in waiting] == ["rf_a", "rf_c"]
    assert [item.id for item in holding] == ["rf_b"]
    assert submitted_for(ledger, "nobody@buyer.io") == ([], [])
