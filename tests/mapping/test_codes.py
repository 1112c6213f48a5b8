# ruff: noqa: RUF001 - characters that look alike are what is tested
from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refloop.mapping.codes import MATCHER_VERSION, CodeBook, code_key, fold_key
from refloop.model import Code


def issued(text: str) -> Code:
    return Code(text, code_key(text), f"referrer of {text}", "spring")


def book_of(texts: Iterable[str]) -> CodeBook:
    return CodeBook(issued(text) for text in texts)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ACME-7K2Q", "acme7k2q"),
        ("  acme_7k2q\t", "acme7k2q"),
        ("A.C.M.E 7K2Q!", "acme7k2q"),
        ("ＡＣＭＥ－７Ｋ２Ｑ", "acme7k2q"),
        ("\U0001d400\U0001d402\U0001d40c\U0001d404", "acme"),  # mathematical bold
        ("①②③", "123"),
        ("straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ÉTÉ", "été"),
        ("E\u0301TE\u0301", "été"),  # decomposed, as macOS writes it
        ("İZMİR", "izmir"),  # Turkish capital I with a dot
        ("\u0131zm\u0131r", "\u0131zm\u0131r"),  # dotless i is a letter of its own
        ("\U0001f525ACME\U0001f525", "acme"),
        ("\U0001f525", ""),
        ("AC\u200bME\u00ad7", "acme7"),  # zero width space, soft hyphen
        ("紹介１０", "紹介10"),
        ("\u1112\ufeff\u1161\u11ab", "한"),  # jamo that compose once the mark between them is gone
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("\ud800AB", "ab"),
        ("A\0B", "ab"),
        ("", ""),
        ("- _ .", ""),
    ],
)
def test_the_key_is_what_is_left_of_a_code_when_spelling_is_set_aside(text: str, key: str) -> None:
    assert code_key(text) == key


def test_look_alikes_of_another_script_keep_their_own_key() -> None:
    cyrillic = "\u0410\u0421\u041c\u0415"
    assert code_key(cyrillic) != code_key("ACME")


@given(st.text())
def test_a_key_is_its_own_key(text: str) -> None:
    key = code_key(text)
    assert code_key(key) == key
    assert all(map(str.isalnum, key))


def test_every_character_has_a_stable_key() -> None:
    for point in range(sys.maxunicode + 1):
        key = code_key("x" + chr(point) + "x")
        assert code_key(key) == key


@given(st.text(alphabet="abcXYZ0189öÖßİ"))
def test_composed_and_decomposed_spellings_share_a_key(text: str) -> None:
    assert code_key(unicodedata.normalize("NFD", text)) == code_key(unicodedata.normalize("NFC", text))


def test_normalising_a_million_combining_marks_takes_linear_time() -> None:
    assert code_key("a" + "\u0300\u0316" * 500_000) == "à"  # quadratic would take an hour


@pytest.mark.parametrize(
    ("key", "fold"), [("acme0", "acme0"), ("acmeo", "acme0"), ("lil1i", "11111"), ("\u0131", "1"), ("s5b8z2", "s5b8z2")]
)
def test_only_o_i_and_l_are_confusable(key: str, fold: str) -> None:
    assert fold_key(key) == fold


@given(st.text())
def test_folding_keeps_length_and_is_idempotent(text: str) -> None:
    key = code_key(text)
    assert len(fold_key(key)) == len(key)
    assert fold_key(fold_key(key)) == fold_key(key)


def test_a_book_finds_codes_by_key() -> None:
    book = book_of(["ACME-7K2Q", "JULIA10"])
    assert len(book) == 2
    assert book.version == MATCHER_VERSION
    assert book.get("acme7k2q") == issued("ACME-7K2Q")
    assert book.get("ACME-7K2Q") is None
    assert "julia10" in book


def test_an_empty_book_names_nothing() -> None:
    book = CodeBook([])
    assert book.get("a") is None
    assert book.folded("a") is None
    assert book.near("a") == ()
    assert not book.well_formed("a")


@pytest.mark.parametrize(
    ("codes", "key", "named"),
    [
        (["JULIA10"], "ju1ia1o", "julia10"),
        (["JULIA10"], "julia10", "julia10"),
        (["J0HN", "JOHN"], "john", None),
        (["J0HN", "JOHN", "ANNA"], "anna", "anna"),
        (["A1", "AL", "AI"], "a1", None),
        (["ACME7K2Q"], "acme7k2q", "acme7k2q"),
        (["ACME7K2Q"], "acme7k20", None),
    ],
)
def test_a_fold_names_a_code_only_when_it_is_the_only_one(codes: list[str], key: str, named: str | None) -> None:
    found = book_of(codes).folded(key)
    assert (found.key if found else None) == named


def test_all_codes_that_look_alike_are_listed() -> None:
    assert book_of(["A1", "AL", "AI", "AX"]).alike("ai") == ("a1", "ai", "al")


def test_two_codes_with_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="one and the same"):
        book_of(["ACME-7", "acme7"])


def test_the_same_code_twice_is_one_code() -> None:
    assert len(book_of(["ACME7", "ACME7"])) == 1


def test_a_code_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="without letters"):
        book_of(["---"])


def one_edit_apart(left: str, right: str) -> bool:
    """Optimal string alignment distance 1, by its textbook recurrence."""
    rows = [[max(i, j) if not min(i, j) else 0 for j in range(len(right) + 1)] for i in range(len(left) + 1)]
    for i in range(1, len(left) + 1):
        for j in range(1, len(right) + 1):
            wrong = left[i - 1] != right[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + wrong)
            if i > 1 and j > 1 and left[i - 1] == right[j - 2] and left[i - 2] == right[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1] == 1


KEYS = st.text(alphabet="ab1", min_size=1, max_size=6)


@given(st.sets(KEYS, max_size=30), KEYS)
def test_near_keys_are_those_that_brute_force_finds(keys: set[str], key: str) -> None:
    assert book_of(sorted(keys)).near(key) == tuple(sorted(other for other in keys if one_edit_apart(key, other)))


@pytest.mark.parametrize(
    ("key", "well_formed"),
    [("zzzz9999", True), ("acme7k2", True), ("acme7k", False), ("abcdefgh", False), ("12345678", False)],
)
def test_well_formed_means_like_the_issued_ones(key: str, well_formed: bool) -> None:
    assert book_of(["ACME7K2Q", "JULIA10"]).well_formed(key) is well_formed
