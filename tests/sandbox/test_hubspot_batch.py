from __future__ import annotations

from typing import Any

import pytest

from refloop_sandbox.hubspot import LocalHubSpot, Quirks
from tests.sandbox.hubspot_api import Api, Clock, Gate

BATCH = "/crm/v3/objects/contacts/batch"


def inputs(items: Any) -> dict[str, Any]:
    return {"inputs": list(items)}


@pytest.fixture
def people(hubspot: LocalHubSpot) -> list[str]:
    hubspot.define_property("contacts", {"name": "ref_code"})
    return hubspot.load("contacts", [{"email": f"p{number}@x.org"} for number in range(100)])


def test_a_read_gives_all_in_no_order(api: Api, people: list[str]) -> None:
    answer = api.ask("POST", f"{BATCH}/read", {**inputs({"id": one} for one in people), "properties": ["email"]})
    assert answer.status_code == 200
    assert answer.json()["status"] == "COMPLETE"
    found = [record["id"] for record in answer.json()["results"]]
    assert sorted(found) == sorted(people)
    assert found != people


def test_a_read_names_all_missing_ids_in_one_error(api: Api, people: list[str]) -> None:
    body = {**inputs([{"id": people[0]}, {"id": "888"}, {"id": "999"}, {"id": people[0]}]), "properties": []}
    answer = api.ask("POST", f"{BATCH}/read", body)
    assert answer.status_code == 207
    assert [record["id"] for record in answer.json()["results"]] == [people[0]]
    assert answer.json()["numErrors"] == 1
    assert answer.json()["errors"] == [
        {
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "message": "Could not get some CONTACT objects, they may be deleted or not exist. "
            "Check that ids are valid.",
            "context": {"ids": ["888", "999"]},
        }
    ]
    assert api.ask("POST", "/crm/objects/2026-09/contacts/batch/read", body).status_code == 200


def test_a_read_by_email(api: Api, people: list[str]) -> None:
    body = {**inputs([{"id": "P3@x.org"}]), "idProperty": "email", "properties": []}
    assert [one["id"] for one in api.ask("POST", f"{BATCH}/read", body).json()["results"]] == [people[3]]


def test_archived_records_are_read_with_archived(hubspot: LocalHubSpot, api: Api, people: list[str]) -> None:
    hubspot.archive("contacts", people[0])
    body = {**inputs([{"id": people[0]}, {"id": people[1]}]), "properties": []}
    assert [one["id"] for one in api.ask("POST", f"{BATCH}/read", body).json()["results"]] == [people[1]]
    gone = api.ask("POST", f"{BATCH}/read?archived=true", body).json()
    assert [one["id"] for one in gone["results"]] == [people[0]]
    assert gone["errors"][0]["context"]["ids"] == [people[1]]


@pytest.mark.parametrize("follows", [True, False])
def test_a_read_of_merged_ids(clock: Clock, served: tuple[Gate, str], follows: bool) -> None:
    hubspot = LocalHubSpot(clock=clock, quirks=Quirks(batch_read_follows_merges=follows))
    first, second = hubspot.create("deals", {"dealname": "1"}), hubspot.create("deals", {"dealname": "2"})
    survivor = hubspot.merge("deals", first, second)
    served[0].account = hubspot.app
    with Api(served[1]) as api:
        body = {**inputs([{"id": first}, {"id": second}]), "properties": []}
        answer = api.ask("POST", "/crm/v3/objects/deals/batch/read", body).json()
    assert [one["id"] for one in answer["results"]] == ([survivor] if follows else [])
    assert answer.get("numErrors", 0) == (0 if follows else 1)


@pytest.mark.parametrize(
    ("verb", "count", "status"), [("read", 101, 400), ("read", 100, 200), ("update", 101, 400), ("archive", 101, 400)]
)
def test_a_batch_is_of_a_hundred(api: Api, people: list[str], verb: str, count: int, status: int) -> None:
    items = [{"id": one, "properties": {"city": "Rome"}} for one in [*people, "1"][:count]]
    assert api.ask("POST", f"{BATCH}/{verb}", {**inputs(items), "properties": []}).status_code == status


def test_a_read_with_history_is_of_fifty(api: Api, people: list[str]) -> None:
    body = {"properties": [], "propertiesWithHistory": ["email"]}
    refused = api.ask("POST", f"{BATCH}/read", {**body, **inputs({"id": one} for one in people[:51])})
    assert refused.status_code == 400
    assert "property histories is 50" in refused.json()["message"]
    answer = api.ask("POST", f"{BATCH}/read", {**body, **inputs({"id": one} for one in people[:50])})
    assert answer.json()["results"][0]["propertiesWithHistory"]["email"][0]["value"].endswith("@x.org")


