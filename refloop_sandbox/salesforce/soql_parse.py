"""SOQL text to its syntax tree (Salesforce SOQL and SOSL Reference)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, VisitError

from refloop_sandbox.salesforce.errors import ApiError

# each clause may be empty by itself: of clauses that may be left out Lark would make a rule for every choice of them
_GRAMMAR = r"""
query: SELECT items FROM NAME alias where with group having order limit offset for
items: item ("," item)*
?item: path [NAME] -> column
     | FUNCTION "(" path ")" [NAME] -> aggregate
     | FUNCTION "(" ")" -> count
     | FIELDS "(" NAME ")" -> all_fields
     | "(" query ")" -> children
alias: NAME?
path: NAME ("." NAME)*
where: (WHERE _condition)?
with: (WITH NAME)?
group: (GROUP_BY path ("," path)*)?
having: (HAVING _totals)?
_totals: total | both_totals | either_total
both_totals: total (AND total)+ -> both
either_total: total (OR total)+ -> either
?total: "(" _totals ")"
      | NOT total -> negated
      | FUNCTION "(" path ")" OPERATOR value -> compare_total
      | FUNCTION "(" ")" OPERATOR value -> compare_count
      | path OPERATOR value -> compare
      | path LIKE STRING -> like
      | path IN "(" list ")" -> among
      | path NOT_IN "(" list ")" -> not_among
order: (ORDER_BY key ("," key)*)?
key: path [DIRECTION] [NULLS]
limit: (LIMIT NUMBER)?
offset: (OFFSET NUMBER)?
for: (FOR NAME)?
_condition: test | both | either
both: test (AND test)+
either: test (OR test)+
?test: "(" _condition ")"
     | NOT test -> negated
     | path OPERATOR value -> compare
     | path LIKE STRING -> like
     | path IN "(" list ")" -> among
     | path NOT_IN "(" list ")" -> not_among
     | path IN "(" query ")" -> inside
     | path NOT_IN "(" query ")" -> not_inside
     | path INCLUDES "(" list ")" -> includes
     | path EXCLUDES "(" list ")" -> excludes
list: value ("," value)*
value: STRING | DATETIME | DATE | NUMBER | TRUE | FALSE | NULL | PERIOD

