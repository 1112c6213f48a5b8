from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests

from refloop_sandbox.hubspot import LocalHubSpot, Quirks
from tests.patience import PATIENCE
from tests.sandbox.hubspot_api import START, Api, Clock, Gate


def search(api: Api, kind: str = "contacts", **body: Any) -> requests.Response:
    return api.ask("POST", f"/crm/objects/2026-03/{kind}/search", body)


def found(answer: requests.Response) -> list[str]:
    return [record["id"] for record in answer.json()["results"]]


def filtered(name: str, operator: str, **value: Any) -> dict[str, Any]:
    return {"filterGroups": [{"filters": [{"propertyName": name, "operator": operator, **value}]}]}


def at(seconds: float) -> str:
    return str(int((START + timedelta(seconds=seconds)).timestamp() * 1000))


@pytest.fixture
def people(hubspot: LocalHubSpot) -> list[str]:
    options = [{"label": value, "value": value} for value in ("Red", "Blue")]
    hubspot.define_property("contacts", {"name": "score", "type": "number"})
    hubspot.define_property("contacts", {"name": "seen", "type": "datetime"})
    hubspot.define_property("contacts", {"name": "colour", "type": "enumeration", "options": options})
    rows: list[dict[str, object]] = [
        {"email": "ann@x.org", "firstname": "Ann Marie", "score": 9, "colour": "Red", "seen": "2026-01-01T00:00:00Z"},
        {"email": "bob@x.org", "firstname": "BOB", "score": "10", "seen": "2026-01-01T00:00:00.500Z"},
        {"firstname": "Cy-Dee", "score": -1.5, "colour": "Blue"},
        {"lastname": "50%_off"},
    ]
    moments = [START + timedelta(seconds=number) for number in range(4)]
    return hubspot.load(
        "contacts",
        [{**row, "createdate": one, "lastmodifieddate": one} for row, one in zip(rows, moments, strict=True)],
    )


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, [0, 1, 2, 3]),
        (filtered("email", "EQ", value="ANN@x.org"), [0]),
        (filtered("email", "IN", values=["bob@x.org", "cy@x.org"]), [1]),
        (filtered("firstname", "EQ", value="bob"), [1]),
        (filtered("firstname", "NEQ", value="bob"), [0, 2]),
        (filtered("firstname", "IN", values=["bob"]), [1]),
        (filtered("firstname", "IN", values=["BOB"]), []),
        (filtered("firstname", "NOT_IN", values=["bob"]), [0, 2]),
        (filtered("firstname", "CONTAINS_TOKEN", value="marie"), [0]),
        (filtered("firstname", "CONTAINS_TOKEN", value="mar"), []),
        (filtered("firstname", "CONTAINS_TOKEN", value="mar*"), [0]),
        (filtered("firstname", "CONTAINS_TOKEN", value="dee"), [2]),
        (filtered("firstname", "NOT_CONTAINS_TOKEN", value="dee"), [0, 1]),
        (filtered("firstname", "HAS_PROPERTY"), [0, 1, 2]),
        (filtered("firstname", "NOT_HAS_PROPERTY"), [3]),
        (filtered("colour", "EQ", value="Red"), [0]),
        (filtered("colour", "EQ", value="red"), []),
        (filtered("score", "GT", value="9"), [1]),
        (filtered("score", "GTE", value="9"), [0, 1]),
        (filtered("score", "LT", value="9.0"), [2]),
        (filtered("score", "BETWEEN", value="-2", highValue="9"), [0, 2]),
        (filtered("seen", "GT", value="2026-01-01T00:00:00Z"), [1]),
        (filtered("seen", "LTE", value="1767225600500"), [0, 1]),
        (filtered("createdate", "LT", value=at(1)), [0]),
        (filtered("lastmodifieddate", "BETWEEN", value=at(1), highValue=at(2)), [1, 2]),
        (filtered("hs_lastmodifieddate", "GT", value=at(-9)), []),
        (filtered("hs_object_id", "GT", value="102"), [2, 3]),
        (filtered("hs_object_id", "IN", values=["101", "104"]), [0, 3]),
        (filtered("hs_all_contact_vids", "EQ", value="103"), [2]),
        ({"filters": [{"propertyName": "email", "operator": "EQ", "value": "bob@x.org"}]}, [1]),
        ({"query": "x.org"}, [0, 1]),
        ({"query": "ANN x.org"}, [0]),
        ({"query": "%_"}, [3]),
        (filtered("firstname", "EQ", value="' OR 1=1 --"), []),
        ({"sorts": ["-createdate"]}, [3, 2, 1, 0]),
        (
            {"sorts": [{"propertyName": "score", "direction": "DESCENDING"}], **filtered("score", "HAS_PROPERTY")},
            [1, 0, 2],
        ),
        ({"sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}], "after": "2", "limit": 1}, [2]),
    ],
)
def test_filters_and_sorts(api: Api, people: list[str], body: dict[str, Any], places: list[int]) -> None:
    assert found(search(api, **body)) == [people[place] for place in places]


