"""Files that people bring: good rows kept, bad ones named by their line, nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from refloop.errors import DataError
from refloop.ledger import Ledger
from refloop.ledger.codes import codes
from refloop.ledger.queue import Topic, pending
from refloop.model import Kind
from refloop.sync.context import RunContext
from refloop.sync.intake import Claim, Intake, import_codes, import_referrals, submit
from refloop.sync.stages import Decider
from refloop.testing import Draft
from tests.sync.loop import POLICY, Loop

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
HEADER = "code,referrer,referrer_name,referrer_email,program,valid_from,valid_to\n"


@pytest.fixture
def ledger(new_ledger: Callable[[str], Ledger]) -> Ledger:
    return new_ledger("one")


@pytest.fixture
def bring(ledger: Ledger, folder: Path) -> Callable[..., Intake]:
    def bring(content: str | bytes, name: str = "codes.csv") -> Intake:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return import_codes(ledger, path, NOW)

    return bring


def kept(ledger: Ledger) -> list[tuple[str, str, str]]:
    return [(code.code, code.referrer, code.program) for code in codes(ledger)]


ROWS = [
    {"code": "ANNA-7K2Q", "referrer": "anna", "program": "p"},
    {"code": "BENS-4F6T", "referrer": "ben", "program": ""},
]
TABLE = "code,referrer,program\nANNA-7K2Q,anna,p\nBENS-4F6T,ben,\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("codes.csv", TABLE),
        ("codes.CSV", "\ufeff" + TABLE),
        ("codes.csv", TABLE.replace("\n", "\r\n")),
        ("codes.csv", 'code,"referrer",program\n" ANNA-7K2Q ",anna,"p"\n\n\nBENS-4F6T,ben\n'),
        ("codes.csv", " code , referrer , program \nANNA-7K2Q,anna,p\nBENS-4F6T,ben,\n"),
        ("codes.tsv", TABLE.replace(",", "\t")),
        ("codes.txt", TABLE),
        ("codes.txt", TABLE.replace(",", "\t")),
        ("codes.csv", TABLE.replace(",", ";")),
        ("codes.csv", TABLE.replace(",", "|")),
        ("codes.csv", "sep=;\r\n" + TABLE.replace(",", ";")),
        ("codes.csv", "\ufeffSEP=\t\n" + TABLE.replace(",", "\t")),
        ("codes.csv", '"sep=#"\n' + TABLE.replace(",", "#")),
        ("codes.csv", TABLE.replace("\n", "\r")),
        ("codes.csv", "\n\n" + TABLE),
        ("codes.csv", TABLE.replace("\n", ",,,\n") + ",,,,,\n,,\n"),
        ("codes.csv", TABLE.replace("code,referrer,program", "CODE, Referrer ,Program")),
        ("codes.csv", TABLE.replace("ANNA-7K2Q", '="ANNA-7K2Q"').replace("BENS-4F6T", '"=""BENS-4F6T"""')),
        ("codes.csv", TABLE.replace("code,referrer,program", '"Code","REFERRER","pro gram"')),
        ("codes.txt", ("\ufeff" + TABLE.replace(",", "\t")).encode("utf-16-le")),
        (
            "codes.json",
            "\ufeff"
            + json.dumps(
                [{"Code": row["code"], "REFERRER": row["referrer"], "Program": row["program"]} for row in ROWS]
            ),
        ),
        ("codes.json", json.dumps(ROWS)),
        ("codes", json.dumps(ROWS)),
        ("codes.jsonl", "\n".join(map(json.dumps, ROWS)) + "\n\n"),
        ("codes.ndjson", "\n".join(map(json.dumps, ROWS))),
        ("codes.txt", "\n".join(map(json.dumps, ROWS))),
    ],
)
def test_every_form_of_file_says_the_same(
    bring: Callable[..., Intake], ledger: Ledger, name: str, content: str | bytes
) -> None:
    done = bring(content, name)
    assert (done.counts, done.lines()) == ({"new": 2}, [])
    assert kept(ledger) == [("ANNA-7K2Q", "anna", "p"), ("BENS-4F6T", "ben", "default")]
    again = bring(content, name)
    assert again.counts == {"unchanged": 2}
    assert len(kept(ledger)) == 2


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        ("a,b,c,d\n", ["line 2: has more fields than the header has columns"]),
        (",ben\n", ["line 2: code is empty"]),
        ("CODE1\n", ["line 2: referrer is empty"]),
        ("x,ben\n", ["line 2: code 'x' has fewer than two letters or digits"]),
        ("---,ben\n", ["line 2: code '---' has fewer than two letters or digits"]),
        (f"{'x' * 256},ben\n", ["line 2: code is longer than 255 characters"]),
        ("CODE1,ben\n\n\nx,ben\n", ["line 5: code 'x' has fewer than two letters or digits"]),
        ('"CODE\n1",ben\nx,ben\n', ["line 4: code 'x' has fewer than two letters or digits"]),
        ('CODE1,ben\n"x\n\n",ben\n', ["line 3: code 'x' has fewer than two letters or digits"]),
        ('CODE1,"b\r\nen"\r\nx,ben\r\n', ["line 4: code 'x' has fewer than two letters or digits"]),
    ],
)
def test_a_bad_row_is_named_by_its_line(bring: Callable[..., Intake], content: str, faults: list[str]) -> None:
    assert bring("code,referrer\n" + content).lines() == [f"codes.csv, {fault}" for fault in faults]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("CODE1,ben,,not an address,,,", "referrer_email is not an e-mail address"),
        ("CODE1,ben,,,,2026-02-01,2026-01-31", "valid_to 2026-01-31 is before valid_from 2026-02-01"),
        ("CODE1,ben,,,,31.01.2026,", "valid_from '31.01.2026' is not a date; write it as 2026-03-31"),
        ("CODE1,ben,,,,,2026-02-30", "valid_to '2026-02-30' is not a date; write it as 2026-03-31"),
        (f"CODE1,ben,{'n' * 256},,,,", "referrer_name is longer than 255 characters"),
        (
            ",ben,,nobody,,soon,2026-02-30",
            "code is empty; referrer_email is not an e-mail address; valid_from 'soon' is not a date; write it as "
            "2026-03-31; valid_to '2026-02-30' is not a date; write it as 2026-03-31",
        ),
        (f"CODE1,ben,,,{'p' * 256},,", "program is longer than 255 characters"),
    ],
)
def test_a_row_that_cannot_be_meant(bring: Callable[..., Intake], ledger: Ledger, row: str, fault: str) -> None:
    done = bring(f"{HEADER}{row}\nCODE2,ben,,,,2026-01-01,2026-01-01\n")
    assert done.lines() == [f"codes.csv, line 2: {fault}"]
    assert [code for code, _, _ in kept(ledger)] == ["CODE2"], "the good rows are kept"


