"""Reads HubSpot's JSON strictly: an answer is whole and as documented, or it is refused.

Shapes: HubSpot developers docs, CRM objects, search, batch and associations APIs. Every function raises
CrmUnavailable for an answer that cannot be one; `what` names the call in the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from refloop.connectors.http.crm_message import identifier_or_empty, without_quotes
from refloop.connectors.hubspot.names import is_record_id
from refloop.errors import CrmUnavailable
from refloop.model import parse_time


@dataclass(frozen=True, slots=True)
class Version:
    """One value that a property held, and since when."""

    value: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Row:
    """One record of an answer. `linked` are the ids of its contacts, None where the answer does not say them all.

    `history` are the versions of each property whose history was asked for, newest first.
    """

    id: str
    created: datetime
    updated: datetime
    properties: Mapping[str, str | None]
    archived: bool = False
    linked: frozenset[str] | None = None
    history: Mapping[str, Sequence[Version]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a list call. `after` is the token of the next page: as a rule the id of its first record."""

    rows: tuple[Row, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search. `total` counts what matched, this page's rows included: by the index, which may be off for a
    while."""

    rows: tuple[Row, ...]
    total: int


@dataclass(frozen=True, slots=True)
class BatchError:
    """One entry of a batch answer's `errors`. It may speak of many inputs: `ids` are those that it names.

    `message` is without what HubSpot quotes of a record."""

    category: str
    message: str
    ids: frozenset[str]
    properties: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BatchRead:
    """The answer of a batch read."""

    rows: tuple[Row, ...]
    errors: tuple[BatchError, ...]


@dataclass(frozen=True, slots=True)
class Updated:
    """The answer of a batch update, told by its body: its status is COMPLETE whatever happened to each input."""

    ids: frozenset[str]
    errors: tuple[BatchError, ...]


Labels = tuple[str, ...]
"""The words for what the target of an association is to its source, sorted; none where it is the plain one."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Answer of an associations batch read: the targets of each source with their labels, and where to go on for long
    ones."""

    targets: Mapping[str, Mapping[str, Labels]] = field(default_factory=dict)
    more: Mapping[str, str] = field(default_factory=dict)


def nonsense(what: str, why: str) -> CrmUnavailable:
    return CrmUnavailable(
        f"HubSpot's answer to {what} makes no sense: {why}",
        remedy="Nothing of it was kept. Run again; if it stays, look at https://status.hubspot.com.",
    )


def faultless(answer: Any, what: str) -> Any:
    """The answer to a read, which cannot be right in parts."""
    if isinstance(answer, dict) and (answer.get("errors") or answer.get("numErrors")):
        raise nonsense(what, "it tells of errors")
    return answer


def read_listing(answer: Any, what: str, *, limit: int) -> Listing:
    return Listing(_rows(answer, what, limit), _token(answer, what))


def read_found(answer: Any, what: str, *, limit: int) -> Found:
    rows = _rows(faultless(answer, what), what, limit)
    total = answer.get("total")
    if type(total) is not int or total < 0:
        raise nonsense(what, "`total` is not a count")
    return Found(rows, total)


def read_batch(answer: Any, what: str, *, limit: int) -> BatchRead:
    return BatchRead(_rows(answer, what, limit), tuple(read_errors(answer, what)))


def read_updated(answer: Any, what: str) -> Updated:
    ids = frozenset(record_id(entry.get("id"), what) for entry in results(answer, what))
    return Updated(ids, tuple(read_errors(answer, what)))


def read_errors(answer: Any, what: str) -> Iterator[BatchError]:
    """The `errors` of a batch answer. Partial failure shows here, not in the HTTP status."""
    for entry in _list(answer.get("errors", []), what, "errors"):
        yield read_error(_object(entry, what, "errors"))


def read_error(entry: Mapping[str, Any]) -> BatchError:
    """One error body, of a whole call or of some inputs. Every field of it is optional, say the docs."""
    context = _mapping(entry.get("context"))
    details = [_mapping(detail) for detail in _sequence(entry.get("errors"))]
    contexts = [context, *(_mapping(detail.get("context")) for detail in details)]
    message = str(entry.get("message") or "")
    ids = (text for one in contexts for key in ("ids", "id", "objectWriteTraceId") for text in _texts(one.get(key)))
    names = {
        identifier_or_empty(text)
        for one in contexts
        for key in ("propertyName", "name", "properties")
        for text in _texts(one.get(key))
    }
    codes = {identifier_or_empty(detail.get("code")) for detail in details}
    return BatchError(
        category=identifier_or_empty(entry.get("category") or entry.get("errorType")),
        message=without_quotes(message.partition(": [{")[0]),
        ids=frozenset(ids),
        properties=frozenset(names | set(_NAME_IN_MESSAGE.findall(message))) - {""},
        codes=frozenset(codes | set(_CODE_IN_MESSAGE.findall(message))) - {""},
    )


# "Property values were not valid: [{...,"error":"PROPERTY_DOESNT_EXIST","name":"x",...}]": JSON inside of a text
_NAME_IN_MESSAGE = re.compile(r'"name":"([a-z0-9_]{1,100})"')
_CODE_IN_MESSAGE = re.compile(r'"error":"([A-Z_]{1,60})"')


def read_edges(answer: Any, what: str, asked: frozenset[str]) -> Edges:
    """Targets of each id of `asked`; one without links is absent, or named in `errors`: it has none."""
    targets: dict[str, dict[str, Labels]] = {source: {} for source in asked}
    more: dict[str, str] = {}
    for entry in _list(_whole(answer, what).get("results"), what, "results"):
        source = record_id(_object(_object(entry, what, "results").get("from"), what, "from").get("id"), what)
        if source not in asked:
            raise nonsense(what, "it speaks of a record that was not asked for")
        add_targets(targets[source], _targets(entry.get("to"), what))
        token = _token(entry, what)
        if token is not None:
            more[source] = token
    for error in read_errors(answer, what):
        if error.category != "OBJECT_NOT_FOUND":
            raise nonsense(what, f"it is not whole ({error.category or 'error without category'})")
    return Edges(targets, more)


def add_targets(known: dict[str, Labels], more: Mapping[str, Labels]) -> None:
    """Puts targets among those of the same source; one that is there already keeps its labels too."""
    for target, labels in more.items():
        known[target] = tuple(sorted({*known.get(target, ()), *labels}))


def _targets(entries: Any, what: str) -> dict[str, Labels]:
    found: dict[str, Labels] = {}
    for entry in _list(entries, what, "to"):
        one = _object(entry, what, "to")
        labels = (_mapping(kind).get("label") for kind in _sequence(one.get("associationTypes")))
        told = tuple(label for label in labels if isinstance(label, str) and label)
        add_targets(found, {record_id(one.get("toObjectId"), what): told})
    return found


def record_id(value: Any, what: str) -> str:
    """Accepts the number and the text of an id: the docs show one, the specification the other."""
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not is_record_id(text):
        raise nonsense(what, "a record has no readable id")
    return text


def results(answer: Any, what: str) -> Iterator[Mapping[str, Any]]:
    """The objects of `results`, for answers that are no records."""
    for entry in _list(_whole(answer, what).get("results"), what, "results"):
        yield _object(entry, what, "results")


def _rows(answer: Any, what: str, limit: int) -> tuple[Row, ...]:
    entries = _list(_whole(answer, what).get("results"), what, "results")
    if len(entries) > limit:
        raise nonsense(what, f"{len(entries)} results where at most {limit} were asked for")
    return tuple(_row(_object(entry, what, "results"), what) for entry in entries)


def _row(entry: Mapping[str, Any], what: str) -> Row:
    properties = _object(entry.get("properties"), what, "properties")
    if not all(value is None or isinstance(value, str) for value in properties.values()):
        raise nonsense(what, "the value of a property is not text")
    return Row(
        id=record_id(entry.get("id"), what),
        created=_moment(entry.get("createdAt"), what, "createdAt"),
        updated=_moment(entry.get("updatedAt"), what, "updatedAt"),
        properties=properties,
        archived=entry.get("archived") is True,
        linked=_linked(entry.get("associations"), what),
        history=_history(entry.get("propertiesWithHistory"), what),
    )


def _history(histories: Any, what: str) -> Mapping[str, Sequence[Version]]:
    if histories is None:
        return {}
    key = "propertiesWithHistory"
    return {name: _versions(entries, what, key) for name, entries in _object(histories, what, key).items()}


def _versions(entries: Any, what: str, key: str) -> Sequence[Version]:
    """In the order of their times; of two at the same time, the first in the answer is the newer one."""
    versions = [_version(_object(entry, what, key), what) for entry in _list(entries, what, key)]
    return sorted(versions, key=lambda version: version.at, reverse=True)


def _version(entry: Mapping[str, Any], what: str) -> Version:
    value = entry.get("value")
    if value is not None and not isinstance(value, str):
        raise nonsense(what, "a value in the history of a property is not text")
    return Version(value, _moment(entry.get("timestamp"), what, "timestamp"))


def _linked(associations: Any, what: str) -> frozenset[str] | None:
    """The contacts of a listed deal; None when the list was cut. A deal without any has no such key."""
    if associations is None:
        return frozenset()
    inline = _object(associations, what, "associations").get("contacts")
    if inline is None:
        return frozenset()
    if _token(_object(inline, what, "associations"), what) is not None:
        return None
    return _target_ids(inline.get("results"), what, "id")


def _target_ids(entries: Any, what: str, key: str) -> frozenset[str]:
    return frozenset(record_id(_object(entry, what, key).get(key), what) for entry in _list(entries, what, key))


def next_token(answer: Any, what: str) -> str | None:
    """The token of the next page of an answer that lists something; None after the last one."""
    return _token(_whole(answer, what), what)


def _token(holder: Mapping[str, Any], what: str) -> str | None:
    following = _mapping(holder.get("paging")).get("next")
    if following is None:
        return None
    token = _object(following, what, "paging.next").get("after")
    if not isinstance(token, str) or not token:
        raise nonsense(what, "the next page has no token")
    return token


def _moment(value: Any, what: str, key: str) -> datetime:
    try:
        return parse_time(cast("str", value))
    except (TypeError, ValueError):
        raise nonsense(what, f"a record has no readable `{key}`") from None


def _whole(answer: Any, what: str) -> Mapping[str, Any]:
    return _object(answer, what, "the answer")


def _object(value: Any, what: str, key: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise nonsense(what, f"`{key}` is not an object")
    return value


def _list(value: Any, what: str, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise nonsense(what, f"`{key}` is not a list")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(one) for one in values if isinstance(one, str | int)]
