"""The JSON schema of config.yaml, for editors: made from the models that the loader checks by, never written by hand.

It knows the structure: keys, types, choices, forms, defaults, what is required. What needs more than one value to be
judged, or a look at the world (is there such a time zone? does `mirror_of` name a connection?), only the loader knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from refloop.config.settings import CONNECTION_NAME, ConfigFile, ConnectionSettings
from refloop.config.template import TEMPLATE

TITLE = "refloop: config.yaml"
_DRAFT = "http://json-schema.org/draft-07/schema#"
"""What the YAML language server of editors understands in all its versions; nothing here needs a later draft."""

_KEY = re.compile(r"( *)(?:# ([a-z_]+):(?: \S+)?|([a-z_]+):(?: .*)?)")
"""A key, or one in a comment: where blanks stand in what follows that, it is prose."""
_COMMENT = re.compile(r" *# ?(.*)")

Json = dict[str, Any]
Place = tuple[str, ...]


def config_schema(connectors: Mapping[str, type[ConnectionSettings]]) -> Json:
    """The schema of a config.yaml whose connections may be of these connectors, by name."""
    schema = ConfigFile.model_json_schema(schema_generator=_Generate)
    shared: Json = schema.pop("$defs", {})
    shared.pop(ConnectionSettings.__name__, None)
    told = _told()
    _describe(schema, shared, told, ())
    for name, settings in connectors.items():
        shared |= _definitions(name, settings, told)
    for key in schema["properties"].keys() - set(schema["required"]):
        schema["properties"][key] = _or_nothing(schema["properties"][key])
    connections = schema["properties"]["connections"]
    for word in ("minLength", "minProperties"):  # pydantic before 2.12 has the word for texts here
        connections.pop(word, None)
    connections["minProperties"] = 1
    connections["propertyNames"] = {"pattern": f"^{CONNECTION_NAME}$"}
    connections["additionalProperties"] = _one_of(sorted(connectors))
    whole: Json = _portable({"$schema": _DRAFT, **schema, "title": TITLE, "$defs": dict(sorted(shared.items()))})
    return whole


def schema_text(connectors: Mapping[str, type[ConnectionSettings]]) -> str:
    """The schema as the file that is written."""
    return json.dumps(config_schema(connectors), ensure_ascii=False, indent=2) + "\n"


class _Generate(GenerateJsonSchema):
    """Tells the defaults that are made anew each time, too."""

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        if "default_factory" in schema and not schema.get("default_factory_takes_data"):
            return schema["default_factory"]()  # type: ignore[call-arg]  # it takes nothing, as was just asked
        return super().get_default_value(schema)


def _definitions(name: str, settings: type[ConnectionSettings], told: Mapping[Place, str]) -> Json:
    """What a connector's settings are made of: each name begins with `name`, for two may have classes of one name."""
    schema = settings.model_json_schema(schema_generator=_Generate, ref_template=f"#/$defs/{name}.{{model}}")
    inner: Json = schema.pop("$defs", {})
    shared = {f"{name}.{key}": value for key, value in inner.items()}
    _describe(schema, shared, told, ("connections", name))
    schema["properties"]["connector"] = {"const": name, "description": "The kind of CRM."}
    return {name: schema, **shared}


def _describe(schema: Json, shared: Json, told: Mapping[Place, str], place: Place) -> None:
    """Gives each key the words that the template has for it, in place of a title that only repeats its name."""
    for key, value in schema.get("properties", {}).items():
        value.pop("title", None)
        here = (*place, key)
        if here in told:
            value["description"] = told[here]
        _describe(shared.get(value.get("$ref", "").removeprefix("#/$defs/"), {}), shared, told, here)


def _told() -> Mapping[Place, str]:
    """What the template's comments say of each key: those right above it, of a key in a comment too."""
    told: dict[Place, str] = {}
    place: Place = ()
    above: list[str] = []
    for line in TEMPLATE.splitlines():
        key = _KEY.fullmatch(line)
        if key:
            depth = len(key[1]) // 2
            here = (*place[:depth], key[2] or key[3])
            place = here if key[3] else place
            words = " ".join(_sentences(above))
            if words:
                told.setdefault(here, words)
        comment = _COMMENT.fullmatch(line)
        above = [*above, comment[1]] if comment and not key else []
    return told


def _sentences(lines: list[str]) -> Iterator[str]:
    """The last block of a comment, without what is an example."""
    block = takewhile(str.strip, reversed(lines))
    return (line.strip() for line in reversed(list(block)) if not line.startswith("  "))


def _or_nothing(value: Json) -> Json:
    """A section whose keys are all commented out is null: it says nothing."""
    about: Json = {key: value[key] for key in ("default", "description") if key in value}
    return {"anyOf": [{key: value[key] for key in value if key not in about}, {"type": "null"}], **about}


def _one_of(names: list[str]) -> Json:
    """A connection is checked by the settings of the connector that it names. Said as conditions, so that an editor
    tells what is wrong with this one and not why it is none of the others."""
    return {
        "type": "object",
        "required": ["connector"],
        "properties": {"connector": {"enum": names, "description": "The kind of CRM."}},
        "allOf": [
            {
                "if": {"required": ["connector"], "properties": {"connector": {"const": name}}},
                "then": {"$ref": f"#/$defs/{name}"},
            }
            for name in names
        ],
    }


def _portable(value: Any) -> Any:
    r"""Patterns as every language reads them: `\z` is Rust's, where `$` is the very end for JSON Schema (ECMA-262)."""
    if isinstance(value, dict):
        patterns = {"pattern": value["pattern"].replace(r"\z", "$")} if isinstance(value.get("pattern"), str) else {}
        return {key: _portable(inner) for key, inner in value.items()} | patterns
    return [_portable(inner) for inner in value] if isinstance(value, list) else value
