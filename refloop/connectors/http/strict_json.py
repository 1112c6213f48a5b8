"""JSON as RFC 8259 has it, and no more of it than that: what a CRM answers is believed only when it is that."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

MAX_DEPTH = 64


def parsed_json(body: bytes) -> Any:
    """One JSON value; numbers with a fraction or an exponent as `Decimal`.

    NONSENSE for what is not JSON, and for what Python's parser lets through: NaN and Infinity,
    a name given twice, nesting deeper than MAX_DEPTH, bytes that are not UTF-8.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, ArithmeticError, RecursionError):
        value = NONSENSE
    return NONSENSE if _depth_exceeds(value, MAX_DEPTH) else value


NONSENSE = object()
"""What `parsed_json` gives for bytes that are not strict JSON: `None` is a value."""


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name is given twice")
    return values


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
    return bool(level)
