# ruff: noqa: RUF001 - characters that look alike are what is tested
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refloop.mapping import candidates, codes, numerals, plain_text
from refloop.mapping import match as matching
from refloop.mapping.candidates import TEXT_LIMIT, is_code_field
from refloop.mapping.codes import CodeBook, code_key, fold_key
from refloop.mapping.days import zone_named
from refloop.mapping.match import (
    CANDIDATES_LIMIT,
    EVIDENCE_LIMIT,
    ITEMS_LIMIT,
    Arrivals,
    CarriedTexts,
    Reading,
)
from refloop.model import Arrival, Code, Kind, Match, Presence, Ref, ReviewItem, ReviewReason, Rule
from tests.work import calls_of, goes_back

DAY = date(2026, 3, 1)
LEAD = Ref("crm", Kind.LEAD, "1")


def read_codes(
    texts: Mapping[str, str], on: date, book: CodeBook, *, typed: str | None = None, typed_field: str = ""
) -> Reading:
    return matching.read_codes(CarriedTexts(LEAD, texts, on, typed, typed_field), book)


def item(reason: ReviewReason, field: str, evidence: str, candidates: tuple[str, ...]) -> ReviewItem:
    return ReviewItem(LEAD, reason, field, evidence, candidates)


def issued(text: str, valid_from: date | None = None, valid_to: date | None = None) -> Code:
    return Code(text, code_key(text), f"referrer of {text}", "spring", valid_from, valid_to)


BOOK = CodeBook(
    [
        issued("ACME-7K2Q"),
        issued("BETA77X"),
        issued("JULIA10"),
        issued("ANNA"),
        issued("REFER A FRIEND 5"),
        issued("JÜRGEN20"),
        issued("STRASSE9"),
        issued("90210"),
        issued("J0HN5"),
        issued("JOHN5"),
        issued("OLD2020", valid_to=date(2020, 12, 31)),
        issued("SOON2030", valid_from=date(2030, 1, 1)),
    ]
)


def read(text: str, field: str = "Description") -> Reading:
    return read_codes({field: text}, DAY, BOOK)


HYPHENS = (
    "-\u2010\u2011\u2012\u2013\u2014\u2015\u2027\u2043\u2212\u02d7\u2500\u2796\ufe58\ufe63\uff0d\u301c\u30fc\uff70"
    "\u00ad"  # the soft one is not seen at all
)

