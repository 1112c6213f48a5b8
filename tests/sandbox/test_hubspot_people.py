"""What people do inside the CRM, through the Python interface."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from refloop_sandbox.hubspot import LocalHubSpot

START = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)


@pytest.fixture
def hubspot() -> LocalHubSpot:
    return LocalHubSpot(clock=lambda: START)


def test_a_load_keeps_what_it_is_given(hubspot: LocalHubSpot) -> None:
    hubspot.define_property("deals", {"name": "ref_amount", "type": "number"})
    (deal,) = hubspot.load(
        "deals",
        [
            {
                "hs_object_id": 5000,
                "dealname": "D",
                "amount": Decimal("10.50"),
                "ref_amount": 3,
                "createdate": datetime(2025, 1, 1, tzinfo=UTC),
                "hs_lastmodifieddate": "2025-02-01T00:00:00.001Z",
                "dealstage": "closedwon",
                "closedate": "2025-01-15T00:00:00Z",
                "hs_analytics_source": "REFERRALS",
                "description": None,
            }
        ],
    )
    found = hubspot.get("deals", deal) or {}
    assert deal == found["hs_object_id"] == "5000"
    assert (found["createdate"], found["hs_lastmodifieddate"]) == ("2025-01-01T00:00:00Z", "2025-02-01T00:00:00.001Z")
    assert (found["amount"], found["ref_amount"], found["pipeline"]) == ("10.50", "3", "default")
    assert found["hs_closed_won_date"] == "2025-01-15T00:00:00Z"
    assert "description" not in found
    assert hubspot.create("deals", {}) == "5001"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"nonsense": "1"}], "contacts have no property 'nonsense'"),
        ([{"createdate": "soon"}], "contacts.createdate: INVALID_LONG"),
        ([{"email": "a@x.org"}, {"email": "A@x.org"}], "two contacts have the same value of a unique property"),
    ],
)
def test_a_load_that_cannot_be_is_refused_whole(
    hubspot: LocalHubSpot, rows: list[Mapping[str, object]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        hubspot.load("contacts", rows)
    assert list(hubspot.rows("contacts")) == []


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"hs_object_id": "1"}, "READ_ONLY_VALUE"),
        ({"nonsense": "1"}, "PROPERTY_DOESNT_EXIST"),
        ({"email": "a@x.org"}, "Contact already exists"),
    ],
)
def test_people_cannot_do_what_hubspot_forbids(
    hubspot: LocalHubSpot, properties: Mapping[str, object], message: str
) -> None:
    hubspot.create("contacts", {"email": "a@x.org"})
    with pytest.raises(ValueError, match=message):
        hubspot.create("contacts", properties)
    assert len(list(hubspot.rows("contacts"))) == 1


def test_what_is_gone_cannot_be_touched(hubspot: LocalHubSpot) -> None:
    contact = hubspot.create("contacts", {})
    hubspot.archive("contacts", contact)
    with pytest.raises(KeyError, match=f"contacts {contact}"):
        hubspot.update("contacts", contact, {"firstname": "A"})
    assert hubspot.get("contacts", contact) is None


def test_a_removed_property_is_not_shown(hubspot: LocalHubSpot) -> None:
    hubspot.define_property("contacts", {"name": "ref_code"})
    contact = hubspot.create("contacts", {"ref_code": "A"})
    hubspot.remove_property("contacts", "ref_code")
    assert "ref_code" not in (hubspot.get("contacts", contact) or {})
    with pytest.raises(ValueError, match="PROPERTY_DOESNT_EXIST"):
        hubspot.update("contacts", contact, {"ref_code": "B"})


def test_a_merge_takes_first_urls_of_the_older_and_keeps_lost_values_in_the_history(hubspot: LocalHubSpot) -> None:
    hubspot.define_property("contacts", {"name": "ref_code"})
    young, old = hubspot.load(
        "contacts",
        [
            {"ref_code": "YOUNG", "hs_analytics_first_url": "https://x.org/?ref=1", "createdate": START},
            {
                "ref_code": "OLD",
                "hs_analytics_first_url": "https://x.org/?ref=2",
                "createdate": START - timedelta(days=1),
                "lifecyclestage": "customer",
            },
        ],
    )
    survivor = hubspot.merge("contacts", young, old)
    found = hubspot.get("contacts", survivor) or {}
    assert found["ref_code"] == "YOUNG"
    assert found["hs_analytics_first_url"] == "https://x.org/?ref=2"
    assert found["lifecyclestage"] == "customer"
    assert found["createdate"] == "2026-08-31T10:00:00Z"
    assert {value for value, _, _ in hubspot.history("contacts", survivor, "ref_code")} == {"YOUNG", "OLD"}


def test_merges_of_merges_lead_to_the_last(hubspot: LocalHubSpot) -> None:
    a, b, c = (hubspot.create("deals", {"dealname": name}) for name in "abc")
    ab = hubspot.merge("deals", a, b)
    abc = hubspot.merge("deals", c, ab)
    assert {(hubspot.get("deals", one) or {})["hs_object_id"] for one in (a, b, c, ab, abc)} == {abc}
    assert set((hubspot.get("deals", abc) or {})["hs_merged_object_ids"].split(";")) == {a, b, c, ab}
    with pytest.raises(ValueError, match="itself"):
        hubspot.merge("deals", a, b)


class Crm(RuleBasedStateMachine):
    """The account against a plain dictionary: people edit, merge, associate and delete contacts in any order."""

    contacts = Bundle("contacts")

    def __init__(self) -> None:
        super().__init__()
        self.hubspot = LocalHubSpot(clock=lambda: START)
        self.deal = self.hubspot.create("deals", {"dealname": "D"})
        self.names: dict[str, str] = {}
        self.linked: set[str] = set()

    @rule(target=contacts, name=st.sampled_from(["", "Ann", "Bob"]))
    def create(self, name: str) -> str:
        contact = self.hubspot.create("contacts", {"firstname": name})
        self.names[contact] = name
        return contact

    @rule(contact=contacts, name=st.sampled_from(["", "Ann", "Bob"]))
    def edit(self, contact: str, name: str) -> None:
        self.hubspot.update("contacts", contact, {"firstname": name})
        self.names[contact] = name

    @rule(contact=contacts)
    def link(self, contact: str) -> None:
        self.hubspot.associate("contacts", contact, "deals", self.deal)
        self.linked.add(contact)

    @rule(contact=contacts)
    def unlink(self, contact: str) -> None:
        self.hubspot.disassociate("deals", self.deal, "contacts", contact)
        self.linked.discard(contact)

    @rule(contact=consumes(contacts))
    def archive(self, contact: str) -> None:
        self.hubspot.archive("contacts", contact)
        del self.names[contact]
        self.linked.discard(contact)

    @rule(target=contacts, primary=consumes(contacts), other=consumes(contacts))
    def merge(self, primary: str, other: str) -> str:
        survivor = self.hubspot.merge("contacts", primary, other)
        self.names[survivor] = self.names.pop(primary) or self.names[other]
        del self.names[other]
        if {primary, other} & self.linked:
            self.linked = self.linked - {primary, other} | {survivor}
        return survivor

    @invariant()
    def the_account_is_as_the_model(self) -> None:
        shown = {contact: row.get("firstname", "") for contact, row in self.hubspot.rows("contacts")}
        assert shown == self.names
        assert set(self.hubspot.associations("deals", self.deal, "contacts")) == self.linked
        deal = self.hubspot.get("deals", self.deal) or {}
        assert deal["num_associated_contacts"] == str(len(self.linked))


TestCrm = Crm.TestCase
TestCrm.settings = settings(max_examples=30, stateful_step_count=20)
