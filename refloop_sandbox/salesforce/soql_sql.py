"""A SOQL tree to SQL with named parameters; no value is ever part of the text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from refloop_sandbox.salesforce.date_literals import period
from refloop_sandbox.salesforce.errors import ApiError
from refloop_sandbox.salesforce.ids import full_id
from refloop_sandbox.salesforce.rights import Rights
from refloop_sandbox.salesforce.schema import IDS, NUMBERS, TEXTS, Field, Schema, SObject
from refloop_sandbox.salesforce.soql_parse import Condition, Item, Key, Literal, Path, Query, Test, pointed
from refloop_sandbox.salesforce.store import quoted
from refloop_sandbox.salesforce.values import Stored, read_time, time_text

_MAX_DEPTH = 5
_MAX_OFFSET = 2000
_MAX_ALL_FIELDS = 200


@dataclass(frozen=True, slots=True)
class View:
    """Through whose eyes a query is read: a user (None sees all), the moment, which of the two APIs; `rights` None is
    everybody's."""

    schema: Schema
    user: str | None
    now: datetime
    tooling: bool = False
    deleted: bool = False
    rights: Rights | None = None

    def sees(self, sobject: SObject) -> bool:
        return self.rights is None or self.rights.may("read", sobject, self.user)


@dataclass(frozen=True, slots=True)
class Column:
    """One result column: its canonical path, its field, its SQL; `name` of an aggregate is its alias."""

    path: Path
    field: Field
    sql: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `tables` and `where` are SQL; `relations` are the joined parents: path to (alias, targets)."""

    sobject: SObject
    columns: tuple[Column, ...]
    tables: str
    where: str
    order: str
    group: str
    values: Mapping[str, Stored]
    relations: Mapping[Path, tuple[tuple[str, SObject], ...]]
    kind: str  # rows, count or aggregate
    limit: int | None
    offset: int | None


@dataclass(slots=True)
class Compiler:
    """Compiles one query, or one semi-join inside another (which shares `values`)."""

    view: View
    text: str
    values: dict[str, Stored] = field(default_factory=dict)
    _alias: str = "t"
    _names: frozenset[str] = frozenset()
    _relations: dict[Path, tuple[tuple[str, SObject], ...]] = field(default_factory=dict)
    _joins: list[str] = field(default_factory=list)

    def plan(self, query: Query) -> Plan:
        """Raises ApiError INVALID_TYPE, INVALID_FIELD, MALFORMED_QUERY, or what a filter's value deserves."""
        sobject = self._object(query)
        columns = tuple(self._columns(sobject, query))
        kind = _kind(query, columns)
        where = self._where(sobject, query)
        order = ", ".join(self._key(sobject, key) for key in query.order)
        group = ", ".join(self._column(sobject, path).sql for path in query.group)
        _check_window(query)
        tables = " ".join([f"{quoted(sobject.name)} {self._alias}", *self._joins])
        return Plan(
            sobject, columns, tables, where, order, group, self.values, self._relations, kind, query.limit, query.offset
        )

    def _object(self, query: Query) -> SObject:
        found = self.view.schema.get(query.object)
        if found is None or (found.tooling and not self.view.tooling) or not self.view.sees(found):
            raise ApiError(
                400, "INVALID_TYPE",
                pointed(self.text, max(0, self.text.casefold().find(f"from {query.object}".casefold()) + 5))
                + f"sObject type '{query.object}' is not supported. If you are attempting to use a custom object, be "
                "sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for "
                "the appropriate names.",
            )  # fmt: skip
        self._names = frozenset(name.casefold() for name in (query.object, query.alias) if name)
        return found

    def _columns(self, sobject: SObject, query: Query) -> Iterator[Column]:
        seen = set()
        expressions = 0
        for item in query.items:
            for column in self._item(sobject, item, f"expr{expressions}", query.limit):
                name = column.name or ".".join(column.path)
                if name in seen:
                    raise ApiError(400, "MALFORMED_QUERY", f"duplicate field selected: {name}")
                seen.add(name)
                yield column
            expressions += item.function in _AGGREGATES and item.alias is None

    def _item(self, sobject: SObject, item: Item, name: str, limit: int | None) -> Iterator[Column]:
        if item.function.startswith("FIELDS"):
            yield from self._all_fields(sobject, item.function, limit)
        elif not item.path:
            yield Column((), Field("expr0", "int"), "COUNT(*)", "()")
        elif item.function:
            yield self._aggregate(sobject, item, item.alias or name)
        elif item.alias:
            raise ApiError(400, "MALFORMED_QUERY", "only aggregate expressions use field aliasing")
        else:
            yield self._column(sobject, item.path)

    def _aggregate(self, sobject: SObject, item: Item, name: str) -> Column:
        inner = self._column(sobject, item.path)
        numeric = item.function in ("SUM", "AVG")
        if numeric and inner.field.type not in NUMBERS | {"int"}:
            message = f"field {inner.field.name} does not support aggregate operator {item.function}"
            raise ApiError(400, "MALFORMED_QUERY", message)
        call = f"COUNT(DISTINCT {inner.sql})" if item.function == "COUNT_DISTINCT" else f"{item.function}({inner.sql})"
        made = Field(name, "int" if item.function.startswith("COUNT") else inner.field.type)
        return Column((name,), made, call, name)

    def _all_fields(self, sobject: SObject, function: str, limit: int | None) -> Iterator[Column]:
        if function != "FIELDS(STANDARD)" and (limit is None or limit > _MAX_ALL_FIELDS):
            raise ApiError(
                400, "MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most 200"
            )  # fmt: skip
        wanted = {"FIELDS(ALL)": (False, True), "FIELDS(STANDARD)": (False,), "FIELDS(CUSTOM)": (True,)}[function]
        for item in self.view.schema.readable(sobject, self.view.user).values():
            if item.custom in wanted:
                yield self._column(sobject, (item.name,))

    def _column(self, sobject: SObject, path: Path) -> Column:
        steps = path[1:] if len(path) > 1 and path[0].casefold() in self._names else path
        if len(steps) > _MAX_DEPTH + 1:
            raise ApiError(400, "MALFORMED_QUERY", "SOQL relationships may not be deeper than 5 levels")
        owners: tuple[tuple[str, SObject], ...] = ((self._alias, sobject),)
        walked: Path = ()
        for step in steps[:-1]:
            walked, owners = self._step(walked, owners, step, path)
        return self._field(walked, owners, steps[-1], path)

    def _step(
        self, walked: Path, owners: tuple[tuple[str, SObject], ...], step: str, path: Path
    ) -> tuple[Path, tuple[tuple[str, SObject], ...]]:
        alias, owner = owners[0]
        for item in self.view.schema.readable(owner, self.view.user).values():
            if item.relationship and item.relationship.casefold() == step.casefold():
                reached = (*walked, item.relationship)
                if reached not in self._relations:
                    self._relations[reached] = tuple(self._join(alias, item))
                return reached, self._relations[reached]
        raise ApiError(
            400, "INVALID_FIELD",
            self._pointed(path) + f"Didn't understand relationship '{step}' in field path. If you are attempting to "
            "use a custom relationship, be sure to append the '__r' after the custom relationship name. Please "
            "reference your WSDL or the describe call for the appropriate names.",
        )  # fmt: skip

    def _join(self, alias: str, item: Field) -> Iterator[tuple[str, SObject]]:
        for name in item.targets:
            target = self.view.schema.get(name)
            if target is None:
                continue
            joined = f"{self._alias}{len(self._joins) + 1}"
            key = "DurableId" if target.name == "EntityDefinition" else "Id"
            table, column = quoted(target.name), quoted(item.name)
            self._joins.append(f"LEFT JOIN {table} {joined} ON {joined}.{key} = {alias}.{column}")
            yield joined, target

    def _field(self, walked: Path, owners: tuple[tuple[str, SObject], ...], name: str, path: Path) -> Column:
        if len(owners) > 1:
            return self._named(walked, owners, name, path)
        alias, owner = owners[0]
        item = self.view.schema.readable(owner, self.view.user).get(name.casefold())
        if item is None:
            raise self._no_column(owner.name, path)
        return Column((*walked, item.name), item, f"{alias}.{quoted(item.name)}")

    def _named(self, walked: Path, owners: tuple[tuple[str, SObject], ...], name: str, path: Path) -> Column:
        """A field of a parent of one of several types: those of the object `Name` alone (Object Reference, Name)."""
        if name.casefold() == "type":
            return Column((*walked, "Type"), Field("Type", "picklist"), _type_of(owners))
        found = [
            (alias, item)
            for alias, owner in owners
            if (item := self.view.schema.readable(owner, self.view.user).get(name.casefold()))
        ]
        if not found or name.casefold() not in _NAME_FIELDS:
            raise self._no_column("Name", path)
        columns = [f"{alias}.{quoted(item.name)}" for alias, item in found]
        item = found[0][1]
        sql = columns[0] if len(columns) == 1 else f"COALESCE({', '.join(columns)})"
        return Column((*walked, item.name), item, f"{sql} COLLATE NOCASE" if item.type in TEXTS else sql)

    def _no_column(self, owner: str, path: Path) -> ApiError:
        return ApiError(
            400, "INVALID_FIELD",
            self._pointed(path) + f"No such column '{path[-1]}' on entity '{owner}'. If you are attempting to use "
            "a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or "
            "the describe call for the appropriate names.",
        )  # fmt: skip

    def _pointed(self, path: Path) -> str:
        return pointed(self.text, max(0, self.text.casefold().find(".".join(path).casefold())))

    def _key(self, sobject: SObject, key: Key) -> str:
        column = self._column(sobject, key.path)
        if column.field.type == "textarea" and column.field.length > 255:
            raise self._unusable(column, key.path, "sorted")
        return f"{column.sql} {'DESC' if key.descending else 'ASC'} NULLS {'LAST' if key.nulls_last else 'FIRST'}"

    def _unusable(self, column: Column, path: Path, how: str) -> ApiError:
        message = f"{self._pointed(path)}field '{column.field.name}' can not be {how} in a query call"
        return ApiError(400, "INVALID_FIELD", message)

    def _where(self, sobject: SObject, query: Query) -> str:
        tests = [] if query.where is None else [self._condition(sobject, query.where)]
        if sobject.soft_deletes and not self.view.deleted:
            tests.append(f"{self._alias}.IsDeleted = 0")
        return " AND ".join(tests) or "1"

    def _condition(self, sobject: SObject, condition: Condition) -> str:
        if isinstance(condition, Test):
            return self._test(sobject, condition)
        parts = [self._condition(sobject, part) for part in condition.parts]
        if condition.operator == "NOT":
            return f"(({parts[0]}) IS NOT TRUE)"
        return "(" + f" {condition.operator} ".join(parts) + ")"

    def _test(self, sobject: SObject, test: Test) -> str:
        column = self._column(sobject, test.path)
        if column.field.type == "textarea" and column.field.length > 255:
            raise self._unusable(column, test.path, "filtered")
        if test.query is not None:
            return self._semi_join(column, test)
        if test.operator in ("IN", "NOT IN"):
            return self._among(column, test)
        if test.operator in ("INCLUDES", "EXCLUDES"):
            return self._picked(column, test)
        literal = test.values[0]
        if literal.kind == "period":
            return self._within(column, test.operator, literal.text)
        return self._compare(column, test.operator, self._value(column.field, literal, test.operator))

    def _compare(self, column: Column, operator: str, value: Stored) -> str:
        if value is None:
            return {"=": f"{column.sql} IS NULL", "!=": f"{column.sql} IS NOT NULL"}[operator]
        mark = self._mark(value)
        if operator == "LIKE":
            return f"{column.sql} LIKE {mark} ESCAPE '\\'"
        return f"{column.sql} {'IS NOT' if operator == '!=' else operator} {mark}"

    def _semi_join(self, column: Column, test: Test) -> str:
        inner = Compiler(self.view, self.text, self.values, f"{self._alias}s{len(self.values)}_")
        query = test.query
        if query is None or len(query.items) != 1 or query.limit is not None or query.order:
            raise ApiError(400, "MALFORMED_QUERY", "a semi-join selects one field, without ORDER BY or LIMIT")
        plan = inner.plan(query)
        if plan.kind != "rows" or plan.columns[0].field.type not in IDS or column.field.type not in IDS:
            raise ApiError(400, "MALFORMED_QUERY", "a semi-join compares ids: select an ID or reference field")
        picked = plan.columns[0].sql
        rows = f"SELECT {picked} FROM {plan.tables} WHERE {plan.where} AND {picked} IS NOT NULL"  # noqa: S608 - no values
        inside = f"{column.sql} IN ({rows})"
        return inside if test.operator == "IN" else f"(({inside}) IS NOT TRUE)"

    def _among(self, column: Column, test: Test) -> str:
        values = [self._value(column.field, literal, "=") for literal in test.values]
        mark = self._mark(json.dumps([value for value in values if value is not None]))
        inside = f"{column.sql} IN (SELECT value FROM json_each({mark}))"  # noqa: S608 - marks stand for the values
        if None in values:
            inside = f"({inside} OR {column.sql} IS NULL)"
        return inside if test.operator == "IN" else f"(({inside}) IS NOT TRUE)"

    def _picked(self, column: Column, test: Test) -> str:
        if column.field.type != "multipicklist":
            message = f"includes or excludes operator only valid on multipicklist field: {column.field.name}"
            raise ApiError(400, "INVALID_FIELD", message)
        groups = []
        for literal in test.values:
            marks = [self._mark(f";{choice};") for choice in literal.text.split(";")]
            groups.append(" AND ".join(f"instr(';' || {column.sql} || ';', {mark}) > 0" for mark in marks))
        some = " OR ".join(f"({group})" for group in groups)
        return f"({some})" if test.operator == "INCLUDES" else f"(({some}) IS NOT TRUE)"

    def _within(self, column: Column, operator: str, word: str) -> str:
        if column.field.type not in ("date", "datetime") or operator == "LIKE":
            raise _bad_filter(column.field)
        suffix = "T00:00:00.000+0000" if column.field.type == "datetime" else ""
        start, end = (self._mark(f"{day}{suffix}") for day in period(word, self.view.now.date()))
        inside = f"({column.sql} >= {start} AND {column.sql} < {end})"
        return {
            "=": inside, "!=": f"({inside} IS NOT TRUE)", "<": f"{column.sql} < {start}",
            ">=": f"{column.sql} >= {start}", ">": f"{column.sql} >= {end}", "<=": f"{column.sql} < {end}",
        }[operator]  # fmt: skip

    def _value(self, item: Field, literal: Literal, operator: str) -> Stored:
        if literal.kind == "null":
            if operator not in ("=", "!="):
                message = f"invalid operator on {item.name} field with a null value"
                raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", message)
            return None
        if operator == "LIKE" and item.type not in TEXTS:
            raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on {item.type} field")
        return _filter_value(item, literal)

    def _mark(self, value: Stored) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"


