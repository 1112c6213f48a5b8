"""What there is of that which somebody may mean, and what finding it costs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

import pytest

from refloop.ledger import Ledger
from refloop.ledger.codes import keep_code
from refloop.ledger.engine.sqlite import SqliteEngine
from refloop.ledger.reads.explain import record_story, referral_story
from refloop.ledger.reads.find import MOST, Company, Hits, find, nearest
from refloop.ledger.reads.holders import code_story, company_story, referrer_story
from refloop.mapping.codes import code_key
from refloop.mapping.meant import RecordName, meant_by
from refloop.model import Code, Link, Ref, Referrer, Relation
from tests.ledger.samples import DAY, contact, deal, keep, lead, record


class Silent:
    """A CRM of whose addresses nothing is known."""

    def named(self, text: str, /) -> RecordName | None:  # noqa: ARG002 - as the protocol has it
        return None


def found(ledger: Ledger, text: str) -> Hits:
    for meant in meant_by(text, {"crm": Silent()}):
        if hits := find(ledger, meant, ["crm"]):
            return hits
    return Hits()


def refs(hits: Hits) -> list[Ref]:
    return [one.ref for one in hits.records]


def near(ledger: Ledger, text: str) -> list[str]:
    return [name for meant in meant_by(text, {"crm": Silent()}) for name in nearest(ledger, meant)]


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    keep(
        ledger,
        record(lead(1), name="Göran Östlund", title="Lumen Oy", email="goran@lumen.io"),
        record(
            contact(2), name="Kim Lee", title="Acme GmbH", email="kim@acme.io", emails=("kim@old.io",), account="A1"
        ),
        record(contact(3), name="Anna Weiß", email="anna@partners.io"),
        record(deal(2), title="Acme GmbH - Renewal 2026", account="A1"),
        record(deal(9), title="Zeta: 100% off_er"),
        links=(Link(deal(9), Relation.ASSOCIATED_WITH, contact(2)),),
    )
    for code, referrer in (("ANNA-7K2Q", "anna"), ("B0NUS-11", "ben"), ("BEN", "ben")):
        names = {"anna": Referrer("anna", "Anna Weiß", "anna@partners.io"), "ben": Referrer("ben", "Ben Ölander")}
        keep_code(
            ledger, Code(code, code_key(code), referrer, "partners", valid_to=date(2026, 12, 31)), names[referrer], DAY
        )
    return ledger


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("crm:lead:1", [lead(1)]),
        ("1", [lead(1)]),
        ("2", [contact(2), deal(2)]),
        ("deal:2", [deal(2)]),
        ("goran@lumen.io", [lead(1)]),
        ("KIM@OLD.IO", [contact(2)]),
        ("lead:kim@old.io", []),
        ("göran östlund", [lead(1)]),
        ("GÖRAN ÖSTLUND", [lead(1)]),
        ("göran", [lead(1)]),
        ("goran", [lead(1)]),
        ("ostlund", [lead(1)]),
        ("östlund", [lead(1)]),
        ("Kim", [contact(2)]),
        ("deal:acme", [deal(2)]),
        ("opportunity:acme gmbh", [deal(2)]),
        ("renewal 2026", [deal(2)]),
        ("100% off_er", [deal(9)]),
        ("100_ off%er", []),
        ("nobody at all", []),
        ("", []),
    ],
)
def test_records(filled: Ledger, text: str, expected: list[Ref]) -> None:
    assert refs(found(filled, text)) == expected


@pytest.mark.parametrize("text", ["ANNA-7K2Q", "anna 7k2q", "Anna.7K2Q", "code:anna7k2q"])
def test_a_code_in_any_spelling(filled: Ledger, text: str) -> None:
    assert [code.code for code in found(filled, text).codes] == ["ANNA-7K2Q"]


@pytest.mark.parametrize("text", ["BONUS-11", "b0nus-il", "BONUS-LI"])
def test_a_code_with_the_letters_that_people_confuse(filled: Ledger, text: str) -> None:
    assert [code.code for code in found(filled, text).codes] == ["B0NUS-11"]


@pytest.mark.parametrize("text", ["anna", "ANNA", "referrer:anna", "Anna Weiß", "anna weiß", "anna@partners.io"])
def test_a_referrer_is_told_and_their_own_contact_with_them(filled: Ledger, text: str) -> None:
    hits = found(filled, text)
    assert ([one.id for one in hits.referrers], refs(hits)) == (["anna"], [])


def test_a_referrers_contact_can_be_had_alone(filled: Ledger) -> None:
    assert refs(found(filled, "contact:anna@partners.io")) == [contact(3)]


def test_what_is_a_code_and_a_referrer_is_both(filled: Ledger) -> None:
    hits = found(filled, "ben")
    assert ([one.code for one in hits.codes], [one.id for one in hits.referrers]) == (["BEN"], ["ben"])


@pytest.mark.parametrize("text", ["Acme GmbH", "company:acme", "company:A1", "account:acme gmbh"])
def test_a_company_has_its_people_and_its_deals(filled: Ledger, text: str) -> None:
    (company,) = found(filled, text).companies
    story = company_story(filled, company)
    assert [one.record.ref for one in story.people] == [contact(2)]
    assert {one.record.ref for one in story.deals} == {deal(2), deal(9)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ANNA-7K2X", "ANNA-7K2Q"),
        ("kim@acme.oi", "kim@acme.io"),
        ("kim@elsewhere.io", "kim@acme.io"),
        ("Kim Leee", "Kim Lee"),
        ("referrer:ana", "anna"),
    ],
)
def test_the_nearest(filled: Ledger, text: str, expected: str) -> None:
    assert found(filled, text) == Hits()
    assert expected in near(filled, text)


def test_a_long_list_is_cut_and_said_to_be(ledger: Ledger) -> None:
    keep(ledger, *(record(lead(number), name=f"Kim {number}") for number in range(MOST + 5)))
    hits = found(ledger, "kim")
    assert (len(hits.records), hits.more) == (MOST, True)


def test_nothing_that_is_explained_goes_through_the_ledger(filled: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost follows the story. But for a part of a name, which is looked for in the index of the names alone."""
    asked: list[tuple[str, list[object]]] = []
    rows = SqliteEngine.rows

    def heard(engine: SqliteEngine, sql: str, values: Iterable[object] = ()) -> Iterator[object]:
        asked.append((sql, list(values)))
        return rows(engine, sql, asked[-1][1])

    monkeypatch.setattr(SqliteEngine, "rows", heard)
    for text in ("2", "kim@acme.io", "ANNA-7K2Q", "anna", "göran", "deal:acme", "company:A1", "rf_0", "Acme GmbH"):
        found(filled, text)
    for text in ("ANNA-7K2X", "kim@acme.oi", "Kim Leee"):
        near(filled, text)
    for ref in (contact(2), contact(3), deal(9)):
        record_story(filled, ref)
    referral_story(filled, "rf_0")
    referrer_story(filled, "anna", MOST)
    code_story(filled, Code("ANNA-7K2Q", "anna7k2q", "anna", "partners"), MOST)
    company_story(filled, Company("Acme GmbH"))
    monkeypatch.undo()
    scans = {
        (step, sql)
        for sql, values in asked
        for step in _steps(filled, sql, values)
        if step.startswith("SCAN") and not _SMALL.match(step)
    }
    assert {step for step, sql in scans if "LIKE" not in sql} == set()
    assert len(asked) > 100


_SMALL = re.compile(r"SCAN (s|selection|forgotten|CONSTANT ROW|\(subquery-\d+\))( |$)")
"""What a process selected for itself, and what is asked for its first row alone."""


def _steps(ledger: Ledger, sql: str, values: list[object]) -> list[str]:
    return [row["detail"] for row in ledger.rows(f"EXPLAIN QUERY PLAN {sql}", values)]


def test_a_part_of_a_name_is_looked_for_in_the_index_alone(ledger: Ledger) -> None:
    for column in ("name", "title"):
        steps = _steps(
            ledger,
            f"SELECT connection, kind, id, {column} AS called FROM records WHERE {column} IS NOT NULL "  # noqa: S608 - two columns
            f"AND lower({column}) LIKE ? LIMIT ?",
            ["%x%", 9],
        )
        assert steps == [f"SCAN records USING COVERING INDEX records_by_{column}"]