def test_somebody_elses_code_is_refused_and_the_first_one_stays(bring: Callable[..., Intake], ledger: Ledger) -> None:
    done = bring("code,referrer,program\nANNA-7K2Q,anna,p\nanna 7k2q,ben,p\nANNA7K2Q,anna,q\n")
    assert done.counts == {"new": 1}
    assert [fault.split(": ", 1)[1] for fault in done.lines()] == [
        "code 'anna 7k2q' belongs to referrer 'anna' in program 'p' already",
        "code 'ANNA7K2Q' belongs to referrer 'anna' in program 'p' already",
    ]
    assert kept(ledger) == [("ANNA-7K2Q", "anna", "p")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("codes.csv", b"code,referrer\n\xff\xfe,ben\n"),
        ("codes.csv", "code,referrer\nCODE1,ben\n".encode("utf-16-le")),
        ("codes.csv", "code,referrer\nCODE1,ben\n".encode("utf-16")[:-1]),
        ("codes.csv", b"code,referrer\nCO\0DE1,ben\n"),
        ("codes.csv", b"code,Code,referrer\nCODE1,CODE2,ben\n"),
        ("codes.csv", b"code,referrer\n" + b"x" * 200_000 + b",ben\n"),
        ("codes.csv", b'code,referrer\n"CODE1,ben\n'),
        ("codes.csv", b"code,name\nCODE1,ben\n"),
        ("codes.json", b'["CODE1"]'),
        ("codes.json", b'"CODE1"'),
        ("codes.json", b'[{"code": "CODE1"'),
        ("codes.json", b"[" * 100_000),
        ("codes.jsonl", b'{"code": "CODE1", "referrer": "ben"}\n{"code"'),
        ("codes.jsonl", b"[1]\n"),
        ("codes.xlsx", b"PK\x03\x04\xff\xff"),
        ("folder/none.csv", None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_file_that_cannot_be_used(ledger: Ledger, folder: Path, name: str, content: bytes | None) -> None:
    path = folder / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError):
        import_codes(ledger, path, NOW)


def test_a_column_that_is_unknown_or_missing_is_named(bring: Callable[..., Intake]) -> None:
    with pytest.raises(DataError, match="the column 'referrer' is missing; the column 'referer' is unknown"):
        bring("code,referer\nCODE1,ben\n")


@pytest.mark.parametrize("content", ["", "code,referrer\n", "\ufeff", "\n\n"])
@pytest.mark.parametrize("name", ["codes.csv", "codes.tsv", "codes.jsonl", "codes"])
def test_an_empty_file_is_no_trouble(bring: Callable[..., Intake], name: str, content: str) -> None:
    if name == "codes.jsonl" and content.strip():
        content = ""
    assert bring(content, name).counts == {}


def test_columns_that_are_not_ours_are_left_out_and_named(bring: Callable[..., Intake], ledger: Ledger) -> None:
    done = bring("Shoe Size,code,referrer,,colour\n42,CODE1,ben,,red\n")
    assert (done.counts, done.lines(), done.left_out) == ({"new": 1}, [], ["Shoe Size", "colour"])
    assert kept(ledger) == [("CODE1", "ben", "default")]


def test_objects_are_named_by_their_number(bring: Callable[..., Intake]) -> None:
    rows = [
        *ROWS,
        {"code": "X9X9"},
        {"code": "Y8Y8", "referrer": "ben", "colour": "red", "shoe": {"size": 42}},
        {"code": "\ud800", "referrer": "b"},
        {"code": ["Z7Z7"], "referrer": "b"},
    ]
    done = bring(json.dumps(rows), "codes.json")
    assert done.lines() == [
        "codes.json, line 3: referrer is empty",
        "codes.json, line 5: holds half a character, which is no text",
        "codes.json, line 6: code is a list or an object, which is no text",
    ]
    assert done.left_out == ["colour", "shoe"]


def test_numbers_and_nothing_in_json_are_text(bring: Callable[..., Intake], ledger: Ledger) -> None:
    bring(json.dumps([{"code": 12345, "referrer": "ben", "program": None}]), "codes.json")
    assert kept(ledger) == [("12345", "ben", "default")]


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("12345.0", "a number with decimals"),
        ('"12345,00"', "a number with decimals"),
        ("1.23457E+15", "a long number in short form, whose last digits are lost"),
        ('"1,23457E+15"', "a long number in short form, whose last digits are lost"),
        ("1e+16", "a long number in short form, whose last digits are lost"),
        ("12345678901234500", "a number of more than 15 digits, the last of which are lost"),
        ("TRUE", "a yes-or-no value"),
        ("False", "a yes-or-no value"),
        ("Mar-26", "a date"),
        ("26-Mar", "a date"),
        ("3-Mar-2026", "a date"),
        ("2026-03-01 00:00:00", "a date"),
        ("01.03.2026", "a date"),
        ("3/1/26", "a date"),
        ("#NAME?", "a formula that it could not work out, or a number too wide for its column"),
        ("#####", "a formula that it could not work out, or a number too wide for its column"),
        ("nan", "an empty cell"),
        ("NULL", "an empty cell"),
    ],
)
@pytest.mark.parametrize("column", ["code", "referrer", "program"])
def test_what_a_spreadsheet_spoilt_is_a_bad_row_that_says_so(
    bring: Callable[..., Intake], ledger: Ledger, column: str, code: str, what: str
) -> None:
    cells = {"code": "CODE1", "referrer": "ben", "program": "p"} | {column: code}
    done = bring(f"code,referrer,program\n{','.join(cells.values())}\nGOOD-1,ben,p\n")
    (line,) = done.lines()
    assert line.startswith(f"codes.csv, line 2: {column} ")
    assert f"is what a spreadsheet or a program made of it: {what}; take it from" in line
    assert kept(ledger) == [("GOOD-1", "ben", "p")]