FOUND = [
    # the whole field
    ("ACME-7K2Q", "acme7k2q", Rule.EXACT),
    ("  ACME-7K2Q\n", "acme7k2q", Rule.EXACT),
    ("REFER A FRIEND 5", "referafriend5", Rule.EXACT),
    ("ACME7K2Q", "acme7k2q", Rule.NORMALISED),
    ("acme 7k2q", "acme7k2q", Rule.NORMALISED),
    ("Acme_7K2q.", "acme7k2q", Rule.NORMALISED),
    ('"ACME-7K2Q"', "acme7k2q", Rule.NORMALISED),
    ("#acme7k2q", "acme7k2q", Rule.NORMALISED),
    ("ＡＣＭＥ７Ｋ２Ｑ", "acme7k2q", Rule.NORMALISED),
    ("ACME\u200b7K2Q", "acme7k2q", Rule.NORMALISED),
    ("\U0001f525 JULIA10 \U0001f525", "julia10", Rule.NORMALISED),
    ("straße9", "strasse9", Rule.NORMALISED),
    ("ju\u0308rgen20", "jürgen20", Rule.NORMALISED),
    ("JUL\u0130A10", "julia10", Rule.NORMALISED),
    ("jul\u0131a10", "julia10", Rule.FOLDED),
    ("JU1IA1O", "julia10", Rule.FOLDED),
    ("JULIAIO", "julia10", Rule.FOLDED),
    # links
    ("https://x.y/?utm_source=a&ref=ACME7K2Q#top", "acme7k2q", Rule.URL),
    ("https://x.y/?REF=acme-7k2q", "acme7k2q", Rule.URL),
    ("https://x.y/?referral_code=ACME%2D7K2Q.", "acme7k2q", Rule.URL),
    ("https://x.y/?rc=ACME+7K2Q&x=%zz", "acme7k2q", Rule.URL),
    ("https://x.y/?ref=%41CME7K2Q&y=%", "acme7k2q", Rule.URL),
    ("?ref=ACME7K2Q", "acme7k2q", Rule.URL),
    ("/signup?via=julia10", "julia10", Rule.URL),
    ("example.com/r/julia10", "julia10", Rule.URL),
    ("https://example.com/r/JULIA10/?utm_source=mail", "julia10", Rule.URL),
    ("example.com/join?code=julia10", "julia10", Rule.URL),
    ("utm_source=mail&utm_campaign=julia10", "julia10", Rule.URL),
    ("https://app.x.y/#/signup?ref=ACME7K2Q", "acme7k2q", Rule.URL),
    ("came from (https://x.y/?a=1&ref=ACME7K2Q).", "acme7k2q", Rule.URL),
    ('<a href="https://x.y/?a=1&amp;ref=ACME7K2Q">here</a>', "acme7k2q", Rule.URL),
    ("https://out.link/?url=https%3A%2F%2Fx.y%2F%3Fref%3DACME7K2Q&data=5", "acme7k2q", Rule.URL),
    ("https://x.y/?ref=JU1IA10", "julia10", Rule.URL),
    ("https://x.y/?ref=anna", "anna", Rule.URL),
    ("https://x.y/?ref=J%C3%9CRGEN20", "jürgen20", Rule.URL),
    ("https://x.y/?ref=ACME7K2Qから来ました", "acme7k2q", Rule.URL),
    ("first https://a.b/?x=1 then https://x.y/?ref=ACME7K2Q", "acme7k2q", Rule.URL),
    ("JULIA10,https://x.y/", "julia10", Rule.TEXT),
    # free text
    ("referred by Anna, code acme-7k2q!", "acme7k2q", Rule.TEXT),
    ("Promo: ACME 7K2Q", "acme7k2q", Rule.TEXT),
    ("Promo code is ACME - 7K2Q, says Bob", "acme7k2q", Rule.TEXT),
    ("wants a demo. JULIA10", "julia10", Rule.TEXT),
    ("met at the fair (julia10) in May", "julia10", Rule.TEXT),
    ("met at the fair, ACME-7K2Q, in May", "acme7k2q", Rule.TEXT),
    ("spring_JULIA10_berlin", "julia10", Rule.TEXT),
    ("ref-ACME7K2Q", "acme7k2q", Rule.TEXT),
    ("her referral code: anna", "anna", Rule.TEXT),
    ("told us ANNA sent them", "anna", Rule.TEXT),
    ("REFERRAL CODE ANNA PLEASE", "anna", Rule.TEXT),
    ("coupon 90210", "90210", Rule.TEXT),
    ("Empfehlungscode lautet julia 10", "julia10", Rule.TEXT),
    ("código JULIA10 gracias", "julia10", Rule.TEXT),
    ("ACME 7K2Q is the code", "acme7k2q", Rule.TEXT),
    ("紹介コードはJULIA10です", "julia10", Rule.TEXT),
    ("code ju1ia10 thanks", "julia10", Rule.TEXT),
    ("JULIA10 and again julia-10, code julia10", "julia10", Rule.TEXT),
    ("write to bob@acme.io about JULIA10", "julia10", Rule.TEXT),
]


ONE_REFERRERS = CodeBook(
    [replace(issued(text), referrer="bo") for text in ("BETA77X", "JULIA10")]
    + [issued("OLD2020", valid_to=date(2020, 1, 1))]
)


@pytest.mark.parametrize(("text", "key", "rule"), FOUND)
def test_codes_that_are_found(text: str, key: str, rule: Rule) -> None:
    reading = read(text)
    assert reading.match is not None
    assert (reading.match.code, reading.match.rule, reading.match.field) == (key, rule, "Description")
    assert reading.items == ()


FORMS = [
    # any character that looks like a hyphen
    *(f"code ANN{hyphen}2026 it was" for hyphen in HYPHENS),
    "code ANN&#45;2026",
    "code ANN&#x2013;2026",
    "code ANN&ndash;2026",
    "code ANN&amp;ndash;2026",
    "code ANN&shy;-2026",
    "code ANN&nbsp;2026",
    "code ANN \u2013 2026, please",
    "code ANN%2D2026",
    "code ANN%E2%80%932026",
    # markup
    "code <b>ANN</b>-2026",
    "<p>Her code <strong>ANN</strong>&ndash;<em>2026</em></p>",
    "<div>code</div><div>ANN-2026</div>",
    "code<br/>ANN-2026",
    "code &lt;b&gt;ANN&lt;/b&gt;-2026",
    'code <a href="https://x.y/about">ANN</a>-2026',
    "code <ANN-2026>",
    "code <span style='color:red'>AN</span>N-20<wbr>26",
    "code ANN<!-- note -->-2026",
    "code **ANN**-2026",
    "code `ANN`-`2026`",
    "code ANN/2026",
    "code ANN_2026",
    # a line's end
    "code ANN-\n2026",
    "code ANN-\r\n> 2026",
    "code ANN\n-2026",
    "code ANN-20\n26",
    "code\nANN-2026",
    "code ANN-20=\n26",
    "code ANN<br>-2026",
    "she told us ANN-\n2026",
    # characters that nobody sees
    "code ANN\u200b-\u200e2026",
    "code A\u2060NN-2\ufe0f0\ufe0f26",
    "code \u202aANN-2026\u202c",
    # links
    "https://x.y/?ref=ANN%252D2026",
    "https://o.u/?u=https%253A%252F%252Fx.y%252F%253Fref%253DANN-2026",
    "https://o.u/?u=https%25253A%25252F%25252Fx.y%25252F%25253Fref%25253DANN%2525252D2026",
    "https://o.u/?u=https%253A%252F%252Fx.y%252Fr%252FANN-2026",
    "https://x.y/?a=1&amp;ref=ANN&ndash;2026",
    "https://x.y/?ref=ANN\u20132026",
    '<a href="https://x.y/?ref=ANN-2026">our shop</a>',
    "<a target=_blank href=https://x.y/?ref=ANN-2026>our shop</a>",
    "https://x.y/?utm_source=letter&ref=ANN-\n2026",
    "https://x.y/?utm_source=letter&ref=ANN-20\n26",
    "https://x.y/?utm_source=letter&r\nef=ANN-2026",
]


