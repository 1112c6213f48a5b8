"""Answers are believed only when they are whole."""

from __future__ import annotations

from typing import Any

import pytest

from refloop.connectors.salesforce.answers import Saved, first_error, retrieved, row_page, saved
from refloop.connectors.salesforce.ids import record_id

IDS = [record_id(f"00Q00000000000{n}") for n in range(1, 6)]


def row(record: str, name: str = "Lead") -> dict[str, Any]:
    return {"attributes": {"type": name, "url": f"/services/data/v67.0/sobjects/{name}/{record}"}, "Id": record}


def answer(ids: list[str], **changes: Any) -> dict[str, Any]:
    return {"totalSize": len(ids), "done": True, "records": [row(one) for one in ids], **changes}


MORE: dict[str, Any] = {"done": False, "totalSize": 9, "nextRecordsUrl": "/services/data/v67.0/query/01gxx-3"}
NOWHERE = answer(IDS[1:], **{**MORE, "nextRecordsUrl": None})


@pytest.mark.parametrize(
    ("body", "count", "last"),
    [(answer([]), 0, None), (answer(IDS[1:]), 4, None), (answer(IDS[1:], **MORE), 4, IDS[-1]), (NOWHERE, 4, IDS[-1])],
    ids=["empty", "whole", "cut by Salesforce", "cut, and no word of the rest"],
)
def test_a_page_that_is_whole(body: object, count: int, last: str | None) -> None:
    page = row_page("Lead", body, IDS[0])
    assert (len(page.rows), page.last) == (count, last)


def test_a_full_page_is_followed_by_another_when_it_says_so() -> None:
    ids = [record_id(f"00Q{n:012d}") for n in range(2001)]
    assert row_page("Lead", answer(ids[:2000]), "").last is None
    assert row_page("Lead", answer(ids[:2000], **{**MORE, "totalSize": 2001}), "").last == ids[1999]
    assert row_page("Lead", answer(ids), "").last == ids[2000]
    with pytest.raises(ValueError, match="more rows"):
        row_page("Lead", answer([*ids, record_id("00Q000000009999")]), "")


BROKEN: dict[str, object] = {
    "null": None,
    "list": [],
    "html": "<html>",
    "no records": {"totalSize": 0, "done": True},
    "records null": answer([], records=None),
    "no total": answer([], totalSize=None),
    "total is true": answer([IDS[1]], totalSize=True),
    "no done": answer([], done=None),
    "fewer than it says": answer(IDS[1:2], totalSize=5),
    "more than it says": answer(IDS[1:], totalSize=1),
    "goes on at another host": answer(IDS[1:], **{**MORE, "nextRecordsUrl": "https://evil.example/services/data/"}),
    "goes on at another host, hidden": answer(IDS[1:], **{**MORE, "nextRecordsUrl": "/services/data/@evil.example"}),
    "not done and empty": answer([], **MORE),
    "a row twice": answer([IDS[1], IDS[1]]),
    "rows out of order": answer([IDS[2], IDS[1]]),
    "the page before again": answer([IDS[0], IDS[1]]),
    "a row without id": answer([IDS[1]], records=[{"attributes": {"type": "Lead"}}]),
    "a row of another object": answer([IDS[1]], records=[row(IDS[1], "Case")]),
    "a row that is none": answer([IDS[1]], records=["x"]),
    "an id of another object": answer([IDS[1]], records=[row(record_id("00T000000000009"))]),
    "an id that is none": answer([IDS[1]], records=[row("../Account/0011")]),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_page_that_is_not_whole_is_refused(body: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        row_page("Lead", body, IDS[0])


def test_retrieved_rows_stand_where_their_ids_stood() -> None:
    assert retrieved("Lead", [row(IDS[0]), None], IDS[:2]) == [row(IDS[0]), None]


@pytest.mark.parametrize(
    "body", [None, {}, [], [row(IDS[0])], [row(IDS[1]), row(IDS[0])], [row(IDS[0], "Case"), None], ["x", None]]
)
def test_retrieved_rows_of_something_else_are_refused(body: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        retrieved("Lead", body, IDS[:2])


def test_results_stand_where_their_records_stood() -> None:
    body = [
        {"id": IDS[0], "success": True, "errors": []},
        {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "busy", "fields": []}]},
        {"id": None, "success": False, "errors": []},
    ]
    assert saved(body, IDS[:3]) == [
        Saved(),
        Saved("UNABLE_TO_LOCK_ROW", "busy"),
        Saved("UNKNOWN_EXCEPTION", ""),
    ]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        [{"success": "true"}],
        ["x"],
        [{"id": IDS[1], "success": True, "errors": []}],
        [{"id": IDS[0], "success": True, "errors": []}] * 2,
    ],
)
def test_results_of_something_else_confirm_nothing(body: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        saved(body, IDS[:1])


@pytest.mark.parametrize(
    ("errors", "found"),
    [
        ([{"errorCode": "INVALID_FIELD", "message": "No such column"}], ("INVALID_FIELD", "No such column")),
        ([{"statusCode": "X", "message": None}], ("X", "")),
        ({"errorCode": "Y"}, ("Y", "")),
        ([], ("UNKNOWN_EXCEPTION", "")),
        ("<html>", ("UNKNOWN_EXCEPTION", "")),
    ],
)
def test_the_first_error(errors: object, found: tuple[str, str]) -> None:
    assert first_error(errors) == found
