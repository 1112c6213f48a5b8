"""What somebody means who names a thing."""

from __future__ import annotations

import pytest

from refloop.mapping.meant import Meant, Reader, RecordName, flat, meant_by, pattern, spellings
from refloop.model import Kind


class Numbers:
    """A CRM whose ids are numbers: an even one is a deal."""

    def named(self, text: str, /) -> RecordName | None:
        if text == "13":
            raise ValueError("13 is no id")
        if not text.isdecimal():
            return None
        return RecordName(text, frozenset([Kind.DEAL if int(text) % 2 == 0 else Kind.LEAD]))


class Silent:
    """A CRM of whose addresses nothing is known."""

    def named(self, text: str, /) -> RecordName | None:  # noqa: ARG002 - as the protocol has it
        return None


READERS: dict[str, Reader] = {"crm": Numbers(), "other": Silent()}


def first(text: str) -> Meant:
    return next(meant_by(text, READERS, ("ref", "via")))


def refs(meant: Meant) -> set[str]:
    return {
        f"{name.connection or '*'}:{','.join(sorted(name.kinds))}:{name.id}"
        for name in meant.records
        if not name.is_company
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("crm:deal:2", "crm:deal:2"),
        ("CRM:Deal:2", "crm:deal:2"),
        ("crm:opportunity:2", "crm:deal:2"),
        ("crm:opp:2", "crm:deal:2"),
        ("crm:2", "crm:deal:2"),
        ("opportunity:2", "crm:deal:2"),
        ("opportunity 2", "crm:deal:2"),
        ("Opportunity: 2", "crm:deal:2"),
        ("deals:2", "crm:deal:2"),
        ("record:2", "crm:deal:2"),
        ("lead:1", "crm:lead:1"),
        ("person:1", "crm:lead:1"),
        ("2", "crm:deal:2"),
        (" <2> ", "crm:deal:2"),
        ('"2"', "crm:deal:2"),
        ("other:deal:x:y", "other:deal:x:y"),
        ("gone:deal:2", "gone:deal:2"),
        ("other:x", "other:contact,deal,lead:x"),
    ],
)
def test_a_record(text: str, expected: str) -> None:
    assert expected in refs(first(text))


def test_a_kind_that_an_id_is_not_one_of_is_not_meant() -> None:
    assert "crm:lead:2" not in refs(first("lead:2"))
    assert first("lead:2").kinds == frozenset([Kind.LEAD])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ANNA-7K2Q", "anna7k2q"),
        ("anna 7k2q", "anna7k2q"),
        ("code:ANNA-7K2Q", "anna7k2q"),
        ("code ANNA-7K2Q", "anna7k2q"),
        ("\uff21nna-\uff17K2Q", "anna7k2q"),
        ("https://shop.example/?utm_source=mail&Ref=anna-7k2q#x", "anna7k2q"),
        ("https://shop.example/?page=anna-7k2q", ""),
        ("kim@lumen.io", ""),
    ],
)
def test_a_code(text: str, key: str) -> None:
    assert first(text).code == key


@pytest.mark.parametrize(
    "text",
    [
        "kim@lumen.io",
        "KIM@Lumen.io ",
        "mailto:kim@lumen.io",
        "Kim Lee <kim@lumen.io>",
        "email:kim@lumen.io",
        "<kim@lumen.io>",
    ],
)
def test_an_email(text: str) -> None:
    meant = first(text)
    assert (meant.email, meant.words, meant.code) == ("kim@lumen.io", "", "")


@pytest.mark.parametrize(
    ("text", "company"),
    [("company:Acme", "Acme"), ("account Acme GmbH", "Acme GmbH"), ("organisation:Acme", "Acme"), ("Acme", "Acme")],
)
def test_a_company(text: str, company: str) -> None:
    assert first(text).company == company


def test_a_referrer_a_referral_a_name() -> None:
    assert first("referrer:anna").referrer == "anna"
    assert first("referral:RF_1").referral == "RF_1"
    assert first("rf_00").referral == "rf_00"
    assert first("Kim Lee").words == "Kim Lee"
    assert (first("deal:Acme").words, first("deal:Acme").kinds) == ("Acme", frozenset([Kind.DEAL]))


def test_a_name_that_begins_with_a_kind_is_tried_as_a_name_too() -> None:
    meant = list(meant_by("Deal with Acme", READERS))
    assert [one.words for one in meant] == ["with Acme", "Deal with Acme"]


def test_what_is_wrong_with_an_id_is_told_and_the_rest_is_tried() -> None:
    meant = first("13")
    assert meant.faults == ("13 is no id",)
    assert meant.code == "13"


@pytest.mark.parametrize(
    "text", ["", " ", ":", "::", "a:", ":a", "%", "_", "https://", "http://[", "\x1b[31m", "\ud800", "'", "x" * 10**6]
)
def test_any_text_is_something_or_nothing(text: str) -> None:
    for meant in meant_by(text, READERS, ("ref",)):
        assert all(len(name.id) <= 2000 for name in meant.records)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("östlund", "Östlund"), ("ÖSTLUND", "östlund"), ("Kim", "kim"), ("ørsted ÆØ", "Ørsted æø")],
)
def test_the_spellings_of_a_name_hold_the_one_in_the_ledger(typed: str, stored: str) -> None:
    sqlite_lower = "".join(letter.lower() if letter.isascii() else letter for letter in stored)
    assert sqlite_lower in spellings(typed)


def test_there_are_never_many_spellings() -> None:
    assert len(spellings("ö" * 1000)) == 64
    assert spellings("Kim") == ["kim"]


def test_a_part_of_a_name_is_found_whatever_its_accents() -> None:
    assert pattern("Göran") == "%g_r_n%"
    assert pattern("anna") == "%anna%"
    assert pattern("100%_off") == "%100___ff%"
    assert pattern("öä") is None
    assert flat("Göran ŁØ") == flat("goran lo")
