"""What people call a field where they read it: by its label in their CRM, never by an API name. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from refloop.model import Described, FieldLabel, Kind

LONGEST_QUOTE = 60
"""Characters of a label, a name or a reason within a sentence."""

_KINDS: Mapping[Kind, str] = {Kind.LEAD: "lead", Kind.CONTACT: "contact", Kind.DEAL: "deal"}
_NAMESPACE = re.compile(r"^[A-Za-z0-9]+__(?=[A-Za-z].*__[a-z]+$)")
_SUFFIX = re.compile(r"__[a-z]+$")
_OF_LIST = re.compile(r" \(label\)$")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MARKUP = re.compile(r"</?[A-Za-z!][^<>]{0,2000}>")
_JOINERS = "\u200c\u200d"
"""They are invisible, and parts of words (Persian, emoji)."""


def quoted(text: str, most: int = LONGEST_QUOTE) -> str:
    """What a person typed, as plain text on one line: no markup, no control characters, no marks of direction."""
    bare = _MARKUP.sub("", text).replace("<", "").replace(">", "")
    shown = "".join(" " if _breaks(one) else one for one in bare if not _is_hidden(one))
    return cut(shown, most)


def _breaks(character: str) -> bool:
    return unicodedata.category(character) in ("Zl", "Zp") or character in "\t\n\v\f\r\x85"


def _is_hidden(character: str) -> bool:
    if _breaks(character) or character in _JOINERS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")


def cut(text: str, most: int) -> str:
    """At most so many characters, blanks flattened; what is left out is an ellipsis, after a whole word where one ends
    in the last quarter."""
    flat = " ".join(text.split())
    if len(flat) <= most:
        return flat
    kept = flat[: most - 1]
    whole = kept.rpartition(" ")[0] if flat[most - 1] != " " else kept
    return (whole if len(whole) >= most * 3 // 4 else kept).rstrip(" ,;:") + "…"


def readable(name: str) -> str:
    """An API name as words, for want of a label: `Lead_Source_Detail__c` and `LeadSourceDetail` are Lead Source
    Detail."""
    bare = _SUFFIX.sub("", _NAMESPACE.sub("", _OF_LIST.sub("", name))).removeprefix("hs_")
    words = _HUMP.sub(" ", bare.replace("_", " ")).split()
    return " ".join(word[:1].upper() + word[1:] for word in words) or name


@dataclass(frozen=True, slots=True)
class Labels:
    """What the connections call fields, as far as they said: by connection, kind and the name of the field."""

    crms: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[tuple[str, Kind, str], FieldLabel] = field(default_factory=dict)

    @staticmethod
    def of(described: Mapping[str, Described]) -> Labels:
        return Labels(
            {connection: said.crm for connection, said in described.items() if said.crm},
            {(name, one.kind, one.field): one for name, said in described.items() for one in said.labels},
        )

    def crm(self, connection: str) -> str:
        """What people call the CRM of a connection; the connection's own name where several are alike."""
        name = self.crms.get(connection, "")
        return name if name and list(self.crms.values()).count(name) == 1 else connection

    def label(self, connection: str, kind: Kind, name: str) -> str:
        """The label of a field; where nobody said it, its name as words."""
        known = self.fields.get((connection, kind, _OF_LIST.sub("", name)))
        return quoted(known.label) if known and known.label.strip() else readable(name)

    def place(self, connection: str, kind: Kind, name: str, *, reader: tuple[str, Kind]) -> str:
        """Where something stands, for who reads of it on a record of that connection and kind: `in Lead Source`; `in
        Description of the lead`; `in Salesforce, field Referral Code`."""
        known = self.fields.get((connection, kind, name))
        label = self.label(connection, kind, name)
        said = quoted(known.said) if known else ""
        if connection != reader[0]:
            crm = quoted(self.crm(connection))
            return f"{said} ({crm})" if said else f"in {crm}, field {label}"
        return said or (f"in {label}" if kind is reader[1] else f"in {label} of the {_KINDS[kind]}")


NO_LABELS = Labels()
"""Where nobody said anything: names are told as words."""
