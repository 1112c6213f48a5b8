"""Answers that no sound CRM gives, as faults of the local ones: in place of the true answer, or made out of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from refloop_sandbox import faults, pages
from refloop_sandbox.faults import Alter, Asked, Fault, Reply

EVIL = "https://evil.example/services/data/v67.0/query/01g"


def body(name: str, raw: bytes, media: str = "application/json", status: int = 200) -> Fault:
    """These bytes in place of the answer."""
    return Fault(name, Reply(status, {"content-type": media}, raw))


def altered(name: str, change: Callable[[Any], Any]) -> Fault:
    """The true answer's JSON, changed; strikes only where there is JSON to change."""

    def work(_asked: Asked, reply: Reply, _before: Reply | None) -> Reply:
        return reply._replace(body=json.dumps(change(json.loads(reply.body))).encode())

    return Fault(name, alter=Alter(work))


def spelled(name: str, change: Callable[[bytes], bytes]) -> Fault:
    """The true answer's bytes, changed."""
    return Fault(name, alter=Alter(lambda _asked, reply, _before: reply._replace(body=change(reply.body))))


def rows_of(answer: Any) -> list[Any]:
    """The lists of rows of an answer, those of a composite one's parts included."""
    if isinstance(answer, list):
        return [answer] if answer and isinstance(answer[0], dict) else []
    if not isinstance(answer, dict):
        return []
    if isinstance(answer.get("compositeResponse"), list):
        return [rows for part in answer["compositeResponse"] for rows in rows_of(part["body"])]
    return [answer[name] for name in ("results", "records") if isinstance(answer.get(name), list) and answer[name]]


def each_row(name: str, change: Callable[[dict[str, Any]], Any]) -> Fault:
    """Every row of the true answer, changed in place."""

    def work(answer: Any) -> Any:
        for rows in rows_of(answer):
            for row in rows:
                if isinstance(row, dict):
                    change(row)
        return answer

    return altered(name, work)


def _longer(answer: Any) -> Any:
    for rows in rows_of(answer):
        rows += [rows[-1]] * 5_000
    return answer


def _counts_more(answer: Any) -> Any:
    for holder in _holders(answer):
        if "totalSize" in holder:
            holder.update(totalSize=len(holder.get("records", [])) + 4, done=True)
        elif "total" in holder:
            holder["total"] = -1
        else:
            holder.pop("results", None)
    return answer


def _next_elsewhere(answer: Any) -> Any:
    for holder in _holders(answer):
        if "totalSize" in holder:
            holder.update(totalSize=len(holder.get("records", [])) + 1, done=False, nextRecordsUrl=EVIL)
        else:
            holder["paging"] = {"next": {"after": EVIL, "link": EVIL}}
    return answer


def _holders(answer: Any) -> list[dict[str, Any]]:
    if not isinstance(answer, dict):
        return []
    if isinstance(answer.get("compositeResponse"), list):
        return [holder for part in answer["compositeResponse"] for holder in _holders(part["body"])]
    return [answer]


def _set_ids(value: object) -> Callable[[dict[str, Any]], None]:
    def change(row: dict[str, Any]) -> None:
        for name in ("id", "Id", "referenceId", "toObjectId"):
            if name in row:
                row[name] = value
        if isinstance(row.get("from"), dict):
            row["from"]["id"] = value

    return change


def _set_times(value: object) -> Callable[[dict[str, Any]], None]:
    def change(row: dict[str, Any]) -> None:
        for name in ("createdAt", "updatedAt", "CreatedDate", "SystemModstamp"):
            if name in row:
                row[name] = value

    return change


def _twice(raw: bytes) -> bytes:
    return re.sub(
        rb"^\{", b'{"results":[],"records":[],"compositeResponse":[],', raw.replace(b"[", b'[{"a":1,"a":2},', 1)
    )


def _status(status: int) -> Fault:
    error = [{"errorCode": "X", "message": "no", "category": "X"}]
    return body(f"{status}, an error list", json.dumps(error).encode(), status=status)


def answers(elsewhere: str) -> Mapping[str, Fault]:
    """All shapes, by name. `elsewhere` is another server."""
    shapes = [
        faults.html(),
        body("HTML, said to be JSON", b"<html><body>Please log in</body></html>"),
        faults.empty(),
        faults.json_null(),
        faults.json_list(),
        body("wrong object", b'{"status": "fine"}'),
        body("text", b'"results"'),
        body("number", b"1e999"),
        body("NaN", b'{"results": NaN, "records": NaN, "compositeResponse": NaN, "access_token": NaN}'),
        body("Infinity", b'{"results": [{"id": -Infinity}], "records": [1e999], "totalSize": 1e999}'),
        body("rows of nothing", b'{"results": [null], "records": [null], "totalSize": 1, "done": true, "total": 1}'),
        body("rows of text", b'{"results": ["1"], "records": ["1"], "totalSize": 1, "done": true, "total": 1}'),
        body("rows, a mapping", b'{"results": {"1": {}}, "records": {"1": {}}, "compositeResponse": {}}'),
        body("deep", b'{"results":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        body("deep, unclosed", b"[" * 1_000_000),
        body("not UTF-8", b'{"results": ["\xff\xfe"]}'),
        body("UTF-16", '{"results": []}'.encode("utf-16")),
        body("half a surrogate pair", b'{"results": [{"id": "\\ud800"}], "records": [{"Id": "\\ud800"}]}'),
        body("of another request", b'{"results": [{"from": {"id": "1"}, "to": []}], "id": "750x", "state": "Open"}'),
        body("errors with status 200", b'[{"errorCode": "INVALID_FIELD", "message": "no"}]'),
        body("nothing done, and all is well", b'{"status": "COMPLETE", "results": [], "errors": []}'),
        body(
            "207, nameless", b'{"status":"COMPLETE","results":[],"numErrors":1,"errors":[{"category":"X"}]}', status=207
        ),
        faults.answer(204, b""),
        faults.truncated(),
        faults.cut(),
        faults.cut(announced=False),
        faults.drip(0.0),
        faults.wrong_type(),
        faults.gzip_bomb(70_000_000),
        spelled("names given twice", _twice),
        spelled("something behind it", lambda raw: raw + b"{}"),
        altered("longer than asked", _longer),
        altered("counts what is not there", _counts_more),
        altered("next page elsewhere", _next_elsewhere),
        altered("of a list of answers", lambda answer: [answer]),
        each_row("ids of others", _set_ids("999999999999999")),
        each_row("ids, an address", _set_ids(EVIL)),
        each_row("ids, a way up", _set_ids("../Account/001Lo0000000001IAA")),
        each_row("ids, null", _set_ids(None)),
        each_row("ids, a number with a fraction", _set_ids(1.5)),
        each_row("naive times", _set_times("2026-01-01T00:00:00")),
        each_row("times of nowhere", _set_times("9999-99-99T99:99:99Z")),
        each_row("times, a number", _set_times(1e308)),
        pages.repeated_page(),
        pages.repeated_token(),
        pages.reordered_page(),
        *(faults.redirect(status, elsewhere) for status in (301, 302, 303, 307, 308)),
        *(_status(status) for status in (200, 400, 404, 409)),
    ]
    named = {f"{shape.name} {place}": shape for place, shape in enumerate(shapes)}
    assert len(named) == len(shapes)
    return named


def endless_text(length: int) -> Fault:
    """A value of the first row is very long."""

    def change(answer: Any) -> Any:
        row = rows_of(answer)[0][0]
        row.get("properties", row)["email"] = "x" * length
        return answer

    return altered("a long value", change)
