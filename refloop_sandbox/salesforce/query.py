"""Runs SOQL: pages, cursors, and rows in REST's JSON."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from refloop_sandbox.salesforce.children import Child, children_of, rows_of
from refloop_sandbox.salesforce.errors import ApiError
from refloop_sandbox.salesforce.schema import IDS, NUMBERS, TEXTS, Schema, SObject
from refloop_sandbox.salesforce.soql_parse import Path, parse
from refloop_sandbox.salesforce.soql_sql import Column, Compiler, Plan, View
from refloop_sandbox.salesforce.store import Store, quoted
from refloop_sandbox.salesforce.values import Stored, shown

MAX_QUERY = 100_000
_CURSOR_LIFE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class _Cursor:
    plan: Plan
    rows: array[int]
    batch: int
    view: View
    born: datetime
    children: tuple[Child, ...] = ()


class Queries:
    """The query resource. A cursor keeps row numbers only; values are read when their page is fetched."""

    def __init__(self, store: Store, schema: Schema, page_size: int) -> None:
        self._store = store
        self._schema = schema
        self._cursors: dict[str, _Cursor] = {}
        self.page_size = page_size

    def compile(self, text: str, view: View) -> Plan:
        """Raises ApiError for a query that the API refuses."""
        if len(text) > MAX_QUERY:
            raise ApiError(400, "MALFORMED_QUERY", f"SOQL statements cannot be longer than {MAX_QUERY} characters.")
        query = parse(text)
        if any(item.query for item in query.items):
            raise ApiError(400, "MALFORMED_QUERY", "sub-queries on children are not supported here")
        return Compiler(view, text).plan(query)

    def _family(self, text: str, view: View) -> tuple[Plan, tuple[Child, ...]]:
        """A query and its sub-queries on children, which no other resource takes."""
        query = parse(text) if len(text) <= MAX_QUERY else None
        if query is None or not any(item.query for item in query.items):
            return self.compile(text, view), ()
        plan = Compiler(view, text).plan(query)
        return plan, tuple(children_of(view, text, plan.sobject, query))

    def first(self, text: str, view: View, *, root: str, batch: int) -> dict[str, object]:
        """The first page. `root` is the path of the API version, `batch` the most rows a page holds."""
        plan, children = self._family(text, view)
        if plan.kind != "rows":
            return self._computed(plan)
        rows = self.matching(plan)
        _check_metadata_fields(plan, len(rows))
        cursor = _Cursor(plan, rows, min(batch, self.page_size), view, view.now, children)
        if len(rows) <= cursor.batch:
            return self._page("", cursor, 0, root)
        name = self._store.next_id("01g")
        self._cursors[name] = cursor
        return self._page(name, cursor, 0, root)

    def more(self, locator: str, view: View, *, root: str) -> dict[str, object]:
        """A later page. Raises ApiError INVALID_QUERY_LOCATOR for an unknown, foreign or expired locator."""
        name, _, offset = locator.partition("-")
        cursor = self._cursors.get(name)
        if cursor is None or not offset.isdigit() or int(offset) >= len(cursor.rows) or cursor.view.user != view.user:
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        if view.now - cursor.born > _CURSOR_LIFE:
            del self._cursors[name]
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(name, cursor, int(offset), root)

    def expire(self) -> None:
        """Forgets every cursor."""
        self._cursors.clear()

    def matching(self, plan: Plan) -> array[int]:
        """The numbers of the rows that match, in the query's order."""
        order = plan.order or "t.rid"
        sql = f"SELECT t.rid FROM {plan.tables} WHERE {plan.where} ORDER BY {order}{_window(plan)}"  # noqa: S608 - marks
        return array("q", (row[0] for row in self._store.execute(sql, plan.values)))

    def fetch(self, plan: Plan, rows: Sequence[int]) -> sqlite3.Cursor:
        """The values of these rows: first each owner's id (the object's, then each relation's), then the columns."""
        joined = plan.tables.removeprefix(f"{quoted(plan.sobject.name)} t")
        columns = ", ".join([*_owner_ids(plan), *(column.sql for column in plan.columns)])
        sql = (
            f"SELECT {columns} FROM json_each(:page) page CROSS JOIN {quoted(plan.sobject.name)} t "  # noqa: S608 - marks
            f"ON t.rid = page.value {joined} ORDER BY page.key"
        )
        return self._store.execute(sql, {"page": json.dumps(list(rows))})

    def records(self, plan: Plan, rows: Sequence[int], root: str) -> list[dict[str, object]]:
        """These rows as REST shows them."""
        shape = _Shape(plan, root)
        return [shape.record(values) for values in self.fetch(plan, rows)]

    def _page(self, name: str, cursor: _Cursor, offset: int, root: str) -> dict[str, object]:
        end = offset + cursor.batch
        done = end >= len(cursor.rows)
        page: dict[str, object] = {"totalSize": len(cursor.rows), "done": done}
        if not done:
            page["nextRecordsUrl"] = f"{root}/query/{name}-{end}"
        records = self.records(cursor.plan, cursor.rows[offset:end], root)
        for child in cursor.children:
            self._add_children(child, records, root)
        page["records"] = records
        return page

    def _add_children(self, child: Child, records: Sequence[dict[str, object]], root: str) -> None:
        """Puts into each record what a sub-query found for it; null where it found nothing."""
        ids = [_id_of(record) for record in records]
        rows = rows_of(self._store, child, ids)
        for record, parent in zip(records, ids, strict=True):
            found = self.records(child.plan, rows.get(parent, ()), root)
            record[child.name] = {"totalSize": len(found), "done": True, "records": found} if found else None

    def _computed(self, plan: Plan) -> dict[str, object]:
        columns = ", ".join(column.sql for column in plan.columns)
        tail = f" GROUP BY {plan.group}" if plan.group else ""
        tail += f" HAVING {plan.having}" if plan.having else ""
        tail += f" ORDER BY {plan.order}" if plan.order else ""
        sql = f"SELECT {columns} FROM {plan.tables} WHERE {plan.where}{tail}"  # noqa: S608 - marks stand for the values
        if plan.kind == "count":
            total = self._store.execute(sql, plan.values).fetchone()[0]
            return {"totalSize": total if plan.limit is None else min(total, plan.limit), "done": True, "records": []}
        records = [_aggregated(plan, values) for values in self._store.execute(sql + _window(plan), plan.values)]
        return {"totalSize": len(records), "done": True, "records": records}