@pytest.mark.parametrize(
    ("value", "told"),
    [(True, "'true'"), (12345.0, "'12345.0'"), (1.5e20, "'1.5E+20'"), (float("1e15"), "'1000000000000000.0'")],
)
def test_what_json_says_is_no_code(bring: Callable[..., Intake], ledger: Ledger, value: object, told: str) -> None:
    (line,) = bring(json.dumps([{"code": value, "referrer": "ben"}]), "codes.json").lines()
    assert line.startswith(f"codes.json, line 1: code {told} is what a spreadsheet or a program made of it: ")
    assert kept(ledger) == []


@pytest.mark.parametrize("code", ["MAR-26", "12E5", "1.5", "12345", "TRUELOVE", "1-2", "4000 0000 0000 00", "3e8"])
def test_a_code_that_only_looks_alike_is_taken(bring: Callable[..., Intake], ledger: Ledger, code: str) -> None:
    assert bring(f"code,referrer\n{code},ben\n").lines() == []
    assert kept(ledger) == [(code, "ben", "default")]


DATED = "code,referrer,program,valid_from,valid_to\nANN-2026,ann,fair,2026-01-01,2026-03-31\n"


@pytest.mark.parametrize(
    ("content", "dates"),
    [
        ("code,referrer\nANN-2026,ann\n", ("2026-01-01", "2026-03-31")),
        ("code,referrer,program\nann 2026,ann,\n", ("2026-01-01", "2026-03-31")),
        ("code,referrer,valid_to\nANN-2026,ann,2026-06-30\n", ("2026-01-01", "2026-06-30")),
        ("code,referrer,valid_to\nANN-2026,ann,\n", ("2026-01-01", "None")),
        ("code,referrer,valid_from,valid_to\nANN-2026,ann\n", ("2026-01-01", "2026-03-31")),
        ("code,referrer,valid_to\nANN-2026,ann,2026-06-30 00:00:00\n", ("2026-01-01", "2026-06-30")),
        ("code,referrer,valid_to\nANN-2026,ann,2025-12-31\n", ("2026-01-01", "2026-03-31")),
    ],
)
def test_what_a_row_does_not_say_stays_as_it_is(
    bring: Callable[..., Intake], ledger: Ledger, content: str, dates: tuple[str, str]
) -> None:
    bring(DATED)
    done = bring(content)
    assert done.lines() == (
        ["codes.csv, line 2: valid_to 2025-12-31 is before valid_from 2026-01-01"] if "2025" in content else []
    )
    (code,) = codes(ledger)
    assert (code.program, str(code.valid_from), str(code.valid_to)) == ("fair", *dates)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("promotion_referral_code,referrer\nZB74ANSO-DemoPromo1,ann\n", "ann"),
        ("promotionReferralCode\nZB74ANSO-DemoPromo1\n", "ZB74ANSO"),
        ("code,promotion,referrer\nZB74ANSO-DemoPromo1,demopromo1,ann\n", "ann"),
        ("code,promotion,referrer\nZB74ANSO,DemoPromo1,ann\n", "ann"),
        ("Advocate,Promotion\nZB74ANSO,DemoPromo1\n", "ZB74ANSO"),
        ("code,advocate,referrer\nZB74ANSO-DemoPromo1,ZB74ANSO,ann\n", "ann"),
        ("code,referrer,program\nZB74ANSO-DemoPromo1,ann,DemoPromo1\n", "ann"),
    ],
)
def test_a_code_of_salesforces_own_is_known_whole_and_by_its_first_half(
    bring: Callable[..., Intake], ledger: Ledger, content: str, expected: str
) -> None:
    assert bring(content).lines() == []
    assert kept(ledger) == [
        ("ZB74ANSO", expected, "DemoPromo1"),
        ("ZB74ANSO-DemoPromo1", expected, "DemoPromo1"),
    ]
    assert bring(content).counts == {"unchanged": 1}


