"""When two records may be one person though nothing says that they are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from refloop.mapping.namesakes import may_be_one_person
from refloop.model import Kind, Record, Ref

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def person(name: str | None, title: str | None = None, account: str | None = None, connection: str = "crm") -> Record:
    return Record(Ref(connection, Kind.CONTACT, "1"), DAY, DAY, name=name, title=title, account=account)


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        (person("Bo Biggs", "Buyer Inc."), person("BO BIGGS", "buyer"), True),
        (person("Bo Biggs", "Buyer GmbH & Co. KG"), person("Bo Biggs", "Buyer"), True),
        (person("Bo Biggs", account="A1"), person("Bo Biggs", account="A1"), True),
        (person("Bo Biggs", account="A1"), person("Bo Biggs", account="A1", connection="other"), False),
        (person("Bo Biggs", account="A1"), person("Bo Biggs", account="A2"), False),
        (person("Bo Biggs", "Buyer"), person("Bo Biggs", "Other"), False),
        (person("Bo Biggs", "Buyer"), person("Bea Biggs", "Buyer"), False),
        (person("Bo Biggs"), person("Bo Biggs"), False),
        (person("Bo", "Buyer"), person("Bo", "Buyer"), False),
        (person(None, "Buyer"), person(None, "Buyer"), False),
    ],
)
def test_the_same_name_at_the_same_company(one: Record, other: Record, may: bool) -> None:
    assert may_be_one_person(one, other) is may
    assert may_be_one_person(other, one) is may
