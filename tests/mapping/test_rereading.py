"""Which texts are read again when a code is issued: all that read otherwise then, and few others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refloop.mapping.codes import CodeBook, code_key, reach_of
from refloop.mapping.match import CarriedTexts, sight
from refloop.mapping.rereading import Rereading
from refloop.model import Code, Kind, Ref

REF = Ref("crm", Kind.LEAD, "1")
DAY = date(2026, 3, 1)


def issued(*texts: str) -> list[Code]:
    return [Code(text, code_key(text), "anna", "program") for text in texts]


OTHERS = ("AB12", "BENS-4F6T", "100200300", "SPRINGTIME")
"""Of every shape and, with the new ones, of every length: a new code changes nothing but what it stands in."""


def reads_otherwise(new: Code, texts: Mapping[str, str], typed: str | None) -> bool:
    carried = CarriedTexts(REF, texts, DAY, typed, "ref_code")
    before, after = CodeBook(issued(*OTHERS)), CodeBook([*issued(*OTHERS), new])
    old, now = sight(carried, before), sight(carried, after)
    return (old.proposals, old.remarks) != (now.proposals, now.remarks)


NEW = st.sampled_from(("ANNA-7K2Q", "ANNA2026", "5550123", "MIDSUMMER", "O0I1-LL10", "Ünal-77x9"))


def redirected(code: str) -> str:
    """A link that another one carries, in which half of the code is encoded already."""
    half = "".join(f"%{byte:02X}" for byte in code[:4].encode())
    return "https://t.io/?u=" + quote(f"https://x.io/?ref={half}{code[4:]}", safe="")


def full_width(code: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if letter.isascii() and letter.isalnum() else letter for letter in code)


AROUND = st.sampled_from(("asked for a quote,", "BENS-4F6T", "code", "a@b.io", "\n", "Ref:", "no"))


def spelled(code: str) -> st.SearchStrategy[str]:
    """A code as people, programs and spreadsheets write it; and what is one edit off."""
    key = code_key(code)
    at = st.integers(0, len(key) - 1)
    return st.one_of(
        st.sampled_from(
            (
                code,
                code.lower(),
                key,
                " ".join(key[start : start + 4] for start in range(0, len(key), 4)),
                key.replace("0", "O").replace("1", "l"),
                f"{key}.0",
                f"{key[0]}.{key[1:]}E{len(key) - 1}",
                f"<b>{code[:3]}</b>{code[3:]}",
                code.replace("-", "\u2010"),
                code.replace("-", "&#45;"),
                code.replace("-", "-\r\n "),
                f"https://x.io/?ref={code}",
                f"https://x.io/r/{quote(quote(code, safe=''))}",
                redirected(code),
                f"https://x.io/?ref={code[:4]}\r\n{code[4:]}",
                f"<a href='https://x.io/?code={code}'>here</a>",
                full_width(code),
                f"spring_{code}_berlin",
                f"code-{key}",
                f"promo code is {code}",
            )
        ),
        at.map(lambda n: f"code {key[:n]}{key[n + 1 :]}"),
        at.map(lambda n: f"code: {key[:n]}x{key[n + 1 :]}"),
        at.map(lambda n: f"?ref={key[:n]}q{key[n:]}"),
        at.map(lambda n: f"ref-{key[:n]}{key[n + 1 : n + 2]}{key[n : n + 1]}{key[n + 2 :]}"),
    )


@st.composite
def carrying(draw: st.DrawFn) -> tuple[Code, dict[str, str], str | None]:
    (new,) = issued(draw(NEW))
    words = st.one_of(
        spelled(new.code),
        st.sampled_from(("asked for a quote,", "BENS-4F6T", "code", "a@b.io", "\n", "Ref:", "no")),
        st.text(max_size=4),
    )
    text = st.lists(words, min_size=1, max_size=4).map(" ".join)
    texts = draw(st.dictionaries(st.sampled_from(("Description", "Promo_Code__c")), text, max_size=2))
    return new, texts, draw(st.none() | text)


@settings(max_examples=300, deadline=None)
@given(carrying())
def test_what_reads_otherwise_is_read_again(drawn: tuple[Code, dict[str, str], str | None]) -> None:
    new, texts, typed = drawn
    everything = [*texts.values(), *([typed] if typed is not None else [])]
    if reads_otherwise(new, texts, typed):
        assert any(map(Rereading([new.key]).concerns, everything))


def test_the_texts_that_are_tried_do_read_otherwise() -> None:
    """The search above proves nothing about texts that read as before."""
    (new,) = issued("ANNA-7K2Q")
    for text in ("ANNA-7K2Q", "anna 7k2q", "<b>ANN</b>A-7K2Q", "https://x.io/?ref=ANNA%2D7K2Q", "code ANNA7K2"):
        assert reads_otherwise(new, {"Description": text}, None), text
        assert Rereading([new.key]).concerns(text)


@pytest.mark.parametrize(
    "text",
    ["asked for a quote", "code BENS-4F6T", "Anna called, 7 of 20", "https://x.io/?ref=BENS-4F6T", "", "%%%", "7K2"],
)
def test_what_holds_no_such_code_is_left(text: str) -> None:
    assert not Rereading(["anna7k2q"]).concerns(text)


@pytest.mark.parametrize(
    ("keys", "reach"),
    [
        ([], (0, 0, frozenset())),
        (["anna7k2q", "ben"], (3, 8, frozenset({"mixed", "letters"}))),
        (["12345"], (5, 5, frozenset({"digits"}))),
    ],
)
def test_how_far_codes_reach(keys: list[str], reach: tuple[int, int, frozenset[str]]) -> None:
    assert reach_of(keys) == reach