def _id_of(record: Mapping[str, Any]) -> str:
    return str(record["attributes"]["url"]).rpartition("/")[2]


def _window(plan: Plan) -> str:
    if plan.limit is None and plan.offset is None:
        return ""
    return f" LIMIT {-1 if plan.limit is None else plan.limit} OFFSET {plan.offset or 0}"


def _aggregated(plan: Plan, values: Sequence[Stored]) -> dict[str, object]:
    record: dict[str, object] = {"attributes": {"type": "AggregateResult"}}
    for column, value in zip(plan.columns, values, strict=True):
        record[column.path[-1]] = shown(column.field, value)
    return record


def _check_metadata_fields(plan: Plan, count: int) -> None:
    if plan.sobject.tooling and count > 1 and {("FullName",), ("Metadata",)} & {item.path for item in plan.columns}:
        message = (
            "When retrieving results with Metadata or FullName fields, the query qualifications must specify no more "
            "than one row for retrieval."
        )
        raise ApiError(400, "MALFORMED_QUERY", f"{message} Result size: {count}")


def _owner_ids(plan: Plan) -> Iterator[str]:
    yield "t.Id"
    for owners in plan.relations.values():
        ids = ", ".join(f"{alias}.Id" for alias, _ in owners)
        yield f"COALESCE({ids})" if len(owners) > 1 else ids