def test_an_update_writes_all(hubspot: LocalHubSpot, api: Api, clock: Clock, people: list[str]) -> None:
    clock.pass_(seconds=5)
    items = [{"id": one, "objectWriteTraceId": f"t{one}", "properties": {"ref_code": f"C{one}"}} for one in people]
    answer = api.ask("POST", f"{BATCH}/update", inputs(items))
    assert answer.status_code == 200
    for record in answer.json()["results"]:
        assert record["objectWriteTraceId"] == f"t{record['id']}"
        assert record["properties"]["ref_code"] == f"C{record['id']}"
        assert record["updatedAt"] == "2026-09-01T10:00:05Z"
    assert (hubspot.get("contacts", people[7]) or {})["ref_code"] == f"C{people[7]}"


@pytest.mark.parametrize("traced", [True, False])
def test_an_unknown_id_does_not_stop_an_update(
    hubspot: LocalHubSpot, api: Api, people: list[str], traced: bool
) -> None:
    items = [{"id": one, "properties": {"ref_code": "C"}} for one in (people[0], "888")]
    if traced:
        items = [{**item, "objectWriteTraceId": f"t{item['id']}"} for item in items]
    answer = api.ask("POST", f"{BATCH}/update", inputs(items))
    assert answer.status_code == 207
    context = answer.json()["errors"][0]["context"]
    assert context == {"ids": ["888"], **({"objectWriteTraceId": ["t888"]} if traced else {})}
    assert (hubspot.get("contacts", people[0]) or {})["ref_code"] == "C"


def test_a_bad_value_without_trace_ids_refuses_the_whole_update(
    hubspot: LocalHubSpot, api: Api, people: list[str]
) -> None:
    items = [{"id": people[0], "properties": {"ref_code": "C"}}, {"id": people[1], "properties": {"nope": "1"}}]
    answer = api.ask("POST", f"{BATCH}/update", inputs(items))
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {
            "message": 'Property "nope" does not exist',
            "code": "PROPERTY_DOESNT_EXIST",
            "context": {"propertyName": ["nope"]},
        }
    ]
    assert "ref_code" not in (hubspot.get("contacts", people[0]) or {})


@pytest.mark.parametrize(("path", "status"), [("/crm/objects/2026-03", 207), ("/crm/objects/2026-09", 200)])
def test_a_bad_value_with_trace_ids_is_told_apart(
    hubspot: LocalHubSpot, api: Api, people: list[str], path: str, status: int
) -> None:
    items = [
        {"id": people[0], "objectWriteTraceId": "good", "properties": {"ref_code": "C"}},
        {"id": people[1], "objectWriteTraceId": "bad", "properties": {"nope": "1"}},
    ]
    answer = api.ask("POST", f"{path}/contacts/batch/update", inputs(items))
    assert (answer.status_code, answer.json()["numErrors"]) == (status, 1)
    (error,) = answer.json()["errors"]
    assert (error["category"], error["context"]) == ("VALIDATION_ERROR", {"objectWriteTraceId": ["bad"]})
    assert error["message"].startswith("Property values were not valid: [")
    assert (hubspot.get("contacts", people[0]) or {})["ref_code"] == "C"


def test_an_account_may_refuse_the_whole_batch_even_so(clock: Clock, served: tuple[Gate, str]) -> None:
    hubspot = LocalHubSpot(clock=clock, quirks=Quirks(isolates_invalid_updates=False))
    ids = hubspot.load("deals", [{"dealname": "1"}, {"dealname": "2"}])
    served[0].account = hubspot.app
    items = [
        {"id": one, "objectWriteTraceId": one, "properties": {"amount": value}}
        for one, value in zip(ids, "1x", strict=True)
    ]
    with Api(served[1]) as api:
        assert api.ask("POST", "/crm/v3/objects/deals/batch/update", inputs(items)).status_code == 400
    assert "amount" not in (hubspot.get("deals", ids[0]) or {})


def test_ids_must_be_unique(api: Api, people: list[str]) -> None:
    items = [{"id": people[0], "properties": {"ref_code": "A"}}, {"id": people[0], "properties": {"ref_code": "B"}}]
    answer = api.ask("POST", f"{BATCH}/update", inputs(items))
    assert answer.status_code == 400
    assert answer.json()["message"] == f"Duplicate IDs found in batch input: [{people[0]}]. IDs must be unique"
    assert answer.json()["context"] == {"ids": [people[0]]}


@pytest.mark.parametrize("name", ["hs_object_id", "firstname", "nope"])
def test_an_update_goes_by_unique_properties_only(api: Api, people: list[str], name: str) -> None:
    items = [{"id": people[0], "idProperty": name, "properties": {"ref_code": "A"}}]
    answer = api.ask("POST", f"{BATCH}/update", inputs(items))
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        f"Unable to perform update by non-unique 0-1 property {name}",
    )


