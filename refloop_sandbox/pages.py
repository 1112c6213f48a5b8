"""Faults of lists: pages that come twice, in disorder or short, and tokens that lead nowhere.

They know a page by its shape, in whatever API: `results` or `records` of a JSON object, those of the parts of a
composite answer, or the rows of a CSV file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

from refloop_sandbox.faults import Alter, Asked, Fault, Reply

_LISTS = ("results", "records")
_LOCATOR = re.compile(r"(?<!/jobs)(/query(?:All)?)/[^/?]+", re.IGNORECASE)


def repeated_page() -> Fault:
    """The page before comes again; its token leads to this one, so that the client gets on. Waits for a page."""
    return Fault("repeated page", alter=Alter(_again, lambda _asked, before: before is not None))


def reordered_page() -> Fault:
    """The rows of a page, the last one first."""
    return _rearranged("reordered page", lambda rows: rows[::-1])


def short_page(missing: int = 1) -> Fault:
    """The last rows of a page are missing; whatever counts them counts them still."""
    return _rearranged("short page", lambda rows: rows[: max(0, len(rows) - missing)])


def _rearranged(name: str, change: Callable[[list[Any]], list[Any]]) -> Fault:
    return Fault(name, alter=Alter(lambda _asked, reply, _before: _with_rows(reply, change)))


def repeated_token() -> Fault:
    """The token for the next page is the one that asked for this page. Waits for a request that has one."""
    return Fault("repeated token", alter=Alter(_same_token, lambda asked, _before: _token(asked) is not None))


def family(asked: Asked) -> str:
    """What the pages of one list have in common in their addresses."""
    path = asked.path.partition("?")[0]
    return f"{asked.method} {_LOCATOR.sub(lambda found: found[1], path)}"


def is_page(reply: Reply) -> bool:
    """Whether an answer holds rows of a list."""
    if reply.status != 200:
        return False
    return _is_csv(reply) or any(name in holder for holder in _holders(_parsed(reply)) for name in _LISTS)


def _again(_asked: Asked, reply: Reply, before: Reply | None) -> Reply:
    return reply if before is None else before


def _with_rows(reply: Reply, change: Callable[[list[Any]], list[Any]]) -> Reply:
    if _is_csv(reply):
        head, *rows = reply.body.splitlines(keepends=True)
        return reply._replace(body=b"".join([head, *change(rows)]))
    body = _parsed(reply)
    for holder in _holders(body):
        for name in _LISTS:
            if isinstance(holder.get(name), list):
                holder[name] = change(holder[name])
    return _packed(reply, body)


def _same_token(asked: Asked, reply: Reply, _before: Reply | None) -> Reply:
    token = _token(asked) or ""
    if "sforce-locator" in reply.headers:
        return reply._replace(headers={**reply.headers, "sforce-locator": token})
    body = _parsed(reply)
    if not isinstance(body, dict):
        return reply
    if "compositeResponse" in body:
        paths = _paths_with_locators(asked)
        for part in body["compositeResponse"]:
            if part["referenceId"] in paths and isinstance(part["body"], dict):
                part["body"].update(nextRecordsUrl=paths[part["referenceId"]], done=False)
    elif _LOCATOR.search(asked.path):
        body.update(nextRecordsUrl=asked.path, done=False)
    else:
        body["paging"] = {"next": {"after": token}}
    return _packed(reply, body)


def _paths_with_locators(asked: Asked) -> dict[str, str]:
    """The parts of a composite call that ask for a later page, by their reference ids."""
    body = _parsed_bytes(asked.body)
    parts = body.get("compositeRequest") if isinstance(body, dict) else None
    return {part["referenceId"]: part["url"] for part in parts or () if _LOCATOR.search(part["url"])}


def _token(asked: Asked) -> str | None:
    """The token that a request carries: in its query, its body or its path."""
    path, _, query = asked.path.partition("?")
    named = parse_qs(query)
    for name in ("after", "locator"):
        if name in named:
            return named[name][0]
    if b'"after"' in asked.body:
        return str(json.loads(asked.body)["after"])
    if _LOCATOR.search(path):
        return path
    return next(iter(_paths_with_locators(asked).values()), None) if b"compositeRequest" in asked.body else None


def _holders(body: Any) -> Iterator[dict[str, Any]]:
    if isinstance(body, dict):
        yield body
        for part in body.get("compositeResponse") or ():
            yield from _holders(part.get("body"))


def _is_csv(reply: Reply) -> bool:
    return reply.headers.get("content-type", "").startswith("text/csv")


def _parsed(reply: Reply) -> Any:
    return _parsed_bytes(reply.body)


def _parsed_bytes(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _packed(reply: Reply, body: Any) -> Reply:
    return reply._replace(body=json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode())