@pytest.mark.parametrize("text", FORMS)
def test_a_code_is_found_in_whatever_form_it_comes(text: str) -> None:
    book = CodeBook([issued("ANN-2026"), issued("BEN-2026")])
    reading = read_codes({"Description": text}, DAY, book)
    assert reading.match is not None
    assert (reading.match.code, reading.items) == ("ann2026", ())


DIGITS = CodeBook([issued("12345"), issued("123450"), issued("12345000"), issued("1234567890123456")])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("12345", "12345"),
        ("12345.0", "12345"),
        ("12345.00", "12345"),
        ("12345,0", "12345"),
        ("12,345.00", "12345"),
        ("$12,345.00", "12345"),
        ("123450.0", "123450"),
        ("1.2345E7", "12345000"),
        ("1.234567890123456E15", "1234567890123456"),
        ("1.234567890123456E+15", "1234567890123456"),
        ("code 12345.0", "12345"),
        ("code 12345.0, she said", "12345"),
        ("code 12,345.00 it is", "12345"),
        ("code 12 345", "12345"),
        ("code 12-345", "12345"),
        ("https://x.y/?ref=12345.0", "12345"),
    ],
)
@pytest.mark.parametrize("field", ["Description", "Promo_Code__c"])
def test_a_number_is_read_as_the_number_it_is(field: str, text: str, key: str) -> None:
    match = read_codes({field: text}, DAY, DIGITS).match
    assert match is not None
    assert match.code == key


@pytest.mark.parametrize(
    ("text", "evidence", "reason", "candidates"),
    [
        ("12.345", "12.345", ReviewReason.NEAR, ("12345",)),
        ("code 12.345 it was", "12.345", ReviewReason.NEAR, ("12345",)),
        ("12345.5", "12345.5", ReviewReason.NEAR, ("12345",)),
        ("1.23457E+15", "1.23457E+15", ReviewReason.UNKNOWN, ()),
        ("code 1.23457E+15", "1.23457E+15", ReviewReason.UNKNOWN, ()),
        ("https://x.y/?ref=1.23457E%2B15", "ref=1.23457E%2B15", ReviewReason.UNKNOWN, ()),
    ],
)
def test_a_number_that_nobody_can_read_for_certain_is_asked(
    text: str, evidence: str, reason: ReviewReason, candidates: tuple[str, ...]
) -> None:
    for field in ("Promo_Code__c", "Description"):
        assert read_codes({field: text}, DAY, DIGITS) == Reading(None, (item(reason, field, evidence, candidates),))


@pytest.mark.parametrize("text", ["promo 1.5 % off", "code of version 2.0", "0.15", "1.5", "dress code 20.04.12"])
def test_other_numbers_are_no_question(text: str) -> None:
    assert read_codes({"Description": text}, DAY, DIGITS) == Reading(None, ())


def test_a_code_that_was_issued_with_a_point_is_that_code() -> None:
    book = CodeBook([issued("12.345"), issued("12")])
    match = read_codes({"Promo_Code__c": "12.345"}, DAY, book).match
    assert match is not None
    assert (match.code, match.rule) == ("12345", Rule.EXACT)


