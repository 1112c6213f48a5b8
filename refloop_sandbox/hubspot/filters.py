"""Search filters as SQL conditions with parameters. Nothing of a request is ever part of the SQL text.

HubSpot CRM search guide: text is compared without regard to case, except enumerations, and except that IN and NOT_IN
want lower case; date values are epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from refloop_sandbox.hubspot.errors import Refusal, bad_request, error_body
from refloop_sandbox.hubspot.render import COUNTED, PRIMARY_COMPANY
from refloop_sandbox.hubspot.schema import COMPANIES, CONTACTS, ObjectType, Property, Schema, object_type
from refloop_sandbox.hubspot.spelling import iso, parse_millis

_MOST = 2**63 - 1
"""What SQLite can compare as a whole number."""


class Clause(NamedTuple):
    sql: str
    parameters: tuple[object, ...] = ()


class Column(NamedTuple):
    """A property as the search sees it: where its value is, how the other side is read, which index it has."""

    clause: Clause
    read: Callable[[str], object]
    indexed: str = ""
    many: bool = False


def column(schema: Schema, kind: ObjectType, name: str, plain: frozenset[str] = frozenset()) -> Column:
    """The column of a property. Those in `plain` are written so that their index is not used.

    Raises Refusal (400) for a property that does not exist.
    """
    definition = schema.properties(kind).get(name)
    if definition is None:
        raise _no_such_property(name)
    fast = _fast(kind, name)
    if fast is not None:
        prefix = "+" if fast in plain else ""
        reads = {"id": _integer, "email": str.lower}
        return Column(Clause(f"{prefix}i.{fast}"), reads.get(fast, _millis), fast)
    if name == "hs_all_contact_vids":
        stored = Clause("coalesce(json_extract(i.props, ?), i.id)", (_path(name),))
        return Column(stored, _exact, many=True)
    return _computed(kind, name) or _stored(definition)


def _fast(kind: ObjectType, name: str) -> str | None:
    names = {"hs_object_id": "id", kind.created: "created", kind.modified: "modified"}
    if kind is CONTACTS:
        names["email"] = "email"
    return names.get(name)


def _computed(kind: ObjectType, name: str) -> Column | None:
    primary = PRIMARY_COMPANY.get((kind.name, name))
    if primary is not None:
        sql = (
            "(SELECT to_id FROM associations a WHERE a.object = i.object AND a.id = i.id "
            "AND a.to_object = ? AND a.type = ?)"
        )
        return Column(Clause(sql, (COMPANIES.number, primary)), _integer)
    counted = COUNTED.get((kind.name, name))
    if counted is None:
        return None
    sql = (
        "(SELECT count(DISTINCT to_id) FROM associations a "
        "WHERE a.object = i.object AND a.id = i.id AND a.to_object = ?)"
    )
    return Column(Clause(sql, (counted.number,)), _number)


def _stored(definition: Property) -> Column:
    value = "json_extract(i.props, ?)"
    path = (_path(definition.name),)
    if definition.type == "number":
        return Column(Clause(f"CAST({value} AS REAL)", path), _number)
    if definition.type == "datetime":
        # without the Z, texts with and without milliseconds sort as times do
        return Column(Clause(f"rtrim({value}, 'Z')", path), lambda text: iso(_millis(text)).rstrip("Z"))
    if definition.type == "date":
        return Column(Clause(value, path), lambda text: iso(_millis(text))[:10])
    if definition.type in ("enumeration", "bool"):
        return Column(Clause(value, path), _exact, many=definition.field_type == "checkbox")
    return Column(Clause(f"lower({value})", path), str.lower)


def _path(name: str) -> str:
    return f'$."{name}"'


def condition(schema: Schema, kind: ObjectType, item: Mapping[str, Any], plain: frozenset[str]) -> Clause:
    """One filter of a group. Raises Refusal for what HubSpot refuses."""
    name, operator = item.get("propertyName"), item.get("operator")
    if not isinstance(name, str) or not isinstance(operator, str):
        raise bad_request("Cannot build Filter, some of required attributes are not set [propertyName, operator]")
    if name.startswith("associations."):
        return _associated(name, operator, item)
    build = _OPERATORS.get(operator)
    if build is None:
        raise bad_request(f"Invalid operator: {operator}")
    return build(column(schema, kind, name, plain), item)


def _associated(name: str, operator: str, item: Mapping[str, Any]) -> Clause:
    to_kind = object_type(name.removeprefix("associations."))
    base = "EXISTS (SELECT 1 FROM associations a WHERE a.object = i.object AND a.id = i.id AND a.to_object = ?"
    if operator == "HAS_PROPERTY":
        return Clause(f"{base})", (to_kind.number,))
    if operator == "NOT_HAS_PROPERTY":
        return Clause(f"NOT {base})", (to_kind.number,))
    values = [_value(item)] if operator == "EQ" else _values(item) if operator == "IN" else None
    if values is None:
        raise bad_request(f"Operator {operator} is not supported for {name}")
    marks = ", ".join("?" * len(values))
    return Clause(f"{base} AND a.to_id IN ({marks}))", (to_kind.number, *map(_integer, values)))


def _compare(sign: str) -> Callable[[Column, Mapping[str, Any]], Clause]:
    def build(left: Column, item: Mapping[str, Any]) -> Clause:
        return Clause(f"{left.clause.sql} {sign} ?", (*left.clause.parameters, left.read(_value(item))))

    return build


def _equal(left: Column, item: Mapping[str, Any]) -> Clause:
    return _member(left, [left.read(_value(item))])


def _not_equal(left: Column, item: Mapping[str, Any]) -> Clause:
    return _negated(left, _equal(left, item))


def _between(left: Column, item: Mapping[str, Any]) -> Clause:
    low, high = left.read(_value(item)), left.read(_value(item, "highValue"))
    return Clause(f"{left.clause.sql} BETWEEN ? AND ?", (*left.clause.parameters, low, high))


def _in(left: Column, item: Mapping[str, Any]) -> Clause:
    # text values are compared as they come, with lower-cased records: one with a capital letter finds nothing
    read = _exact if left.read == str.lower else left.read
    return _member(left, [read(value) for value in _values(item)])


def _not_in(left: Column, item: Mapping[str, Any]) -> Clause:
    return _negated(left, _in(left, item))


def _member(left: Column, values: list[object]) -> Clause:
    sql, parameters = left.clause
    if left.many:
        tests = " OR ".join([f"instr(';' || {sql} || ';', ';' || ? || ';') > 0"] * len(values))
        return Clause(f"({tests})", tuple(item for value in values for item in (*parameters, value)))
    if len(values) == 1:
        return Clause(f"{sql} = ?", (*parameters, values[0]))
    return Clause(f"{sql} IN ({', '.join('?' * len(values))})", (*parameters, *values))


def _negated(left: Column, found: Clause) -> Clause:
    """Records without a value match neither a test nor its opposite."""
    return Clause(f"({left.clause.sql} IS NOT NULL AND NOT {found.sql})", (*left.clause.parameters, *found.parameters))


def _has(left: Column, _item: Mapping[str, Any]) -> Clause:
    return Clause(f"{left.clause.sql} IS NOT NULL", left.clause.parameters)


def _has_not(left: Column, _item: Mapping[str, Any]) -> Clause:
    return Clause(f"{left.clause.sql} IS NULL", left.clause.parameters)


def _token(left: Column, item: Mapping[str, Any]) -> Clause:
    return Clause(f"has_token({left.clause.sql}, ?)", (*left.clause.parameters, _value(item)))


def _no_token(left: Column, item: Mapping[str, Any]) -> Clause:
    return _negated(left, _token(left, item))


_OPERATORS: Mapping[str, Callable[[Column, Mapping[str, Any]], Clause]] = {
    "EQ": _equal,
    "NEQ": _not_equal,
    "LT": _compare("<"),
    "LTE": _compare("<="),
    "GT": _compare(">"),
    "GTE": _compare(">="),
    "BETWEEN": _between,
    "IN": _in,
    "NOT_IN": _not_in,
    "HAS_PROPERTY": _has,
    "NOT_HAS_PROPERTY": _has_not,
    "CONTAINS_TOKEN": _token,
    "NOT_CONTAINS_TOKEN": _no_token,
}


def _value(item: Mapping[str, Any], key: str = "value") -> str:
    value = item.get(key)
    if value is None or isinstance(value, list | dict):
        raise bad_request(f"Operator {item.get('operator')} needs a {key} for property {item.get('propertyName')}")
    return str(value)


def _values(item: Mapping[str, Any]) -> list[str]:
    values = item.get("values")
    if not isinstance(values, list) or not values:
        raise bad_request(f"Operator {item.get('operator')} needs values for property {item.get('propertyName')}")
    return [str(value) for value in values]


def _exact(text: str) -> str:
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise bad_request(f"{text} is not a number") from None


def _integer(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise bad_request(f"{text} is not a number") from None
    return max(-_MOST, min(number, _MOST))


def _millis(text: str) -> int:
    """Epoch 0 is answered with a 500, as seen live by connectors that start "from the beginning"."""
    try:
        at = parse_millis(text)
    except ValueError:
        raise bad_request(f"{text} is not a date") from None
    if at == 0:
        raise Refusal(500, error_body("internal error", "INTERNAL_ERROR"))
    return at


def _no_such_property(name: str) -> Refusal:
    message = f'Property "{name}" does not exist'
    listed = [{"message": message, "code": "PROPERTY_DOESNT_EXIST", "context": {"propertyName": [name]}}]
    return bad_request(f"There was a problem with the request. {message}", errors=listed)
