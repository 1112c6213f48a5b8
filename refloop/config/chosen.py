"""A config.yaml of what somebody chose: cut out of the template, whose comments stay beside what they explain."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from refloop.config.document import Data, read_document
from refloop.config.template import TEMPLATE

_CONNECTION = re.compile(r"^  ([a-z]+):\n", re.MULTILINE)
_SIGN_IN = re.compile(
    r"""(?P<about>(?:\ {4}\#\ (?!auth:|\ ).*\n)+)
        \ {4}(?:\#\ )?auth:\n
        (?P<keys>(?:\ {4}(?:\#\ )?\ \ \S.*\n)+)""",
    re.VERBOSE,
)
"""A way to sign in, in force or in a comment."""
_METHOD = re.compile(r"method: (\w+)")
_MIRROR = re.compile(r"(?: {4}# (?!mirror_of:).*\n)+ {4}# mirror_of: .*\n")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9/._-]*(?:://[A-Za-z0-9/._:-]*)?")
_TO_FILL_IN = re.compile(
    r"^ +(?P<key>\w+): (?:the-[a-z-]+-of-your-app|integration@example\.com|https://example\.my\.salesforce\.com)$"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A connection of the template by its name. `method` is how to sign in, None the template's own way. `values` say
    what keys are to hold (`{"url": "https://acme.my.salesforce.com"}`), also those in a comment."""

    connection: str
    method: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)


def methods(connection: str) -> tuple[str, ...]:
    """The ways to sign in that the template knows for a connection, the one to prefer first."""
    found = (_METHOD.search(one["keys"]) for one in _SIGN_IN.finditer(_split()[1][connection]))
    return tuple(one[1] for one in found if one)


def chosen_config(choices: Sequence[Chosen]) -> str:
    """The configuration with these connections and no others."""
    head, _ = _split()
    names = {one.connection for one in choices}
    return head + "\n".join(_cut(one, names).rstrip("\n") + "\n" for one in choices)


def to_fill_in(text: str) -> Iterator[tuple[int, str]]:
    """The lines and keys where an example of the template still stands in place of an account's own value."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _TO_FILL_IN.match(line):
            yield number, found["key"]


def secrets_in(text: str) -> list[str]:
    """Where the configuration says that its secrets are, in the order of the file."""
    return [value for value in _texts(read_document(text.encode()).data) if re.match(r"(env|file|keyring):", value)]


def _texts(data: Data) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    inside = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    for value in inside:
        yield from _texts(value)


def _split() -> tuple[str, Mapping[str, str]]:
    """The template before its connections, and each connection's lines by its name."""
    head, line, rest = TEMPLATE.partition("\nconnections:\n")
    parts = _CONNECTION.split(rest)
    return head + line, dict(zip(parts[1::2], parts[2::2], strict=True))


def _cut(choice: Chosen, names: set[str]) -> str:
    """The lines of a connection, beside those of these `names`."""
    block = _signed_in_by(_split()[1][choice.connection], choice.method or methods(choice.connection)[0])
    if "salesforce" not in names:
        block = _MIRROR.sub("", block)
    for key, value in choice.values.items():
        block = _set(block, key, value)
    return f"  {choice.connection}:\n{block}"


def _set(block: str, key: str, value: str) -> str:
    said = value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    line = re.compile(rf"^( {{4}}(?: {{2}})?)(?:# )?{key}: .*$", re.MULTILINE)
    return line.sub(lambda found: f"{found[1]}{key}: {said}", block, count=1)


def _signed_in_by(block: str, method: str) -> str:
    """The block with one way to sign in, in force. What of it is for few stays in a comment."""
    ways = list(_SIGN_IN.finditer(block))
    way = next(one for one in ways if (found := _METHOD.search(one["keys"])) and found[1] == method)
    about = re.sub(r"# Or (\w)", lambda found: f"# {found[1].upper()}", way["about"], count=1)
    keys = way["keys"].replace("    #   ", "      ").replace("      audience:", "      # audience:")
    return f"{block[: ways[0].start()]}{about}    auth:\n{keys}{block[ways[-1].end() :]}"
