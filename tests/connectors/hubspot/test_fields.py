from __future__ import annotations

from typing import Any

import pytest

from refloop.connectors.hubspot.fields import (
    Property,
    definition,
    group_name,
    misfits,
    missing_options,
    more_options,
    read_property,
)
from refloop.errors import CrmUnavailable
from refloop.model import FieldSpec, FieldType, Kind


def spec(name: str = "ref_code", kind: FieldType = FieldType.TEXT, **more: Any) -> FieldSpec:
    return FieldSpec(name, "Label", kind, (Kind.CONTACT,), **more)


@pytest.mark.parametrize(
    ("names", "group"),
    [
        (["ref_code", "ref_status", "ref_status_at"], "ref_referral_attribution"),
        (["ref_code", "ref_campaign"], "ref_referral_attribution"),
        (["my_ref_code", "my_ref_status"], "my_ref_referral_attribution"),
        (["ref_code"], "ref_referral_attribution"),
        (["code", "status"], "referral_attribution"),
    ],
)
def test_the_group_is_named_by_the_prefix(names: list[str], group: str) -> None:
    assert group_name([spec(name) for name in names]) == group


@pytest.mark.parametrize(
    ("kind", "type_", "field_type"),
    [
        (FieldType.TEXT, "string", "text"),
        (FieldType.CHOICE, "enumeration", "select"),
        (FieldType.NUMBER, "number", "number"),
        (FieldType.MONEY, "number", "number"),
        (FieldType.TIME, "datetime", "date"),
    ],
)
def test_each_type_has_a_definition(kind: FieldType, type_: str, field_type: str) -> None:
    made = definition(spec(kind=kind, choices=(("won", "Won"),), description="Why"), "g")
    assert (made["type"], made["fieldType"], made["groupName"], made["description"]) == (
        type_,
        field_type,
        "g",
        "Why Managed by refloop.",
    )
    assert ("options" in made) == (kind is FieldType.CHOICE)


CHOICE = spec("ref_status", FieldType.CHOICE, choices=(("won", "Won"), ("lost", "Lost")))
OLD = Property(
    "ref_status", "enumeration", read_only=False, options=({"value": "lost", "label": "Verloren", "hidden": True},)
)


def test_missing_options_are_added_behind_those_that_are_there() -> None:
    assert missing_options(CHOICE, OLD) == ["won"]
    assert [(one["value"], one["label"]) for one in more_options(CHOICE, OLD)] == [("lost", "Verloren"), ("won", "Won")]


@pytest.mark.parametrize(
    ("there", "wrong"),
    [
        (Property("ref_code", "string", read_only=False), []),
        (Property("ref_code", "number", read_only=False), ["has the type number, refloop needs string"]),
        (Property("ref_code", "string", read_only=True), ["is read-only for integrations"]),
    ],
)
def test_misfits(there: Property, wrong: list[str]) -> None:
    assert list(misfits(spec(), there)) == wrong


@pytest.mark.parametrize(
    ("entry", "read_only"),
    [
        ({}, False),
        ({"calculated": True}, True),
        ({"modificationMetadata": {"readOnlyValue": True}}, True),
        ({"modificationMetadata": {"readOnlyValue": False}}, False),
    ],
)
def test_a_property_is_read(entry: dict[str, Any], read_only: bool) -> None:
    one = read_property({"name": "x", "type": "string", "options": [{"value": "a"}]} | entry, "them")
    assert (one.name, one.type, one.read_only, set(one.values)) == ("x", "string", read_only, {"a"})


@pytest.mark.parametrize("entry", [{}, {"name": "x"}, {"type": "string"}, {"name": 1, "type": "string"}])
def test_a_property_without_name_or_type_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(CrmUnavailable):
        read_property(entry, "the properties of deals")
