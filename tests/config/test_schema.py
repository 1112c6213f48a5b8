"""The JSON schema of config.yaml says what the loader says, as far as structure goes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from jsonschema import Draft7Validator
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from refloop.config import TEMPLATE, load_config
from refloop.config.document import read_document
from refloop.config.schema import config_schema, schema_text
from refloop.config.settings import ConfigFile, ConnectionSettings
from refloop.config.template import SCHEMA_NAME
from refloop.connectors.base import connector_class, connector_names
from refloop.errors import ConfigError

ROOT = Path(__file__).parents[2]
CONNECTORS = {name: connector_class(name).settings for name in connector_names()}
SCHEMA = config_schema(CONNECTORS)
VALIDATOR = Draft7Validator(SCHEMA)
EXAMPLE: Any = read_document(TEMPLATE.encode()).data

Place = tuple[str | int, ...]


def loads(data: object, folder: Path) -> bool:
    """Whether the loader takes a document. JSON is YAML."""
    path = folder / "config.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    try:
        load_config(path, lambda name: connector_class(name).settings)
    except ConfigError:
        return False
    return True


def test_it_is_a_schema_of_the_draft_that_it_names() -> None:
    assert SCHEMA["$schema"] == Draft7Validator.META_SCHEMA["$schema"]
    Draft7Validator.check_schema(SCHEMA)


def test_the_file_beside_the_example_is_what_is_generated() -> None:
    """`refloop init --schema` renews it."""
    assert (ROOT / SCHEMA_NAME).read_text(encoding="utf-8") == schema_text(CONNECTORS)
    (named,) = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", TEMPLATE, re.MULTILINE)
    assert (ROOT / named).samefile(ROOT / SCHEMA_NAME)


def test_the_template_and_the_example_are_valid(tmp_path: Path) -> None:
    for text in (TEMPLATE, (ROOT / "config.example.yaml").read_text(encoding="utf-8")):
        assert list(VALIDATOR.iter_errors(read_document(text.encode()).data)) == []
    assert loads(EXAMPLE, tmp_path)


# -- every key, enum and default


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def pieces(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a value may be: a schema's alternatives, each resolved."""
    schema = resolved(schema)
    yield schema
    for word in ("anyOf", "oneOf"):
        for one in schema.get(word, ()):
            yield from pieces(one)


def models() -> Iterator[tuple[type[BaseModel], Mapping[str, Any]]]:
    """Each model of the loader beside its part of the schema."""
    yield ConfigFile, SCHEMA
    for name, model in CONNECTORS.items():
        yield model, SCHEMA["$defs"][name]


def fields() -> Iterator[tuple[str, FieldInfo, Mapping[str, Any]]]:
    waiting = list(models())
    while waiting:
        model, schema = waiting.pop()
        assert schema["additionalProperties"] is False
        assert schema["properties"].keys() == model.model_fields.keys(), model
        for name, info in model.model_fields.items():
            shown = schema["properties"][name]
            yield f"{model.__name__}.{name}", info, shown
            waiting += [
                (inner, next(piece for piece in pieces(shown) if piece.get("title") == inner.__name__))
                for inner in _models(info.annotation)
                if inner is not ConnectionSettings
            ]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _choices(annotation: Any) -> set[Any]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {member.value for member in annotation}
    if get_origin(annotation) is Literal:
        return {choice.value if isinstance(choice, Enum) else choice for choice in get_args(annotation)}
    return set().union(*map(_choices, get_args(annotation)))


def _shown_choices(schema: Mapping[str, Any]) -> set[Any]:
    found: set[Any] = set()
    for piece in pieces(schema):
        found |= set(piece.get("enum", ())) | ({piece["const"]} if "const" in piece else set())
        for inner in (piece.get("propertyNames"), piece.get("additionalProperties"), piece.get("items")):
            found |= _shown_choices(inner) if isinstance(inner, dict) else set()
    return found


FIELDS = {name: (info, shown) for name, info, shown in fields()}


def test_every_key_is_there() -> None:
    assert len(FIELDS) > 50  # fields() compares the keys of each model
    for model, schema in models():
        required = {name for name, info in model.model_fields.items() if info.is_required()}
        assert set(schema["required"]) == required


@pytest.mark.parametrize("name", FIELDS)
def test_its_default_and_its_choices_are_told(name: str) -> None:
    info, shown = FIELDS[name]
    if not info.is_required():
        assert shown["default"] == to_jsonable_python(info.get_default(call_default_factory=True))
    if name.endswith(".connections"):
        return
    choices = _choices(info.annotation)
    if name == "SalesforceSettings.email_fields":
        choices.discard("deal")  # only leads and contacts are people
    assert choices <= _shown_choices(shown), name


def test_keys_that_the_template_explains_are_explained_by_it() -> None:
    told = {name: shown.get("description", "") for name, (_, shown) in FIELDS.items()}
    assert told["Matching.statuses"].startswith("Your words for where a lead stands")
    assert told["ConfigFile.money"].startswith("A referrer's contact tells what was won in one currency")
    assert told["HubSpotSettings.mirror_of"].startswith("The Salesforce connection whose records")
    assert told["HubSpotSettings.look_back"] != told["SalesforceSettings.look_back"] != ""


