"""When a code came to a record: what its versions, and the CRM's history, tell of it. Pure.

A record's birthday says nothing of the day on which a code came to it, once it was seen without the code, or saved
again since. So an arrival is a span: the code came not before `since` and not after `by`. Runs that look more often,
and CRMs that keep a history, make it narrower; it never moves outside of what was known before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from refloop.model import Arrival, FieldHistory, Match, Presence, Record, Ref, ReviewItem, ReviewReason, Version

AT_BIRTH = timedelta(minutes=10)
"""What is saved within this time of a record's creation was there from the start: forms and imports save twice."""

MASS_EDIT = 20
"""So many records that got one code within minutes, while they had none before, are an edit, not that many people."""
MASS_EDIT_WITHIN = timedelta(minutes=10)

MASS_EDIT_REASONS = frozenset({ReviewReason.MASS_EDIT})


def mass_edit_item(code: str, refs: Collection[Ref]) -> ReviewItem:
    """The question about one code that came to these records at once."""
    return ReviewItem(min(refs), ReviewReason.MASS_EDIT, "code", f"{len(refs)} records", (code,))


Codes = Mapping[str, Match]
"""The codes that stand on a record, by key."""


def arrivals_on(record: Record, carried: Codes, before: Mapping[str, Arrival], *, typed: str) -> dict[str, Arrival]:
    """When each code came to a record that now carries these; of those that it carried before, which are overwritten
    or gone.

    A code is overwritten when another one stands in its field; it is gone when its field holds none any more, and when
    a person typed another one into our field, whose name is `typed`: that is a correction.
    """
    is_typed = any(match.field == typed for match in carried.values())
    now = {code: _arrival(record, match, before.get(code), typed) for code, match in carried.items()}
    fields = {match.field for match in carried.values()}
    for code in before.keys() - carried.keys():
        old = before[code]
        stays = old.presence is not Presence.GONE and not is_typed and old.match.field in fields
        now[code] = replace(old, presence=Presence.OVERWRITTEN if stays else Presence.GONE)
    return now


def unseen_arrival(record: Record, match: Match) -> Arrival:
    """The arrival of a code of which nothing is kept: some time between the record's creation and its last save."""
    return Arrival(match, record.created_at, max(record.created_at, record.modified_at), record.created_at)


def _arrival(record: Record, match: Match, old: Arrival | None, typed: str) -> Arrival:
    if old is not None:  # taken off and put back, it came when it first did
        return replace(old, match=match, presence=Presence.CARRIED)
    after = record.known.found_after if match.field == typed else record.known.texts_after
    since = record.created_at if after is None else after
    by = max(since, record.modified_at)
    late = after is not None or by - record.created_at > AT_BIRTH
    return Arrival(match, since, by, since if after is None else by, late)


ReadCodes = Callable[[str, str], Codes]
"""(field, text) -> the codes in it."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the CRM keeps of the past of a record's fields. `typed` is the name of our own code field, where refloop's
    own writes stand in the history as well."""

    histories: tuple[FieldHistory, ...]
    typed: str
    read: ReadCodes


def narrowed(record: Record, arrivals: Mapping[str, Arrival], past: Past) -> dict[str, Arrival]:
    """The arrivals of a record, as far as the CRM's history of its fields makes them narrower; and the codes that were
    overwritten before anybody looked. Only those that are other than before."""
    found: dict[str, Arrival] = {}
    fields = {history.field for history in past.histories}
    for code, came in _walked(arrivals, past).items():
        old = arrivals.get(code)
        is_exact = came.is_exact and (old is None or old.match.field in fields)
        found[code] = _told(record, came.match, old, came.at, exact=is_exact)
    for history in past.histories:
        untold = [version.at for version in history.versions if not version.is_told]
        for code, arrival in arrivals.items():
            if untold and code not in found and arrival.match.field == history.field:
                found[code] = _not_after(arrival, untold[-1])
    return {code: arrival for code, arrival in found.items() if arrivals.get(code) != arrival}


@dataclass(frozen=True, slots=True)
class _Came:
    """When a code first came, by the histories. Not `is_exact`: it stands in the oldest version that is kept of its
    field."""

    match: Match
    at: datetime
    is_exact: bool


def _walked(arrivals: Mapping[str, Arrival], past: Past) -> dict[str, _Came]:
    """The codes that stand, or were overwritten, at the end of all histories, which are walked side by side."""
    first: dict[str, _Came] = {}
    held: dict[str, set[str]] = {}  # by field, also what was overwritten there since it was last without any
    for history, version, is_first in _in_order(past.histories):
        read = past.read(history.field, version.text) if version.text else {}
        codes = {code: match for code, match in read.items() if not _is_echo(history, arrivals.get(code), past.typed)}
        for code, match in codes.items():
            first.setdefault(code, _Came(match, version.at, history.is_whole or not is_first))
        held[history.field] = {*codes, *(held.get(history.field, ()) if codes else ())}
    standing = set[str]().union(*held.values())
    return {code: came for code, came in first.items() if code in standing}


def _in_order(histories: Iterable[FieldHistory]) -> list[tuple[FieldHistory, Version, bool]]:
    """The versions whose text is told, in the order of their time, and whether each is the oldest of its field."""
    all_of_them = [
        (version.at, number, history.field, history, version)
        for history in histories
        for number, version in enumerate(history.versions)
        if version.is_told
    ]
    ordered = sorted(all_of_them, key=lambda one: (one[0], one[2], one[1]))
    return [(history, version, number == 0) for _, number, _, history, version in ordered]


def _is_echo(history: FieldHistory, known: Arrival | None, typed: str) -> bool:
    """Whether a code in our own field is not one that a person typed there, as far as one can tell."""
    return history.field == typed and (known is None or known.match.field != typed)


def _told(record: Record, match: Match, old: Arrival | None, at: datetime, *, exact: bool) -> Arrival:
    """An arrival as the history tells it: at a moment; or, where the code stands in the oldest version that is kept,
    or in a field without a history as well, not after it."""
    if old is None:
        old = Arrival(match, record.created_at, max(at, record.created_at), at, presence=Presence.OVERWRITTEN)
    elif old.presence is Presence.GONE:
        return old
    if not exact:
        return _not_after(old, at)
    return replace(old, since=at, by=at, at=at, is_late=at - record.created_at > AT_BIRTH)


def _not_after(arrival: Arrival, moment: datetime) -> Arrival:
    by = max(arrival.since, min(arrival.by, moment))
    return replace(arrival, by=by, at=min(arrival.at, by))


def precedes(first: Arrival, other: Arrival) -> bool:
    """Whether a code certainly came before another one. `since` is when the record was last known without it."""
    return first.by <= other.since and not other.by <= first.since


def is_wide(arrival: Arrival) -> bool:
    """Whether the CRM's history could tell more of it."""
    return arrival.by - arrival.since > AT_BIRTH