def test_an_advocate_of_two_promotions_keeps_the_first_for_their_own_half(
    bring: Callable[..., Intake], ledger: Ledger
) -> None:
    bring("promotion_referral_code\nZB74ANSO-SPRING-26\n")
    done = bring("advocate,promotion\nZB74ANSO,AUTUMN-26\nZB74ANSO,\n,AUTUMN-26\n")
    assert [line.split(": ", 1)[1] for line in done.lines()] == [
        "code 'ZB74ANSO' does not join the advocate's code and the promotion's by a hyphen",
        "code is empty; referrer is empty",
    ]
    assert kept(ledger) == [
        ("ZB74ANSO", "ZB74ANSO", "SPRING-26"),
        ("ZB74ANSO-AUTUMN-26", "ZB74ANSO", "AUTUMN-26"),
        ("ZB74ANSO-SPRING-26", "ZB74ANSO", "SPRING-26"),
    ]
    (line,) = bring("code,promotion,referrer\nZB74ANSO-X1,X1,ben\n").lines()
    assert line.endswith("code 'ZB74ANSO' belongs to referrer 'ZB74ANSO' in program 'SPRING-26' already")


@pytest.mark.parametrize("code", ["ANN-2026", "JULIA-SUMMER", "12345-SUMMER"])
def test_a_code_with_a_hyphen_is_no_code_of_salesforces_own(
    bring: Callable[..., Intake], ledger: Ledger, code: str
) -> None:
    program = code.partition("-")[2]
    bring(f"code,referrer,program\n{code},ann,{program}\n")
    assert kept(ledger) == [(code, "ann", program)]


