"""Takes out of a text what no text may show: this process's secrets, credentials, people's addresses and numbers.

The second line of defence: whoever writes a text has left them out already.
"""

from __future__ import annotations

import json
import re
import threading
from base64 import b64encode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SECRET, PERSONAL = "[secret]", "[personal]"

_SHORTEST = 4
"""A secret of fewer characters would be found in everything."""
_SHORTEST_LINE = 16
_PREFIX = 12
_MOST_KNOWN = 100
_LONGEST_TEXT = 20_000


class Redactor:
    """Knows secrets in all their forms: the latest hundred, which is more than one run ever holds.

    Safe to share between threads.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, re.Pattern[str] | None] = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._known)} secrets>"

    def conceal(self, secret: str) -> None:
        """From now on, takes this secret out of every text, whatever form it has there."""
        if len(secret) < _SHORTEST:
            return
        with self._lock:
            self._known.setdefault(secret)
            self._known.move_to_end(secret)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def redacted(self, text: str) -> str:
        """The text with `[secret]` and `[personal]` in their places. What is beyond 20,000 characters is left out."""
        text = text[:_LONGEST_TEXT]
        for pattern in self._patterns():
            text = pattern.sub(SECRET, text)
        for pattern, replacement in _SHAPES:
            text = pattern.sub(replacement, text)
        return text

    def _patterns(self) -> list[re.Pattern[str]]:
        """Longer secrets first: one may begin with another. Made when they are needed, which in most runs is never."""
        with self._lock:
            for secret, pattern in self._known.items():
                self._known[secret] = pattern or _pattern_of(secret)
            ranked = sorted(self._known.items(), key=lambda item: len(item[0]), reverse=True)
        return [pattern for _, pattern in ranked if pattern]


def _pattern_of(secret: str) -> re.Pattern[str]:
    longest_first = sorted(set(forms_of(secret)), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)


def forms_of(secret: str) -> Iterator[str]:
    """How a secret may look in a text: as it is, cut, quoted for an address, JSON or Python, within base64.

    A secret of several lines (a key in PEM form) is also looked for line by line.
    """
    parts = {secret}
    if "\n" in secret:
        parts |= {line for line in secret.split("\n") if len(line) >= _SHORTEST_LINE and "-----" not in line}
    for part in parts:
        yield from (part, quote(part, safe=""), quote(part), quote_plus(part), repr(part)[1:-1])
        yield from (json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1])
        yield from _within_base64(part.encode(errors="surrogatepass"))
        if len(part) >= _SHORTEST_LINE and "-----" not in part:
            yield part[:_PREFIX]


def _within_base64(secret: bytes) -> Iterator[str]:
    """The characters that stand for these bytes alone, wherever in the encoded bytes they begin."""
    for before, mixed in ((0, 0), (1, 2), (2, 3)):
        for encode in (b64encode, urlsafe_b64encode):
            text = encode(bytes(before) + secret).decode().rstrip("=")[mixed:]
            whole = text if (before + len(secret)) % 3 == 0 else text[:-1]
            if len(whole) >= 2 * _SHORTEST:
                yield whole


_SHAPES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", SECRET),
        (r"(?i)\b(bearer|basic)\s+(?=[^\s\"']{0,400}[0-9=])[^\s\"',;]{8,}", rf"\1 {SECRET}"),
        (r"\b00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]+", SECRET),
        (r"\bpat-[a-z]{2}[0-9]{1,2}-[A-Za-z0-9-]+", SECRET),
        (r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_.-]+", SECRET),
        (
            r"(?i)\b([a-z_]{0,20}(?:token|secret|assertion|password|passwd|api_?key|private_key))"
            r"([\"']?\s?[=:]\s?[\"']?)[^\s\"'&,;}]+",
            rf"\1\2{SECRET}",
        ),
        (r"(https?://[^\s?\"'<>]{1,500}|/[A-Za-z0-9_./{}-]{1,500})\?[^\s\"'<>]+", r"\1?..."),
        (r"(?:[^\W_]|[.+%_'-]){1,64}(?:@|%40|\\u0040)[\w-]{1,63}(?:\.[\w-]{1,63})+", PERSONAL),
        (r"(?<!\w)\+[1-9](?:[ ().-]{0,2}[0-9]){7,14}(?![0-9])", PERSONAL),
        (r"(?<![\w.])\(?[0-9]{3}\)?[ .-][0-9]{3}[ .-][0-9]{4}(?!\w)", PERSONAL),
        (r"(?<![\w.:-])0[0-9]{1,4}[ /-][0-9]{5,9}(?!\w)", PERSONAL),
    )
)
"""Credentials as the CRMs make them, what an address asks for, people's e-mail addresses and telephone numbers."""

_REDACTOR = Redactor()
conceal = _REDACTOR.conceal
redacted = _REDACTOR.redacted