NOTHING = [
    "",
    "a < b and ANN & BEN > c; 5 < 6",
    "well-\nknown and <i>long</i>-\nserving",
    "   ",
    "\U0001f525",
    "Wants a demo next week, call 030 90210 or 0170 5551234",
    "zip code 90210",
    "Error code JULIA11",
    "QR code scanned",
    "talked to Anna about the code of conduct",
    "referred by Anna",
    "TALKED TO ANNA TODAY",
    "an na",
    "mail julia10@acme.io",
    "https://x.y/julia10",
    "https://x.y/?name=julia10",
    "https://x.y/?ref=producthunt",
    "https://x.y/?utm_campaign=spring2026",
    "https://x.y/?code=4/0AX4XfWhgQ_example-oauth-token_long",
    "https://reddit.com/r/julia10",
    "Q3/2026 w/r/t pricing and/or terms",
    "our B2B plan costs 90210 a year",
    "PREJULIA10POST",
    "JULIA100 units and 7K2Q boxes",
    "ju lia 10 times",
    "\u0410\u0421\u041c\u0415-7\u041a2Q",  # Cyrillic look-alikes are other letters
    "1 2 3",
    "none",
]


@pytest.mark.parametrize("text", NOTHING)
def test_ordinary_text_gives_neither_match_nor_question(text: str) -> None:
    assert read(text) == Reading(None, ())


ASKED = [
    ("JULIA11", ReviewReason.NEAR, "JULIA11", ("julia10",)),
    ("JULAI10", ReviewReason.NEAR, "JULAI10", ("julia10",)),
    ("JULI10", ReviewReason.NEAR, "JULI10", ("julia10",)),
    ("JULIAA10", ReviewReason.NEAR, "JULIAA10", ("julia10",)),
    ("Anna says her promo code is ACME7K2R", ReviewReason.NEAR, "ACME7K2R", ("acme7k2q",)),
    ("your ref: BETA77Y", ReviewReason.NEAR, "BETA77Y", ("beta77x",)),
    ("https://x.y/?ref=BETA77Y", ReviewReason.NEAR, "ref=BETA77Y", ("beta77x",)),
    ("Anna says her promo code is XQZ99PW", ReviewReason.UNKNOWN, "XQZ99PW", ()),
    ("https://x.y/?ref=XQZ99PW", ReviewReason.UNKNOWN, "ref=XQZ99PW", ()),
    ("OLD2020", ReviewReason.EXPIRED, "OLD2020", ("old2020",)),
    ("https://x.y/?ref=old2020", ReviewReason.EXPIRED, "ref=old2020", ("old2020",)),
    ("code SOON2030", ReviewReason.NOT_YET_VALID, "SOON2030", ("soon2030",)),
    ("Anna has code JULIA 11 or so, ref OLD2020", ReviewReason.EXPIRED, "OLD2020", ("old2020",)),
    ("code JULIA10 or BETA77X", ReviewReason.AMBIGUOUS, "BETA77X", ("beta77x", "julia10")),
    ("?ref=JULIA10&code=BETA77X", ReviewReason.AMBIGUOUS, "code=BETA77X", ("beta77x", "julia10")),
]


@pytest.mark.parametrize(("text", "doubt", "evidence", "candidates"), ASKED)
def test_what_is_asked_instead_of_guessed(
    text: str, doubt: ReviewReason, evidence: str, candidates: tuple[str, ...]
) -> None:
    assert read(text) == Reading(None, (item(doubt, "Description", evidence, candidates),))


def test_two_codes_that_look_alike_are_a_question() -> None:
    book = CodeBook([issued("J0HN5"), issued("JOHN5")])
    assert read_codes({"Note": "JO\u200bHN5"}, DAY, book).match == Match(
        "john5", Rule.NORMALISED, "Note", "JO\u200bHN5", 99
    )
    alike = CodeBook([issued("AB1C0"), issued("ABLCO")])
    assert read_codes({"Note": "ABIC0"}, DAY, alike) == Reading(
        None, (item(ReviewReason.AMBIGUOUS, "Note", "ABIC0", ("ab1c0", "ablco")),)
    )


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("ACME-7K2Q", 100),
        ("acme7k2q", 99),
        ("JU1IA10", 95),
        ("?ref=acme7k2q", 99),
        ("?ref=JU1IA10", 95),
        ("use acme-7k2q now", 90),
        ("code ju1ia10 now", 86),
    ],
)
def test_confidence(text: str, confidence: int) -> None:
    match = read(text).match
    assert match is not None
    assert match.confidence == confidence


@pytest.mark.parametrize(
    ("texts", "key", "field"),
    [
        ({"A": "code BETA77X", "B": "?ref=JULIA10"}, "julia10", "B"),
        ({"A": "?ref=BETA77X", "B": "ju1ia10"}, "julia10", "B"),
        ({"A": "JU1IA10", "B": "beta77x"}, "beta77x", "B"),
        ({"A": "beta-77x", "B": "JULIA10"}, "julia10", "B"),
        ({"A": "?utm_campaign=beta77x&ref=julia10"}, "julia10", "A"),
        ({"A": "saw BETA77X around, but all their people go by code JULIA10"}, "julia10", "A"),
        ({"A": "code OLD2020 is over, now JULIA10"}, "julia10", "A"),
        ({"B": "JULIA10", "A": "JULIA10"}, "julia10", "A"),
        ({"Note": "beta-77x", "Promo_Code__c": "julia-10"}, "julia10", "Promo_Code__c"),
    ],
)
def test_of_the_codes_of_one_referrer_the_stronger_place_wins(texts: dict[str, str], key: str, field: str) -> None:
    match = read_codes(texts, DAY, ONE_REFERRERS).match
    assert match is not None
    assert (match.code, match.field) == (key, field)