# -- what is refused


def places(data: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inside:
        yield from places(value, (*place, key))


def at(data: Any, place: Place) -> Any:
    for step in place:
        data = data[step]
    return data


def changed(place: Place, change: Callable[[Any, Any], None]) -> Any:
    """The example with a change made to the holder of the key at `place`."""
    data = copy.deepcopy(EXAMPLE)
    change(at(data, place[:-1]), place[-1])
    return data


def _drop(holder: Any, key: Any) -> None:
    del holder[key]


def _set(value: object) -> Callable[[Any, Any], None]:
    def change(holder: Any, key: Any) -> None:
        holder[key] = value

    return change


def _stray(holder: Any, key: Any) -> None:
    inner = holder[key]
    if isinstance(inner, dict):
        inner["stray_key"] = "x"


CHANGES: dict[str, Callable[[Any, Any], None]] = {
    "dropped": _drop,
    "a stray key": _stray,
    "null": _set(None),
    "a list": _set([["x"]]),
    "a section": _set({"stray_key": {}}),
    "a word": _set("no such word"),
    "a negative number": _set(-1),
    "a fraction": _set(1.5),
    "an empty list": _set([]),
    "an empty section": _set({}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_loader_refuses_for_its_structure_is_refused(change: str, tmp_path: Path) -> None:
    """One change at each place of the example: both take it or both refuse it."""
    seen = 0
    for place in places(EXAMPLE):
        if not place:
            continue
        data = changed(place, CHANGES[change])
        if change == "a word" and place[-1] == "url":
            continue  # a text of the right type: what an address is, the loader alone knows
        seen += 1
        assert VALIDATOR.is_valid(data) == loads(data, tmp_path), place
    assert seen > 30


AUTHS: list[Any] = [
    {"method": "jwt", "client_id": "x", "username": "u", "private_key": "file:/run/key"},
    {"method": "jwt", "client_id": "x", "username": "u"},
    {"method": "jwt", "client_id": "x", "client_secret": "env:A"},
    {"method": "access_token", "token": "keyring:refloop/sf"},
    {"method": "access_token", "token": "the-token-itself"},
    {"method": "access_token", "token": "env:1A"},
    {"method": "access_token", "token": 5},
    {"method": "service_key", "token": "env:A"},
    {"method": "oauth", "client_id": "x", "client_secret": "env:A", "refresh_token": "env:B"},
    {"method": "oauth", "client_id": "x", "client_secret": "env:A"},
    {"client_id": "x"},
]


@pytest.mark.parametrize("auth", AUTHS, ids=json.dumps)
@pytest.mark.parametrize("connection", ["salesforce", "hubspot"])
def test_each_way_to_sign_in(connection: str, auth: Any, tmp_path: Path) -> None:
    data = changed(("connections", connection, "auth"), _set(auth))
    assert VALIDATOR.is_valid(data) == loads(data, tmp_path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("connections", "salesforce", "currency"), "usd"),
        (("connections", "salesforce", "currency"), None),
        (("connections", "salesforce", "api_version"), "67"),
        (("connections", "salesforce", "api_version"), 67.0),
        (("connections", "salesforce", "email_fields"), {"deal": ["A__c"]}),
        (("connections", "salesforce", "email_fields"), {"lead": ["A__c"]}),
        (("connections", "salesforce", "code_fields"), {"leads": ["Description"]}),
        (("connections", "salesforce", "roles"), {"Tippgeber": "referrer", "*": "buyer"}),
        (("connections", "salesforce", "roles"), {"Tippgeber": "referer"}),
        (("connections", "hubspot", "api_version"), "v3"),
        (("connections", "hubspot", "code_fields"), {"contact": ["Not Internal"]}),
        (("connections", "hubspot", "code_fields"), {"lead": ["x"]}),
        (("connections", "hubspot", "look_back"), 4),
        (("connections", "hubspot", "look_back"), 10_081),
        (("connections", "hubspot", "quota_share"), 0),
        (("connections", "hubspot", "mirror_of"), "salesforce"),
        (("connections", "hubspot", "deals", "types"), {"": "new"}),
        (("connections", "Crm"), {"connector": "hubspot", "auth": {"method": "service_key", "token": "env:A"}}),
        (("connections", "crm-2"), {"connector": "hubspot", "auth": {"method": "service_key", "token": "env:A"}}),
        (("connections", "crm"), {"connector": "pipedrive"}),
        (("connections", "crm"), None),
        (("matching", "statuses"), {"Nurture": "on_hold"}),
        (("matching", "statuses"), {"Nurture": "parked"}),
        (("matching", "url_parameters"), ["a b"]),
        (("sync", "max_changes"), 0),
        (("version",), 2),
        (("ledgr",), "x.db"),
    ],
    ids=str,
)
def test_values_of_which_the_form_is_known(place: Place, value: object, tmp_path: Path) -> None:
    data = changed(place, _set(value))
    assert VALIDATOR.is_valid(data) == loads(data, tmp_path)