def _type_of(owners: tuple[tuple[str, SObject], ...]) -> str:
    """SQL for the type of a parent: the object's name; but a group that owns something is called a queue."""
    cases = " ".join(f"WHEN {alias}.Id IS NOT NULL THEN '{_TYPES.get(item.name, item.name)}'" for alias, item in owners)
    return f"(CASE {cases} END) COLLATE NOCASE"


_NAME_FIELDS = frozenset({"id", "name", "firstname", "lastname", "alias", "email", "isactive", "profileid", "username"})
_TYPES = {"Group": "Queue"}
_AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"})


def _kind(query: Query, columns: tuple[Column, ...]) -> str:
    if any(column.name == "()" for column in columns):
        if len(columns) > 1 or query.group:
            raise ApiError(400, "MALFORMED_QUERY", "COUNT() must be the only thing selected")
        return "count"
    if not query.group and not any(column.name for column in columns):
        return "rows"
    grouped = {path[-1].casefold() for path in query.group}
    for column in columns:
        if not column.name and column.path[-1].casefold() not in grouped:
            raise ApiError(400, "MALFORMED_QUERY", f"Field must be grouped or aggregated: {'.'.join(column.path)}")
    return "aggregate"


def _check_window(query: Query) -> None:
    if query.offset is not None and query.offset > _MAX_OFFSET:
        raise ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {_MAX_OFFSET}")