class _Shape:
    """How the rows of one plan nest. Flat queries, nearly all there are, take a short path."""

    def __init__(self, plan: Plan, root: str) -> None:
        self._url = f"{root}/sobjects/"
        self._plan = plan
        self._relations = list(plan.relations.items())
        self._first = 1 + len(self._relations)
        self._flat = [(at, column) for at, column in enumerate(plan.columns, self._first) if len(column.path) == 1]
        self._nested = [(at, column) for at, column in enumerate(plan.columns, self._first) if len(column.path) > 1]
        self._names = [column.path[0] for _, column in self._flat]
        self._booleans = [column.path[0] for _, column in self._flat if column.field.type == "boolean"]
        self._documents = [column.path[0] for _, column in self._flat if _is_document(plan.sobject, column)]

    def record(self, values: Sequence[Stored]) -> dict[str, object]:
        record: dict[str, object] = {"attributes": self._attributes(self._plan.sobject.name, values[0])}
        if self._nested:
            record.update((column.path[0], values[at]) for at, column in self._flat)
            self._nest(record, values)
        else:
            record.update(zip(self._names, values[self._first :], strict=True))
        for name in self._booleans:
            record[name] = bool(record[name])
        for name in self._documents:
            record[name] = json.loads(str(record[name]))
        return record

    def _attributes(self, name: str, record_id: Stored) -> dict[str, object]:
        return {"type": name, "url": f"{self._url}{name}/{record_id}"}

    def _nest(self, record: dict[str, object], values: Sequence[Stored]) -> None:
        made: dict[Path, dict[str, object] | None] = {(): record}
        for at, (path, owners) in enumerate(self._relations, 1):
            self._place(made, path, owners, values[at])
        for at, column in self._nested:
            parent = made[column.path[:-1]]
            if parent is not None:
                parent[column.path[-1]] = shown(column.field, values[at])

    def _place(
        self,
        made: dict[Path, dict[str, object] | None],
        path: Path,
        owners: tuple[tuple[str, SObject], ...],
        record_id: Stored,
    ) -> None:
        if not any(column.path[: len(path)] == path for _, column in self._nested):
            return
        parent = made[path[:-1]]
        child: dict[str, object] | None = None
        if record_id is not None:
            owner = next((item for _, item in owners if str(record_id).startswith(item.prefix)), owners[0][1])
            child = {"attributes": self._attributes(owner.name, record_id)}
            if len(owners) > 1:
                child["attributes"] = {**self._attributes(owner.name, record_id), "type": "Name"}
        made[path] = child
        if parent is not None:
            parent[path[-1]] = child


def _is_document(sobject: SObject, column: Column) -> bool:
    return sobject.tooling and column.field.name == "Metadata"


def column_metadata(plan: Plan) -> dict[str, object]:
    """What `?columns=true` answers: the columns that a query would bring, without running it."""
    return {
        "columnMetadata": [_described(plan, column) for column in plan.columns],
        "entityName": plan.sobject.name,
        "groupBy": bool(plan.group),
        "idSelected": any(column.path == ("Id",) for column in plan.columns),
        "keyPrefix": plan.sobject.prefix,
    }


def _described(plan: Plan, column: Column) -> dict[str, object]:
    described = _leaf(plan, column)
    for relation in reversed(column.path[:-1]):
        described = {**described, "columnName": relation, "displayName": relation, "joinColumns": [described]}
    return described


def _leaf(plan: Plan, column: Column) -> dict[str, object]:
    kind = column.field.type
    return {
        "aggregate": plan.kind == "aggregate",
        "apexType": {"id": "Id", "reference": "Id", "datetime": "Datetime", "int": "Integer"}.get(kind, kind.title()),
        "booleanType": kind == "boolean",
        "columnName": column.path[-1],
        "custom": column.field.custom,
        "displayName": column.path[-1],
        "foreignKeyName": column.field.relationship,
        "insertable": column.field.createable,
        "joinColumns": [],
        "numberType": kind in NUMBERS or kind == "int",
        "textType": kind in TEXTS or kind in IDS,
        "updatable": column.field.updateable,
    }
