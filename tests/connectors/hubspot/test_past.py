"""What fields held before, by the histories that HubSpot keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses

from refloop.connectors.base import Histories
from refloop.connectors.hubspot import HubSpot
from refloop.connectors.hubspot.past import MERGED
from refloop.model import FieldHistory, Kind, Ref, Version, parse_time
from tests.connectors.hubspot.account import DAY, FIELDS, MINUTE, START, Account, calls
from tests.connectors.hubspot.answers import SOME, URL, answers, knows_little, row

CONTACT_READ = "POST /crm/objects/contacts/batch/read"
PARTNER = {
    "name": "partner",
    "type": "enumeration",
    "options": [{"value": "p17", "label": "Ann Gram (ANN-2026)"}, {"value": "Direct", "label": "Direct"}],
}


def contact(id_: str) -> Ref:
    return Ref("hub", Kind.CONTACT, id_)


def pasts(hubspot: HubSpot, *refs: Ref) -> dict[tuple[str, str], FieldHistory]:
    return {(one.ref.id, one.field): one for one in hubspot.histories(refs)}


def test_a_code_came_when_the_history_says_so(account: Account) -> None:
    account.crm.define_property("contacts", PARTNER)
    old = account.crm.create("contacts", {"email": "old@example.com"})
    born = account.crm.create("contacts", {"email": "born@example.com", "message": "code ANN-2026"})
    account.clock.now += DAY
    account.crm.update("contacts", old, {"message": "code ANN-2026", "partner": "p17"})
    account.clock.now += DAY
    account.crm.update("contacts", old, {"message": "", "partner": "Direct"})
    hubspot = account.hubspot(code_fields={"contact": ["message", "partner"]})
    assert isinstance(hubspot, Histories)
    found = pasts(hubspot, contact(old), contact(born))
    empty = Version(START, None)
    assert found == {
        (old, "message"): FieldHistory(
            contact(old),
            "message",
            (empty, Version(START + DAY, "code ANN-2026"), Version(START + 2 * DAY, None)),
            is_whole=True,
        ),
        (old, "partner"): FieldHistory(
            contact(old),
            "partner",
            (empty, Version(START + DAY, "p17"), Version(START + 2 * DAY, "Direct")),
            is_whole=True,
        ),
        (old, "partner (label)"): FieldHistory(
            contact(old),
            "partner (label)",
            (empty, Version(START + DAY, "Ann Gram (ANN-2026)"), Version(START + 2 * DAY, None)),
            is_whole=True,
        ),
        (born, "message"): FieldHistory(contact(born), "message", (Version(START, "code ANN-2026"),), is_whole=True),
    }


def test_our_own_code_field_has_a_past_too_and_others_of_ours_have_none_here(accounts: Any) -> None:
    account = accounts(provisioned=False)
    hubspot = account.hubspot()
    list(hubspot.provision(FIELDS))
    person = account.crm.create("contacts", {"email": "ann@example.com"})
    account.clock.now += DAY
    account.crm.update("contacts", person, {"ref_code": "ANN-2026"})
    found = pasts(account.hubspot(), contact(person))
    assert found.keys() == {(person, "ref_code")}
    assert found[person, "ref_code"].versions == (Version(START, None), Version(START + DAY, "ANN-2026"))


def test_what_it_costs(account: Account) -> None:
    people = account.contacts(120)
    for person in people[:3]:
        account.crm.update("contacts", person, {"message": "ANN-2026"})
    hubspot = account.hubspot(code_fields={"contact": ["message"]})
    strangers = (Ref("else", Kind.CONTACT, people[0]), Ref("hub", Kind.LEAD, "7"), contact("no-id"))
    assert len(pasts(hubspot, *map(contact, people), *strangers)) == 3
    made = calls(account.crm)
    assert made[CONTACT_READ] == 3
    assert sum(made.values()) == 3 + 3, "the pipelines and the properties, once a run"
    assert pasts(hubspot) == {}
    assert pasts(account.hubspot(), Ref("hub", Kind.DEAL, "5")) == {}, "no field of a deal is set up to carry a code"


def test_of_what_is_not_there_any_more_nothing_is_told(account: Account) -> None:
    people = [account.crm.create("contacts", {"email": f"{n}@x.example", "message": "ANN-2026"}) for n in range(4)]
    account.clock.now += MINUTE
    survivor = account.crm.merge("contacts", people[0], people[1])
    account.crm.archive("contacts", people[2])
    account.crm.erase("contacts", people[3])
    hubspot = account.hubspot(code_fields={"contact": ["message"]})
    assert pasts(hubspot, *map(contact, people)) == {}
    assert not pasts(hubspot, contact(survivor))[survivor, "message"].is_whole, "it was made out of two"


@pytest.mark.parametrize(("versions", "is_whole"), [(1, True), (19, True), (20, False), (45, False)])
def test_a_history_that_may_have_been_cut_is_not_whole(
    crm: responses.RequestsMock, hubspot: HubSpot, versions: int, is_whole: bool
) -> None:
    said = [{"value": f"v{n}", "timestamp": f"2026-01-01T00:{59 - n:02}:00Z"} for n in range(versions)]
    shown = row(7, propertiesWithHistory={"hs_analytics_first_url": said})
    knows_little(crm)
    answers(crm, "POST", f"{URL}/crm/objects/2026-03/contacts/batch/read", {"results": [shown]})
    (found,) = hubspot.histories([contact("7")])
    created, first = Version(parse_time(SOME), None), Version(parse_time(said[-1]["timestamp"]), said[-1]["value"])
    assert found.is_whole is is_whole
    assert found.versions[0] == (created if is_whole else first)
    assert found.versions[-1].text == "v0"
    (body,) = [json.loads(call.request.body or "") for call in crm.calls if call.request.method == "POST"]
    assert set(MERGED) <= set(body["properties"])
    assert body["propertiesWithHistory"] == ["hs_analytics_first_url"]