def _filter_value(item: Field, literal: Literal) -> Stored:
    kind, text = literal.kind, literal.text
    if item.type in TEXTS and kind == "string":
        return text or None
    if item.type in IDS and kind == "string":
        return _filter_id(text)
    if item.type in NUMBERS | {"int"} and kind == "number":
        return float(text)
    if item.type == "boolean" and kind == "boolean":
        return int(text == "true")
    if item.type == "date" and kind == "date":
        return text
    if item.type == "datetime" and kind == "datetime":
        return _filter_time(text)
    raise _bad_filter(item)


def _filter_time(text: str) -> str:
    try:
        moment = read_time(text.upper())
    except ValueError:
        raise ApiError(400, "MALFORMED_QUERY", f"Invalid date and time: {text}") from None
    # kept times are whole seconds; a filter may fall between two of them
    return time_text(moment).replace(".000", f".{moment.microsecond // 1000:03d}")


def _filter_id(text: str) -> Stored:
    if not text:
        return None
    full = full_id(text) or (text if len(text) == 18 and text.isalnum() else None)
    if full is None:
        raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}")
    return full


def _bad_filter(item: Field) -> ApiError:
    quotes = "should be" if item.type in TEXTS | IDS else "should not be"
    kind = {"datetime": "dateTime"}.get(item.type, "string" if item.type in TEXTS | IDS else item.type)
    message = (
        f"value of filter criterion for field '{item.name}' must be of type {kind} and {quotes} enclosed in quotes"
    )
    return ApiError(400, "INVALID_FIELD", message)