@pytest.mark.parametrize(
    ("texts", "field", "evidence"),
    [
        ({"A": "code BETA77X", "B": "?ref=JULIA10"}, "B", "ref=JULIA10"),
        ({"A": "JU1IA10", "B": "beta77x"}, "B", "beta77x"),
        ({"A": "has code BETA77X from the fair but heard of us by JULIA10 first"}, "A", "BETA77X"),
    ],
)
def test_strength_does_not_say_which_of_two_referrers_was_first(
    texts: dict[str, str], field: str, evidence: str
) -> None:
    reading = read_codes(texts, DAY, BOOK)
    assert reading == Reading(None, (item(ReviewReason.AMBIGUOUS, field, evidence, ("beta77x", "julia10")),))


def test_one_link_is_one_place_whoever_the_codes_belong_to() -> None:
    match = read_codes({"A": "?utm_campaign=beta77x&ref=julia10"}, DAY, BOOK).match
    assert match is not None
    assert match.code == "julia10"


def arrival(code: str, field: str, since: int, by: int, presence: Presence = Presence.CARRIED) -> Arrival:
    """The code came between two hours of the day."""
    start, end = (datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (since, by))
    return Arrival(Match(code, Rule.EXACT, field, code, 100), start, end, end, presence=presence)


def test_of_two_codes_the_one_that_certainly_came_first_counts_and_the_other_is_asked_about() -> None:
    arrivals = {"beta77x": arrival("beta77x", "A", 3, 5), "julia10": arrival("julia10", "B", 5, 9)}
    carried = CarriedTexts(LEAD, {"A": "code BETA77X", "B": "JULIA10"}, DAY)
    reading = matching.read_codes(carried, BOOK, Arrivals(arrivals))
    assert reading.match is not None
    assert reading.match.code == "beta77x"
    assert reading.items == (item(ReviewReason.TWO_CODES, "B", "JULIA10", ("beta77x", "julia10")),)


def test_a_code_that_was_overwritten_still_counts_and_is_asked_about() -> None:
    arrivals = {
        "beta77x": arrival("beta77x", "A", 3, 5, Presence.OVERWRITTEN),
        "julia10": arrival("julia10", "A", 7, 9),
    }
    reading = matching.read_codes(CarriedTexts(LEAD, {"A": "JULIA10"}, DAY), BOOK, Arrivals(arrivals))
    assert reading.match == arrivals["beta77x"].match
    assert [one.reason for one in reading.items] == [ReviewReason.TWO_CODES]


def test_two_codes_that_may_have_come_in_either_order_are_a_question() -> None:
    arrivals = {"beta77x": arrival("beta77x", "A", 3, 6), "julia10": arrival("julia10", "B", 5, 9)}
    carried = CarriedTexts(LEAD, {"A": "BETA77X", "B": "JULIA10"}, DAY)
    reading = matching.read_codes(carried, BOOK, Arrivals(arrivals))
    assert reading.match is None
    assert [one.reason for one in reading.items] == [ReviewReason.AMBIGUOUS]


@pytest.mark.parametrize(
    ("zone", "doubt"),
    [("America/Los_Angeles", None), ("UTC", ReviewReason.EXPIRED), ("Asia/Tokyo", ReviewReason.EXPIRED)],
)
def test_a_code_is_valid_by_the_days_of_the_account(zone: str, doubt: ReviewReason | None) -> None:
    book = CodeBook([issued("MARCH26", valid_to=date(2026, 3, 31))])
    at = datetime(2026, 4, 1, 1, 30, tzinfo=UTC)  # 31 March, 18:30 in Los Angeles
    came = Arrival(Match("march26", Rule.EXACT, "Note", "MARCH26", 100), at, at, at)
    carried = CarriedTexts(LEAD, {"Note": "MARCH26"}, at.date())
    reading = matching.read_codes(carried, book, Arrivals({"march26": came}, zone_named(zone)))
    assert [one.reason for one in reading.items] == ([doubt] if doubt else [])


def test_a_code_counts_only_if_it_was_valid_on_all_days_on_which_it_may_have_come() -> None:
    book = CodeBook([issued("MARCH26", valid_to=date(2026, 3, 31))])
    start, end = datetime(2026, 3, 30, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)
    came = Arrival(Match("march26", Rule.EXACT, "Note", "MARCH26", 100), start, end, start)
    reading = matching.read_codes(CarriedTexts(LEAD, {"Note": "MARCH26"}, DAY), book, Arrivals({"march26": came}))
    assert (reading.match, [one.reason for one in reading.items]) == (None, [ReviewReason.EXPIRED])


