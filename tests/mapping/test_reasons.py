"""What is said to the people who read a record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from refloop.mapping.fields import ReferralView, deal_view, person_view
from refloop.mapping.labels import Labels
from refloop.mapping.reasons import (
    OWN_CODE,
    Reader,
    Refused,
    Told,
    answer_to_items,
    answer_to_refused,
    day,
    ending,
    how_sentence,
    role_sentence,
    void_sentence,
)
from refloop.model import (
    Code,
    Described,
    FieldLabel,
    How,
    Kind,
    Outcome,
    Record,
    Ref,
    ReviewItem,
    ReviewReason,
    Role,
    Rule,
    Status,
)

AT = datetime(2025, 9, 3, 22, 30, tzinfo=UTC)
LABELS = Labels.of(
    {
        "sf": Described(
            "Salesforce",
            (
                FieldLabel(Kind.LEAD, "Lead_Source_Detail__c", "Lead Source Detail"),
                FieldLabel(Kind.LEAD, "ref_code", "Empfehlungscode"),
            ),
        ),
        "hs": Described(
            "HubSpot",
            (FieldLabel(Kind.CONTACT, "hs_analytics_first_url", "First Page Seen", "on the first page they saw"),),
        ),
    }
)


def reader(connection: str, kind: Kind, zone: str = "UTC") -> Reader:
    return Reader(connection, kind, LABELS, ZoneInfo(zone), "ref_code")


LINK = How(Rule.URL, "hs", Kind.CONTACT, "hs_analytics_first_url")
DETAIL = How(Rule.EXACT, "sf", Kind.LEAD, "Lead_Source_Detail__c")


@pytest.mark.parametrize(
    ("how", "who", "sentence"),
    [
        (LINK, reader("hs", Kind.CONTACT), "Came by Göran Ek's link (GORAN-7K) on the first page they saw, 3 Sep 2025"),
        (
            LINK,
            reader("sf", Kind.LEAD),
            "Came by Göran Ek's link (GORAN-7K) on the first page they saw (HubSpot), 3 Sep 2025",
        ),
        (DETAIL, reader("sf", Kind.LEAD), "Said code GORAN-7K in Lead Source Detail, 3 Sep 2025"),
        (DETAIL, reader("sf", Kind.LEAD, "Europe/Stockholm"), "Said code GORAN-7K in Lead Source Detail, 4 Sep 2025"),
        (DETAIL, reader("sf", Kind.CONTACT), "Said code GORAN-7K in Lead Source Detail of the lead, 3 Sep 2025"),
        (DETAIL, reader("hs", Kind.CONTACT), "Said code GORAN-7K in Salesforce, field Lead Source Detail, 3 Sep 2025"),
        (
            replace(DETAIL, rule=Rule.TEXT),
            reader("sf", Kind.LEAD),
            "Mentioned code GORAN-7K in Lead Source Detail, 3 Sep 2025",
        ),
        (
            replace(DETAIL, field="ref_code"),
            reader("sf", Kind.LEAD),
            "Has code GORAN-7K, typed in Empfehlungscode, 3 Sep 2025",
        ),
        (How(Rule.CLAIM), reader("sf", Kind.LEAD), "Submitted as Göran Ek's referral (GORAN-7K), 3 Sep 2025"),
        (
            LINK,
            reader("hs", Kind.DEAL),
            "Through a contact who came by Göran Ek's link (GORAN-7K) on the first page they saw, 3 Sep 2025",
        ),
        (
            How(Rule.CLAIM),
            reader("hs", Kind.DEAL),
            "Through a contact who was submitted as Göran Ek's referral (GORAN-7K), 3 Sep 2025",
        ),
        (
            How(Rule.NORMALISED, "hs", Kind.DEAL, "promo"),
            reader("hs", Kind.DEAL),
            "Said code GORAN-7K in Promo, 3 Sep 2025",
        ),
    ],
)
def test_how_a_buyer_came_is_a_sentence_for_who_reads_it(how: How, who: Reader, sentence: str) -> None:
    assert how_sentence(Told("GORAN-7K", "Göran Ek", how, AT), who) == sentence


@pytest.mark.parametrize("name", ["{field}", "{0}", "{", "%s"])
def test_a_fields_name_is_never_read_as_a_pattern(name: str) -> None:
    told = Told("ANNA", "Anna", How(Rule.EXACT, "x", Kind.LEAD, name), AT)
    assert how_sentence(told, reader("x", Kind.LEAD)).lower() == f"said code anna in {name}, 3 sep 2025"


def test_what_people_typed_is_told_as_plain_text() -> None:
    told = Told("A<b>NNA", "An\u202ena\n<img src=x>", LINK, AT)
    assert how_sentence(told, reader("hs", Kind.CONTACT)).startswith("Came by Anna's link (ANNA) on")


@pytest.mark.parametrize(
    ("share", "said"),
    [("1", "100 %"), ("0.5", "50 %"), ("0.333333", "33.3 %"), ("0.0004", "0 %"), ("0.666667", "66.7 %")],
)
def test_a_deals_sentence_says_how_much_of_it(share: str, said: str) -> None:
    assert role_sentence("Why", Decimal(share), Role.INFLUENCED) == f"Why; influenced {said} of this deal"


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [
        (Status.LOST, 'the reason given is "Price"', '; lost on 3 Sep 2025: the reason given is "Price"'),
        (
            Status.DISQUALIFIED,
            "the record's stage is Unqualified",
            "; not a fit since 3 Sep 2025: the record's stage is Unqualified",
        ),
        (Status.REVERSED, "the deal was lost", "; reversed on 3 Sep 2025: the deal was lost"),
        (Status.LOST, "", "; lost on 3 Sep 2025"),
        (Status.WON, "a deal was won", ""),
        (Status.CONTACTED, "the record's stage is Connected", ""),
    ],
)
def test_an_end_is_told_with_its_reason(status: Status, reason: str, said: str) -> None:
    assert ending(status, AT, reason, reader("sf", Kind.LEAD)) == said


def deal(**facts: object) -> Record:
    made = Record(Ref("hs", Kind.DEAL, "1"), AT, AT, outcome=Outcome.LOST, closed_at=AT)
    return replace(made, **facts)  # type: ignore[arg-type]  # by name


VIEW = ReferralView(Ref("hs", Kind.DEAL, "1"), "rf", "GORAN-7K", "Göran Ek", AT, Status.LOST, AT, "why", LINK)


def test_a_lost_deal_gives_the_reason_that_somebody_wrote_there() -> None:
    who = reader("hs", Kind.DEAL)
    assert deal_view(deal(lost_reason="Too <b>dear</b>\u202e"), VIEW, who).why == (
        "Through a contact who came by Göran Ek's link (GORAN-7K) on the first page they saw, 3 Sep 2025; "
        'lost on 3 Sep 2025: the reason given is "Too dear"; sourced 100 % of this deal'
    )
    assert "reason given" not in deal_view(deal(), VIEW, who).why
    assert "lost on" not in deal_view(deal(outcome=Outcome.WON, lost_reason="Price"), VIEW, who).why


def test_what_an_earlier_refloop_decided_is_told_as_it_was() -> None:
    old = replace(VIEW, how=None, status=Status.OPPORTUNITY)
    assert person_view(old, reader("hs", Kind.CONTACT)).why == "why"


@pytest.mark.parametrize(
    ("void", "said"),
    [
        (Status.WITHDRAWN, "The referral by code ANNA is withdrawn: because"),
        (Status.ON_HOLD, "Code ANNA does not count yet: because"),
        (Status.DISQUALIFIED, "Code ANNA does not count: because"),
    ],
)
def test_what_does_not_count_says_why(void: Status, said: str) -> None:
    assert void_sentence("ANNA", void, "because") == said


CODES = {
    "ann2026": Code("ANN-2026", "ann2026", "ann", "p", date(2026, 2, 1), date(2026, 5, 3)),
    "bo7": Code("BO-7", "bo7", "bo", "p"),
}


def item(reason: ReviewReason, *meant: str) -> ReviewItem:
    return ReviewItem(Ref("sf", Kind.LEAD, "1"), reason, "ref_code", "ANN-20Z6 secret", meant)


@pytest.mark.parametrize(
    ("items", "answer"),
    [
        ([], ""),
        ([item(ReviewReason.UNKNOWN)], "No such code"),
        ([item(ReviewReason.NEAR, "ann2026")], "No such code: did you mean ANN-2026?"),
        ([item(ReviewReason.NEAR, "ann2026", "bo7")], "No such code: did you mean ANN-2026 or BO-7?"),
        ([item(ReviewReason.NEAR, "gone")], "No such code"),
        ([item(ReviewReason.EXPIRED, "ann2026")], "ANN-2026 expired on 3 May 2026"),
        ([item(ReviewReason.NOT_YET_VALID, "ann2026")], "ANN-2026 is valid only from 1 Feb 2026"),
        (
            [item(ReviewReason.AMBIGUOUS, "ann2026", "bo7")],
            "More than one code fits: ANN-2026 or BO-7? Please type the one that is meant",
        ),
        ([item(ReviewReason.UNKNOWN), item(ReviewReason.NEAR, "bo7")], "No such code: did you mean BO-7?"),
        ([item(ReviewReason.TWO_CODES, "ann2026", "bo7")], ""),
    ],
)
def test_a_wrongly_typed_code_gets_an_answer_that_does_not_repeat_it(items: list[ReviewItem], answer: str) -> None:
    assert answer_to_items(items, CODES) == answer
    assert "secret" not in answer


BO = Told("BO-7", "Bo Ek", How(Rule.CLAIM), AT)


@pytest.mark.parametrize(
    ("refused", "answer"),
    [
        (
            Refused("ANN-2026", Status.DISQUALIFIED, OWN_CODE),
            "ANN-2026 belongs to this person: nobody refers themselves",
        ),
        (
            Refused("ANN-2026", Status.DUPLICATE, "x", BO),
            "This person was already referred by Bo Ek on 3 Sep 2025 (code BO-7)",
        ),
        (Refused("BO-7", Status.DUPLICATE, "x", BO), ""),
        (Refused("ANN-2026", Status.DISQUALIFIED, "fraud"), "Code ANN-2026 does not count: fraud"),
    ],
)
def test_a_code_that_is_one_and_does_not_count_gets_an_answer(refused: Refused, answer: str) -> None:
    assert answer_to_refused(refused, reader("sf", Kind.LEAD)) == answer


def test_a_day_is_written_as_people_write_it() -> None:
    assert day(date(2026, 1, 5)) == "5 Jan 2026"
