"""What the redactor takes out, in every form; and what it leaves."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from refloop import redaction
from refloop.redaction import PERSONAL, SECRET, Redactor
from tests.work import goes_back

SECRETS = {
    "token": "pat-na1-5ecret/0f+the=canary",
    "session": "00D5g000004xxxx!AQ4AQFx.canary_of_a_session",
    "password": 'p"ä\\ss w&rd?',
    "short": "hunter2",
    "key": "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQ\n-----END PRIVATE KEY-----",
}

FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda secret: secret,
    "for a path": lambda secret: quote(secret, safe=""),
    "for a path, slashes kept": quote,
    "for a form": quote_plus,
    "JSON": json.dumps,
    "JSON, Unicode kept": lambda secret: json.dumps(secret, ensure_ascii=False),
    "Python": repr,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64, one byte before": lambda secret: base64.b64encode(f"x{secret}".encode()).decode(),
    "base64, two bytes around": lambda secret: base64.b64encode(f"xy{secret}:z".encode()).decode(),
    "base64 for a URL": lambda secret: base64.urlsafe_b64encode(f"client:{secret}".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_taken_out_in_every_form(secret: str, form: Callable[[str], str]) -> None:
    redactor = Redactor()
    redactor.conceal(secret)
    redacted = redactor.redacted(f"before <{form(secret)}> after")
    assert SECRET in redacted
    assert redacted.startswith("before <")
    assert form(secret)[2:-2] not in redacted


@pytest.mark.parametrize("name", ["token", "session"])
def test_a_secret_that_was_cut_is_taken_out(name: str) -> None:
    redactor = Redactor()
    redactor.conceal(SECRETS[name])
    assert SECRETS[name][4:12] not in redactor.redacted(f"it began with {SECRETS[name][:12]}")


def test_a_line_of_a_key_is_taken_out() -> None:
    redactor = Redactor()
    redactor.conceal(SECRETS["key"])
    assert redactor.redacted("EFAASCBKcwggSjAgEAAoIBAQ") == SECRET


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Authorization: Bearer abc123def456", f"Authorization: Bearer {SECRET}"),
        ("Authorization: Basic Y2xpZW50OnMzY3JldA==", f"Authorization: Basic {SECRET}"),
        ("sid=00D5g000004xxxx!AQ4AQFx.abc", f"sid={SECRET}"),
        ("pat-eu1-1234-abcd", SECRET),
        ("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIzTVZHIn0.c2ln", SECRET),
        ("client_secret=s3cr3t&grant_type=x", f"client_secret={SECRET}&grant_type=x"),
        ('{"refresh_token": "abc", "id": 1}', f'{{"refresh_token": "{SECRET}", "id": 1}}'),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII", SECRET),
        ("to anna.weiß+x@partners.io now", f"to {PERSONAL} now"),
        ("Email%3D%27anna%40acme.co.uk%27", f"{PERSONAL}%27"),
        ("call +49 (30) 901820-0 or 555-123-4567", f"call {PERSONAL} or {PERSONAL}"),
        ("tel 030 9018200", f"tel {PERSONAL}"),
        ("GET https://x.io/query?q=SELECT+Id failed", "GET https://x.io/query?... failed"),
        ("/services/data/v67.0/query?q=SELECT+Id", "/services/data/v67.0/query?..."),
    ],
)
def test_what_looks_like_a_credential_or_a_person_is_taken_out(text: str, redacted: str) -> None:
    assert Redactor().redacted(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-12T12:00:00.000Z",
        "sf:lead:00QLo00000000m1MAA ref_status",
        "hs:contact:1234567890123456789",
        "POST /crm/objects/2026-03/contacts/batch/update answered 503 (RATE_LIMITS)",
        "the token ran out; renew it",
        "hs: HubSpot does not allow it: scope missing: crm.objects.contacts.read",
        "ref_id rf_234bdd7a2064ed3a",
    ],
)
def test_names_ids_and_times_are_left(text: str) -> None:
    redactor = Redactor()
    redactor.conceal("abc")  # too short to be told from other words
    assert redactor.redacted(text) == text


class Watched:
    """A pattern that tells how much it was given to read."""

    def __init__(self, pattern: re.Pattern[str], given: list[int]) -> None:
        self._pattern = pattern
        self._given = given

    def sub(self, replacement: str, text: str) -> str:
        self._given.append(len(text))
        return self._pattern.sub(replacement, text)


@pytest.mark.parametrize("unit", ["a", "a.b%", "+1", "/a", "bearer ", "bearer  \n", "token=1 ", "eyJaaaaaaaaaa", "0 1"])
def test_of_a_hostile_text_no_pattern_reads_more_than_the_beginning(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    shapes = [(Watched(pattern, given), replacement) for pattern, replacement in redaction._SHAPES]
    monkeypatch.setattr(redaction, "_SHAPES", shapes)
    redactor = Redactor()
    redactor.conceal(SECRETS["token"])
    assert len(redactor.redacted(unit * 1_000_000)) <= 2 * 20_000
    assert len(given) == len(shapes)
    assert max(given) <= 2 * 20_000  # what takes a secret's place may be longer


def test_no_shape_goes_over_a_run_of_characters_again_and_again() -> None:
    suspects = [pattern.pattern for pattern, _ in redaction._SHAPES if goes_back(pattern)]
    bounded = (
        "-----BEGIN",  # takes what is left when no end comes
        "bearer",  # in a run of blanks no second one begins
        "eyJ",  # one may begin after each hyphen: then the 20,000 characters are the bound
    )
    assert [one for one in suspects if not any(map(one.__contains__, bounded))] == []


def test_it_shows_nothing_itself() -> None:
    redactor = Redactor()
    redactor.conceal(SECRETS["token"])
    assert "5ecret" not in repr(redactor)


def test_what_is_known_has_an_end_and_the_secrets_in_use_are_among_it() -> None:
    redactor = Redactor()
    for number in range(1000):
        redactor.conceal("the secret of the configuration")  # read again for each log-in
        redactor.conceal(f"session-{number:04d}-of-this-process")
    assert repr(redactor) == "<Redactor of 100 secrets>"
    told = redactor.redacted("the secret of the configuration, session-0999-of-this-process")
    assert told == f"{SECRET}, {SECRET}"