def test_equally_strong_places_with_two_codes_are_a_question() -> None:
    reading = read_codes({"B": "JULIA10", "A": "BETA77X"}, DAY, BOOK)
    assert reading == Reading(None, (item(ReviewReason.AMBIGUOUS, "A", "BETA77X", ("beta77x", "julia10")),))


def test_questions_that_are_weaker_than_the_match_are_dropped() -> None:
    assert read_codes({"A": "JULIA10", "B": "?ref=XQZ99PW"}, DAY, BOOK).items == ()


def test_questions_that_are_stronger_than_the_match_stay() -> None:
    reading = read_codes({"Promo_Code__c": "OLD2020", "B": "?ref=JULIA10"}, DAY, BOOK)
    assert reading.match is not None
    assert [question.reason for question in reading.items] == [ReviewReason.EXPIRED]


def test_a_near_miss_of_the_matched_code_is_no_question() -> None:
    reading = read_codes({"Promo_Code__c": "JULIA11", "B": "?ref=JULIA10"}, DAY, BOOK)
    assert reading.match is not None
    assert reading.items == ()


@pytest.mark.parametrize(
    ("on", "doubt"),
    [
        (date(2026, 3, 31), ReviewReason.NOT_YET_VALID),
        (date(2026, 4, 1), None),
        (date(2026, 4, 30), None),
        (date(2026, 5, 1), ReviewReason.EXPIRED),
    ],
)
def test_a_code_is_valid_on_its_first_and_last_day(on: date, doubt: ReviewReason | None) -> None:
    book = CodeBook([issued("APRIL26", date(2026, 4, 1), date(2026, 4, 30))])
    reading = read_codes({"Note": "APRIL26"}, on, book)
    assert (reading.match is not None) is (doubt is None)
    assert [question.reason for question in reading.items] == ([doubt] if doubt else [])


class TestTyped:
    """What a person put into our own code field."""

    @staticmethod
    def read(typed: str, **texts: str) -> Reading:
        return read_codes(texts, DAY, BOOK, typed=typed, typed_field="ref_code")

    @pytest.mark.parametrize(
        ("typed", "key", "rule"),
        [
            ("ACME-7K2Q", "acme7k2q", Rule.EXACT),
            ("acme 7k2q", "acme7k2q", Rule.NORMALISED),
            ("ju1ia10", "julia10", Rule.FOLDED),
            ("anna", "anna", Rule.NORMALISED),
            ("https://x.y/?ref=JULIA10", "julia10", Rule.URL),
            ("JULIA10 (from Bob)", "julia10", Rule.TEXT),
            ("Bob said acme 7k2q", "acme7k2q", Rule.TEXT),
        ],
    )
    def test_it_is_read_like_any_field(self, typed: str, key: str, rule: Rule) -> None:
        match = self.read(typed).match
        assert match is not None
        assert (match.code, match.rule, match.field) == (key, rule, "ref_code")

    def test_it_beats_the_strongest_evidence_elsewhere(self) -> None:
        match = self.read("https://x.y/?ref=JULIA10", Note="BETA77X").match
        assert match is not None
        assert match.code == "julia10"

    @pytest.mark.parametrize(
        ("typed", "doubt"),
        [
            ("JULIA11", ReviewReason.NEAR),
            ("QQ", ReviewReason.UNKNOWN),
            ("bob", ReviewReason.UNKNOWN),
            ("from the newsletter of last week", ReviewReason.UNKNOWN),
            ("x" * 1_000_000, ReviewReason.UNKNOWN),
            ("OLD2020", ReviewReason.EXPIRED),
            ("SOON2030", ReviewReason.NOT_YET_VALID),
        ],
    )
    def test_it_decides_even_when_it_only_raises_a_question(self, typed: str, doubt: ReviewReason) -> None:
        reading = self.read(typed, Note="BETA77X")
        assert reading.match is None
        assert [(question.reason, question.field) for question in reading.items] == [(doubt, "ref_code")]

    @pytest.mark.parametrize("typed", ["", "  ", "-", "n/a", "None", "\U0001f937", "k\u200beine"])
    def test_blank_or_none_leaves_the_word_to_other_fields(self, typed: str) -> None:
        match = self.read(typed, Note="BETA77X").match
        assert match is not None
        assert match.code == "beta77x"

    def test_a_code_that_says_none_is_still_a_code(self) -> None:
        book = CodeBook([issued("NONE")])
        assert read_codes({}, DAY, book, typed="none", typed_field="ref_code").match is not None


