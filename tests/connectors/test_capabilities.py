"""docs/connectors.md says of each connector what its class declares, and names the files that are there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from refloop.connectors import base
from refloop.connectors.base import Connector
from refloop.connectors.hubspot import HubSpot
from refloop.connectors.salesforce import Salesforce
from refloop.testing import MemoryConnector, RecallingConnector

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "connectors.md").read_text(encoding="utf-8")
CONNECTORS: Mapping[str, type[Connector]] = {
    "Salesforce": Salesforce,
    "HubSpot": HubSpot,
    "in memory": MemoryConnector,
}
CAPABILITIES = {
    name: found
    for name, found in vars(base).items()
    if getattr(found, "_is_runtime_protocol", False) and found is not Connector and found.__module__ == base.__name__
}
CELL = re.compile(r"yes|no: \S.{5,}")


def table(heading: str) -> list[dict[str, str]]:
    """The rows of the table below a heading, by column."""
    part = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    head, _, *rows = [line for line in part.splitlines() if line.startswith("|")]
    names = cells(head)
    return [dict(zip(names, cells(row), strict=True)) for row in rows]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def declared(connector: type[Connector], capability: str) -> bool:
    """Whether a class declares a capability: `Currency` by a field of its settings, `Addresses` by their methods,
    `Erases` by saying so."""
    if capability == "Addresses":
        return issubclass(connector.settings, base.Addresses)
    if capability == "Currency":
        return "currency" in connector.settings.model_fields
    if capability == "Erases":
        return bool(getattr(connector, "gone_is_erased", False))
    return issubclass(connector, CAPABILITIES[capability])


def differences(connectors: Mapping[str, type[Connector]]) -> list[str]:
    """Where the table says something else than the classes declare."""
    found = []
    for row in table("What each connector can besides"):
        capability = row["capability"].strip("`")
        for name, connector in connectors.items():
            if (row[name] == "yes") is not declared(connector, capability):
                found.append(f"{capability}: {name}")
    return found


def test_the_table_says_what_the_classes_declare() -> None:
    assert differences(CONNECTORS) == []


def test_each_capability_and_each_connector_is_in_the_table() -> None:
    rows = table("What each connector can besides")
    assert {row["capability"].strip("`") for row in rows} == set(CAPABILITIES)
    assert len(CAPABILITIES) >= 5
    assert all(row.keys() == {"capability", "is", *CONNECTORS} for row in rows)


def test_each_no_has_its_reason() -> None:
    rows = table("What each connector can besides")
    wrong = [(row["capability"], name) for row in rows for name in CONNECTORS if not CELL.fullmatch(row[name])]
    assert wrong == []


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (RecallingConnector, ["Recalls: in memory"]),
        (
            HubSpot,
            [
                "Recalls: in memory",
                "Foresees: in memory",
                "Addresses: in memory",
                "Accounts: in memory",
                "Histories: in memory",
                "Words: in memory",
                "Erases: in memory",
                "Currency: in memory",
            ],
        ),
        (
            Salesforce,
            [
                "Conditional: in memory",
                "Foresees: in memory",
                "Metadata: in memory",
                "Addresses: in memory",
                "Accounts: in memory",
                "Histories: in memory",
                "Words: in memory",
                "Currency: in memory",
            ],
        ),
    ],
)
def test_a_class_that_declares_something_else_is_seen(other: type[Connector], found: list[str]) -> None:
    assert differences({**CONNECTORS, "in memory": other}) == found


@pytest.mark.parametrize(("name", "folder"), [("Salesforce", "salesforce"), ("HubSpot", "hubspot")])
def test_the_files_that_are_named_are_there_and_the_others_are_named(name: str, folder: str) -> None:
    rows = table("The same names in each connector")
    common = {file for row in rows for file in re.findall(r"`(\w+\.py)`", row["file"])}
    own = {file for row in rows for file in re.findall(r"`(\w+\.py)`", row[name])}
    there = {path.name for path in (ROOT / "refloop" / "connectors" / folder).glob("*.py")}
    assert common | own | {"__init__.py"} == there


def test_the_files_of_http_are_named() -> None:
    rows = table("What all stand on")
    named = {file for row in rows for file in re.findall(r"`(\w+\.py)`", row["file in `refloop/connectors/http/`"])}
    there = {path.name for path in (ROOT / "refloop" / "connectors" / "http").glob("*.py")}
    assert named | {"__init__.py"} == there
