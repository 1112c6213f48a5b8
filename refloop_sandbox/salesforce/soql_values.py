"""The values of SOQL filters as they are kept: each type of field takes its own kind of literal."""

from __future__ import annotations

from refloop_sandbox.salesforce.errors import ApiError
from refloop_sandbox.salesforce.ids import full_id
from refloop_sandbox.salesforce.schema import IDS, NUMBERS, TEXTS, Field
from refloop_sandbox.salesforce.soql_parse import Literal
from refloop_sandbox.salesforce.values import Stored, read_time, time_text


def filter_value(item: Field, literal: Literal) -> Stored:
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
    raise bad_filter(item)


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


def bad_filter(item: Field) -> ApiError:
    quotes = "should be" if item.type in TEXTS | IDS else "should not be"
    kind = {"datetime": "dateTime"}.get(item.type, "string" if item.type in TEXTS | IDS else item.type)
    message = (
        f"value of filter criterion for field '{item.name}' must be of type {kind} and {quotes} enclosed in quotes"
    )
    return ApiError(400, "INVALID_FIELD", message)