def test_an_unknown_code_in_a_code_field_is_a_question() -> None:
    assert read("XQZ99PW", "Promo_Code__c").items == (item(ReviewReason.UNKNOWN, "Promo_Code__c", "XQZ99PW", ()),)
    assert read("XQZ99PW", "Description").items == ()


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("Promo_Code__c", True),
        ("referralCode", True),
        ("hs_coupon", True),
        ("VoucherCode", True),
        ("MailingPostalCode", False),
        ("country_code", False),
        ("Description", False),
        ("Encoded", False),
        ("", False),
    ],
)
def test_fields_that_name_a_code(field: str, names: bool) -> None:
    assert is_code_field(field) is names


def test_own_url_parameters_replace_the_default_ones() -> None:
    book = CodeBook([issued("JULIA10")], url_parameters=["partner[id]"])
    assert read_codes({"Url": "https://x.y/?partner[id]=julia10"}, DAY, book).match is not None
    assert read_codes({"Url": "https://x.y/?ref=julia10"}, DAY, book).match is None


def test_no_url_parameters_at_all() -> None:
    book = CodeBook([issued("JULIA10")], url_parameters=())
    assert read_codes({"Url": "https://x.y/?ref=julia10&=julia10"}, DAY, book) == Reading(None, ())
    assert read_codes({"Url": "https://x.y/r/julia10"}, DAY, book).match is not None


def test_the_evidence_is_the_word_and_never_the_sentence() -> None:
    reading = read("Anna Schmidt, born 1980, told me: use promo code XQZ99PW")
    assert [question.evidence for question in reading.items] == ["XQZ99PW"]


def test_a_long_word_is_cut_in_the_evidence() -> None:
    reading = read_codes({}, DAY, BOOK, typed="x" * 150, typed_field="ref_code")
    assert len(reading.items[0].evidence) == EVIDENCE_LIMIT


