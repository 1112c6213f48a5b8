# ruff: noqa: RUF001 - characters that look alike are what is tested
"""Codes out and in again, by file and by standard input."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tests.cli.conftest import Answer, Office

ODD = [
    ("@anngram", "ann"), ("=SUM(A1)", "ann"), ("-7 up", "ann"), ("+49 SPARE", "ann"), ("'@anngram2", "ben"),
    ("''=xx", "ben"), ("'t HOOFT", "ben"), ("|pipe", "ben"), ("＝wide", "ben"), ('a "b", c', "ben"),
    ("two\nlines", "ben"), ("semi;colon", "=ben"), ("ANN–2026", "@cy"), ("000123", "0042"),
    ('="x9y9"', "ben"),
]  # fmt: skip


def _typed(office: Office, text: str | bytes, *words: str) -> Answer:
    data = text.encode() if isinstance(text, str) else text
    office.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    return office.run(*words)


def _codes(office: Office) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(office.run("codes", "list", "--json").out)
    return found


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_export_comes_back_as_it_went(office: Office, form: tuple[str, ...]) -> None:
    rows = [{"code": code, "referrer": name, "valid_to": "2026-12-31"} for code, name in ODD]
    assert _typed(office, json.dumps(rows), "codes", "import", "-").code == 0
    before = _codes(office)
    assert {(row["code"], row["referrer"]) for row in before} == set(ODD)
    gone = office.run("codes", "export", *form).out
    again = _typed(office, gone, "codes", "import", "-", "--json")
    assert json.loads(again.out) == {"unchanged": len(ODD), "bad_rows": [], "columns_left_out": []}
    (ledger,) = office.folder.glob("*.db")
    for file in office.folder.glob(f"{ledger.name}*"):
        file.rename(office.folder / f"old-{file.name}")
    assert _typed(office, gone, "codes", "import", "-").code == 0
    assert _codes(office) == before


def test_no_cell_of_an_export_is_a_formula(office: Office) -> None:
    rows = [{"code": code, "referrer": name} for code, name in ODD]
    _typed(office, json.dumps(rows), "codes", "import", "-")
    lines = office.run("codes", "export").out.splitlines()
    assert not [line for line in lines if line.lstrip('"').lstrip()[:1] in tuple("=+-@|＝")]


def test_what_codes_add_does_not_say_stays(office: Office) -> None:
    office.run("codes", "add", "ANN-2026", "--referrer", "ann", "--program", "fair", "--valid-to", "2026-03-31")
    again = office.run("codes", "add", "ANN-2026", "--referrer", "ann", "--name", "Ann")
    assert (again.code, again.out) == (0, "code ANN-2026: changed\n")
    (code,) = _codes(office)
    assert (code["program"], code["valid_to"], code["referrer_name"]) == ("fair", "2026-03-31", "Ann")
    spoilt = office.run("codes", "add", "12345.0", "--referrer", "ann")
    assert (spoilt.code, "a number with decimals" in spoilt.err) == (65, True)


def test_standard_input_is_a_file_like_any_other(office: Office) -> None:
    text = "\ufeffsep=;\r\nCODE;Colour;Referrer;;\r\nANN-2026;red;ann;;\r\n;blue;ben;;\r\n"
    answer = _typed(office, text, "codes", "import", "-")
    assert (answer.code, answer.out) == (65, "codes: 1 new\n")
    assert answer.err == "columns left out: Colour\nstandard input, line 4: code is empty\n"
    answer = _typed(office, "E-Mail\tCode\tShoe\nbo@buyer.io\tann 2026\t42\n", "referrals", "import", "-", "--json")
    assert json.loads(answer.out) == {"new": 1, "bad_rows": [], "columns_left_out": ["Shoe"]}
    broken = _typed(office, b"code,referrer\nM\xfcller,ann\n", "codes", "import", "-")
    assert (broken.code, "standard input is not UTF-8: line 2" in broken.err) == (65, True)