def test_what_stood_before_a_broken_line_is_kept(bring: Callable[..., Intake], ledger: Ledger) -> None:
    told = (
        r"codes\.csv is not a CSV file that can be read on: line 3: .*; what stood before it is taken in: 1 good rows"
    )
    with pytest.raises(DataError, match=told):
        bring('code,referrer\nCODE1,ben\n"CO"DE2,ben\nCODE3,ben\n')
    assert kept(ledger) == [("CODE1", "ben", "default")]


def test_progress_is_told_while_a_long_file_is_taken_in(ledger: Ledger, folder: Path) -> None:
    path = folder / "codes.csv"
    path.write_text("code,referrer\n" + "".join(f"CODE-{n:04},ben\n" for n in range(2500)))
    told: list[tuple[str, str, int]] = []
    import_codes(ledger, path, NOW, lambda *step: told.append(step))
    assert told == [("import", "codes.csv", 1000), ("import", "codes.csv", 1000), ("import", "codes.csv", 500)]


def test_records_are_read_again_once_and_only_when_a_code_changed(loop: Loop, folder: Path) -> None:
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code="CODE-0007"))
    loop.sync()
    path = folder / "codes.csv"
    path.write_text("code,referrer\n" + "".join(f"CODE-{n:04},ben\n" for n in range(2500)))
    assert import_codes(loop.ledger, path, NOW).counts == {"new": 2500}
    assert pending(loop.ledger, Topic.MATCH) == 1
    loop.sync()
    assert loop.fields(lead)["code"] == "CODE-0007"
    position = loop.ledger.position()
    assert import_codes(loop.ledger, path, NOW).counts == {"unchanged": 2500}
    assert (pending(loop.ledger, Topic.MATCH), loop.ledger.position()) == (0, position)


# submitted referrals


def referrals(ledger: Ledger, folder: Path, rows: str) -> Intake:
    path = folder / "referrals.csv"
    path.write_text(f"code,email,date,note\n{rows}")
    context = RunContext(ledger, 1, POLICY, lambda: NOW)
    done = import_referrals(context, path)
    Decider(context).decide()
    return done


