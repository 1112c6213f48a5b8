"""When two records are one person: the identity key of an e-mail address, and the addresses that are nobody's.

Pure. A false "same person" moves credit to the wrong referrer, a missed one only waits for a person to see it;
so every rule here leans towards "not the same".
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from refloop.mapping.vocabulary import words

_ADDRESS_LIMIT = 320  # RFC 5321: 64 before the @, 255 after it
_LOCAL_LIMIT = 64
_DOMAIN_LIMIT = 253
_INVISIBLE = dict.fromkeys((0x00AD, 0x200B, 0x2060, 0xFEFF))  # what copying out of a web page or a mail brings along

_LOCAL = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x20\x7f]+")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_DIGITS_AT_END = re.compile(r"\d+$")
_SEPARATORS = re.compile(r"[._-]+")

_PLUS_PROVIDERS = words(
    "gmail.com outlook.com hotmail.com live.com msn.com icloud.com me.com mac.com fastmail.com proton.me "
    "protonmail.com pm.me"
)
"""Providers that deliver `name+tag@` to `name@`. Elsewhere a plus may be part of the name."""

_ROLES = words(
    "abuse accounting accounts admin administrator billing booking bookings buchhaltung careers compliance contact "
    "contacto contato customercare customerservice datenschutz einkauf enquiries enquiry feedback finance frontdesk "
    "hello help helpdesk hi hola hostmaster hr info information inquiries inquiry invoice invoices it jobs kontakt "
    "legal mail mailbox marketing media newsletter office orders partner partners post postmaster press privacy "
    "procurement purchasing reception recruiting recruitment rechnung reservations root sales security service "
    "services shop staff subscribe support team vendas ventas verkauf vertrieb webmaster"
)
"""Mailboxes that several people read (RFC 2142, and what small companies print on their sites)."""

_PLACEHOLDERS = words(
    "anonymous asdf dummy email fake invalid na nan nil no nobody noemail noemailaddress nomail none noname "
    "notavailable notprovided null qwerty sample test tester testing testuser tbd undefined unknown unbekannt xx "
    "xxx xxxx xyz donotreply noreply mailerdaemon bounce bounces notifications notification"
)
"""What is filled in where an address is demanded and there is none, and mailboxes that nobody reads."""

_EXAMPLE_DOMAINS = frozenset(("example.com", "example.net", "example.org"))  # RFC 2606
_EXAMPLE_TOP = frozenset(("example", "invalid", "localhost", "test"))  # RFC 2606
_EXAMPLE_NAMES = _PLACEHOLDERS | words("a b c foo bar jane janedoe joe john johndoe me name someone user you")


def email_key(text: str | None) -> str | None:
    """The identity key of an e-mail address, or None where there is no usable one.

    Trimmed, lower-cased, the domain in its ASCII form (`müller.de` -> `xn--mller-kva.de`). Exactly one `@`, a
    domain with a dot; no display name, no quoted local part, no list of addresses.

    Dots and `+tags` stay: only some providers ignore them. `email_alias_key` is the looser, secondary key.
    """
    if text is None or len(text) > 4 * _ADDRESS_LIMIT:
        return None
    address = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).strip()
    local, at, domain = address.partition("@")
    if not at or len(local) > _LOCAL_LIMIT or not _LOCAL.fullmatch(local) or not _encodable(local):
        return None
    ascii_domain = _ascii_domain(domain)
    return None if ascii_domain is None else f"{local.lower()}@{ascii_domain}"


def _encodable(text: str) -> bool:
    """Whether it is text at all: a lone half of a surrogate pair is not."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


@lru_cache(maxsize=4096)
def _ascii_domain(domain: str) -> str | None:
    """Lower case, each label in the form that DNS carries. IDNA 2008: `ß` stays a letter of its own, so that
    `straße.de` and `strasse.de`, which have different owners, stay two domains (Python's "idna" codec merges them).
    """
    labels = domain.lower().replace("\u3002", ".").removesuffix(".").split(".")
    if len(labels) < 2 or not _encodable(domain):
        return None
    ascii_labels = [label if label.isascii() else _punycode(label) for label in labels]
    if not all(len(label) <= 63 and _LABEL.fullmatch(label) for label in ascii_labels):
        return None
    joined = ".".join(ascii_labels)
    return joined if len(joined) <= _DOMAIN_LIMIT else None


def _punycode(label: str) -> str:
    letters = unicodedata.normalize("NFC", label)
    spelled = all(letter in "-_" or unicodedata.category(letter)[0] in "LMN" for letter in letters)
    return "xn--" + letters.encode("punycode").decode("ascii") if spelled else ""


def email_alias_key(key: str) -> str:
    """The secondary key of an `email_key`: one for all aliases of a mailbox, at providers known to have them.

    `+tag` is dropped at those providers; dots too at Gmail, whose other domain is googlemail.com. For
    suggestions and fraud checks; as an identity it would merge people at providers that changed their rules.
    """
    local, _, domain = key.partition("@")
    domain = "gmail.com" if domain == "googlemail.com" else domain
    plain = local
    if domain in _PLUS_PROVIDERS:
        plain = plain.partition("+")[0]
    if domain == "gmail.com":
        plain = plain.replace(".", "")
    return f"{plain or local}@{domain}"


def is_shared_mailbox(key: str) -> bool:
    """Whether an `email_key` names a mailbox of several people, or of nobody: never an identity.

    Roles (`info@`, `sales.emea@`), senders that nobody reads (`no-reply@`), placeholders (`none@none.com`,
    `test@example.com`), and mailboxes named as their own domain (`acme@acme.com`).
    """
    local, _, domain = key.partition("@")
    untagged = local.partition("+")[0]
    plain = _DIGITS_AT_END.sub("", _SEPARATORS.sub("", untagged))
    first = _DIGITS_AT_END.sub("", _SEPARATORS.split(untagged)[0])
    if not plain or plain in _ROLES or plain in _PLACEHOLDERS or plain.startswith(("noreply", "donotreply")):
        return True
    if first in _ROLES - _ALSO_NAMES or untagged == domain.partition(".")[0]:
        return True
    return _reserved(domain) and plain in _EXAMPLE_NAMES


_ALSO_NAMES = words("hi it post mail media service")
"""Roles that begin people's addresses too (`post.malone@`): only the whole local part counts."""


def _reserved(domain: str) -> bool:
    return domain in _EXAMPLE_DOMAINS or domain.rpartition(".")[2] in _EXAMPLE_TOP
