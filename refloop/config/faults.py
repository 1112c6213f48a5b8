"""What pydantic found -> faults in the words of config.yaml, each at its line. No message repeats a value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from refloop.config.document import Document, Fault, Key

_KEY_OF_MAPPING = "[key]"  # pydantic's last step for a mapping's key that is itself wrong
_SHOWN_CHOICES = 12

_SECTION = "must be a section; write its keys below it, indented"
_LIST = "must be a list; write `[a, b]`"
_WHOLE_NUMBER = "must be a whole number; write it without quotes or a point"
_MESSAGES = {
    "missing": "is missing; add it",
    "literal_error": "is not known; use {expected}",
    "enum": "is not known; use {expected}",
    "string_type": "must be text; put it in quotes",
    "string_pattern_mismatch": "has the wrong form; it must match {pattern}",
    "too_short": "is empty; add at least {min_length}",
    "dict_type": _SECTION,
    "mapping_type": _SECTION,
    "model_type": _SECTION,
    "model_attributes_type": _SECTION,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
}


def faults_of(error: ValidationError, model: type[BaseModel], document: Document, base: Key = ()) -> Iterator[Fault]:
    """The faults of the part of `document` at `base`, checked as `model`.

    What lies at or under a refused key is left out: that key has its fault already. So is a missing key for
    which an unknown neighbour looks like a misspelling.
    """
    misspelt: set[Key] = set()
    data = _at(document.data, base)
    for detail in sorted(error.errors(include_url=False, include_input=False), key=_unknown_first):
        place = _place(detail, model, data)
        key = (*base, *place.key)
        if any(key[:depth] in document.refused for depth in range(len(key) + 1)):
            continue
        if detail["type"] == "missing" and key in misspelt:
            continue
        guess = _guess(str(key[-1]), place.allowed) if _is_unknown_key(detail) else None
        if guess:
            misspelt.add((*key[:-1], guess))
        yield Fault(document.line(key), key, _message(detail, place, guess))


def shown(key: Key) -> str:
    """`connections.crm.code_fields.lead[0]`; odd characters are escaped, long keys cut."""
    text = ""
    for step in key:
        if isinstance(step, int):
            text += f"[{step}]"
            continue
        step = step if step.isprintable() and step else ascii(step)
        text += f"{'.' if text else ''}{step if len(step) <= 60 else step[:60] + '...'}"
    return text


def _unknown_first(detail: ErrorDetails) -> bool:
    return not _is_unknown_key(detail)


def _is_unknown_key(detail: ErrorDetails) -> bool:
    return detail["type"] == "extra_forbidden" or detail["loc"][-1:] == (_KEY_OF_MAPPING,)


def _at(data: Any, key: Key) -> Any:
    for step in key:
        data = data[step]
    return data


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an error is, as a person wrote it, and what is `allowed` there: keys, or a discriminator's values."""

    key: Key
    allowed: frozenset[str] = frozenset()


def _place(detail: ErrorDetails, model: type[BaseModel], data: Any) -> _Place:
    """Walks the error's location through models and data alike.

    pydantic adds the tag or class name of a union's member in between: that step narrows the models, and was
    not written by anybody.
    """
    key: list[str | int] = []
    around = models = [model]
    for step in detail["loc"]:
        members = [found for found in models if step in _names(found)] if len(models) > 1 else []
        if members:
            around = models = members
        elif step != _KEY_OF_MAPPING:
            inside = [inner for found in models for inner in _models_under(found, step)]
            around, models = models, inside or models
            if _holds(data, step):
                data = data[step]
                key.append(step)
            elif detail["type"] == "missing":
                key.append(step)
    if detail["type"].startswith("union_tag_"):
        name = str(detail["ctx"]["discriminator"]).strip("'")
        return _Place((*key, name), frozenset(str(tag) for found in models for tag in _tags(_fields(found).get(name))))
    if detail["loc"][-1:] == (_KEY_OF_MAPPING,):
        return _Place(tuple(key), frozenset(re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))))
    return _Place(tuple(key), frozenset(name for found in around for name in _fields(found)))


def _holds(data: Any, step: str | int) -> bool:
    return step in data if isinstance(data, dict) else isinstance(data, list) and isinstance(step, int)


def _message(detail: ErrorDetails, place: _Place, guess: str | None) -> str:
    if _is_unknown_key(detail):
        return f"is not a key here; {f'did you mean `{guess}`?' if guess else f'use one of: {_choices(place.allowed)}'}"
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":
            return str(context["error"])
        case "union_tag_not_found":
            return f"is missing; use one of: {_choices(place.allowed)}"
        case "union_tag_invalid":
            return f"is not known; use one of: {_choices(place.allowed)}"
        case known if known in _MESSAGES:
            return _MESSAGES[known].format_map(context)
    return detail["msg"].replace("Input should", "must", 1) + "; correct it"


def _guess(word: str, allowed: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word[:60].casefold(), sorted(allowed), n=1)), None)


def _choices(allowed: Iterable[str]) -> str:
    names = sorted(allowed)
    return ", ".join(names[:_SHOWN_CHOICES]) + (", ..." if len(names) > _SHOWN_CHOICES else "")


def _models_under(model: type[BaseModel], step: str | int) -> Iterator[type[BaseModel]]:
    info = _fields(model).get(str(step))
    return _models_in(info.annotation) if info else iter(())


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _names(model: type[BaseModel]) -> set[Any]:
    return {model.__name__}.union(*(_tags(info) for info in model.model_fields.values()))


def _tags(info: FieldInfo | None) -> tuple[Any, ...]:
    return get_args(info.annotation) if info and get_origin(info.annotation) is Literal else ()


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
