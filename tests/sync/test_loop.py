"""The whole loop over CRMs in memory: what a marketer would see in her fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest

from refloop.errors import Exit
from refloop.ledger import Ledger
from refloop.ledger.records import cursor_of, record_of
from refloop.ledger.undo import undoing
from refloop.model import Between, Kind, Named, Owner, Ref, parse_time
from refloop.testing import Draft
from tests.sync.loop import Loop

ANNA = "anna@partners.io"


def test_a_code_on_a_lead_reaches_the_deal_the_contact_and_the_referrers_own_contact(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    anna = sales.create(Kind.CONTACT, Draft(email="Anna@Partners.io"))
    lead = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", title="Buyer", code="anna 7k2q"))
    loop.sync()
    assert loop.fields(lead)["status"] == "submitted"
    assert loop.fields(anna) == {
        "sent": "1",
        "lost": "0",
        "other": "0",
        "open": "1",
        "won": "0",
        "won_amount": "0",
        "last_update": loop.fields(anna)["last_update"],
        "last_update_at": loop.fields(anna)["last_update_at"],
    }
    contact, deal = sales.convert(lead)
    sales.pass_time(timedelta(days=1))
    sales.win(deal)
    loop.sync()
    for ref in (contact, deal):
        held = loop.fields(ref)
        assert (held["code"], held["referrer"], held["status"]) == ("ANNA-7K2Q", "Anna", "won")
        assert held["id"].startswith("rf_")
    assert loop.fields(anna)["won"] == "1"
    assert "Won on" in loop.fields(anna)["last_update"]


def test_the_same_buyer_in_both_crms_is_one_referral(loop: Loop) -> None:
    sales, marketing = loop.crms["sales"], loop.crms["marketing"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    here = marketing.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="https://x.io/?ref=anna-7k2q"))
    there = sales.create(Kind.CONTACT, Draft(email="BO@buyer.io", title="Buyer"))
    deal = sales.create(Kind.DEAL, Draft(title="Big deal", amount=Decimal("1200.50")))
    sales.associate(deal, there)
    anna = marketing.create(Kind.CONTACT, Draft(email=ANNA))
    sales.win(deal)
    loop.sync()
    ids = {loop.fields(ref)["id"] for ref in (here, there, deal)}
    assert len(ids) == 1
    assert loop.fields(anna)["won_amount"] == "1200.5"
    assert loop.fields(anna)["sent"] == loop.fields(anna)["won"] == "1"


def test_a_second_sync_writes_nothing(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    for number in range(7):
        sales.create(Kind.LEAD, Draft(email=f"b{number}@buyer.io", code="ANNA-7K2Q"))
    first = loop.sync()
    assert first.counts["sales"]["written"] == 7 * 6
    second = loop.sync()
    assert second.counts["sales"]["written"] == 0
    assert second.exit is Exit.OK


def test_a_new_owner_is_known_and_writes_nothing(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    lead = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    sales.pass_time(timedelta(hours=1))
    owner = sales.hand_over(lead, "Olga Owner")
    report = loop.sync()
    assert (report.counts["sales"]["changed"], report.counts["sales"]["written"]) == (1, 0)
    kept = record_of(loop.ledger, lead)
    assert kept
    assert kept.owner == Owner(owner, "Olga Owner")


def test_a_pull_by_name_brings_what_changed_and_what_is_gone(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    lead, other = (sales.create(Kind.LEAD, Draft(email=f"{name}@buyer.io")) for name in ("bo", "cy"))
    loop.sync()
    cursor = cursor_of(loop.ledger, "sales")
    sales.edit(lead, "ANNA-7K2Q")
    sales.edit(other, "ANNA-7K2Q")
    never = Ref("sales", Kind.LEAD, "999999")
    report = loop.sync("sales", span=Named((lead, never)))
    assert report.counts["sales"]["pulled"] == 1
    assert loop.fields(lead)["code"] == "ANNA-7K2Q"
    assert loop.fields(other) == {}
    assert cursor_of(loop.ledger, "sales") == cursor


def test_what_a_person_wrote_is_a_conflict_and_stays(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    lead = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    status = loop.policy.spec("ref_status")
    sales.write(lead, status, "on_hold")
    _, deal = sales.convert(lead)
    person = sales.create(Kind.LEAD, Draft(email="bo@buyer.io"))
    sales.write(person, status, "lost")
    report = loop.sync()
    assert loop.fields(person)["status"] == "lost"
    assert report.counts["sales"]["conflicts"] == 1
    assert report.exit is Exit.ATTENTION
    row = loop.ledger.one("SELECT * FROM conflicts")
    assert row is not None
    assert (row["id"], row["field"], row["found"], row["want"]) == (person.id, "ref_status", "lost", "opportunity")
    assert loop.fields(deal)["status"] == "opportunity"


def test_a_code_that_a_person_types_into_our_field_is_followed(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    loop.code("BENS-4F6T", "ben", "ben@partners.io")
    lead = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    sales.write(lead, loop.policy.spec("ref_code"), "bens 4f6t")
    loop.sync()
    held = loop.fields(lead)
    assert held["code"] == "bens 4f6t"  # the person's own spelling stays
    assert held["referrer"] == "Ben"
    assert [row["referrer"] for row in loop.ledger.rows("SELECT * FROM standing WHERE status = 'withdrawn'")] == [
        "anna"
    ]


def test_a_code_taken_off_again_empties_what_we_wrote(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    lead = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    sales.edit(lead, "")
    loop.sync()
    why = "The referral by code ANNA-7K2Q is withdrawn: a person took the code off the record"
    assert loop.fields(lead) == {"why": why}


def test_merged_and_deleted(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    loser = sales.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    survivor = sales.create(Kind.CONTACT, Draft(email="bo@other.io"))
    loop.sync()
    name = loop.fields(loser)["id"]
    sales.merge(loser, survivor)
    loop.sync()
    assert loop.fields(survivor)["id"] == name
    other = sales.create(Kind.CONTACT, Draft(email="cy@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    sales.delete(other)
    loop.sync()
    rows = list(loop.ledger.rows("SELECT status FROM standing WHERE status = 'withdrawn'"))
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("typed", "doubt"),
    [
        ("ANNA-7K2X", "near"),
        ("https://x.io/?ref=ZZZZ9999", "unknown"),
        ("OLDC-0DE1", "expired"),
        ("ANNA-7K2Q or BENS-4F6T", "ambiguous"),
    ],
)
def test_what_is_not_certain_is_a_question_and_writes_nothing(loop: Loop, typed: str, doubt: str) -> None:
    loop.code("ANNA-7K2Q", "anna", ANNA)
    loop.code("BENS-4F6T", "ben", "ben@partners.io")
    loop.code("OLDC-0DE1", "ben", "ben@partners.io", valid_to=date(2020, 1, 1))
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code=typed))
    loop.sync()
    assert loop.fields(lead) == {}
    assert [row["doubt"] for row in loop.ledger.rows("SELECT doubt FROM questions")] == [doubt]


def test_a_code_added_later_finds_the_records_that_were_there(loop: Loop) -> None:
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    assert loop.fields(lead) == {}
    loop.code("ANNA-7K2Q", "anna", ANNA)
    loop.sync()
    assert loop.fields(lead)["code"] == "ANNA-7K2Q"


def test_nobody_refers_themselves(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna", ANNA)
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email=ANNA, code="ANNA-7K2Q"))
    loop.sync()
    assert loop.fields(lead) == {"why": "Code ANNA-7K2Q does not count: the buyer is the referrer"}
    row = loop.ledger.one("SELECT status, reason FROM standing")
    assert row is not None
    assert tuple(row) == ("disqualified", "the buyer is the referrer")


def test_a_deal_that_closed_before_the_referral_gets_no_credit(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    deal = sales.create(Kind.DEAL, Draft(title="Old deal", amount=Decimal(10)))
    sales.win(deal)
    sales.pass_time(timedelta(days=3))
    lead = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    sales.associate(deal, lead)
    loop.sync()
    assert loop.fields(deal) == {}
    assert loop.fields(lead)["status"] == "submitted"
    assert [row["doubt"] for row in loop.ledger.rows("SELECT doubt FROM questions")] == ["closed-before-referral"]


def test_the_first_of_two_codes_of_one_buyer_wins(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    loop.code("BENS-4F6T", "ben", "ben@partners.io")
    later = sales.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="BENS-4F6T"))
    sales.pass_time(timedelta(days=-10))
    earlier = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    sales.pass_time(timedelta(days=20))
    loop.sync()
    assert loop.fields(later)["referrer"] == loop.fields(earlier)["referrer"] == "Anna"


def test_one_crm_in_trouble_does_not_hold_up_the_other(loop: Loop) -> None:
    sales, marketing = loop.crms["sales"], loop.crms["marketing"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    here = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    there = marketing.create(Kind.LEAD, Draft(email="cy@buyer.io", code="ANNA-7K2Q"))
    marketing.garble_reads(on=True)
    report = loop.sync()
    assert report.exit is Exit.UNAVAILABLE
    assert [name for name, _ in report.problems] == ["marketing"]
    assert loop.fields(here)["code"] == "ANNA-7K2Q"
    assert loop.ledger.one("SELECT 1 FROM cursors WHERE connection = 'marketing'") is None
    marketing.garble_reads(on=False)
    assert loop.sync().exit is Exit.OK
    assert loop.fields(there)["code"] == "ANNA-7K2Q"


@pytest.mark.parametrize("done", [True, False])
def test_a_write_whose_fate_is_unknown_is_settled_and_written_once(loop: Loop, done: bool) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    lead = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    sales.break_next_write(done=done)
    loop.sync()
    loop.sync()
    assert loop.fields(lead)["code"] == "ANNA-7K2Q"
    assert len(sales.writes(lead)) == 1
    assert loop.ledger.one("SELECT 1 FROM outbox") is None
    written = loop.ledger.one("SELECT count(*) FROM receipts WHERE verdict = 'written'")
    assert written is not None
    assert written[0] == 6


def test_a_record_that_the_crm_refuses_is_parked_and_the_others_are_written(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    bad = sales.create(Kind.LEAD, Draft(email="a@buyer.io", code="ANNA-7K2Q"))
    good = [sales.create(Kind.LEAD, Draft(email=f"b{n}@buyer.io", code="ANNA-7K2Q")) for n in range(9)]
    sales.poison(bad)
    refused = [loop.sync().counts["sales"]["refused"] for _ in range(5)]
    assert refused == [6, 6, 6, 0, 0]
    assert all(loop.fields(ref)["code"] == "ANNA-7K2Q" for ref in good)


def test_a_backfill_brings_its_window_and_moves_no_cursor(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    old = sales.create(Kind.LEAD, Draft(email="a@buyer.io", code="ANNA-7K2Q"))
    start = loop.sync().run
    assert start
    cursor = loop.ledger.one("SELECT cursor FROM cursors WHERE connection = 'sales'")
    record = loop.ledger.one("SELECT created_at FROM records WHERE id = ?", (old.id,))
    assert cursor is not None
    assert record is not None
    loop.ledger.execute("DELETE FROM records")
    day = parse_time(record["created_at"])
    report = loop.sync(span=Between(day, day + timedelta(days=1)))
    assert report.counts["sales"]["new"] == 1
    after = loop.ledger.one("SELECT cursor FROM cursors WHERE connection = 'sales'")
    assert after is not None
    assert after["cursor"] == cursor["cursor"]


def test_incremental_equals_full(loop: Loop, new_ledger: Callable[[str], Ledger]) -> None:
    """A ledger that grew day by day and one that sees everything at once want the same."""
    sales, marketing = loop.crms["sales"], loop.crms["marketing"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    loop.code("BENS-4F6T", "ben", "ben@partners.io")
    for day in range(8):
        lead = sales.create(Kind.LEAD, Draft(email=f"b{day}@buyer.io", code="ANNA-7K2Q" if day % 2 else "BENS-4F6T"))
        marketing.create(Kind.CONTACT, Draft(email=f"b{day}@buyer.io"))
        loop.sync()
        if day % 3 == 0:
            _, deal = sales.convert(lead)
            loop.sync()
            sales.win(deal)
        sales.pass_time(timedelta(days=1))
        marketing.pass_time(timedelta(days=1))
        loop.sync()
    fresh = Loop(new_ledger("fresh"), loop.crms)
    fresh.code("ANNA-7K2Q", "anna", ANNA)
    fresh.code("BENS-4F6T", "ben", "ben@partners.io")
    fresh.sync(push=False)
    assert fresh.planned() == {}
    assert fresh.ledger.one("SELECT 1 FROM conflicts") is None


def test_a_run_is_undone_where_nobody_wrote_since_and_stays_undone(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    kept = sales.create(Kind.LEAD, Draft(email="a@buyer.io", code="ANNA-7K2Q"))
    touched = sales.create(Kind.LEAD, Draft(email="b@buyer.io", code="ANNA-7K2Q"))
    run = loop.sync().run
    sales.write(touched, loop.policy.spec("ref_status"), "on_hold")
    specs = {spec.name: spec for spec in loop.policy.fields}
    undone = loop.runner().undo(list(undoing(loop.ledger, run, specs)))
    assert undone.counts["sales"]["written"] == 11
    assert undone.counts["sales"]["moved"] == 1
    assert loop.fields(kept) == {}
    assert loop.fields(touched) == {"status": "on_hold"}
    for _ in range(2):
        assert loop.sync().counts["sales"]["written"] == 0
    back = loop.runner().undo(list(undoing(loop.ledger, undone.run, specs)))
    assert back.counts["sales"]["written"] == 11
    assert loop.fields(kept)["code"] == "ANNA-7K2Q"
    assert loop.sync().counts["sales"]["written"] == 0


def test_what_was_undone_is_written_again_when_the_ledger_wants_something_else(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", ANNA)
    contact = sales.create(Kind.CONTACT, Draft(email="a@buyer.io", code="ANNA-7K2Q"))
    run = loop.sync().run
    loop.runner().undo(list(undoing(loop.ledger, run, {spec.name: spec for spec in loop.policy.fields})))
    deal = sales.create(Kind.DEAL, Draft(title="Deal"))
    sales.associate(deal, contact)
    loop.sync()
    assert loop.fields(contact) == {"status": "opportunity"}  # since when is what it was: that stays undone


def test_the_ledger_names_records_by_connection() -> None:
    assert str(Ref("sales", Kind.DEAL, "1")) == "sales:deal:1"
