"""Many codes at once are what they are one by one, in statements that do not grow with them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refloop.ledger import Ledger, open_ledger
from refloop.ledger.engine.sqlite import SqliteEngine
from refloop.sync import intake
from refloop.sync.intake import import_codes

NOW = datetime(2026, 6, 1, tzinfo=UTC)
COLUMNS = ("code", "referrer", "referrer_name", "referrer_email", "program", "valid_from", "valid_to")
TABLES = ("codes", "referrers", "programs", "code_definitions", "queue")


def imported(ledger: Ledger, folder: Path, rows: list[tuple[str, ...]]) -> tuple[dict[str, int], list[str]]:
    path = folder / "codes.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    done = import_codes(ledger, path, NOW)
    return {str(kept): count for kept, count in done.counts.items()}, done.lines()


def content(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    found = {table: [tuple(row) for row in ledger.rows(f"SELECT * FROM {table}")] for table in TABLES}  # noqa: S608 - a table's name is a constant
    found["code_definitions"] = [row[1:] for row in found["code_definitions"]]  # but for their numbers
    return {table: sorted(rows, key=repr) for table, rows in found.items()}


ROW = st.tuples(
    st.sampled_from(("AAA-111", "BBB-222", "CCC-333", "DDD-444", "EEE-555", "aaa111", "", "K7Q2-PROMO")),
    st.sampled_from(("anna", "ben", "cleo")),
    st.sampled_from(("", "", "Anna", "Ben")),
    st.sampled_from(("", "", "a@b.io", "c@d.io", "none")),
    st.sampled_from(("", "partners", "promo")),
    st.sampled_from(("", "2026-01-01", "2026-09-09")),
    st.sampled_from(("", "", "2026-03-03", "soon")),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(ROW, max_size=9), min_size=1, max_size=3))
def test_at_once_is_what_one_by_one_is(tables: list[list[tuple[str, ...]]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        at_once, singly = open_ledger(folder / "1.db"), open_ledger(folder / "2.db")
        for rows in tables:
            came = imported(at_once, folder, rows)
            with one_by_one():
                assert imported(singly, folder, rows) == came
            assert content(at_once) == content(singly)
        at_once.close()
        singly.close()


@contextmanager
def one_by_one() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "enrol_at_once", lambda *_: {})
        yield


def new(number: int) -> tuple[str, ...]:
    return (f"QX-{number:06d}", f"r{number}", f"R {number}", f"r{number}@p.io", "partners", "", "2027-01-01")


@pytest.fixture
def ledger(new_ledger: Callable[[str], Ledger]) -> Ledger:
    return new_ledger("codes")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are sent from here on; one that is carried out for many rows is one."""
    heard: list[str] = []

    def hearing(verb: Callable[..., Any]) -> Callable[..., Any]:
        def hear(engine: SqliteEngine, sql: str, *values: Any) -> Any:
            heard.append(sql)
            return verb(engine, sql, *values)

        return hear

    for verb in ("execute", "execute_many", "rows"):
        monkeypatch.setattr(SqliteEngine, verb, hearing(getattr(SqliteEngine, verb)))
    return heard


def test_the_statements_are_those_of_its_chunks_and_not_of_its_codes(
    ledger: Ledger, tmp_path: Path, sent: list[str]
) -> None:
    imported(ledger, tmp_path, [new(number) for number in range(1000)])
    of_one = len(sent)
    sent.clear()
    counts, faults = imported(ledger, tmp_path, [new(number) for number in range(1000, 4000)])
    assert (counts, faults) == ({"new": 3000}, [])
    assert len(sent) <= 3 * of_one
    assert of_one < 60
    sent.clear()
    counts, _ = imported(ledger, tmp_path, [new(number) for number in range(4000)])
    assert counts == {"unchanged": 4000}
    assert len(sent) <= 4 * of_one


def test_a_row_that_is_no_good_is_named_and_the_others_are_kept_at_once(
    ledger: Ledger, tmp_path: Path, sent: list[str]
) -> None:
    rows = [new(number) for number in range(1000)]
    rows[500] = ("", *rows[500][1:])
    rows[700] = (*rows[700][:-1], "soon")
    counts, faults = imported(ledger, tmp_path, rows)
    assert counts == {"new": 998}
    assert [fault[:20] for fault in faults] == ["codes.csv, line 502:", "codes.csv, line 702:"]
    assert len(sent) < 100
