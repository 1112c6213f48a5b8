"""What `check` and `provision` found: what is fine in a line a connection, what is not with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from refloop.model import Finding, Level
from refloop.report.lines import say

_STYLES: Mapping[Level, str] = {Level.ERROR: "red", Level.WARNING: "yellow", Level.INFO: ""}
_INDENT = " " * 8


def print_findings(console: Console, found: Iterable[Finding]) -> None:
    """Prints one finding a line, with what to do about it."""
    for finding in found:
        remedy = f" -> {finding.remedy}" if finding.remedy else ""
        say(console, f"{finding.level:<7} {finding.place}: {finding.message}{remedy}", _STYLES[finding.level])


def print_check(console: Console, connection: str, found: Sequence[Finding], everything: str) -> None:
    """Prints what needs a person, alike things together, and counts what is only told; `everything` is the command that
    lists it. Of a connection that needs nobody it is one line."""
    told = [finding for finding in found if finding.level is Level.INFO and not finding.remedy]
    asked = [finding for finding in found if finding not in told]
    print_grouped(console, asked)
    notes = f"{len(told):,} notes: `{everything}`" if told else ""
    if all(finding.level is Level.INFO for finding in asked):
        say(console, f"{'ok':<7} {connection}: nothing to complain of" + (f"; {notes}" if notes else ""), "green")
    elif notes:
        say(console, f"{'info':<7} {connection}: {notes}")


def print_grouped(console: Console, found: Iterable[Finding]) -> None:
    """Prints findings that say the same of many places as one: what, how many, what to do, and then the names, a line
    an object. Names that were told just before are not told again."""
    groups: dict[tuple[Level, str, str, str, str], _Alike] = {}
    for finding in found:
        place = _Place.of(finding.place)
        key = (finding.level, place.of_what, place.those, finding.message, finding.remedy)
        alike = groups.setdefault(key, _Alike(finding))
        alike.count += 1
        alike.names.setdefault(place.object, []).append(place.name)
    before: Mapping[str, Sequence[str]] = {}
    for (level, of_what, those, message, remedy), alike in groups.items():
        if alike.count == 1:
            print_findings(console, [alike.first])
            continue
        to_do = f" -> {remedy}" if remedy else ""
        say(console, f"{level:<7} {of_what}{alike.count:,} {those}: {message}{to_do}", _STYLES[level])
        for name, names in alike.names.items():
            listed = "the same" if before.get(name) == names else ", ".join(names)
            say(console, f"{_INDENT}{name} {len(names):,}: {listed}")
        before = alike.names


@dataclass
class _Alike:
    """Findings that say the same of several places."""

    first: Finding
    count: int = 0
    names: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in its parts: `salesforce: Lead.Ref_Id__c in Refloop_Sync` is `Ref_Id__c` of the object `Lead`, one of
    the `fields in Refloop_Sync`; `referrer ann` is `ann`, one of the `referrers`."""

    of_what: str
    object: str
    name: str
    those: str

    @classmethod
    def of(cls, place: str) -> _Place:
        connection, colon, rest = place.partition(": ") if ": " in place else ("", "", place)
        where, dot, named = rest.partition(".")
        if dot and " " not in where:
            name, space, beside = named.partition(" ")
            return cls(connection + colon, where, name, f"fields{space}{beside}")
        thing, _, name = rest.partition(" ")
        return cls(connection + colon, thing, name or thing, f"{thing}s")