def test_groups_are_alternatives_and_filters_of_a_group_are_not(api: Api, people: list[str]) -> None:
    def one(name: str, value: str) -> dict[str, str]:
        return {"propertyName": name, "operator": "EQ", "value": value}

    together = [{"filters": [one("firstname", "bob"), one("score", "10")]}, {"filters": [one("colour", "Blue")]}]
    assert found(search(api, filterGroups=together)) == [people[1], people[2]]
    together[0]["filters"][1]["value"] = "11"
    assert found(search(api, filterGroups=together)) == [people[2]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"limit": 201}, 400),
        ({"limit": 200}, 200),
        ({"limit": 200, "after": "9800"}, 200),
        ({"limit": 200, "after": "9801"}, 400),
        ({"after": "x"}, 400),
        ({"sorts": ["createdate", "email"]}, 400),
        ({"sorts": ["nope"]}, 400),
        ({"filterGroups": [{"filters": []}] * 6}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}] * 7}]}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}] * 5}] * 4}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}] * 6}] * 3}, 200),
        (filtered("nope", "EQ", value="1"), 400),
        (filtered("email", "LIKE", value="1"), 400),
        (filtered("email", "EQ"), 400),
        (filtered("email", "IN", value="a"), 400),
        (filtered("createdate", "BETWEEN", value="1"), 400),
        (filtered("createdate", "GT", value="soon"), 400),
        (filtered("createdate", "GT", value="0"), 500),
        (filtered("hs_object_id", "GT", value="x"), 400),
        ({"filterGroups": [{"filters": [{"operator": "EQ", "value": "1"}]}]}, 400),
        ({"filterGroups": {"filters": []}}, 400),
        ({"query": "x" * 3000}, 400),
    ],
)
def test_limits(api: Api, body: dict[str, Any], status: int) -> None:
    answer = search(api, **body)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["status"] == "error"


def test_a_body_of_three_thousand_characters_is_the_most(api: Api) -> None:
    frame = len('{"query":""}')
    for length, status in ((3000, 200), (3001, 400)):
        body = f'{{"query":"{"é" * (length - frame)}"}}'.encode()
        assert api.post(f"{api.url}/crm/v3/objects/contacts/search", data=body, timeout=PATIENCE).status_code == status


def test_pages_go_by_offset_and_total_counts_all(api: Api, people: list[str]) -> None:
    first = search(api, limit=3).json()
    assert (first["total"], first["paging"]) == (4, {"next": {"after": "3"}})
    last = search(api, limit=3, after="3").json()
    assert (last["total"], [one["id"] for one in last["results"]]) == (4, people[3:])
    assert "paging" not in last


def test_archived_and_merged_records_never_appear(hubspot: LocalHubSpot, api: Api, people: list[str]) -> None:
    hubspot.archive("contacts", people[0])
    survivor = hubspot.merge("contacts", people[1], people[2])
    assert sorted(found(search(api))) == sorted([people[3], survivor])
    assert found(search(api, **filtered("hs_all_contact_vids", "EQ", value=people[2]))) == [survivor]


def test_search_answers_carry_no_rate_headers(api: Api) -> None:
    assert not any(name.lower().startswith("x-hubspot-ratelimit") for name in search(api).headers)
    assert "X-HubSpot-RateLimit-Max" in api.ask("GET", "/crm/v3/objects/contacts").headers


def test_associations_can_be_searched(hubspot: LocalHubSpot, api: Api, people: list[str]) -> None:
    deals = hubspot.load("deals", [{"dealname": "1"}, {"dealname": "2"}])
    hubspot.associate("deals", deals[1], "contacts", people[0])
    assert found(search(api, "deals", **filtered("associations.contact", "EQ", value=people[0]))) == [deals[1]]
    assert found(search(api, "deals", **filtered("num_associated_contacts", "GT", value="0"))) == [deals[1]]
    hubspot.disassociate("deals", deals[1], "contacts", people[0])
    assert found(search(api, "deals", **filtered("associations.contact", "EQ", value=people[0]))) == []


