"""The CRM search: a request body becomes one counted, sorted and cut query of the search index.

HubSpot CRM search guide: 200 results a page, 10,000 a query, bodies of 3,000 characters, 5 filter groups of 6 filters
and 18 in all, one sort, oldest first without one. Archived records never appear; a record shows in its newest state
even where the index found an older one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from refloop_sandbox.hubspot.errors import bad_request
from refloop_sandbox.hubspot.filters import Clause, Column, column, condition
from refloop_sandbox.hubspot.json_body import objects, texts, whole
from refloop_sandbox.hubspot.portal import Portal
from refloop_sandbox.hubspot.schema import COMPANIES, CONTACTS, DEALS, ObjectType
from refloop_sandbox.hubspot.store import Row

MAX_BODY = 3_000
MAX_LIMIT = 200
MAX_GROUPS, MAX_IN_GROUP, MAX_FILTERS = 5, 6, 18
_FEW = 4_000
"""Up to so many matches are sorted; beyond, it is faster to walk the records in order."""

_SEARCHABLE = {
    CONTACTS: ("email", "firstname", "lastname", "phone", "company"),
    COMPANIES: ("name", "domain", "website", "phone"),
    DEALS: ("dealname", "description"),
}

Filter = Mapping[str, Any]


class Sort(NamedTuple):
    name: str
    descending: bool = False


@dataclass(frozen=True)
class Request:
    """A search request, checked."""

    groups: Sequence[Sequence[Filter]]
    sort: Sort | None
    names: Sequence[str] | None
    query: str
    limit: int
    offset: int


class Found(NamedTuple):
    total: int
    rows: Sequence[Row]


def parse(body: Mapping[str, Any], max_results: int) -> Request:
    """Reads a request body. Raises Refusal (400) beyond a limit."""
    groups = [objects(group, "filters") for group in objects(body, "filterGroups")]
    if shorthand := objects(body, "filters"):
        groups.append(shorthand)
    if len(groups) > MAX_GROUPS:
        raise bad_request(f"A maximum of {MAX_GROUPS} filter groups is allowed, got {len(groups)}.")
    if any(len(group) > MAX_IN_GROUP for group in groups):
        raise bad_request(f"A maximum of {MAX_IN_GROUP} filters is allowed in a filter group.")
    if sum(map(len, groups)) > MAX_FILTERS:
        raise bad_request(f"A maximum of {MAX_FILTERS} filters is allowed in total.")
    limit, offset = max(0, whole(body, "limit", 10)), max(0, whole(body, "after", 0))
    if limit > MAX_LIMIT:
        raise bad_request(f"The limit must be at most {MAX_LIMIT}, got {limit}.")
    if offset + limit > max_results:
        raise bad_request(f"The total number of results is limited to {max_results}: after + limit is beyond it.")
    names = texts(body, "properties")
    return Request(groups, _sort(body), names or None, str(body.get("query") or ""), limit, offset)


def _sort(body: Mapping[str, Any]) -> Sort | None:
    sorts = body.get("sorts") or []
    if not isinstance(sorts, list) or not all(isinstance(item, str | dict) for item in sorts):
        raise bad_request("Invalid input JSON: Cannot deserialize `sorts`, it must be a list", None)
    if len(sorts) > 1:
        raise bad_request("Only one sort is allowed.")
    if not sorts:
        return None
    if isinstance(sorts[0], str):
        return Sort(sorts[0].lstrip("-"), sorts[0].startswith("-"))
    name, direction = sorts[0].get("propertyName"), sorts[0].get("direction", "ASCENDING")
    if not isinstance(name, str) or direction not in ("ASCENDING", "DESCENDING"):
        raise bad_request("A sort needs a propertyName, and ASCENDING or DESCENDING as its direction.")
    return Sort(name, direction == "DESCENDING")


class Search:
    """Answers searches. It remembers totals, because a walk through a large result asks for them page by page."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._totals: OrderedDict[tuple[object, ...], int] = OrderedDict()

    def run(self, kind: ObjectType, request: Request) -> Found:
        """The page and the number of all matches. Raises Refusal for filters that HubSpot refuses."""
        self._portal.store.catch_up(self._portal.now())
        sort = self._order(kind, request.sort)
        timed = len(request.groups) == 1 and _uses_index(kind, request.groups[0])
        counted = self._where(kind, request, frozenset({"id"} if timed else ()))
        key = (self._portal.store.version, kind.number, *counted)
        total = self._total(key, counted)
        plain = counted
        if timed and total > _FEW and sort.indexed == "id":
            plain = self._where(kind, request, frozenset({"modified", "created"}))
        rows = self._page(plain, sort, request, walked=not (timed and total <= _FEW))
        self._foresee(kind, request, total, rows)
        return Found(total, rows)

    def _order(self, kind: ObjectType, sort: Sort | None) -> Column:
        return column(self._portal.schema, kind, sort.name if sort else kind.created)

    def _where(self, kind: ObjectType, request: Request, plain: frozenset[str]) -> Clause:
        schema = self._portal.schema
        groups = [[condition(schema, kind, item, plain) for item in group] for group in request.groups if group]
        parts = [Clause("i.object = ? AND i.archived IS NULL", (kind.number,))]
        if groups:
            ored = [" AND ".join(clause.sql for clause in group) for group in groups]
            parameters = tuple(value for group in groups for clause in group for value in clause.parameters)
            parts.append(Clause(f"({' OR '.join(f'({one})' for one in ored)})", parameters))
        parts += [_worded(kind, word) for word in request.query.lower().split()]
        return Clause(
            " AND ".join(part.sql for part in parts), tuple(value for part in parts for value in part.parameters)
        )

    def _total(self, key: tuple[object, ...], where: Clause) -> int:
        if key not in self._totals:
            statement = f"SELECT count(*) FROM {self._source()} WHERE {where.sql}"  # noqa: S608 - values are bound
            self._totals[key] = self._portal.store.count(statement, where.parameters)
        self._totals.move_to_end(key)
        while len(self._totals) > 256:
            self._totals.popitem(last=False)
        return self._totals[key]

    def _page(self, where: Clause, sort: Column, request: Request, *, walked: bool) -> list[Row]:
        direction = "DESC" if request.sort and request.sort.descending else "ASC"
        by = f"{'' if walked else '+'}{sort.clause.sql} {direction}" + ("" if sort.indexed == "id" else ", i.id")
        shown = ", ".join(map(self._shown, ("object", "id", "created", "modified", "archived", "props")))
        statement = f"SELECT {shown} FROM {self._source()} WHERE {where.sql} ORDER BY {by} LIMIT ? OFFSET ?"  # noqa: S608 - values are bound
        bound = (*where.parameters, *sort.clause.parameters, request.limit, request.offset)
        return self._portal.store.query(statement, bound)

    def _shown(self, name: str) -> str:
        """The newest state of a column; a ghost has none but that of the index."""
        if not self._portal.store.lag:
            return f"i.{name}"
        return f"CASE WHEN r.id IS NULL THEN i.{name} ELSE r.{name} END"

    def _source(self) -> str:
        if not self._portal.store.lag:
            return "records i"
        join = "LEFT JOIN" if self._portal.quirks.search_ghosts else "JOIN"
        return f"indexed i {join} records r ON r.object = i.object AND r.id = i.id AND r.archived IS NULL"

    def _foresee(self, kind: ObjectType, request: Request, total: int, rows: Sequence[Row]) -> None:
        """A walk by id asks next for what is above the last one: so many fewer."""
        if len(request.groups) != 1 or request.sort != Sort("hs_object_id") or request.offset or not rows:
            return
        above = {"propertyName": "hs_object_id", "operator": "GT", "value": str(rows[-1].id)}
        rest = [above if _is_above(item) else item for item in request.groups[0]]
        if rest == list(request.groups[0]):
            return
        following = Request([rest], request.sort, request.names, request.query, request.limit, 0)
        timed = _uses_index(kind, rest)
        where = self._where(kind, following, frozenset({"id"} if timed else ()))
        self._totals[(self._portal.store.version, kind.number, *where)] = total - len(rows)


def _is_above(item: Filter) -> bool:
    return item.get("propertyName") == "hs_object_id" and item.get("operator") == "GT"


def _uses_index(kind: ObjectType, group: Sequence[Filter]) -> bool:
    names = {kind.modified, kind.created, *(("email",) if kind is CONTACTS else ())}
    ranged = {"EQ", "IN", "GT", "GTE", "LT", "LTE", "BETWEEN"}
    return any(str(item.get("propertyName")) in names and str(item.get("operator")) in ranged for item in group)


def _worded(kind: ObjectType, word: str) -> Clause:
    """A word of `query`: somewhere in the default searchable properties."""
    names = _SEARCHABLE.get(kind, kind.defaults)
    tests = " OR ".join(["instr(lower(json_extract(i.props, ?)), ?) > 0"] * len(names))
    return Clause(f"({tests})", tuple(value for name in names for value in (f'$."{name}"', word)))
