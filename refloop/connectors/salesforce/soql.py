"""Builds the few queries we send. Identifiers and values pass only when they have the one form they can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.names import api_name
from refloop.model import format_time

PAGE = 2000
"""Salesforce REST docs: a query answers at most 2,000 rows a page."""

_Columns = Mapping[str, tuple[str, ...]]
"""A field of a layout -> the columns that it takes, where it takes others than itself."""

_OWNER: _Columns = {"OwnerId": ("OwnerId", "Owner.Name")}
_RELATED: Mapping[str, _Columns] = {
    "Lead": _OWNER,  # of a user or a queue: the name is what both have
    "Contact": {"AccountId": ("AccountId", "Account.Name"), **_OWNER},
    "Opportunity": {
        "RecordTypeId": ("RecordTypeId", "RecordType.Name"),
        "PersonContactId": ("Account.PersonContactId",),
        **_OWNER,
    },
}


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows a pull is about: all, those modified since `start`, or those created or modified in [start, end)."""

    start: datetime | None = None
    end: datetime | None = None

    def condition(self) -> str:
        """The WHERE clause; "" for all rows."""
        if self.start is None:
            return ""
        if self.end is None:
            return f"SystemModstamp >= {format_time(self.start)}"
        return f"({_within('SystemModstamp', self.start, self.end)} OR {_within('CreatedDate', self.start, self.end)})"


def _within(field: str, start: datetime, end: datetime) -> str:
    whole = end.replace(microsecond=0)
    if whole < end:  # stamps are whole seconds: the second that `end` cuts belongs to the window
        whole += timedelta(seconds=1)
    return f"({field} >= {format_time(start)} AND {field} < {format_time(whole)})"


def page_query(name: str, fields: Sequence[str], window: Window, after: str) -> str:
    """One page of an object's rows by ascending id, beginning behind the id `after` ("" is the beginning).

    A key set by id, not by time stamp: many rows share a stamp, and a row that is edited meanwhile keeps its
    place. One row more than a page holds is asked for: it does not come, but its page says whether it is there.
    Raises ValueError when an identifier or id is none.
    """
    return _page_query(name, fields, window.condition(), after)


def ids_query(name: str, fields: Sequence[str], named: tuple[str, Sequence[str]], after: str) -> str:
    """`page_query` of the rows whose `named` field holds one of its ids."""
    field, ids = named
    return _page_query(name, fields, f"{api_name(field)} IN ({', '.join(map(quoted_id, ids))})", after)


def changes_query(name: str, named: tuple[str, Sequence[str]], fields: Sequence[str], after: str) -> str:
    """`ids_query` of a history object, for the changes of some fields of records that are not deleted: in a query of
    all rows, which old changes need, those of the others come along."""
    of, ids = named
    names = ", ".join(map(quoted_name, fields))
    there = f"{api_name(of.removesuffix('Id'))}.IsDeleted = false"
    condition = f"{api_name(of)} IN ({', '.join(map(quoted_id, ids))}) AND {there} AND Field IN ({names})"
    return _page_query(name, ("Id", of, "Field", "OldValue", "NewValue", "CreatedDate"), condition, after)


def _page_query(name: str, fields: Sequence[str], condition: str, after: str) -> str:
    conditions = [text for text in (condition, f"Id > {quoted_id(after)}" if after else "") if text]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {columns(name, fields)} FROM {api_name(name)}{where} ORDER BY Id LIMIT {PAGE + 1}"  # noqa: S608 - all went through api_name, record_id or format_time


def whole_query(name: str, fields: Sequence[str], window: Window) -> str:
    """All rows of an object, for a Bulk job: in no order and without a limit, else Salesforce reads them in one go
    instead of in chunks (Bulk API 2.0 docs, "SOQL Considerations"). Raises ValueError as `page_query`."""
    return f"SELECT {columns(name, fields)} FROM {_rows_of(name, window)}"  # noqa: S608 - see page_query


def count_query(name: str, window: Window) -> str:
    """How many rows an object has. Raises ValueError as `page_query`."""
    return f"SELECT COUNT() FROM {_rows_of(name, window)}"  # noqa: S608 - see page_query


def filled_query(name: str, field: str) -> str:
    """How many rows of an object hold something in a field. Raises ValueError as `page_query`."""
    return f"SELECT COUNT() FROM {api_name(name)} WHERE {api_name(field)} != null"  # noqa: S608 - see page_query


def _rows_of(name: str, window: Window) -> str:
    condition = window.condition()
    return f"{api_name(name)} WHERE {condition}" if condition else api_name(name)


def columns(name: str, fields: Sequence[str]) -> str:
    """The SELECT list; a reference brings the name of what it points at along."""
    related = _RELATED.get(name, {})
    return ", ".join(column for field in fields for column in related.get(api_name(field), (field,)))


def quoted_id(text: str) -> str:
    """An id as a SOQL literal."""
    return f"'{record_id(text)}'"


def quoted_name(text: str) -> str:
    """The API name of something as a SOQL literal."""
    return f"'{api_name(text)}'"
