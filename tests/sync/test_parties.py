"""Who on a deal is its buyer, and what is asked about those who do not stand on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from refloop.ledger.queue import Topic, pending
from refloop.mapping.deals import DealWords
from refloop.mapping.policy import DealRules
from refloop.model import ByAccount, Counting, Kind, Ref, ReviewReason, Side
from refloop.testing import Draft, MemoryCrm
from tests.sync.loop import POLICY, Loop

ANNA, ZED = "anna@partners.io", "zed@partners.io"


@pytest.fixture
def sales(loop: Loop) -> MemoryCrm:
    loop.code("ANNA-7K2Q", "anna", ANNA)
    loop.code("ZEDS-4F6T", "zed", ZED)
    crm = loop.crms["sales"]
    assert isinstance(crm, MemoryCrm)
    return crm


def person(sales: MemoryCrm, email: str | None, code: str | None = None, **facts: object) -> Ref:
    ref = sales.create(Kind.CONTACT, Draft(email=email, title=str(facts.pop("title", "Buyer Inc")), code=code))
    sales.fill(ref, **facts)
    return ref


def won(sales: MemoryCrm, *people: Ref, amount: int = 1000, **facts: object) -> Ref:
    deal = sales.create(Kind.DEAL, Draft(title="Deal", amount=Decimal(amount)))
    sales.fill(deal, **facts)
    for one in people:
        sales.associate(deal, one)
    sales.pass_time(timedelta(days=1))
    sales.win(deal)
    return deal


def asked(loop: Loop) -> dict[tuple[Ref, ReviewReason], tuple[str, ...]]:
    rows = loop.ledger.rows("SELECT * FROM questions")
    return {
        (Ref(row["connection"], Kind(row["kind"]), row["id"]), ReviewReason(row["doubt"])): (
            row["field"],
            row["evidence"],
            row["candidates"],
        )
        for row in rows
    }


def reasons(loop: Loop) -> list[ReviewReason]:
    return sorted(reason for _, reason in asked(loop))


def settled(loop: Loop) -> None:
    """That nothing is left to do, and nothing is written, when nothing happened."""
    report = loop.sync()
    assert report.counts["sales"]["written"] == 0
    assert [pending(loop.ledger, topic) for topic in Topic] == [0] * len(Topic)


@pytest.fixture
def referred_referrer(sales: MemoryCrm) -> Ref:
    """Anna, who refers others, and was once referred by Zed."""
    anna = person(sales, ANNA, "ZEDS-4F6T", title="Partners")
    sales.pass_time(timedelta(days=1))
    return anna


@pytest.mark.parametrize("word", ["Referred by", "REFERRER", "referral_partner"])
def test_a_referrer_on_a_deal_is_not_its_buyer(loop: Loop, sales: MemoryCrm, referred_referrer: Ref, word: str) -> None:
    deal = won(sales, person(sales, "bo@buyer.io", "ANNA-7K2Q"))
    sales.stand(deal, referred_referrer, word)
    zed = sales.create(Kind.CONTACT, Draft(email=ZED))
    loop.sync()
    assert (loop.fields(deal)["code"], loop.fields(deal)["referrer"]) == ("ANNA-7K2Q", "Anna")
    assert (loop.fields(zed)["won"], loop.fields(zed)["won_amount"]) == ("0", "0")
    assert loop.fields(referred_referrer)["status"] == "submitted"
    assert asked(loop) == {}
    settled(loop)


def test_a_role_that_is_typed_later_takes_the_credit_away(loop: Loop, sales: MemoryCrm, referred_referrer: Ref) -> None:
    deal = won(sales, referred_referrer)
    loop.sync()
    assert loop.fields(deal)["code"] == "ZEDS-4F6T"
    sales.stand(deal, referred_referrer, "Referrer")
    loop.sync()
    assert loop.fields(deal) == {}
    assert reasons(loop) == [ReviewReason.ONLY_A_ROLE]
    assert '["anna7k2q"]' in asked(loop)[deal, ReviewReason.ONLY_A_ROLE][2]
    sales.stand(deal, referred_referrer, "Decision Maker")
    loop.sync()
    assert (loop.fields(deal)["code"], reasons(loop)) == ("ZEDS-4F6T", [])
    settled(loop)


def test_a_role_alone_is_asked_about_whoever_it_is(loop: Loop, sales: MemoryCrm) -> None:
    stranger = person(sales, "stranger@else.io")
    deal = won(sales, person(sales, "bo@buyer.io"))
    sales.stand(deal, stranger, "Referred By")
    loop.sync()
    assert asked(loop) == {(deal, ReviewReason.ONLY_A_ROLE): ("Referred By", str(stranger), "[]")}
    sales.dissociate(deal, stranger)
    loop.sync()
    assert asked(loop) == {}


@pytest.mark.parametrize("words", [("Decision Maker", "Referrer"), ()])
def test_a_referrer_who_is_the_buyer_too_is_asked_about(
    loop: Loop, sales: MemoryCrm, referred_referrer: Ref, words: tuple[str, ...]
) -> None:
    """By two words, or without any while another buyer came by a code of theirs."""
    deal = won(sales, person(sales, "bo@buyer.io", "ANNA-7K2Q"))
    sales.stand(deal, referred_referrer, *words)
    zed = sales.create(Kind.CONTACT, Draft(email=ZED))
    loop.sync()
    assert (reasons(loop), loop.fields(deal)["code"]) == ([ReviewReason.REFERRER_IS_BUYER], "ANNA-7K2Q")
    assert asked(loop)[deal, ReviewReason.REFERRER_IS_BUYER][1] == str(referred_referrer)
    assert loop.fields(zed)["won"] == "0"
    settled(loop)


def test_a_company_says_what_its_words_mean(loop: Loop, sales: MemoryCrm) -> None:
    consultant = person(sales, "co@consult.io", "ANNA-7K2Q")
    deal = won(sales)
    sales.stand(deal, consultant, "Consultant")
    loop.sync()
    assert loop.fields(deal)["code"] == "ANNA-7K2Q"
    loop.policy = replace(POLICY, deals=DealRules(roles={"sales": {"consultant": Side.NOBODY}}))
    loop.sync()
    assert (loop.fields(deal), loop.fields(consultant)["status"]) == ({}, "submitted")
    loop.policy = replace(POLICY, deals=DealRules(roles={"sales": {"*": Side.NOBODY, "consultant": Side.BUYER}}))
    loop.sync()
    assert loop.fields(deal)["code"] == "ANNA-7K2Q"


def test_a_deal_that_does_not_count_wins_nothing_and_shows_nothing(loop: Loop, sales: MemoryCrm) -> None:
    buyer = person(sales, "bo@buyer.io", "ANNA-7K2Q")
    anna = sales.create(Kind.CONTACT, Draft(email=ANNA))
    renewal = won(sales, buyer, pipeline="Renewals")
    upgrade = won(sales, buyer, deal_type="Existing Customer - Upgrade")
    loop.sync()
    assert (loop.fields(renewal), loop.fields(upgrade), loop.fields(buyer)["status"]) == ({}, {}, "submitted")
    assert (loop.fields(anna)["won"], asked(loop)) == ("0", {})
    deal = won(sales, buyer, pipeline="Sales", deal_type="newbusiness")
    loop.sync()
    assert (loop.fields(deal)["status"], loop.fields(anna)["won_amount"]) == ("won", "1000")
    sales.fill(deal, pipeline="Renewals")
    loop.sync()
    assert (loop.fields(deal), loop.fields(anna)["won"]) == ({}, "0")
    settled(loop)


def test_renewals_are_credited_apart_where_the_company_says_so(loop: Loop, sales: MemoryCrm) -> None:
    loop.policy = replace(POLICY, deals=DealRules(words={"sales": DealWords(renewals_credited=True)}))
    buyer = person(sales, "bo@buyer.io", "ANNA-7K2Q")
    anna = sales.create(Kind.CONTACT, Draft(email=ANNA))
    renewal = won(sales, buyer, deal_type="existingbusiness")
    loop.sync()
    held = loop.fields(renewal)
    assert (held["code"], held["status"]) == ("ANNA-7K2Q", "won")
    assert held["why"].endswith("; renewal 100 % of this deal")
    assert loop.fields(buyer)["status"] == "submitted"
    assert (loop.fields(anna)["won"], loop.fields(anna)["won_amount"]) == ("0", "0")


def test_what_counts_is_the_companys_to_say(loop: Loop, sales: MemoryCrm) -> None:
    buyer = person(sales, "bo@buyer.io", "ANNA-7K2Q")
    renewal, partner = won(sales, buyer, pipeline="Renewals"), won(sales, buyer, pipeline="Partner onboarding")
    words = DealWords(pipelines={"renewals": Counting.NEW, "partner onboarding": Counting.IGNORE})
    loop.policy = replace(POLICY, deals=DealRules(words={"sales": words}))
    loop.sync()
    assert (loop.fields(renewal)["status"], loop.fields(partner)) == ("won", {})


def test_a_won_deal_without_a_buyer_is_asked_about_by_its_company(loop: Loop, sales: MemoryCrm) -> None:
    buyer = person(sales, "bo@buyer.io", "ANNA-7K2Q", account="A1")
    deal, other = won(sales, account="A1"), won(sales, account="A2")
    opened = sales.create(Kind.DEAL, Draft(title="Open"))
    sales.fill(opened, account="A1")
    loop.sync()
    referral = loop.fields(buyer)["id"]
    assert asked(loop) == {(deal, ReviewReason.NO_BUYER): ("account", "A1", f'["{referral}"]')}
    assert [loop.fields(ref) for ref in (deal, other, opened)] == [{}, {}, {}]
    sales.associate(deal, buyer)
    loop.sync()
    assert (asked(loop), loop.fields(deal)["status"], loop.fields(buyer)["status"]) == ({}, "won", "won")
    settled(loop)


def test_what_changes_on_either_side_is_asked_about_or_no_longer(loop: Loop, sales: MemoryCrm) -> None:
    deal = won(sales, account="A1")
    loop.sync()
    assert reasons(loop) == []
    sales.pass_time(timedelta(days=-9))
    buyer = person(sales, "bo@buyer.io", "ANNA-7K2Q", account="A2")
    sales.pass_time(timedelta(days=9))
    loop.sync()
    assert reasons(loop) == []
    for account, open_ in (("A1", [ReviewReason.NO_BUYER]), ("A2", []), ("A1", [ReviewReason.NO_BUYER])):
        sales.pass_time(timedelta(hours=1))
        sales.fill(buyer, account=account)
        loop.sync()
        assert reasons(loop) == open_
    for account, open_ in (("A2", []), ("A1", [ReviewReason.NO_BUYER])):
        sales.pass_time(timedelta(hours=1))
        sales.fill(deal, account=account)
        loop.sync()
        assert reasons(loop) == open_
    sales.pass_time(timedelta(hours=1))
    sales.edit(buyer, "")
    loop.sync()
    assert reasons(loop) == []


def test_a_referral_after_the_deal_had_ended_is_no_candidate(loop: Loop, sales: MemoryCrm) -> None:
    won(sales, account="A1")
    sales.pass_time(timedelta(days=2))
    person(sales, "bo@buyer.io", "ANNA-7K2Q", account="A1")
    loop.sync()
    assert reasons(loop) == []


def test_by_company_alone_is_credited_or_never_where_the_company_says_so(loop: Loop, sales: MemoryCrm) -> None:
    buyer = person(sales, "bo@buyer.io", "ANNA-7K2Q", account="A1")
    anna = sales.create(Kind.CONTACT, Draft(email=ANNA))
    deal = won(sales, account="A1")
    loop.policy = replace(POLICY, deals=DealRules(by_account={"sales": ByAccount.CREDIT}))
    loop.sync()
    assert (loop.fields(deal)["code"], loop.fields(buyer)["status"], asked(loop)) == ("ANNA-7K2Q", "won", {})
    assert (loop.fields(anna)["won"], loop.fields(anna)["won_amount"]) == ("1", "1000")
    settled(loop)
    loop.policy = replace(POLICY, deals=DealRules(by_account={"sales": ByAccount.NEVER}))
    loop.sync()
    assert (loop.fields(deal), loop.fields(buyer)["status"], asked(loop)) == ({}, "reversed", {})
    assert (loop.fields(anna)["won"], loop.fields(anna)["won_amount"]) == ("0", "0")
    loop.policy = POLICY
    loop.sync()
    assert reasons(loop) == [ReviewReason.NO_BUYER]


@pytest.mark.parametrize("email", ["bo.private@mail.io", None])
def test_a_buyer_of_the_name_of_a_referred_person_is_asked_about(
    loop: Loop, sales: MemoryCrm, email: str | None
) -> None:
    lead = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", title="Buyer Inc.", code="ANNA-7K2Q"))
    sales.fill(lead, name="Bo Biggs")
    twin = person(sales, email, name="BO  BIGGS".replace("  ", " "))
    deal = won(sales, twin)
    loop.sync()
    assert asked(loop) == {(deal, ReviewReason.SAME_NAME): ("name", str(twin), f'["{loop.fields(lead)["id"]}"]')}
    assert loop.fields(deal) == {}
    sales.pass_time(timedelta(hours=1))
    sales.fill(twin, name="Cy Cole")
    loop.sync()
    assert asked(loop) == {}
    sales.pass_time(timedelta(hours=1))
    sales.fill(lead, name="Cy Cole")
    loop.sync()
    assert reasons(loop) == [ReviewReason.SAME_NAME]
    settled(loop)


def test_namesakes_at_other_companies_or_on_open_deals_are_not_asked_about(loop: Loop, sales: MemoryCrm) -> None:
    person(sales, "bo@buyer.io", "ANNA-7K2Q", name="Bo Biggs", title="Buyer Inc")
    won(sales, person(sales, "bo@other.io", name="Bo Biggs", title="Other Inc"))
    opened = sales.create(Kind.DEAL, Draft(title="Open"))
    sales.associate(opened, person(sales, "bb@buyer.io", name="Bo Biggs", title="Buyer Inc"))
    loop.sync()
    assert asked(loop) == {}
