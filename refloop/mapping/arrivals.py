"""When a code came to a record: what its versions, and the CRM's history, tell of it. Pure.

A record's birthday says nothing of the day on which a code came to it, once it was seen without the code, or saved
again since. So an arrival is a span: the code came not before `since` and not after `by`. Runs that look more often,
and CRMs that keep a history, make it narrower; it never moves outside of what was known before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from refloop.model import Arrival, FieldHistory, Match, Presence, Record, Ref, ReviewItem, ReviewReason

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
    known = record.known
    after = known.found_after if match.field == typed else known.texts_after
    came_back = old is not None and old.presence is Presence.GONE and after is not None and after > old.since
    if old is not None and not came_back:
        return replace(old, match=match, presence=Presence.CARRIED)
    since = record.created_at if after is None else after
    by = max(since, record.modified_at)
    late = after is not None or by - record.created_at > AT_BIRTH
    return Arrival(match, since, by, since if after is None else by, late)


ReadCodes = Callable[[str, str], Codes]
"""(field, text) -> the codes in it."""


@dataclass
class _Walk:
    """What a history tells, from its first version on: when each code came, since the field was last without any."""

    came: dict[str, tuple[Match, datetime]]
    in_first: frozenset[str] = frozenset()
    untold: datetime | None = None


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
    for history in past.histories:
        walk = _walked(history, past.read)
        for code, (match, at) in walk.came.items():
            if code in found and found[code].at <= at:  # it came to another field before
                continue
            old = arrivals.get(code)
            if history.field == past.typed and (old is None or old.match.field != past.typed):
                continue
            is_exact = (code not in walk.in_first or history.is_whole) and (old is None or old.match.field in fields)
            found[code] = _told(record, match, old, at, exact=is_exact)
        for code, arrival in arrivals.items():
            if walk.untold and code not in walk.came and arrival.match.field == history.field:
                found.setdefault(code, _not_after(arrival, walk.untold))
    return {code: arrival for code, arrival in found.items() if arrivals.get(code) != arrival}


def _walked(history: FieldHistory, read: ReadCodes) -> _Walk:
    walk = _Walk({})
    for number, version in enumerate(history.versions):
        if not version.is_told:
            walk.untold = version.at
            continue
        codes = read(history.field, version.text) if version.text else {}
        if not codes:
            walk.came = {}
        for code, match in codes.items():
            walk.came.setdefault(code, (match, version.at))
        if number == 0:
            walk.in_first = frozenset(codes)
    return walk


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