@pytest.fixture
def lagging(clock: Clock, served: tuple[Gate, str]) -> LocalHubSpot:
    hubspot = LocalHubSpot(clock=clock, index_lag=timedelta(seconds=10))
    served[0].account = hubspot.app
    return hubspot


def test_the_index_lags_while_lists_do_not(lagging: LocalHubSpot, served: tuple[Gate, str], clock: Clock) -> None:
    with Api(served[1]) as api:
        contact = lagging.create("contacts", {"email": "a@x.org"})
        assert found(api.ask("GET", "/crm/v3/objects/contacts")) == [contact]
        assert search(api).json()["total"] == 0
        clock.pass_(seconds=9.999)
        assert found(search(api)) == []
        clock.pass_(seconds=0.001)
        assert found(search(api)) == [contact]


def test_the_index_finds_the_old_and_shows_the_new(
    lagging: LocalHubSpot, served: tuple[Gate, str], clock: Clock
) -> None:
    (contact,) = lagging.load("contacts", [{"email": "old@x.org"}])
    clock.pass_(seconds=5)
    lagging.update("contacts", contact, {"email": "new@x.org"})
    window = filtered("lastmodifieddate", "LTE", value=at(0))
    with Api(served[1]) as api:
        record = search(api, **window, properties=["email"]).json()["results"][0]
        assert record["properties"]["email"] == "new@x.org"
        assert record["updatedAt"] == "2026-09-01T10:00:05Z"
        assert found(search(api, **filtered("email", "EQ", value="new@x.org"))) == []
        clock.pass_(seconds=10)
        assert found(search(api, **window)) == []
        assert found(search(api, **filtered("email", "EQ", value="new@x.org"))) == [contact]
        assert search(api).json()["total"] == 1
        lagging.archive("contacts", contact)
        assert search(api).json()["total"] == 0


@pytest.mark.parametrize("ghosts", [False, True])
def test_a_lagging_index_may_show_what_is_gone(clock: Clock, served: tuple[Gate, str], ghosts: bool) -> None:
    hubspot = LocalHubSpot(clock=clock, index_lag=timedelta(seconds=10), quirks=Quirks(search_ghosts=ghosts))
    served[0].account = hubspot.app
    archived, merged, other, kept = hubspot.load("contacts", ({"firstname": name} for name in "ABCD"))
    hubspot.archive("contacts", archived)
    survivor = hubspot.merge("contacts", merged, other)
    hubspot.update("contacts", kept, {"firstname": "E"})
    with Api(served[1]) as api:
        answer = search(api, properties=["firstname"])
        names = {record["id"]: record["properties"]["firstname"] for record in answer.json()["results"]}
        gone = {archived: "A", merged: "B", other: "C"} if ghosts else {}
        assert names == {**gone, kept: "E"}, "a ghost is as it was, the others are as they are"
        assert answer.json()["total"] == len(names)
        clock.pass_(seconds=10)
        assert found(search(api)) == [kept, survivor]


@pytest.mark.parametrize("lag", [timedelta(0), timedelta(seconds=1)])
def test_a_walk_by_id_finds_each_record_once_and_totals_shrink(
    clock: Clock, served: tuple[Gate, str], lag: timedelta
) -> None:
    hubspot = LocalHubSpot(clock=clock, index_lag=lag)
    same = [{"dealname": str(number), "hs_lastmodifieddate": START} for number in range(4500)]
    ids = hubspot.load("deals", same)
    served[0].account = hubspot.app
    last, seen, totals = "0", [], []
    with Api(served[1]) as api:
        while True:
            filters = [
                {"propertyName": "hs_lastmodifieddate", "operator": "BETWEEN", "value": at(-1), "highValue": at(1)},
                {"propertyName": "hs_object_id", "operator": "GT", "value": last},
            ]
            sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
            page = search(api, "deals", filterGroups=[{"filters": filters}], sorts=sorts, limit=200).json()
            if not page["results"]:
                break
            totals.append(page["total"])
            seen += [record["id"] for record in page["results"]]
            last = seen[-1]
            if len(seen) == 400:
                ids.append(hubspot.create("deals", {"dealname": "late"}))
                clock.pass_(seconds=1)
    assert seen == ids
    assert totals[:2] == [4500, 4300]
    assert totals[2] == 4101
    assert page["total"] == 0
