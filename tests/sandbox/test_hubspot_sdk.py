"""The official SDK, unchanged, against the local HubSpot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hubspot.crm.contacts.exceptions import ApiException as ContactsError
from hubspot.crm.objects.models.batch_response_simple_public_object_with_errors import (
    BatchResponseSimplePublicObjectWithErrors,
)
from hubspot.hubspot import HubSpot

from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.server import Server


@pytest.fixture
def hubspot() -> LocalHubSpot:
    return LocalHubSpot()


@pytest.fixture
def url(hubspot: LocalHubSpot) -> Iterator[str]:
    with Server(hubspot.app) as server:
        yield server.url


@pytest.fixture
def client(url: str) -> HubSpot:
    return HubSpot(access_token="pat-na1-local", host=url)


def test_all_pages(hubspot: LocalHubSpot, client: HubSpot) -> None:
    hubspot.load("contacts", ({"email": f"p{number}@x.org"} for number in range(250)))
    everyone = client.crm.contacts.get_all(properties=["email"])
    assert [one.properties["email"] for one in everyone] == [f"p{number}@x.org" for number in range(250)]
    assert hubspot.calls == {"GET /crm/objects/contacts": 3}


def test_create_change_search_merge_archive(hubspot: LocalHubSpot, client: HubSpot) -> None:
    objects = client.crm.objects
    made = objects.basic_api.create(
        "contacts",
        simple_public_object_input_for_create={"properties": {"email": "A@x.org"}},
    )
    assert made.properties["email"] == "a@x.org"
    objects.basic_api.update("contacts", made.id, simple_public_object_input={"properties": {"firstname": "Ann"}})
    request = {
        "filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "a@x.org"}]}],
        "properties": ["firstname"],
        "sorts": ["-createdate"],
        "limit": 10,
        "after": "0",
    }
    found = objects.search_api.do_search("contacts", public_object_search_request=request)
    assert (found.total, found.results[0].properties["firstname"]) == (1, "Ann")
    other = hubspot.create("contacts", {"email": "b@x.org"})
    merged = client.crm.contacts.basic_api.merge(
        public_merge_input={"primaryObjectId": made.id, "objectIdToMerge": other}
    )
    assert client.crm.contacts.basic_api.get_by_id(other).id == merged.id
    objects.basic_api.archive("contacts", merged.id)
    with pytest.raises(ContactsError) as missing:
        client.crm.contacts.basic_api.get_by_id(merged.id)
    assert missing.value.status == 404
    assert json.loads(missing.value.body)["category"] == "OBJECT_NOT_FOUND"


def test_batches_and_their_errors(hubspot: LocalHubSpot, client: HubSpot) -> None:
    ids = hubspot.load("deals", [{"dealname": "1"}, {"dealname": "2"}])
    inputs = [{"id": one, "properties": {"amount": "5"}} for one in (*ids, "888")]
    answer = client.crm.objects.batch_api.update(
        "deals", batch_input_simple_public_object_batch_input={"inputs": inputs}
    )
    assert isinstance(answer, BatchResponseSimplePublicObjectWithErrors)
    assert (answer.num_errors, answer.errors[0].context) == (1, {"ids": ["888"]})
    read = client.crm.objects.batch_api.read(
        "deals",
        batch_read_input_simple_public_object_id={
            "inputs": [{"id": one} for one in ids],
            "properties": ["amount"],
            "propertiesWithHistory": ["amount"],
        },
    )
    assert {one.id: one.properties["amount"] for one in read.results} == dict.fromkeys(ids, "5")
    assert read.results[0].properties_with_history["amount"][0].source_type == "INTEGRATION"


def test_associations(hubspot: LocalHubSpot, client: HubSpot) -> None:
    (deal,) = hubspot.load("deals", [{"dealname": "1"}])
    (contact,) = hubspot.load("contacts", [{"email": "a@x.org"}])
    client.crm.associations.v4.basic_api.create_default("deals", deal, "contacts", contact)
    answer = client.crm.associations.v4.batch_api.get_page(
        "deals",
        "contacts",
        batch_input_public_fetch_associations_batch_request={"inputs": [{"id": deal}]},
    )
    assert str(answer.results[0].to[0].to_object_id) == contact
    page = client.crm.associations.v4.basic_api.get_page("contacts", contact, "deals", limit=500)
    assert page.results[0].association_types[0].type_id == 4
    labels = client.crm.associations.v4.schema.definitions_api.get_all("deals", "companies")
    assert {one.type_id: one.label for one in labels.results} == {341: None, 5: "Primary"}
    record = client.crm.deals.basic_api.get_by_id(deal, associations=["contacts"])
    assert record.associations["contacts"].results[0].type == "deal_to_contact"


def test_properties_pipelines_owners(hubspot: LocalHubSpot, client: HubSpot) -> None:
    properties = client.crm.properties
    properties.groups_api.create(
        "contacts", property_group_create={"name": "referral", "label": "Referral", "displayOrder": -1}
    )
    code = {"name": "ref_code", "label": "Code", "type": "string", "fieldType": "text", "groupName": "referral"}
    made = properties.batch_api.create("contacts", batch_input_property_create={"inputs": [code]})
    assert made.results[0].name == "ref_code"
    known = {one.name: one for one in properties.core_api.get_all("contacts").results}
    assert known["ref_code"].modification_metadata.read_only_value is False
    assert known["lifecyclestage"].options[0].value == "subscriber"
    (pipeline,) = client.crm.pipelines.pipelines_api.get_all("deals").results
    assert [stage.metadata["probability"] for stage in pipeline.stages][-2:] == ["1.0", "0.0"]
    owner = hubspot.add_owner("o@x.org")
    assert [one.id for one in client.crm.owners.owners_api.get_page().results] == [owner]


def test_oauth(url: str, client: HubSpot) -> None:
    got = client.oauth.tokens_api.create(
        grant_type="refresh_token",
        client_id="local-client",
        client_secret="local-secret",
        refresh_token="local-refresh",
    )
    fresh = HubSpot(access_token=got.access_token, host=url)
    assert fresh.crm.contacts.basic_api.get_page().results == []


@pytest.mark.parametrize("version", ["2026-03", "2026-09"])
def test_raw_calls_of_dated_paths(hubspot: LocalHubSpot, client: HubSpot, version: str) -> None:
    hubspot.load("contacts", [{"email": "a@x.org"}])
    api = client.crm.contacts.basic_api.api_client

    def call(method: str, path: str, **more: Any) -> Any:
        answer = api.call_api(
            path,
            method,
            header_params={"Accept": "application/json", "Content-Type": "application/json"},
            auth_settings=["oauth2"],
            _preload_content=False,
            _return_http_data_only=True,
            **more,
        )
        return json.loads(answer.data)

    page = call("GET", f"/crm/objects/{version}/contacts", query_params=[("limit", 100), ("properties", "email")])
    assert page["results"][0]["properties"]["email"] == "a@x.org"
    body = {"filterGroups": [], "limit": 200, "properties": ["email"]}
    assert call("POST", f"/crm/objects/{version}/contacts/search", body=body)["total"] == 1
    assert call("GET", f"/account-info/{version}/details")["timeZone"] == "UTC"
