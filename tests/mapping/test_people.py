# ruff: noqa: RUF001 - characters that look alike are what is tested
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refloop.mapping.people import email_alias_key, email_key, is_shared_mailbox


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Anna@Example.COM", "anna@example.com"),
        ("  anna@acme.io\n", "anna@acme.io"),
        ("anna@acme.io\u200b", "anna@acme.io"),
        ("ａｎｎａ＠ａｃｍｅ．ｉｏ", "anna@acme.io"),
        ("anna+crm@gmail.com", "anna+crm@gmail.com"),
        ("a.n.n.a@gmail.com", "a.n.n.a@gmail.com"),
        ("o'hara@acme.io", "o'hara@acme.io"),
        ("anna@müller.de", "anna@xn--mller-kva.de"),
        ("anna@MÜLLER.de", "anna@xn--mller-kva.de"),
        ("anna@mu\u0308ller.de", "anna@xn--mller-kva.de"),
        ("anna@xn--mller-kva.de", "anna@xn--mller-kva.de"),
        ("anna@straße.de", "anna@xn--strae-oqa.de"),
        ("jürgen@acme.io", "jürgen@acme.io"),
        ("anna@例え。jp", "anna@xn--r8jz45g.jp"),
        ("anna@acme.io.", "anna@acme.io"),
        ("abc..def@docomo.ne.jp", "abc..def@docomo.ne.jp"),
    ],
)
def test_spellings_of_one_address_share_a_key(text: str, key: str) -> None:
    assert email_key(text) == key


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "anna",
        "@acme.io",
        "anna@",
        "anna@localhost",
        "anna@@acme.io",
        "anna@b@acme.io",
        "anna smith@acme.io",
        "Anna <anna@acme.io>",
        "anna@acme.io, bob@acme.io",
        "anna@acme.io;bob@acme.io",
        '"anna smith"@acme.io',
        "anna@acme..io",
        "anna@-acme.io",
        "anna@acme.io/x",
        "anna@[127.0.0.1]",
        "an\0na@acme.io",
        "\ud800@acme.io",
        "anna@\ud800.io",
        "anna@\U0001f525.io",
        "a" * 65 + "@acme.io",
        "anna@" + "a" * 64 + ".io",
        "anna@" + "a.b" * 90 + ".io",
        "a@" * 500_000,
    ],
)
def test_what_is_no_single_address_has_no_key(text: str | None) -> None:
    assert email_key(text) is None


@given(st.text() | st.emails())
def test_a_key_is_its_own_key_and_nothing_raises(text: str) -> None:
    key = email_key(text)
    if key is not None:
        assert email_key(key) == key
        assert email_alias_key(email_alias_key(key)) == email_alias_key(key)
        assert isinstance(is_shared_mailbox(key), bool)


@pytest.mark.parametrize(
    ("key", "alias"),
    [
        ("a.n.na+crm@gmail.com", "anna@gmail.com"),
        ("anna@googlemail.com", "anna@gmail.com"),
        ("an.na+x@outlook.com", "an.na@outlook.com"),
        ("anna+x@acme.io", "anna+x@acme.io"),
        ("an.na@acme.io", "an.na@acme.io"),
        ("+x@gmail.com", "+x@gmail.com"),
    ],
)
def test_aliases_are_undone_only_where_the_provider_has_them(key: str, alias: str) -> None:
    assert email_alias_key(key) == alias


@pytest.mark.parametrize(
    "key",
    [
        "info@acme.io",
        "sales@acme.io",
        "sales.emea@acme.io",
        "info-berlin@acme.io",
        "info2@acme.io",
        "info+crm@acme.io",
        "no-reply@acme.io",
        "noreply-7f3@acme.io",
        "do_not_reply@acme.io",
        "none@none.com",
        "none@nowhere.net",
        "n.a@acme.io",
        "test@example.com",
        "test123@gmail.com",
        "john.doe@example.com",
        "a@x.test",
        "acme@acme.io",
        "x@x.com",
        "123@qq.com",
    ],
)
def test_mailboxes_of_several_or_of_nobody(key: str) -> None:
    assert is_shared_mailbox(key)


@pytest.mark.parametrize(
    "key",
    [
        "anna@acme.io",
        "anna.info@acme.io",
        "post.malone@acme.io",
        "anna@example.com",
        "me@anna-schmidt.de",
        "j.tester@acme.io",
        "salesbury@acme.io",
        "anna@acme.com.invalid",
        "john.doe@acme.io",
    ],
)
def test_mailboxes_of_one_person(key: str) -> None:
    assert not is_shared_mailbox(key)
