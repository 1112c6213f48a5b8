"""SOSL: words looked for in the texts of several objects at once (SOQL and SOSL Reference, SOSL).

The platform's index splits texts into words and lags; here a word, or its beginning with `*`, is looked for as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.errors import ApiError
from refloop_sandbox.salesforce.org import Org
from refloop_sandbox.salesforce.schema import TEXTS, Field
from refloop_sandbox.salesforce.soql_sql import Plan
from refloop_sandbox.salesforce.store import quoted

_MOST = 2000
_SHORTEST = 2
_SEARCH = re.compile(
    r"\s*FIND\s*\{(?P<words>(?:\\.|[^\\{}])+)\}(?:\s+IN\s+(?P<where>ALL|NAME|EMAIL|PHONE)\s+FIELDS)?"
    r"(?:\s+RETURNING\s+(?P<returning>.+?))?(?:\s+LIMIT\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_RETURNED = re.compile(r"\s*(?P<object>\w+)\s*(?:\((?P<fields>[^()]*(?:\([^()]*\)[^()]*)*)\))?\s*(?:,|$)")
_CLAUSE = re.compile(r"\b(WHERE|ORDER\s+BY|LIMIT|OFFSET)\b", re.IGNORECASE)
_TYPES = {"EMAIL": frozenset({"email"}), "PHONE": frozenset({"phone"})}
_DEFAULTS = ("Account", "Contact", "Lead", "Opportunity", "Campaign")


class _Returned(NamedTuple):
    sobject: str
    soql: str


def search(org: Org, call: Call) -> Answer:
    """Answers `FIND {words} IN ... FIELDS RETURNING Object(fields ...), ...`. Raises ApiError MALFORMED_SEARCH."""
    found = _SEARCH.fullmatch(call.asked("q"))
    if found is None:
        raise ApiError(400, "MALFORMED_SEARCH", "No search term found. The search term must be enclosed in braces.")
    words = re.sub(r"\\(.)", r"\1", found["words"]).strip()
    if len(words.strip('*?"')) < _SHORTEST:
        raise ApiError(400, "MALFORMED_SEARCH", f"search term must be longer than one character: {words}")
    most = min(int(found["limit"] or _MOST), _MOST)
    records: list[dict[str, object]] = []
    for one in _returned(found["returning"]):
        plan = org.queries.compile(one.soql, org.view(call))
        seen = org.schema.readable(plan.sobject, call.user).values()
        holding = _holding(plan, words, _columns(seen, (found["where"] or "ALL").upper()))
        records += org.queries.records(holding, org.queries.matching(holding)[: most - len(records)], call.root)
    return Answer(body={"searchRecords": records})


def _returned(text: str | None) -> Iterator[_Returned]:
    if text is None:
        yield from (_Returned(name, f"SELECT Id FROM {name}") for name in _DEFAULTS)  # noqa: S608 - names of our own
        return
    end = 0
    while end < len(text):
        found = _RETURNED.match(text, end)
        if found is None:
            raise ApiError(400, "MALFORMED_SEARCH", "unexpected token in RETURNING")
        end = found.end()
        fields = (found["fields"] or "Id").strip()
        clause = _CLAUSE.search(fields)
        columns, rest = (fields[: clause.start()], fields[clause.start() :]) if clause else (fields, "")
        yield _Returned(found["object"], f"SELECT {columns.strip() or 'Id'} FROM {found['object']} {rest}")  # noqa: S608 - parsed as SOQL


def _holding(plan: Plan, words: str, names: Iterable[str]) -> Plan:
    """The query, of those rows alone whose texts hold the words."""
    pattern = re.sub(r"([\\%_])", r"\\\1", words.strip('"')).replace("*", "%").replace("?", "_")
    columns = [f"t.{quoted(name)}" for name in names]
    tests = " OR ".join(f"{column} LIKE :sought ESCAPE '\\'" for column in columns) or "0"
    return replace(plan, where=f"({plan.where}) AND ({tests})", values={**plan.values, "sought": f"%{pattern}%"})


def _columns(fields: Iterable[Field], where: str) -> Iterator[str]:
    for item in fields:
        if where == "NAME":
            if item.name_field or item.name in ("Name", "FirstName", "LastName"):
                yield item.name
        elif item.type in _TYPES.get(where, TEXTS):
            yield item.name
