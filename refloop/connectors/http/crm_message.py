"""What a CRM says of a failure, without what it quotes: its messages repeat the values of records."""

from __future__ import annotations

import re

from refloop.redaction import redacted

_LONGEST = 2_000
_QUOTED = re.compile(
    r"""  "[^"]*(?:"|\Z)
        | “[^”]*(?:”|\Z)
        | „[^“”]*(?:[“”]|\Z)
        | «[^»]*(?:»|\Z)
        | \u2018[^\u2019]*(?:\u2019|\Z)
        | `[^`]*(?:`|\Z)
        | (?<!\w)'[^']*(?:'|\Z)
    """,
    re.VERBOSE,
)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")


def without_quotes(words: object) -> str:
    """The words on one line; what stands in quotation marks as `...`, addresses, numbers of people and credentials
    taken out."""
    text = " ".join(str(words or "")[:_LONGEST].split())
    text = redacted(_QUOTED.sub("...", text))
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def identifier_or_empty(word: object) -> str:
    """A code, or the name of a field or scope; "" for anything that is more than one."""
    text = str(word or "")
    return text if _CODE.fullmatch(text) else ""
