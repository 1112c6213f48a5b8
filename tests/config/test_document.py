"""YAML is read inertly, means what it says, and ends quickly."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from refloop.config import TEMPLATE
from refloop.config.document import MAX_BYTES, MAX_EVENTS, read_document
from tests.work import calls_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0123", "0123"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("+5", "+5"),
        (".5", ".5"),
        ("5.", "5."),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("2026-01-01", "2026-01-01"),
        ("٣", "٣"),  # a digit, but not JSON's
        ("<<", "<<"),
        ("=", "="),
        ("0", 0),
        ("-7", -7),
        ("67.0", 67.0),
        ("1.5e3", 1500.0),
        ("9" * 5000, "9" * 5000),
        ('"67.0"', "67.0"),
        ("'true'", "true"),
        ("|-\n  5", "5"),
    ],
)
def test_scalars_mean_what_they_mean_in_json(text: str, value: object) -> None:
    document = read_document(f"key: {text}\n".encode())
    assert document.faults == []
    assert document.data == {"key": value}
    assert isinstance(document.data, dict)
    assert type(document.data["key"]) is type(value)


def test_keys_are_always_text() -> None:
    assert read_document(b"1: a\ntrue: b\nNO: c\n").data == {"1": "a", "true": "b", "NO": "c"}


def test_lines_of_keys_and_items() -> None:
    document = read_document("\ufeffa: 1\n\n# x\nb:\n  - c\n  - d: 2\n".encode())
    assert document.data == {"a": 1, "b": ["c", {"d": 2}]}
    places = [(), ("a",), ("b",), ("b", 0), ("b", 1, "d"), ("b", 7, "zz")]
    assert [document.line(key) for key in places] == [1, 1, 4, 5, 6, 4]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: &x 2\n", 2, "anchor"),
        ("a: 1\nb: [*x]\n", 2, "alias"),
        ("a: &x 1\n<<: *x\n", 2, "alias"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "tag"),
        ("a: !!str 5\n", 1, "tag"),
        ("!x {a: 1}\n", 1, "tag"),
        ("a: 1\nb: 2\na: 3\n", 3, "first in line 1"),
        ("a:\n  b: 1\n  b: 1\n", 3, "twice"),
        ("a: 1\n---\nb: 1\n", 3, "second document"),
        ("%YAML 1.1\n---\na: 1\n", 1, "directive"),
        ("? [a]\n: 1\n", 1, "plain text"),
        ("? &k a\n: 1\n", 1, "plain text"),
        ("a: b: c\n", 1, "not YAML"),
        ("a: [1\n", 2, "not YAML"),
        ("a:\n\t- 1\n", 2, "not YAML"),
        ("a: 1\nb: '\x1b[31m'\n", 2, "control character"),
        ("a: 1\nb: '\0'\n", 2, "control character"),
        ("a: " + "[" * 60 + "]" * 60, 1, "deeper than 50"),
        ("a: [" + "x," * 20_000 + "]", 1, "too many values"),
        ("#" * MAX_BYTES + "\n", 1, "1 MiB"),
    ],
)
def test_what_is_refused(text: str, line: int, words: str) -> None:
    faults = read_document(text.encode()).faults
    assert [fault.line for fault in faults if words in fault.message] == [line]


def test_what_is_not_utf_8_is_refused() -> None:
    (fault,) = read_document(b"a: 1\nb: \xff\n").faults
    assert (fault.line, fault.message) == (2, "is not UTF-8; save it as UTF-8")


def test_several_faults_in_one_go() -> None:
    faults = read_document(b"a: &x 1\nb: *x\nc: !t 1\na: 2\n").faults
    assert [fault.line for fault in faults] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "text",
    [
        "k: *s3cr3t!\n",
        "k: !s3cr3t!x v\n",
        "k: @s3cr3t\n",
        "k: 's3cr3t\n",
        "k: pat s3cr3t: x\n",
        "k: %s3cr3t\n",
        "k: {s3cr3t\n",
    ],
)
def test_a_complaint_never_quotes_the_text(text: str) -> None:
    document = read_document(text.encode())
    assert document.faults
    assert "s3cr3t" not in repr(document.faults)


HOSTILE = {
    "brackets": b"[" * MAX_BYTES,
    "braces": b"{a: " * (MAX_BYTES // 4),
    "dashes": b"- " * (MAX_BYTES // 2),
    "questions": b"? " * (MAX_BYTES // 2),
    "flat": b"a: b\n" * (MAX_BYTES // 5),
    "distinct": b"".join(b"k%d: v\n" % number for number in range(90_000)),
    "one word": b"a: " + b"x" * (MAX_BYTES - 3),
    "blanks": b" " * MAX_BYTES,
    "newlines": b"\n" * MAX_BYTES,
    "escapes": b'a: "' + b"\\x41" * 260_000 + b'"',
    "folded": b"a: >\n" + b" \n" * 500_000,
    "documents": b"---\n" * (MAX_BYTES // 4),
    "laughs": b"a: &a [x,x]\n" + b"".join(b"b%d: &b%d [*a,*a,*a,*a]\n" % (n, n) for n in range(2000)),
    "digits": b"a: " + b"9" * (MAX_BYTES - 3),
    "floats": b"a: 0." + b"9" * (MAX_BYTES - 5),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_bounded_work(name: str) -> None:
    assert calls_of(lambda: read_document(HOSTILE[name])) <= 20 * MAX_EVENTS


@given(st.one_of(st.binary(max_size=200), st.text("ab:-[]{}&*!?|>'\"#%@, \n\t0.", max_size=80).map(str.encode)))
def test_reading_never_raises(content: bytes) -> None:
    document = read_document(content)
    assert document.whole or document.faults


def test_without_libyaml_it_is_the_same_language(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [TEMPLATE, "a: NO\nb: 012\nc: [1, x]\n", "a: &x 1\nb: *x\nc: !t 1\na: 2\n", "a: [[" + "[" * 60]
    compiled = [read_document(text.encode()) for text in texts]
    monkeypatch.setattr("refloop.config.document.Loader", yaml.SafeLoader)
    assert [read_document(text.encode()) for text in texts] == compiled
    for text in (
        "k: !s3cr3t!x v\n",
        "k: @s3cr3t\n",
        "k: *s3cr3t!\n",
        "%TAG !s3cr3t\n",
        "k: {s3cr3t\n",
        "a: b: s3cr3t\n",
    ):
        document = read_document(text.encode())
        assert document.faults
        assert "s3cr3t" not in repr(document.faults)


def test_every_character_is_read_or_refused() -> None:
    for first in range(0, 0x11_0000, 0x400):
        block = "".join(chr(point) for point in range(first, first + 0x400) if not 0xD800 <= point < 0xE000)
        document = read_document(f"a: 1\nb: |\n  {block}\n".encode())
        assert document.whole or document.faults
