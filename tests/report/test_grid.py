"""Tables fit any terminal, keep ids whole, and are a line a row for a pipe."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refloop.report.as_csv import csv_lines
from refloop.report.grid import BATCH, Column, Fit, fitted, numbers, plain, text, whole
from refloop.report.lines import broken
from refloop.report.measure import folded, width_of, words_of
from refloop.tables import Line, open_table, protected

HEX = st.text(alphabet="0123456789abcdef", min_size=15, max_size=16)
SHORT = st.text(alphabet="ABCXYZ0189", min_size=2, max_size=12)
IDS = st.one_of(HEX.map("rf_{}".format), HEX.map("sf:lead:00Q{}".format), SHORT.map("AB-{}".format), SHORT)
WIDE = "日本語 한국어 Ünï e\u0301 👩\u200d👩\u200d👧 🇩🇪 नमस्ते a\u200bb"
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=WIDE, max_size=120),
    st.lists(IDS, max_size=12).map(" ".join),
    SHORT.map(lambda some: f"https://shop.example/?ref={some * 20}"),
)
ROWS = st.tuples(IDS, TEXTS, st.integers(0, 10**9), st.lists(IDS, max_size=12), TEXTS)
COLUMNS = (*whole("id"), *text("evidence"), *numbers("records_written"), *whole("candidates"), *text("reason"))


@given(rows=st.lists(ROWS, max_size=6), width=st.integers(60, 200))
@example(rows=[("rf_25eef76dd4f35041", "日" * 400, 0, ["AB-12"] * 40, "x" * 500)], width=60)
def test_no_line_is_wider_than_the_terminal_and_each_id_is_whole(
    rows: list[tuple[str, str, int, list[str], str]], width: int
) -> None:
    lines = [line.text for line in fitted(COLUMNS, rows, width)]
    assert [line for line in lines if width_of(line) > width] == []
    assert all("\n" not in line and "\t" not in line for line in lines)
    seen = "\n".join(lines)
    for name, _, count, candidates, _ in rows:
        for one in (name, f"{count:,}", *candidates):
            assert one in seen


@given(rows=st.lists(ROWS, max_size=4))
def test_nothing_of_a_text_is_lost(rows: list[tuple[str, str, int, list[str], str]]) -> None:
    wide = " ".join(line.text for line in fitted(COLUMNS, rows, 10_000))
    for row in rows:
        assert all(
            word in wide for word in words_of(str(row[1]).replace("\n", "\\n").replace("\t", "\\t")) if word.isalnum()
        )


@given(rows=st.lists(ROWS, max_size=6))
def test_in_a_pipe_a_row_is_a_line_whatever_it_holds(rows: list[tuple[str, str, int, list[str], str]]) -> None:
    lines = [line.text for line in plain(COLUMNS, rows)]
    assert len(lines) == (len(rows) + 1 if rows else 0)
    assert all(len(line.split("\t")) == len(COLUMNS) and len(line.splitlines()) == 1 for line in lines)
    assert [line.split("\t")[0] for line in lines[1:]] == [row[0] for row in rows]


def test_columns_of_text_give_way_first_and_then_a_row_becomes_a_block() -> None:
    columns = (*whole("referral", "code"), *text("reason"))
    row = ("rf_25eef76dd4f35041", "BENS-4F6T", "the code was received on the first page they saw")

    def at(width: int) -> list[str]:
        return [line.text for line in fitted(columns, [row], width)]

    assert at(100) == [
        "referral             code       reason",
        "rf_25eef76dd4f35041  BENS-4F6T  the code was received on the first page they saw",
    ]
    assert at(60) == [
        "referral             code       reason",
        "rf_25eef76dd4f35041  BENS-4F6T  the code was received on the",
        "                                first page they saw",
    ]
    assert at(45) == [
        "rf_25eef76dd4f35041  code: BENS-4F6T",
        "  reason: the code was received on the first",
        "    page they saw",
    ]


def test_an_id_that_is_wider_than_the_terminal_is_whole_all_the_same() -> None:
    name = "x" * 70
    assert name in [line.text for line in fitted(whole("id", "code"), [("a", name)], 60)]


def test_a_later_batch_makes_the_columns_wider_and_names_them_again() -> None:
    rows = ((("a" if number < BATCH else "longer"), 100) for number in range(BATCH + 2))
    lines = [line.text for line in fitted((*whole("id"), *numbers("n")), rows, 80)]
    headers = [line for line in lines if line.startswith("id")]
    assert headers == ["id    n", "id        n"]
    assert len(lines) == BATCH + 2 + len(headers)


def test_rows_are_taken_batch_by_batch() -> None:
    taken: list[int] = []

    def rows() -> Iterator[tuple[str]]:
        for number in range(10**9):
            taken.append(number)
            yield (str(number),)

    endless = rows()
    next(fitted(whole("id"), endless, 80))
    assert len(taken) == BATCH
    taken.clear()
    next(plain(whole("id"), endless))
    assert len(taken) == 1


@pytest.mark.parametrize(
    ("line", "width", "lines"),
    [
        ("short", 60, ["short"]),
        (
            "                 27   near: one letter off a code that was issued: see `refloop codes add`",
            62,
            [
                "                 27   near: one letter off a code that was",
                "                      issued: see `refloop codes add`",
            ],
        ),
        (
            "    because: " + "word " * 12,
            60,
            ["    because: word word word word word word word word word", "      word word word"],
        ),
        ("see sf:contact:003Lo0000000001IAA" + "x" * 60, 60, ["see", "  sf:contact:003Lo0000000001IAA" + "x" * 60]),
    ],
)
def test_a_sentence_is_broken_between_words_under_its_text(line: str, width: int, lines: list[str]) -> None:
    assert broken(line, width) == lines


def test_letters_are_never_torn_apart() -> None:
    family = "👩\u200d👩\u200d👧"
    assert list(folded([family * 3], 5)) == [family * 2, family]
    assert list(folded(["e\u0301" * 4], 3)) == ["e\u0301" * 3, "e\u0301"]
    assert list(folded(["日本語"], 5)) == ["日本", "語"]


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
@example([("=1+1", "'=x"), ('a"b', "a,b;c|d\te"), ("a\r\nb", "-5")])
def test_csv_is_what_other_programs_read(rows: list[tuple[str, str]]) -> None:
    written = "".join(csv_lines((Column("code"), Column("referrer", Fit.TEXT)), rows))
    read = csv.reader(io.StringIO(written, newline=""))
    assert [tuple(row) for row in read] == [("code", "referrer"), *(tuple(map(protected, row)) for row in rows)]


def test_what_a_csv_holds_is_read_back_by_the_reader_of_tables(tmp_path: Path) -> None:
    file = tmp_path / "codes.csv"
    cells = ("=1+1", "'+x", 'say "hi"', "a, b", "-5", "line\nline", "日本")
    columns = tuple(Column(f"c{number}") for number in range(len(cells)))
    file.write_text("".join(csv_lines(columns, [cells])), encoding="utf-8", newline="")
    with open_table(file) as table:
        (line,) = table
    assert isinstance(line, Line)
    assert tuple(line.cells.values()) == cells
