"""Checks what Salesforce answers before anybody believes it. All here raise ValueError for a wrong answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refloop.connectors.http.crm_message import identifier_or_empty, without_quotes
from refloop.connectors.salesforce.ids import id_of, record_id
from refloop.connectors.salesforce.soql import PAGE

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowPage:
    """One page of a key set query. `last` is the id to go on behind, None when nothing follows."""

    rows: Sequence[Row]
    last: str | None


def row_page(name: str, body: object, after: str) -> RowPage:
    """A page of `name` rows in ascending order of id, all behind `after`.

    It has to be whole: no row fewer than it says, no row twice, no foreign row. Where Salesforce cut it (wide
    rows make it stop before the limit), the key set goes on behind the last row; the locator is not needed.
    """
    rows, done = _rows(name, body)
    ids = [id_of(name, row.get("Id")) for row in rows]
    if any(earlier >= later for earlier, later in zip([after, *ids], ids, strict=False)):
        raise ValueError("its rows are not in ascending order of id")
    if len(rows) > PAGE + 1:
        raise ValueError("it has more rows than were asked for")
    return RowPage(rows, ids[-1] if ids and (len(rows) > PAGE or not done) else None)


def _rows(name: str, body: object) -> tuple[Sequence[Row], bool]:
    if not isinstance(body, dict) or not isinstance(body.get("records"), list):
        raise ValueError("it has no list of records")
    rows, total, done = body["records"], body.get("totalSize"), body.get("done")
    if not isinstance(done, bool) or not isinstance(total, int) or isinstance(total, bool):
        raise ValueError("it does not say how many rows there are")
    if done != (total == len(rows)) or total < len(rows):
        raise ValueError(f"it says {total} rows and has {len(rows)}")
    following = body.get("nextRecordsUrl")
    if not done and not (rows and (following is None or _is_local_path(following))):
        raise ValueError("it says that more rows follow, but not where")  # which the key set knows by its last row
    if not all(_is_row_of(name, row) for row in rows):
        raise ValueError(f"it has something else than rows of {name}")
    return rows, done


def _is_local_path(text: object) -> bool:
    return isinstance(text, str) and text.startswith("/services/data/") and "//" not in text and "@" not in text


def _is_row_of(name: str, row: object) -> bool:
    if not isinstance(row, dict):
        return False
    attributes = row.get("attributes", {"type": name})
    return isinstance(attributes, dict) and attributes.get("type") == name


def retrieved(name: str, body: object, ids: Sequence[str]) -> Sequence[Row | None]:
    """The answer to a collection retrieve: one row an id, in order; None where there is none to see.

    Salesforce REST docs, "Get Records Using sObject Collections": "the array returns null for that object".
    """
    if not isinstance(body, list) or len(body) != len(ids):
        raise ValueError("it has not one row for each id")
    for row, asked in zip(body, ids, strict=True):
        if row is not None and not (_is_row_of(name, row) and record_id(row.get("Id")) == asked):
            raise ValueError("it has a row that was not asked for")
    return body


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of one record of a write. `code` is "" when it was saved; `fields` are those it is about."""

    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()


def saved(body: object, ids: Sequence[str]) -> Sequence[Saved]:
    """The answer to a collection write: one result a record, in order. (A failed one may lack its id.)"""
    if not isinstance(body, list) or len(body) != len(ids):
        raise ValueError("it has not one result for each record")
    return [_saved(result, asked) for result, asked in zip(body, ids, strict=True)]


def _saved(result: object, asked: str) -> Saved:
    if not isinstance(result, dict) or not isinstance(result.get("success"), bool):
        raise ValueError("it has a result that is none")
    if result.get("id") and record_id(result["id"]) != asked:
        raise ValueError("it has a result for another record")
    if result["success"]:
        return Saved()
    return refused(result.get("errors"))


def refused(errors: object) -> Saved:
    """What an error list says of the record that it is about."""
    first = errors[0] if isinstance(errors, list) and errors else errors
    fields = first.get("fields") if isinstance(first, dict) else None
    return Saved(
        *first_error(errors), tuple(filter(None, map(identifier_or_empty, fields))) if isinstance(fields, list) else ()
    )


def first_error(errors: object) -> tuple[str, str]:
    """Code and message of an error list. (`statusCode` in collections, `errorCode` everywhere else.)

    The message is without what it quotes of a record.
    """
    first = errors[0] if isinstance(errors, list) and errors else errors
    if not isinstance(first, dict):
        return "UNKNOWN_EXCEPTION", ""
    code = identifier_or_empty(first.get("statusCode") or first.get("errorCode")) or "UNKNOWN_EXCEPTION"
    return code, without_quotes(first.get("message"))