def test_a_code_that_straddles_the_limit_is_not_read_in_half() -> None:
    straddling = "x " * (TEXT_LIMIT // 2 - 2) + "JULIA10"
    book = CodeBook([issued("JULI"), issued("JULIA10")])
    assert read_codes({"Note": straddling}, DAY, book) == Reading(None, ())


HOSTILE = [
    "&",
    "?ref=A",
    "&ref=JULIA11",
    "%",
    "?ref=%%%4",
    "a",
    "a-",
    "a@",
    "a.",
    "code ",
    "code K9 ",
    "code A1B2C3D ",
    "\0",
    "\ud800",
    "\ud800 ",
    "\u0300\u0316",
    "\ufdfa",
    "/r/",
    "https://",
    "www.",
    "https://%3d?ref=",
    "aж中1 ",
    "[(",
    "<a href='",
    "<a ",
    "<b",
    "<!--",
    "&amp;",
    "&#45;",
    "&amp",
    "%253d",
    "?ref=%2525",
    "?ref=A\n",
    "code 1",
    "code 1.0 ",
    "1,000",
    "1'000.",
    "1E+",
    "a-\n",
    "a=\n",
    "aー",
    "-",
    " ",
]


def read_hostile(unit: str, length: int) -> list[Reading]:
    text = (unit * length)[:length]
    return [read(text), read(text, "Promo_Code__c"), read_codes({}, DAY, BOOK, typed=text)]


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_is_read_in_bounded_space(unit: str) -> None:
    for reading in (*read_hostile(unit, TEXT_LIMIT - 100), read((unit * 1_000_000)[:1_000_000])):
        assert reading.match is None
        assert len(reading.items) <= ITEMS_LIMIT
        assert all(len(question.evidence) <= EVIDENCE_LIMIT for question in reading.items)


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_takes_work_in_proportion(unit: str) -> None:
    few, many = (calls_of(partial(read_hostile, unit, length)) for length in (400, 3_200))
    assert many <= 8 * few + 100


@pytest.mark.parametrize("unit", [unit for unit in HOSTILE if any(map(str.isspace, unit))])
def test_beyond_the_limit_a_text_takes_no_more_work(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "TEXT_LIMIT", 2_000)
    few, many = (calls_of(partial(read_hostile, unit, length)) for length in (2_100, 20_000))
    assert many <= few + 100


def test_no_pattern_goes_over_a_run_of_characters_again_and_again() -> None:
    """That would be work that no count of calls shows."""
    rooms = (candidates, codes, numerals, plain_text)
    patterns = [one for room in rooms for one in vars(room).values() if isinstance(one, re.Pattern)]
    runs = {one.pattern: goes_back(one) for one in (*patterns, BOOK.parameter)}
    assert len(runs) > 10
    bounded = {
        candidates.UNIT.pattern,  # of "a-----" only what stands before the first separator begins a unit
        candidates._NAME_PIECE.pattern,  # reads names of fields
    }
    assert {pattern for pattern, found in runs.items() if found} == bounded
    assert goes_back(re.compile(r"[\w.]+@\w+")), "negative control"


def test_a_code_is_found_at_the_end_of_a_long_text() -> None:
    assert read("lorem ipsum " * 10_000 + "code JULIA10").match is not None


def test_candidates_are_capped() -> None:
    book = CodeBook(issued(f"WORD{number}") for number in range(100, 200))
    reading = read_codes({}, DAY, book, typed="WORD15", typed_field="ref_code")
    assert len(reading.items[0].candidates) == CANDIDATES_LIMIT


TEXTS = st.text() | st.lists(
    st.sampled_from(
        ["code", "ref", " ", "-", "_", ".", "?ref=", "&", "/r/", "https://x.y/", "%2D", "JULIA10", "julia", "10",
         "BETA77X", "acme", "7k2q", "anna", "ANNA", "OLD2020", "JULIA11", "\ud800", "\0", "@", "é", "中", "\n"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(st.dictionaries(st.text(max_size=12) | st.sampled_from(["Note", "Promo_Code__c"]), TEXTS), TEXTS | st.none())
def test_it_never_raises_and_does_not_depend_on_order(texts: dict[str, str], typed: str | None) -> None:
    reading = read_codes(texts, DAY, BOOK, typed=typed, typed_field="ref_code")
    backwards = dict(reversed(texts.items()))
    assert read_codes(backwards, DAY, BOOK, typed=typed, typed_field="ref_code") == reading
    assert len(reading.items) <= ITEMS_LIMIT
    if reading.match is not None:
        assert reading.match.code in BOOK
        assert reading.match.field in {*texts, "ref_code"}


CODES = st.from_regex(r"[A-Z]{2,6}[0-9]{1,4}[A-Z]{0,3}", fullmatch=True).filter(lambda code: len(code) >= 5)


@st.composite
def spelled(draw: st.DrawFn, code: str) -> str:
    """A code as people write it: any case, separators between characters."""
    cased = [draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in code]
    gaps = [draw(st.sampled_from(["", "", "", "-", "_", "."])) for _ in code]
    gaps[-1] = ""
    return "".join(letter + gap for letter, gap in zip(cased, gaps, strict=True))


@given(
    st.data(), CODES, st.sampled_from(["{}", " {} ", "?ref={}", "https://x.y/?a=b&code={}#c", "my referral code: {}!"])
)
def test_a_planted_code_is_always_found(data: st.DataObject, code: str, frame: str) -> None:
    book = CodeBook([issued(code)])
    match = read_codes({"Note": frame.format(data.draw(spelled(code)))}, DAY, book).match
    assert match is not None
    assert match.code == code_key(code)


@given(
    st.sets(CODES, min_size=2, max_size=20),
    st.randoms(use_true_random=False),
    st.sampled_from(["{}", "?ref={}", "code {}!"]),
)
def test_a_typo_is_never_given_to_another_referrer(codes: set[str], chance: Random, frame: str) -> None:
    assume(len({code_key(code) for code in codes}) == len(codes))
    book = CodeBook(map(issued, sorted(codes)))
    meant = sorted(codes)[0]
    typed = mistyped(meant, chance)
    # A typo that spells another issued code, letter by letter or look-alike by look-alike, cannot be told from it.
    assume(not any(fold_key(code_key(typed)) == fold_key(code_key(code)) for code in codes - {meant}))
    match = read_codes({"Note": frame.format(typed)}, DAY, book).match
    assert match is None or match.code == code_key(meant)


def mistyped(code: str, chance: Random) -> str:
    at = chance.randrange(len(code) - 1)
    letter = chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    return chance.choice(
        [
            code[:at] + letter + code[at + 1 :],
            code[:at] + letter + code[at:],
            code[:at] + code[at + 1 :],
            code[:at] + code[at + 1] + code[at] + code[at + 2 :],
        ]
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("code ZB74ANSO-DemoPromo1, thanks", "zb74ansodemopromo1"),
        ("https://x.y/?ref=zb74anso-demopromo1", "zb74ansodemopromo1"),
        ("ZB74ANSO-DemoPromo1", "zb74ansodemopromo1"),
        ("code ZB74ANSO", "zb74anso"),
        ("https://x.y/?ref=ZB74ANSO", "zb74anso"),
    ],
)
def test_a_code_of_salesforces_own_is_one_code_although_its_half_is_one_too(text: str, key: str) -> None:
    book = CodeBook([issued("ZB74ANSO"), issued("ZB74ANSO-DemoPromo1")])
    reading = read_codes({"Description": text}, DAY, book)
    assert (reading.match and reading.match.code, reading.items) == (key, ())