SELECT.2: /select\b/i
FROM.2: /from\b/i
WHERE.2: /where\b/i
WITH.2: /with\b/i
AND.2: /and\b/i
OR.2: /or\b/i
NOT_IN.3: /not\s+in\b/i
NOT.2: /not\b/i
IN.2: /in\b/i
LIKE.2: /like\b/i
INCLUDES.2: /includes(?=\s*\()/i
EXCLUDES.2: /excludes(?=\s*\()/i
GROUP_BY.2: /group\s+by\b/i
HAVING.2: /having\b/i
ORDER_BY.2: /order\s+by\b/i
LIMIT.2: /limit\b/i
OFFSET.2: /offset\b/i
FOR.2: /for(?=\s+(view|reference|update)\b)/i
DIRECTION.2: /(asc|desc)\b/i
NULLS.2: /nulls\s+(first|last)\b/i
TRUE.2: /true\b/i
FALSE.2: /false\b/i
NULL.2: /null\b/i
FUNCTION.2: /(count|count_distinct|min|max|sum|avg)(?=\s*\()/i
FIELDS.2: /fields(?=\s*\()/i
OPERATOR: "=" | "!=" | "<>" | "<=" | ">=" | "<" | ">"
STRING: /'(\\.|[^'\\\n])*'/
DATETIME.3: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)/i
DATE.2: /\d{4}-\d\d-\d\d(?![T\d])/
NUMBER: /[+-]?\d+(\.\d+)?(?![\d:-])/
PERIOD: /(today|yesterday|tomorrow|(last|this|next)_(week|month|year)|(last|next)_n_days:\d+)\b/i
NAME: /[A-Za-z][A-Za-z0-9_]*/
%ignore /\s+/
"""
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """A value and how it was written: string, number, date, datetime, boolean, null or period."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Test:
    """`path operator values`; the values of a semi-join are a query. In HAVING, of a `function` over the path."""

    path: Path
    operator: str
    values: tuple[Literal, ...] = ()
    query: Query | None = None
    function: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined by `AND`, `OR`, or one under `NOT`."""

    operator: str
    parts: tuple[Condition, ...]


Condition = Test | Group


@dataclass(frozen=True, slots=True)
class Item:
    """One thing selected: a path, an aggregate over one, `FIELDS(...)`, or a sub-query on children."""

    path: Path
    function: str = ""
    alias: str | None = None
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class Key:
    path: Path
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    items: tuple[Item, ...]
    object: str
    alias: str | None
    where: Condition | None
    group: tuple[Path, ...]
    having: Condition | None
    order: tuple[Key, ...]
    limit: int | None
    offset: int | None


@v_args(inline=True)
class _Tree(Transformer[Token, Query]):
    def query(self, _select: Token, items: tuple[Item, ...], _from: Token, name: Token, *rest: Any) -> Query:
        alias, where, _with, group, having, order, limit, offset, _for = rest
        return Query(items, str(name), alias, where, group, having, order, limit, offset)

    def items(self, *items: Item) -> tuple[Item, ...]:
        return items

    def column(self, path: Path, alias: Token | None) -> Item:
        return Item(path, alias=str(alias) if alias else None)

    def aggregate(self, function: Token, path: Path, alias: Token | None) -> Item:
        return Item(path, function.upper(), str(alias) if alias else None)

    def count(self, function: Token) -> Item:
        if function.upper() != "COUNT":
            raise _malformed(f"{function} needs a field")
        return Item((), "COUNT")

    def all_fields(self, _fields: Token, which: Token) -> Item:
        if which.upper() not in ("ALL", "STANDARD", "CUSTOM"):
            raise _malformed("FIELDS function must have a parameter of ALL, CUSTOM or STANDARD")
        return Item((), f"FIELDS({which.upper()})")

    def children(self, query: Query) -> Item:
        return Item((), "CHILDREN", query=query)

    def alias(self, *name: Token) -> str | None:
        return str(name[0]) if name else None

    def path(self, *names: Token) -> Path:
        return tuple(map(str, names))

    def where(self, *parts: Any) -> Condition | None:
        return parts[1] if parts else None

    def group(self, *parts: Any) -> tuple[Path, ...]:
        return parts[1:]

    def having(self, *parts: Any) -> Condition | None:
        return parts[1] if parts else None

    def compare_total(self, function: Token, path: Path, operator: Token, value: Literal) -> Test:
        return Test(path, "!=" if operator == "<>" else str(operator), (value,), function=function.upper())

    def compare_count(self, function: Token, operator: Token, value: Literal) -> Test:
        return self.compare_total(function, (), operator, value)

    def order(self, *parts: Any) -> tuple[Key, ...]:
        return parts[1:]

    def key(self, path: Path, direction: Token | None, nulls: Token | None) -> Key:
        return Key(path, (direction or "").upper() == "DESC", (nulls or "").upper().endswith("LAST"))

    def limit(self, *parts: Token) -> int | None:
        return _whole(parts[1]) if parts else None

    def offset(self, *parts: Token) -> int | None:
        return _whole(parts[1]) if parts else None

    def both(self, *parts: Any) -> Group:
        return Group("AND", tuple(part for part in parts if not isinstance(part, Token)))

    def either(self, *parts: Any) -> Group:
        return Group("OR", tuple(part for part in parts if not isinstance(part, Token)))

    def negated(self, _not: Token, part: Condition) -> Group:
        return Group("NOT", (part,))

    def compare(self, path: Path, operator: Token, value: Literal) -> Test:
        return Test(path, "!=" if operator == "<>" else str(operator), (value,))

    def like(self, path: Path, _like: Token, text: Token) -> Test:
        return Test(path, "LIKE", (Literal("string", _unescaped(text, like=True)),))

    def among(self, path: Path, _in: Token, values: tuple[Literal, ...]) -> Test:
        return Test(path, "IN", values)

    def not_among(self, path: Path, _in: Token, values: tuple[Literal, ...]) -> Test:
        return Test(path, "NOT IN", values)

    def inside(self, path: Path, _in: Token, query: Query) -> Test:
        return Test(path, "IN", query=query)

    def not_inside(self, path: Path, _in: Token, query: Query) -> Test:
        return Test(path, "NOT IN", query=query)

    def includes(self, path: Path, _in: Token, values: tuple[Literal, ...]) -> Test:
        return Test(path, "INCLUDES", values)

    def excludes(self, path: Path, _in: Token, values: tuple[Literal, ...]) -> Test:
        return Test(path, "EXCLUDES", values)

    def list(self, *values: Literal) -> tuple[Literal, ...]:
        return values

    def value(self, token: Token) -> Literal:
        if token.type == "STRING":
            return Literal("string", _unescaped(token))
        kind = {"TRUE": "boolean", "FALSE": "boolean"}.get(token.type, token.type.lower())
        return Literal(kind, token if kind == "datetime" else token.lower())


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


def _unescaped(token: str, *, like: bool = False) -> str:
    r"""The text of a quoted string. For LIKE, `\` stays before what must be taken literally."""

    def one(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "uU" and len(code) == 5:
            return chr(int(code[1:], 16))
        if code in ("_", "%") and like:
            return f"\\{code}"
        if code not in _ESCAPES:
            raise _malformed(f"Invalid string literal {token}. Illegal character sequence '\\{code}'")
        return "\\\\" if like and code == "\\" else _ESCAPES[code]

    return re.sub(r"\\([uU][0-9A-Fa-f]{4}|.)", one, token[1:-1])


def _whole(token: str) -> int:
    if not token.isdigit():
        raise _malformed(f"unexpected token: '{token}'")
    return int(token)


def _malformed(message: str) -> ApiError:
    return ApiError(400, "MALFORMED_QUERY", message)


_PARSER = Lark(_GRAMMAR, start="query", parser="lalr", maybe_placeholders=True)


@lru_cache(maxsize=512)
def parse(text: str) -> Query:
    """Raises ApiError MALFORMED_QUERY with the place of the fault."""
    try:
        return _Tree().transform(_PARSER.parse(text))
    except VisitError as error:
        if isinstance(error.orig_exc, ApiError):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        raise _malformed(_explained(text, error)) from None


def _explained(text: str, error: UnexpectedInput) -> str:
    place = error.pos_in_stream if error.pos_in_stream is not None and error.pos_in_stream >= 0 else len(text)
    token = getattr(error, "token", None)
    what = f"unexpected token: '{token}'" if token else "unexpected token: '<EOF>'"
    if token is None and place < len(text):
        what = f"line 1:{place} no viable alternative at character '{text[place]}'"
    return pointed(text, place) + what


def pointed(text: str, place: int) -> str:
    """The start of a message about one place of a query."""
    start = max(0, place - 30)
    around = text[start : place + 30].replace("\n", " ")
    row = text.count("\n", 0, place) + 1
    column = place - text.rfind("\n", 0, place)
    return f"\n{around}\n{' ' * (place - start)}^\nERROR at Row:{row}:Column:{column}\n"
