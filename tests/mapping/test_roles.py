"""What the words for people on a deal say."""

from __future__ import annotations

import pytest

from refloop.mapping.roles import Stand, by_key, is_buyer, is_referrer, side_of, sides_of
from refloop.model import Kind, Ref, Side

DEAL, PERSON = Ref("crm", Kind.DEAL, "1"), Ref("crm", Kind.CONTACT, "2")


@pytest.mark.parametrize(
    ("word", "side"),
    [
        ("Referrer", Side.REFERRER),
        ("REFERRED_BY", Side.REFERRER),
        ("Referral-Partner", Side.REFERRER),
        ("Empfohlen von", Side.REFERRER),
        ("Apporteur d'affaires", Side.REFERRER),
        ("Referred", Side.BUYER),  # the other end of the pair: who came by them
        ("Referral customer", Side.BUYER),
        ("Decision Maker", Side.BUYER),
        ("Influencer", Side.BUYER),
        ("", Side.BUYER),
    ],
)
def test_what_a_word_says_by_itself(word: str, side: Side) -> None:
    assert side_of(word, {}) is side


def test_a_companys_own_words_win() -> None:
    own = by_key({"Tech Advisor": Side.NOBODY, "Referrer": Side.BUYER, "*": Side.REFERRER})
    said = [side_of(word, own) for word in ("tech_advisor", "REFERRER", "Introducer", "Owner")]
    assert said == [Side.NOBODY, Side.BUYER, Side.REFERRER, Side.REFERRER]


@pytest.mark.parametrize(
    ("links", "sides", "buyer"),
    [
        (((),), {Side.BUYER}, True),
        ((("Referrer",),), {Side.REFERRER}, False),
        ((("Decision Maker", "Referrer"),), {Side.BUYER, Side.REFERRER}, False),
        (((), ("Referrer",)), {Side.BUYER, Side.REFERRER}, False),  # two contact roles, one of them empty
        ((("Advisor",),), {Side.NOBODY}, False),
        ((("Advisor", "User"),), {Side.NOBODY, Side.BUYER}, True),
    ],
)
def test_a_person_is_all_that_the_links_say(links: tuple[tuple[str, ...], ...], sides: set[Side], buyer: bool) -> None:
    roles = {"crm": by_key({"advisor": Side.NOBODY})}
    stand = Stand(DEAL, PERSON, links)
    assert sides_of(stand, roles) == frozenset(sides)
    assert is_buyer(stand, roles) is buyer
    assert is_referrer(stand, roles) is (Side.REFERRER in sides)


def test_another_connections_words_say_nothing_here() -> None:
    assert is_buyer(Stand(DEAL, PERSON, (("Advisor",),)), {"other": {"advisor": Side.NOBODY}})
