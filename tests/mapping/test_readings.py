from __future__ import annotations

from refloop.mapping.policy import Policy, StatusRules
from refloop.mapping.readings import readings
from refloop.mapping.stages import status_words
from refloop.model import Finding, Level, Status, Word, WordKind

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
        Finding(Level.INFO, "hub: deals.pipeline", "`Sales` (default); `Renewals`"),
        Finding(Level.INFO, f"hub: {STAGES}", "`Trial` (97): Qualified; `Sleeping` (98): On hold"),
    ]


def test_a_word_that_says_nothing_is_told_with_what_to_do() -> None:
    (found,) = readings("hub", [stage("Trial", "97"), stage("Partner", "99")], POLICY)
    assert found.message == "`Trial` (97): Qualified; `Partner` (99): says nothing"
    assert "matching: statuses:" in found.remedy
    assert found.level is Level.INFO, "it keeps nothing from working"


def test_without_words_there_is_nothing_to_tell() -> None:
    assert list(readings("hub", [], POLICY)) == []
