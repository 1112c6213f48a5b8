"""Codes as they are compared, and the book of all codes that one run matches against.

Pure: no clock, no input or output. Results name `MATCHER_VERSION`, the version of the rules in this room.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from itertools import product
from math import prod

from refloop.model import Code, ReviewReason

MATCHER_VERSION = "2"
"""Goes up whenever the same texts and codes could give another match than before."""

DEFAULT_URL_PARAMETERS = frozenset(
    {
        "ref",
        "referral",
        "referral_code",
        "code",
        "rc",
        "via",
        "utm_campaign",
        "utm_content",
        "utm_term",
    }
)

# Only the letters that people truly swap when they copy a code by hand. The dotless i is what a Turkish
# keyboard makes of a capital I. S/5, B/8, Z/2 and the like look no more alike than many typos: those are
# suggestions (`CodeBook.near`), never readings.
_CONFUSABLES = str.maketrans({"o": "0", "i": "1", "l": "1", "\u0131": "1"})

_ALIKE = {"0": "0o", "1": "1il\u0131"}

_ASCII_KEY = {
    point: (chr(point).lower() if chr(point).isalnum() else None)
    for point in range(128)
    if chr(point).isupper() or not chr(point).isalnum()
}

# Unicode's stream-safe form allows 30 marks on a letter; normalising longer runs takes quadratic time.
_LONG_RUN = re.compile(r"([^\w\s]{30})[^\w\s]+")


def stream_safe(text: str) -> str:
    """`text` with runs of over 30 marks or symbols cut to 30, so that normalising it takes linear time."""
    return _LONG_RUN.sub(r"\1", text)


def code_key(text: str) -> str:
    """The form in which codes are compared: NFKC, casefold, everything but letters and digits removed.

    "" when nothing is left. Idempotent. Letters of different scripts stay different: a Cyrillic A is no A.
    """
    if text.isascii():
        return text.translate(_ASCII_KEY)
    text = stream_safe(text)
    # Taking a separator out can bring two characters together that compose (Korean jamo), hence the repeat.
    while (key := _letters_and_digits(text)) != text:
        text = key
    return key


def _letters_and_digits(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", folded)))


def fold_key(key: str) -> str:
    """`key` with the characters that people confuse made one: o and 0; i, l and 1 (and the Turkish dotless i)."""
    return key.translate(_CONFUSABLES)


_MOST_FOLDS = 512


def folds_of(key: str) -> list[str]:
    """All keys that `fold_key` makes one with a key, itself included; the key alone where there are too many to ask
    for each."""
    choices = [_ALIKE.get(letter, letter) for letter in fold_key(key)]
    if prod(map(len, choices)) > _MOST_FOLDS:
        return [key]
    return ["".join(letters) for letters in product(*choices)]


def outside_validity(code: Code, on: date) -> ReviewReason | None:
    """Why a code does not count on a day; None when it does. The first and the last day of its validity both count."""
    if code.valid_from is not None and on < code.valid_from:
        return ReviewReason.NOT_YET_VALID
    if code.valid_to is not None and on > code.valid_to:
        return ReviewReason.EXPIRED
    return None


class CodeBook:
    """All codes of a run, ready to be looked up by key. Immutable; built once.

    Looking up costs one or two dictionary hits. `near` needs no index of its own: it tries every edit, which
    costs (length of the key) x (letters in use) dictionary hits and is asked only for suggestions.

    `url_parameters` are the names of the query parameters that may carry a code, in any case. Those that begin
    with `utm_` carry other words too, so what they hold is never reported as an unknown code.

    Raises ValueError for a code without a key, and for two different codes with one key.
    """

    __slots__ = ("_codes", "_folds", "_letters", "_shapes", "longest", "parameter", "shortest")

    def __init__(self, codes: Iterable[Code], *, url_parameters: Collection[str] = DEFAULT_URL_PARAMETERS) -> None:
        self._codes = _by_key(codes)
        self._folds = _folds(self._codes)
        self._letters = "".join(sorted(set().union(*self._codes)))
        self.shortest, self.longest, self._shapes = reach_of(self._codes)
        self.parameter = _parameter(url_parameters)

    @property
    def version(self) -> str:
        """The version of the rules that read this book."""
        return MATCHER_VERSION

    def __len__(self) -> int:
        return len(self._codes)

    def __contains__(self, key: object) -> bool:
        return key in self._codes

    def get(self, key: str) -> Code | None:
        """The code with this very key."""
        return self._codes.get(key)

    def folded(self, key: str) -> Code | None:
        """The code that `key` names once confusable characters are made one; None unless exactly one does."""
        alike = self.alike(key)
        return self._codes[alike[0]] if len(alike) == 1 else None

    def alike(self, key: str) -> tuple[str, ...]:
        """The keys that cannot be told from `key` once confusable characters are made one, sorted."""
        fold = fold_key(key)
        others = self._folds.get(fold, ())
        keys = (others,) if isinstance(others, str) else others
        return tuple(sorted((fold, *keys))) if fold in self._codes else tuple(sorted(keys))

    def near(self, key: str) -> tuple[str, ...]:
        """The keys that are one edit from `key`: a character wrong, missing, too many, or two neighbours swapped.

        Sorted; without `key` itself. For suggestions to a person only: with codes made of words, the near
        one is the wrong one more often than not.
        """
        if not self.shortest - 1 <= len(key) <= self.longest + 1:
            return ()
        found = {edit for edit in edits(key, self._letters) if edit in self._codes}
        return tuple(sorted(found - {key}))

    def well_formed(self, key: str) -> bool:
        """Whether `key` is as long as issued codes are, and made of what they are made of."""
        return self.shortest <= len(key) <= self.longest and _shape(key) in self._shapes


def reach_of(keys: Collection[str]) -> tuple[int, int, frozenset[str]]:
    """What words must be to look like a code at all: the length of the shortest and the longest key, and what they are
    made of. Another reach reads other texts than before, whatever stands in them."""
    return min(map(len, keys), default=0), max(map(len, keys), default=0), frozenset(map(_shape, keys))


def _by_key(codes: Iterable[Code]) -> dict[str, Code]:
    by_key: dict[str, Code] = {}
    for code in codes:
        if not code.key:
            raise ValueError(f"a code without letters or digits: {code.code!r}")
        known = by_key.setdefault(code.key, code)
        if known is not code and known != code:
            raise ValueError(f"two codes are one and the same once compared: {known.code!r} and {code.code!r}")
    return by_key


def _folds(keys: Iterable[str]) -> dict[str, str | tuple[str, ...]]:
    """Fold -> the keys that fold to it. Keys that are their own fold are left out, which saves most of the memory."""
    folds: dict[str, str | tuple[str, ...]] = {}
    for key in keys:
        fold = fold_key(key)
        if fold != key:
            known = folds.setdefault(fold, key)
            if known is not key:
                folds[fold] = (known, key) if isinstance(known, str) else (*known, key)
    return folds


def edits(key: str, letters: str) -> Iterator[str]:
    """All texts that are one edit from `key`: a character wrong (one of `letters`), missing, too many, or two
    neighbours swapped. With repetitions."""
    for at in range(len(key) + 1):
        head, tail = key[:at], key[at:]
        for letter in letters:
            yield head + letter + tail
            yield head + letter + tail[1:]
        yield head + tail[1:]
        yield head + tail[1:2] + tail[:1] + tail[2:]


def _shape(key: str) -> str:
    if key.isalpha():
        return "letters"
    return "digits" if key.isdigit() else "mixed"


def _parameter(names: Collection[str]) -> re.Pattern[str]:
    """Finds `name=value` in the query or fragment of a link, or at its start; links written in HTML included."""
    either = "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
    return re.compile(rf"(?:^|[?&;#(\[])({either or '(?!)'})=([^&;#\s]*)", re.IGNORECASE)