def test_an_update_leaves_merged_ids_out_without_a_word(hubspot: LocalHubSpot, api: Api, people: list[str]) -> None:
    hubspot.merge("contacts", people[0], people[1])
    items = [{"id": one, "properties": {"ref_code": "A"}} for one in people[:3]]
    answer = api.ask("POST", f"{BATCH}/update", inputs(items))
    assert answer.status_code == 200
    assert [record["id"] for record in answer.json()["results"]] == [people[2]]
    assert "errors" not in answer.json()


@pytest.mark.parametrize("bumps", [True, False])
def test_writing_what_is_there(clock: Clock, served: tuple[Gate, str], bumps: bool) -> None:
    hubspot = LocalHubSpot(clock=clock, quirks=Quirks(identical_writes_bump=bumps))
    (deal,) = hubspot.load("deals", [{"dealname": "D"}])
    served[0].account = hubspot.app
    clock.pass_(seconds=1)
    with Api(served[1]) as api:
        api.ask("POST", "/crm/v3/objects/deals/batch/update", inputs([{"id": deal, "properties": {"dealname": "D"}}]))
    modified = (hubspot.get("deals", deal) or {})["hs_lastmodifieddate"]
    assert modified == ("2026-09-01T10:00:01Z" if bumps else "2026-09-01T10:00:00Z")


def test_a_creation_conflict_is_the_whole_batchs_or_the_inputs_own(
    hubspot: LocalHubSpot, api: Api, people: list[str]
) -> None:
    items = [{"properties": {"email": "new@x.org"}}, {"properties": {"email": "p0@x.org"}}]
    answer = api.ask("POST", f"{BATCH}/create", inputs(items))
    assert (answer.status_code, answer.json()["message"]) == (409, f"Contact already exists. Existing ID: {people[0]}")
    traced = [{**item, "objectWriteTraceId": str(place)} for place, item in enumerate(items)]
    answer = api.ask("POST", f"{BATCH}/create", inputs(traced))
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"objectWriteTraceId": ["1"], "existingId": [people[0]]}
    (made,) = answer.json()["results"]
    assert (hubspot.get("contacts", made["id"]) or {})["email"] == "new@x.org"


def test_a_creation_with_one_email_twice_is_refused(hubspot: LocalHubSpot, api: Api) -> None:
    items = [{"properties": {"email": "a@x.org"}}, {"properties": {"email": "A@x.org"}}]
    assert api.ask("POST", f"{BATCH}/create", inputs(items)).status_code == 400
    assert list(hubspot.rows("contacts")) == []


@pytest.mark.parametrize(("path", "status"), [("/crm/v3/objects", 201), ("/crm/objects/2026-09", 200)])
def test_a_creation_answers(api: Api, path: str, status: int) -> None:
    answer = api.ask("POST", f"{path}/deals/batch/create", inputs([{"properties": {"dealname": "D"}}]))
    assert answer.status_code == status
    assert answer.json()["results"][0]["properties"]["dealname"] == "D"


def test_an_upsert_updates_or_creates(hubspot: LocalHubSpot, api: Api, people: list[str]) -> None:
    items = [{"id": one, "idProperty": "email", "properties": {"ref_code": "A"}} for one in ("P0@x.org", "new@x.org")]
    answer = api.ask("POST", f"{BATCH}/upsert", inputs(items))
    assert answer.status_code == 200
    found = {record["id"]: record["new"] for record in answer.json()["results"]}
    assert found.pop(people[0]) is False
    ((made, new),) = found.items()
    assert new is True
    assert (hubspot.get("contacts", made) or {})["email"] == "new@x.org"


def test_an_upsert_goes_by_unique_properties_only(api: Api, people: list[str]) -> None:
    items = [{"id": people[0], "properties": {}}]
    answer = api.ask("POST", f"{BATCH}/upsert", inputs(items))
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "Unable to perform upsert by non-unique 0-1 property hs_object_id",
    )


def test_an_upsert_by_a_property_of_ones_own_tells_bad_inputs_apart(hubspot: LocalHubSpot, api: Api) -> None:
    hubspot.define_property("deals", {"name": "outer_id", "hasUniqueValue": True})
    items = [
        {"id": "1", "idProperty": "outer_id", "objectWriteTraceId": "a", "properties": {"amount": "1"}},
        {"id": "2", "idProperty": "outer_id", "objectWriteTraceId": "b", "properties": {"amount": "x"}},
    ]
    answer = api.ask("POST", "/crm/v3/objects/deals/batch/upsert", inputs(items))
    assert (answer.status_code, len(answer.json()["results"])) == (207, 1)
    assert answer.json()["errors"][0]["context"]["objectWriteTraceId"] == ["b"]


def test_an_archiving_is_204_whatever_there_was(hubspot: LocalHubSpot, api: Api, people: list[str]) -> None:
    answer = api.ask("POST", f"{BATCH}/archive", inputs([{"id": people[0]}, {"id": "888"}]))
    assert (answer.status_code, answer.content) == (204, b"")
    assert hubspot.get("contacts", people[0]) is None
