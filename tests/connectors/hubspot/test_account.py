"""What an account says of itself: which one it is, its zone, its currency; what its own words and properties are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import responses

from refloop.connectors.base import Accounts
from refloop.connectors.hubspot import HubSpot
from refloop.connectors.hubspot.fields import Property
from refloop.connectors.hubspot.layout import Layout, Stage, layout_of, read_layout
from refloop.connectors.hubspot.settings import CodeFields
from refloop.model import Account as Said
from refloop.model import Everything, Kind, Outcome
from tests.connectors.hubspot.account import START, Account, calls, records
from tests.connectors.hubspot.answers import URL, answers

DETAILS = f"{URL}/account-info/2026-03/details"


def test_an_account_says_which_it_is_where_and_in_what_it_counts(accounts: Callable[..., Account]) -> None:
    account = accounts(portal_id=4711, time_zone="America/Los_Angeles", currency="CHF")
    hubspot = account.hubspot()
    assert isinstance(hubspot, Accounts)
    said = hubspot.account(None)
    assert said == Said("4711", "America/Los_Angeles", "CHF")
    assert hubspot.account(said) == said, "what is known is confirmed by a call"
    assert calls(account.crm) == {"GET /account-info/details": 2}
    ours = account.hubspot(time_zone="Europe/Berlin")
    assert ours.account(None) == Said("4711", "Europe/Berlin", "CHF")


def test_what_it_said_is_not_asked_again_in_a_run(accounts: Callable[..., Account]) -> None:
    account = accounts(currency="CHF")
    account.crm.load("deals", [{"amount": "10", "createdate": START}])
    hubspot = account.hubspot(currency=None)
    hubspot.account(None)
    (deal,) = records(account.pull(hubspot, Everything())).values()
    assert deal.currency == "CHF"
    assert calls(account.crm)["GET /account-info/details"] == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"portalId": 4711}, Said("4711")),
        ({"portalId": "4711", "timeZone": "", "companyCurrency": "francs"}, Said("4711")),
        ({"portalId": None, "timeZone": 7, "companyCurrency": 7}, Said()),
        ({"portalId": True}, Said()),
        ({"portalId": 0}, Said()),
    ],
)
def test_what_it_does_not_say_is_none(
    crm: responses.RequestsMock, hubspot: HubSpot, answer: dict[str, Any], said: Said
) -> None:
    answers(crm, "GET", DETAILS, answer)
    assert hubspot.account(None) == said


def test_what_the_token_may_not_see_is_none(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    answers(crm, "GET", DETAILS, {"category": "MISSING_SCOPES"}, status=403)
    assert hubspot.account(Said("4711")) == Said()


STAGES = {
    ("default", "closedwon"): Stage("Closed won", Outcome.WON),
    ("default", "open"): Stage("Open", Outcome.OPEN),
    ("77", "98765432"): Stage("Renewed", Outcome.WON),
    ("77", "1f2e-AB"): Stage("Gone", Outcome.LOST),
    ("77", "odd"): Stage("Odd", None),
    ("77", "unkept"): Stage("Lost", Outcome.LOST),
}


def date(name: str) -> Property:
    return Property(name, "datetime", read_only=True)


def choice(name: str, *values: str) -> Property:
    return Property(name, "enumeration", read_only=False, options=tuple({"value": one} for one in values))


CONTACTS = [
    choice("lifecyclestage", "lead", "customer", "98765", "evangelist"),
    date("hs_v2_date_entered_lead"),
    date("hs_lifecyclestage_lead_date"),
    date("hs_lifecyclestage_customer_date"),
    date("hs_v2_date_entered_98765_1234"),
    choice("partner", "p17"),
    choice("nothing_to_choose"),
    Property("heard_of_us", "string", read_only=False),
]
DEALS = [
    date("hs_v2_date_entered_closedwon"),
    date("hs_v2_date_entered_98765432"),
    date("hs_v2_date_entered_1f2e_ab_77"),
]


def test_the_properties_of_an_account_say_what_is_read_beside_the_usual_ones() -> None:
    there = {kind: {one.name: one for one in found} for kind, found in ((Kind.CONTACT, CONTACTS), (Kind.DEAL, DEALS))}
    names = ("partner", "heard_of_us", "nothing_to_choose", "no_more")
    layout = layout_of(there.__getitem__, STAGES, CodeFields(contact=names))
    assert layout.entered[Kind.CONTACT] == {
        "lead": "hs_v2_date_entered_lead",
        "customer": "hs_lifecyclestage_customer_date",
        "98765": "hs_v2_date_entered_98765_1234",
    }
    assert layout.entered[Kind.DEAL] == {
        "closedwon": "hs_v2_date_entered_closedwon",
        "98765432": "hs_v2_date_entered_98765432",
        "1f2e-AB": "hs_v2_date_entered_1f2e_ab_77",
    }
    assert layout.choices == {Kind.CONTACT: ("partner",), Kind.DEAL: ()}
    assert read_layout(layout.text()) == layout


def test_without_the_right_to_see_properties_the_usual_stages_are_read() -> None:
    layout = layout_of(lambda _kind: {}, STAGES, CodeFields(contact=("partner",)))
    assert layout.entered[Kind.CONTACT]["customer"] == "hs_v2_date_entered_customer"
    assert len(layout.entered[Kind.CONTACT]) == 8
    assert layout.entered[Kind.DEAL]["closedwon"] == "hs_v2_date_entered_closedwon"
    assert layout.choices[Kind.CONTACT] == ()


def test_however_many_stages_an_account_has_their_names_find_room() -> None:
    stages = {("p", str(number)): Stage("Won", Outcome.WON) for number in range(10_000)}
    assert len(layout_of(lambda _kind: {}, stages, CodeFields()).entered[Kind.DEAL]) == 60
    assert read_layout(Layout().text()) == Layout()