def standing(ledger: Ledger) -> list[tuple[str, str, str]]:
    rows = ledger.rows("SELECT * FROM standing ORDER BY claimed_at, referral")
    return [(row["code"], row["status"], row["claimed_at"][:10]) for row in rows]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",bo@buyer.io,,", "code is empty"),
        (",,2026-06-02,", "code is empty; date 2026-06-02 is in the future; email is empty"),
        (
            "12345.0,bo@buyer.io,,",
            "code '12345.0' is what a spreadsheet or a program made of it: a number with decimals; "
            "take it from where it was issued, into a column that is formatted as text",
        ),
        ("ANNA-7K2Q,,,", "email is empty"),
        ("ANNA-7K2Q,bo,,", "email is not an e-mail address"),
        ("ANNA-7K2Q,bo@buyer.io,2026-06-02,", "date 2026-06-02 is in the future"),
        ("WHAT-3V3R,bo@buyer.io,,", "code 'WHAT-3V3R' is unknown; add it with `refloop codes add`"),
        ("OLDC-0DE1,bo@buyer.io,2026-01-31,", "code 'OLDC-0DE1' is valid from 2026-02-01 only"),
        ("OLDC-0DE1,bo@buyer.io,2026-03-01,", "code 'OLDC-0DE1' was valid until 2026-02-28 only"),
    ],
)
def test_a_referral_that_cannot_be_meant(loop: Loop, folder: Path, row: str, fault: str) -> None:
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    loop.code("OLDC-0DE1", "anna", valid_from=date(2026, 2, 1), valid_to=date(2026, 2, 28))
    done = referrals(loop.ledger, folder, f"{row}\nOLDC-0DE1,cy@buyer.io,2026-02-28,\n")
    assert done.lines() == [f"referrals.csv, line 2: {fault}"]
    assert standing(loop.ledger) == [("OLDC-0DE1", "submitted", "2026-02-28")]


def test_the_same_referral_twice_is_one_and_of_two_codes_the_earlier_counts(loop: Loop, folder: Path) -> None:
    for code, name in (("ANNA-7K2Q", "anna"), ("BENS-4F6T", "ben")):
        loop.code(code, name, f"{name}@partners.io")
    done = referrals(
        loop.ledger,
        folder,
        "ANNA-7K2Q,bo@buyer.io,2026-03-05,\nanna 7k2q,BO@buyer.io,2026-03-09,\nBENS-4F6T,bo@buyer.io,2026-03-01,\n",
    )
    assert done.counts == {"new": 2, "unchanged": 1}
    expected = [("BENS-4F6T", "submitted", "2026-03-01"), ("ANNA-7K2Q", "duplicate", "2026-03-05")]
    assert standing(loop.ledger) == expected
    loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io"))
    loop.sync()
    assert standing(loop.ledger) == expected


def test_nobody_submits_themselves(loop: Loop, folder: Path) -> None:
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    referrals(loop.ledger, folder, "ANNA-7K2Q,Anna@partners.io,2026-03-05,\n")
    assert standing(loop.ledger) == [("ANNA-7K2Q", "disqualified", "2026-03-05")]


def test_a_submitted_referral_finds_its_person_when_she_appears_and_follows_her(loop: Loop) -> None:
    sales, marketing = loop.crms["sales"], loop.crms["marketing"]
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    with loop.ledger.writing():
        submit(loop.context(1), Claim("ANNA-7K2Q", "bo@buyer.io", date(2026, 1, 5), ""))
    loop.sync()
    lead = sales.create(Kind.LEAD, Draft(email="Bo@buyer.io"))
    twin = marketing.create(Kind.CONTACT, Draft(email="bo@buyer.io"))
    loop.sync()
    assert loop.fields(lead)["code"] == loop.fields(twin)["code"] == "ANNA-7K2Q"
    assert loop.fields(lead)["why"] == "Submitted as Anna's referral (ANNA-7K2Q), 5 Jan 2026"


def test_two_people_behind_one_shared_mailbox_do_not_fight_over_a_referral(loop: Loop) -> None:
    """Each is a buyer of their own; the one who was there first is meant. (This was an endless loop.)"""
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    first, second = (sales.create(Kind.CONTACT, Draft(email="info@buyer.io")) for _ in range(2))
    with loop.ledger.writing():
        submit(loop.context(1), Claim("ANNA-7K2Q", "info@buyer.io", date(2026, 1, 5), ""))
    loop.sync()
    assert (loop.fields(first).get("code"), loop.fields(second)) == ("ANNA-7K2Q", {})
    sales.delete(first)
    loop.sync()
    assert loop.fields(second)["code"] == "ANNA-7K2Q"
