"""Reading the parts of a JSON body, each of which may be anything. All raise Refusal (400) for another shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refloop_sandbox.hubspot.errors import Refusal, bad_request

MAX_DIGITS = 18


def is_number(value: object) -> bool:
    """Says whether a value is a whole number of a length that ids and counts have."""
    text = str(value)
    return not isinstance(value, bool) and text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS


def whole(body: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """A whole number, as such or as text; -1 stands for "at the end" in display orders."""
    value = body.get(key)
    if value in (None, ""):
        value = default
    if value == -1 and not isinstance(value, bool):
        return -1
    if not is_number(value):
        raise _shape(key, "a whole number")
    return int(str(value))


def objects(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of JSON objects; empty where there is none."""
    value = body.get(key)
    found = [] if value is None else value
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise _shape(key, "a list of objects")
    return found


def texts(body: Mapping[str, Any], key: str) -> list[str]:
    """A list of texts; empty where there is none."""
    value = body.get(key)
    found = [] if value is None else value
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise _shape(key, "a list of texts")
    return found


def mapping(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A JSON object; empty where there is none."""
    value = body.get(key)
    found = {} if value is None else value
    if not isinstance(found, dict):
        raise _shape(key, "an object")
    return found


def type_ids(body: Mapping[str, Any], key: str = "types") -> list[int]:
    """The association types of a v4 body, of which there must be one."""
    found = [whole(item, "associationTypeId") for item in objects(body, key)]
    if not found:
        raise bad_request(f"Some required fields were not set: [{key}]")
    return found


def _shape(key: str, what: str) -> Refusal:
    return bad_request(f"Invalid input JSON: Cannot deserialize `{key}`, it must be {what}", None)
