from __future__ import annotations

from refloop.mapping.deals import DealWords
from refloop.mapping.policy import DealRules, Policy, StatusRules
from refloop.mapping.readings import readings
from refloop.mapping.stages import status_words
from refloop.model import Counting, Finding, Level, Side, Status, Word, WordKind

POLICY = Policy(status=StatusRules(status_words({"Trial": Status.QUALIFIED, "98": Status.ON_HOLD})))
STAGES = "contacts.lifecyclestage"


def stage(word: str, also: str) -> Word:
    return Word(WordKind.STAGE, word, STAGES, also)


def test_each_place_is_told_with_how_its_words_are_read() -> None:
    words = [
        Word(WordKind.PIPELINE, "Sales", "deals.pipeline", "default"),
        Word(WordKind.PIPELINE, "Renewals", "deals.pipeline", "Renewals"),
        stage("Trial", "97"),
        stage("Sleeping", "98"),
    ]
    assert list(readings("hub", words, POLICY)) == [
        Finding(Level.INFO, "hub: deals.pipeline", "`Sales` (default): new business; `Renewals`: a renewal"),
        Finding(Level.INFO, f"hub: {STAGES}", "`Trial` (97): Qualified; `Sleeping` (98): On hold"),
    ]


def test_the_words_of_a_company_win_and_counts_are_told() -> None:
    deals = DealRules(
        roles={"sf": {"reseller": Side.REFERRER}}, words={"sf": DealWords(types={"upsell": Counting.IGNORE})}
    )
    words = [
        Word(WordKind.DEAL_TYPE, "Upsell", "Opportunity.Type", count=1200),
        Word(WordKind.ROLE, "Reseller", "OpportunityContactRole.Role", count=3),
        Word(WordKind.ROLE, "Referred by", "OpportunityContactRole.Role", count=1),
    ]
    assert [found.message for found in readings("sf", words, Policy(deals=deals))] == [
        "`Upsell` (on 1,200): does not count",
        "`Reseller` (on 3): the referrer; `Referred by` (on 1): the referrer",
    ]


def test_a_word_that_says_nothing_is_told_with_what_to_do() -> None:
    (found,) = readings("hub", [stage("Trial", "97"), stage("Partner", "99")], POLICY)
    assert found.message == "`Trial` (97): Qualified; `Partner` (99): says nothing"
    assert "matching: statuses:" in found.remedy
    assert found.level is Level.INFO, "it keeps nothing from working"


def test_without_words_there_is_nothing_to_tell() -> None:
    assert list(readings("hub", [], POLICY)) == []
