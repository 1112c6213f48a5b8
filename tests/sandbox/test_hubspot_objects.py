from __future__ import annotations

from typing import Any

import pytest

from refloop_sandbox.hubspot import LocalHubSpot, Quirks
from tests.patience import PATIENCE
from tests.sandbox.hubspot_api import START, Api, Clock


@pytest.mark.parametrize("path", ["/crm/v3/objects", "/crm/objects/2026-03", "/crm/objects/2026-09"])
@pytest.mark.parametrize("name", ["contacts", "contact", "0-1"])
def test_an_object_answers_under_every_version_and_spelling(
    hubspot: LocalHubSpot, api: Api, path: str, name: str
) -> None:
    hubspot.load("contacts", [{"email": "a@x.org"}])
    page = api.ask("GET", f"{path}/{name}").json()
    assert [record["properties"]["email"] for record in page["results"]] == ["a@x.org"]
    assert hubspot.calls == {"GET /crm/objects/contacts": 1}


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/crm/v3/objects/widgets", 400, "Unable to infer object type from: widgets"),
        ("/crm/v3/objects/0-9999", 400, "Invalid object or event type id: 0-9999"),
        ("/crm/objects/2025-01/contacts", 404, "The requested URL was not found on this server."),
        ("/crm/v4/objects/contacts", 404, "The requested URL was not found on this server."),
        ("/contacts/v1/lists/all/contacts/all", 404, "The requested URL was not found on this server."),
        ("/crm/v3/objects/contacts/999", 404, "resource not found"),
        ("/crm/v3/objects/contacts/a@x.org", 404, "Object not found.  objectId are usually numeric."),
        ("/crm/v3/objects/contacts?limit=101", 400, "limit must be at most 100, got 101."),
        ("/crm/v3/objects/contacts?limit=51&propertiesWithHistory=email", 400, "limit must be at most 50, got 51."),
        ("/crm/v3/objects/contacts?after=x", 400, "after must be a whole number"),
        (
            "/crm/v3/objects/contacts/1?idProperty=firstname",
            400,
            "Unable to perform read by non-unique 0-1 property firstname",
        ),
    ],
)
def test_refusals(api: Api, path: str, status: int, message: str) -> None:
    answer = api.ask("GET", path)
    body = answer.json()
    assert (answer.status_code, body["status"], body["message"]) == (status, "error", message)
    assert len(body["correlationId"]) == 36


def test_the_list_pages_by_the_id_of_the_next_record(hubspot: LocalHubSpot, api: Api) -> None:
    ids = hubspot.load("deals", [{"dealname": f"D{number}"} for number in range(5)])
    hubspot.archive("deals", ids[2])
    first = api.ask("GET", "/crm/v3/objects/deals?limit=2").json()
    assert [record["id"] for record in first["results"]] == ids[:2]
    assert first["paging"]["next"]["after"] == ids[3]
    last = api.ask("GET", f"/crm/v3/objects/deals?limit=2&after={ids[3]}").json()
    assert [record["id"] for record in last["results"]] == ids[3:]
    assert "paging" not in last


def test_the_link_to_the_next_page_keeps_the_query(hubspot: LocalHubSpot, api: Api) -> None:
    contacts = [hubspot.create("contacts", {"firstname": f"C{number}"}) for number in range(3)]
    deal = hubspot.create("deals", {})
    for contact in contacts:
        hubspot.associate("contacts", contact, "deals", deal)
    query = "limit=1&associations=deals&properties=firstname&properties=city&propertiesWithHistory=firstname"
    page = api.ask("GET", f"/crm/objects/2026-03/contacts?{query}").json()
    seen = [page]
    while "paging" in page:
        link = page["paging"]["next"]["link"]
        assert link.startswith(f"{api.url}/crm/objects/2026-03/contacts?")
        page = api.get(link, timeout=PATIENCE).json()
        seen.append(page)
    records = [record for page in seen for record in page["results"]]
    assert [record["id"] for record in records] == contacts
    for number, record in enumerate(records):
        assert record["properties"]["firstname"] == f"C{number}"
        assert record["propertiesWithHistory"]["firstname"][0]["value"] == f"C{number}"
        assert record["associations"]["deals"]["results"] == [{"id": deal, "type": "contact_to_deal"}]


def test_a_cursor_may_be_made_up(hubspot: LocalHubSpot, api: Api) -> None:
    ids = hubspot.load("deals", [{"hs_object_id": number} for number in (10, 20, 30)])
    page = api.ask("GET", "/crm/v3/objects/deals?after=11").json()
    assert [record["id"] for record in page["results"]] == ids[1:]


def test_without_names_the_default_properties_come(hubspot: LocalHubSpot, api: Api) -> None:
    hubspot.load("contacts", [{"email": "a@x.org", "company": "Acme"}])
    record = api.ask("GET", "/crm/v3/objects/contacts").json()["results"][0]
    assert list(record["properties"]) == [
        "createdate",
        "email",
        "firstname",
        "hs_object_id",
        "lastmodifieddate",
        "lastname",
    ]
    assert record["archived"] is False
    assert record["createdAt"] == record["updatedAt"] == "2026-09-01T10:00:00Z"


@pytest.mark.parametrize(
    "asked", ["properties=email,company,nonsense", "properties=email&properties=company&properties=nonsense"]
)
def test_unset_is_null_and_undefined_is_left_out(hubspot: LocalHubSpot, api: Api, asked: str) -> None:
    hubspot.load("contacts", [{"email": "a@x.org"}])
    properties = api.ask("GET", f"/crm/v3/objects/contacts?{asked}").json()["results"][0]["properties"]
    assert properties["email"] == "a@x.org"
    assert properties["company"] is None
    assert "nonsense" not in properties


def test_archived_records_are_read_with_archived_only(hubspot: LocalHubSpot, api: Api, clock: Clock) -> None:
    (deal,) = hubspot.load("deals", [{"dealname": "gone"}])
    clock.pass_(seconds=1)
    hubspot.archive("deals", deal)
    assert api.ask("GET", f"/crm/v3/objects/deals/{deal}").status_code == 404
    record = api.ask("GET", f"/crm/v3/objects/deals/{deal}?archived=true").json()
    assert record["archived"] is True
    assert record["archivedAt"] == "2026-09-01T10:00:01Z"
    assert record["updatedAt"] == "2026-09-01T10:00:00Z"
    listed = api.ask("GET", "/crm/v3/objects/deals?archived=true").json()
    assert [one["id"] for one in listed["results"]] == [deal]


def test_create_read_change_archive(hubspot: LocalHubSpot, api: Api, clock: Clock) -> None:
    made = api.ask("POST", "/crm/v3/objects/contacts", {"properties": {"email": "Ann@X.org", "firstname": "Ann"}})
    assert made.status_code == 201
    record = made.json()
    assert record["properties"]["email"] == "ann@x.org"
    clock.pass_(milliseconds=250)
    changed = api.ask("PATCH", f"/crm/v3/objects/contacts/{record['id']}", {"properties": {"firstname": "Anna"}})
    assert changed.json()["properties"]["lastmodifieddate"] == "2026-09-01T10:00:00.250Z"
    cleared = api.ask("PATCH", f"/crm/v3/objects/contacts/{record['id']}", {"properties": {"firstname": ""}})
    assert cleared.json()["properties"]["firstname"] is None
    read = api.ask("GET", "/crm/v3/objects/contacts/ann@x.org?idProperty=email").json()
    assert read["id"] == record["id"]
    assert api.ask("DELETE", f"/crm/v3/objects/contacts/{record['id']}").status_code == 204
    assert api.ask("DELETE", f"/crm/v3/objects/contacts/{record['id']}").status_code == 204
    assert hubspot.get("contacts", record["id"]) is None


@pytest.mark.parametrize(
    ("kind", "properties", "code"),
    [
        ("contacts", {"nonsense": "1"}, "PROPERTY_DOESNT_EXIST"),
        ("contacts", {"hs_object_id": "1"}, "READ_ONLY_VALUE"),
        ("contacts", {"lastmodifieddate": "2026-01-01"}, "READ_ONLY_VALUE"),
        ("contacts", {"hs_analytics_first_url": "https://x.org"}, "READ_ONLY_VALUE"),
        ("contacts", {"email": "not an address"}, "INVALID_EMAIL"),
        ("contacts", {"lifecyclestage": "Lead"}, "INVALID_OPTION"),
        ("contacts", {"message": "x" * 65_537}, "PROPERTY_VALUE_TOO_LONG"),
        ("deals", {"amount": "1,000"}, "INVALID_INTEGER"),
        ("deals", {"amount": " 1000"}, "INVALID_INTEGER"),
        ("deals", {"amount": "nan"}, "INVALID_INTEGER"),
        ("deals", {"closedate": "yesterday"}, "INVALID_LONG"),
        ("deals", {"hs_is_closed": "true"}, "READ_ONLY_VALUE"),
        ("deals", {"dealstage": "nowhere"}, "INVALID_OPTION"),
        ("deals", {"pipeline": "nowhere"}, "INVALID_OPTION"),
        ("deals", {"closedate": "99999999999999"}, None),
    ],
)
def test_values_are_checked(
    hubspot: LocalHubSpot, api: Api, kind: str, properties: dict[str, str], code: str | None
) -> None:
    answer = api.ask("POST", f"/crm/v3/objects/{kind}", {"properties": properties})
    if code is None:
        assert answer.status_code == 201
        return
    body = answer.json()
    assert (answer.status_code, body["category"]) == (400, "VALIDATION_ERROR")
    assert body["message"].startswith('Property values were not valid: [{"isValid":false,')
    assert [error["code"] for error in body["errors"]] == [code]
    assert body["errors"][0]["context"]["propertyName"] == list(properties)
    assert list(hubspot.rows(kind)) == []


@pytest.mark.parametrize(
    ("type_", "given", "kept"),
    [
        ("datetime", "1767225600123", "2026-01-01T00:00:00.123Z"),
        ("datetime", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z"),
        ("date", "1767225600000", "2026-01-01"),
        ("date", "2026-01-01", "2026-01-01"),
        ("number", 12, "12"),
        ("number", "10.50", "10.50"),
        ("bool", True, "true"),
        ("string", " spaces stay ", " spaces stay "),
    ],
)
def test_values_are_kept_in_one_form(hubspot: LocalHubSpot, api: Api, type_: str, given: object, kept: str) -> None:
    options = [{"label": "Yes", "value": "true"}, {"label": "No", "value": "false"}] if type_ == "bool" else []
    hubspot.define_property("contacts", {"name": "extra", "type": type_, "options": options})
    record = api.ask("POST", "/crm/v3/objects/contacts", {"properties": {"extra": given}}).json()
    assert record["properties"]["extra"] == kept


def test_a_date_that_is_not_midnight_is_refused(hubspot: LocalHubSpot, api: Api) -> None:
    hubspot.define_property("contacts", {"name": "day", "type": "date"})
    answer = api.ask("POST", "/crm/v3/objects/contacts", {"properties": {"day": "1767225600001"}})
    assert answer.json()["errors"][0]["code"] == "INVALID_DATE"


def test_several_values_and_appending(hubspot: LocalHubSpot, api: Api) -> None:
    options = [{"label": value, "value": value} for value in "abc"]
    hubspot.define_property(
        "contacts", {"name": "tags", "type": "enumeration", "fieldType": "checkbox", "options": options}
    )
    contact = hubspot.create("contacts", {"tags": "a;b"})
    record = api.ask("PATCH", f"/crm/v3/objects/contacts/{contact}", {"properties": {"tags": ";c"}}).json()
    assert record["properties"]["tags"] == "a;b;c"


def test_two_contacts_cannot_share_an_email(hubspot: LocalHubSpot, api: Api) -> None:
    (first, second) = hubspot.load("contacts", [{"email": "a@x.org"}, {"email": "b@x.org"}])
    made = api.ask("POST", "/crm/v3/objects/contacts", {"properties": {"email": "A@x.org"}})
    assert (made.status_code, made.json()["category"]) == (409, "CONFLICT")
    assert made.json()["message"] == f"Contact already exists. Existing ID: {first}"
    assert (
        api.ask("PATCH", f"/crm/v3/objects/contacts/{second}", {"properties": {"email": "a@x.org"}}).status_code == 409
    )
    hubspot.archive("contacts", first)
    assert (
        api.ask("PATCH", f"/crm/v3/objects/contacts/{second}", {"properties": {"email": "a@x.org"}}).status_code == 200
    )


def test_the_lifecycle_stage_moves_forward_only_through_the_api(hubspot: LocalHubSpot, api: Api) -> None:
    contact = hubspot.create("contacts", {"lifecyclestage": "opportunity"})
    path = f"/crm/v3/objects/contacts/{contact}"
    for sent, found in (("lead", "opportunity"), ("customer", "customer"), ("", None), ("lead", "lead")):
        assert api.ask("PATCH", path, {"properties": {"lifecyclestage": sent}}).status_code == 200
        record = api.ask("GET", f"{path}?properties=lifecyclestage").json()
        assert record["properties"]["lifecyclestage"] == found
    hubspot.update("contacts", contact, {"lifecyclestage": "subscriber"})
    assert (hubspot.get("contacts", contact) or {})["lifecyclestage"] == "subscriber"


def test_a_deal_knows_how_it_ended(hubspot: LocalHubSpot, api: Api, clock: Clock) -> None:
    deal = hubspot.create("deals", {"dealname": "D", "amount": "100", "dealstage": "contractsent"})
    assert (hubspot.get("deals", deal) or {})["pipeline"] == "default"
    clock.pass_(hours=1)
    api.ask("PATCH", f"/crm/v3/objects/deals/{deal}", {"properties": {"dealstage": "closedwon"}})
    won = hubspot.get("deals", deal) or {}
    assert (won["hs_is_closed"], won["hs_is_closed_won"], won["hs_is_closed_lost"]) == ("true", "true", "false")
    assert won["hs_closed_won_date"] == won["hs_date_entered_closedwon"] == won["closedate"] == "2026-09-01T11:00:00Z"
    assert won["hs_closed_amount"] == "100"
    hubspot.update("deals", deal, {"dealstage": "closedlost"})
    lost = hubspot.get("deals", deal) or {}
    assert (lost["hs_is_closed_won"], lost["hs_is_closed_lost"]) == ("false", "true")
    assert "hs_closed_won_date" not in lost
    assert "hs_closed_amount" not in lost


def test_history_tells_who_wrote_what(hubspot: LocalHubSpot, api: Api, clock: Clock) -> None:
    (contact,) = hubspot.load("contacts", [{"firstname": "A", "createdate": "2026-01-01T00:00:00Z"}])
    hubspot.update("contacts", contact, {"firstname": "B"})
    clock.pass_(seconds=1)
    api.ask("PATCH", f"/crm/v3/objects/contacts/{contact}", {"properties": {"firstname": "C"}})
    record = api.ask("GET", f"/crm/v3/objects/contacts/{contact}?propertiesWithHistory=firstname,lastname").json()
    found = [
        (one["value"], one["sourceType"], one["timestamp"]) for one in record["propertiesWithHistory"]["firstname"]
    ]
    assert found == [
        ("C", "INTEGRATION", "2026-09-01T10:00:01Z"),
        ("B", "CRM_UI", "2026-09-01T10:00:00Z"),
        ("A", "IMPORT", "2026-01-01T00:00:00Z"),
    ]
    assert record["propertiesWithHistory"]["lastname"] == []
    app, person, _loaded = record["propertiesWithHistory"]["firstname"]
    assert person["updatedByUserId"] == int(person["sourceId"].removeprefix("userId:"))
    assert "updatedByUserId" not in app
    assert app["sourceLabel"]


@pytest.mark.parametrize(("object_", "name", "most"), [("contacts", "firstname", 45), ("deals", "dealname", 20)])
def test_only_so_many_versions_are_kept(
    hubspot: LocalHubSpot, api: Api, clock: Clock, object_: str, name: str, most: int
) -> None:
    record = hubspot.create(object_, {name: "V0"})
    for number in range(1, 60):
        clock.pass_(seconds=1)
        hubspot.update(object_, record, {name: f"V{number}"})
    shown = api.ask("GET", f"/crm/v3/objects/{object_}/{record}?propertiesWithHistory={name}").json()
    assert [one["value"] for one in shown["propertiesWithHistory"][name]] == [f"V{59 - n}" for n in range(most)]


@pytest.mark.parametrize("kept", [True, False])
def test_the_same_value_again_is_history_or_not(kept: bool) -> None:
    hubspot = LocalHubSpot(quirks=Quirks(identical_writes_are_history=kept))
    contact = hubspot.create("contacts", {"firstname": "A"})
    hubspot.update("contacts", contact, {"firstname": "A"})
    assert len(hubspot.history("contacts", contact, "firstname")) == (2 if kept else 1)


def test_inline_associations_are_cut_and_say_so(hubspot: LocalHubSpot, api: Api) -> None:
    (deal,) = hubspot.load("deals", [{"dealname": "D"}])
    contacts = hubspot.load("contacts", ({} for _ in range(101)))
    hubspot.load_associations("deals", "contacts", [(deal, contact) for contact in contacts])
    record = api.ask("GET", "/crm/v3/objects/deals?associations=contacts").json()["results"][0]
    links = record["associations"]["contacts"]
    assert links["results"] == [{"id": contact, "type": "deal_to_contact"} for contact in contacts[:100]]
    assert links["paging"]["next"]["after"] == contacts[100]
    rest = api.get(links["paging"]["next"]["link"], timeout=PATIENCE).json()
    assert [one["id"] for one in rest["results"]] == contacts[100:]


def test_merged_ids_follow_when_read_one_by_one(hubspot: LocalHubSpot, api: Api, clock: Clock) -> None:
    first = hubspot.create("contacts", {"email": "a@x.org", "firstname": "A"})
    second = hubspot.create("contacts", {"email": "b@x.org", "lastname": "B", "firstname": "Z"})
    deal = hubspot.create("deals", {"dealname": "D"})
    hubspot.associate("deals", deal, "contacts", second)
    body = {"primaryObjectId": first, "objectIdToMerge": second}
    survivor = api.ask("POST", "/crm/objects/2026-03/contacts/merge", body).json()["id"]
    assert survivor not in (first, second)
    record = api.ask(
        "GET",
        f"/crm/v3/objects/contacts/{second}?properties=firstname,lastname,hs_merged_object_ids,hs_all_contact_vids,hs_calculated_merged_vids,hs_additional_emails",
    ).json()
    assert record["id"] == survivor
    at = int(START.timestamp() * 1000)
    assert record["properties"] == {
        "createdate": "2026-09-01T10:00:00Z",
        "firstname": "A",
        "hs_additional_emails": "b@x.org",
        "hs_all_contact_vids": f"{survivor};{first};{second}",
        "hs_calculated_merged_vids": f"{first}:{at};{second}:{at}",
        "hs_merged_object_ids": f"{first};{second}",
        "hs_object_id": survivor,
        "lastmodifieddate": "2026-09-01T10:00:00Z",
        "lastname": "B",
    }
    assert (
        api.ask("PATCH", f"/crm/v3/objects/contacts/{first}", {"properties": {"city": "Rome"}}).json()["id"] == survivor
    )
    listed = api.ask("GET", "/crm/v3/objects/contacts").json()["results"]
    assert [one["id"] for one in listed] == [survivor]
    assert api.ask("GET", "/crm/v3/objects/contacts?archived=true").json()["results"] == []
    assert hubspot.associations("deals", deal, "contacts") == {survivor: {3}}
    assert api.ask("GET", f"/crm/v4/objects/contacts/{second}/associations/deals").json()["results"] == []
    assert api.ask("POST", "/crm/v3/objects/contacts", {"properties": {"email": "b@x.org"}}).status_code == 409


def test_rules_of_the_admin_hold_from_2026_09_on(hubspot: LocalHubSpot, api: Api) -> None:
    hubspot.require("deals", "closed_lost_reason", {"dealstage": "closedlost"})
    deal = hubspot.create("deals", {"dealname": "D", "dealstage": "contractsent"})
    lose = {"properties": {"dealstage": "closedlost"}}
    refused = api.ask("PATCH", f"/crm/objects/2026-09/deals/{deal}", lose)
    assert (refused.status_code, refused.json()["category"]) == (400, "VALIDATION_ERROR")
    assert refused.json()["context"] == {"properties": ["closed_lost_reason"]}
    assert api.ask("PATCH", f"/crm/objects/2026-03/deals/{deal}", lose).status_code == 200


def test_malformed_json_is_told_by_its_place(api: Api) -> None:
    answer = api.post(f"{api.url}/crm/v3/objects/contacts", data=b'{"properties": ', timeout=PATIENCE)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Invalid input JSON on line 1, column 16")


@pytest.mark.parametrize("by_email", [True, False])
@pytest.mark.parametrize(
    "path", ["/crm/v3/objects/contacts", "/crm/objects/2026-03/contacts", "/crm/contacts/2026-09", "/crm/contacts/v3"]
)
def test_an_erased_contact_is_nowhere(hubspot: LocalHubSpot, api: Api, path: str, by_email: bool) -> None:
    contact = hubspot.create("contacts", {"email": "a@x.org", "firstname": "A"})
    body = {"objectId": "A@x.org", "idProperty": "email"} if by_email else {"objectId": contact}
    assert api.ask("POST", f"{path}/gdpr-delete", body).status_code == 204
    for query in ("", "?archived=true"):
        assert api.ask("GET", f"/crm/v3/objects/contacts/{contact}{query}").status_code == 404
        assert api.ask("GET", f"/crm/v3/objects/contacts{query}").json()["results"] == []
    assert hubspot.history("contacts", contact, "firstname") == []
    with pytest.raises(KeyError):
        hubspot.restore("contacts", contact)
    assert api.ask("POST", f"{path}/gdpr-delete", {"objectId": contact}).status_code == 204


def test_an_erased_survivor_takes_the_merged_ids_with_it(hubspot: LocalHubSpot, api: Api) -> None:
    one, two = (hubspot.create("contacts", {"email": f"{name}@x.org"}) for name in "ab")
    hubspot.archive("contacts", survivor := hubspot.merge("contacts", one, two))
    hubspot.erase("contacts", survivor)
    for contact in (one, two, survivor):
        assert api.ask("GET", f"/crm/v3/objects/contacts/{contact}").status_code == 404


def test_a_deleted_record_comes_back_out_of_the_bin_as_it_was(hubspot: LocalHubSpot, api: Api, clock: Clock) -> None:
    contact = hubspot.create("contacts", {"email": "a@x.org"})
    hubspot.add_email(contact, "b@x.org")
    deal = hubspot.create("deals", {})
    hubspot.associate("deals", deal, "contacts", contact)
    hubspot.archive("contacts", contact)
    clock.pass_(days=89)
    taker = hubspot.create("contacts", {"email": "b@x.org"})
    with pytest.raises(ValueError, match="Contact already exists"):
        hubspot.restore("contacts", contact)
    hubspot.archive("contacts", taker)
    hubspot.restore("contacts", contact)
    record = api.ask("GET", f"/crm/v3/objects/contacts/{contact}?associations=deals").json()
    assert (record["archived"], record["updatedAt"]) == (False, "2026-09-01T10:00:00Z")
    assert record["associations"]["deals"]["results"] == [{"id": deal, "type": "contact_to_deal"}]
    assert hubspot.associations("deals", deal, "contacts") == {contact: {3}}


def test_the_bin_is_emptied_after_ninety_days(hubspot: LocalHubSpot, api: Api, clock: Clock) -> None:
    contact = hubspot.create("contacts", {})
    hubspot.archive("contacts", contact)
    path = "/crm/v3/objects/contacts"
    for days, seen in ((89, [contact]), (2, [])):
        clock.pass_(days=days)
        listed = api.ask("GET", f"{path}?archived=true").json()["results"]
        read = api.ask("POST", f"{path}/batch/read?archived=true", {"inputs": [{"id": contact}]}).json()["results"]
        assert [one["id"] for one in listed] == [one["id"] for one in read] == seen
    with pytest.raises(KeyError):
        hubspot.restore("contacts", contact)


def test_a_second_address_is_the_contacts_alone_and_finds_it(hubspot: LocalHubSpot, api: Api) -> None:
    contact = hubspot.create("contacts", {"email": "a@x.org"})
    hubspot.add_email(contact, "B@x.org")
    (loaded,) = hubspot.load("contacts", [{"email": "c@x.org", "hs_additional_emails": "d@x.org;e@x.org"}])
    for address, owner in (("a", contact), ("b", contact), ("c", loaded), ("d", loaded), ("e", loaded)):
        taken = api.ask("POST", "/crm/v3/objects/contacts", {"properties": {"email": f"{address}@x.org"}})
        assert taken.json()["message"] == f"Contact already exists. Existing ID: {owner}"
        found = api.ask("GET", f"/crm/v3/objects/contacts/{address}@x.org?idProperty=email").json()
        assert found["id"] == owner
    with pytest.raises(ValueError, match="already exists"):
        hubspot.add_email(contact, "d@x.org")


def test_a_second_address_that_becomes_the_first_changes_places(hubspot: LocalHubSpot) -> None:
    contact = hubspot.create("contacts", {"email": "a@x.org"})
    hubspot.add_email(contact, "b@x.org")
    hubspot.update("contacts", contact, {"email": "b@x.org"})
    found = hubspot.get("contacts", contact) or {}
    assert (found["email"], found["hs_additional_emails"]) == ("b@x.org", "a@x.org")


def test_lifecycle_stages_of_ones_own(hubspot: LocalHubSpot, api: Api, clock: Clock) -> None:
    stage = hubspot.add_lifecycle_stage("Product qualified", after="marketingqualifiedlead")
    assert stage.isdecimal()
    for kind in ("contacts", "companies"):
        options = api.ask("GET", f"/crm/v3/properties/{kind}/lifecyclestage").json()["options"]
        assert [one["value"] for one in options][2:5] == ["marketingqualifiedlead", stage, "salesqualifiedlead"]
        assert [one["displayOrder"] for one in options] == list(range(9))
        assert options[3]["label"] == "Product qualified"
    contact = hubspot.create("contacts", {"lifecyclestage": "lead"})
    path = f"/crm/v3/objects/contacts/{contact}"
    for sent, found in ((stage, stage), ("lead", stage), ("salesqualifiedlead", "salesqualifiedlead")):
        clock.pass_(days=1)
        api.ask("PATCH", path, {"properties": {"lifecyclestage": sent}})
        assert (hubspot.get("contacts", contact) or {})["lifecyclestage"] == found
    now = hubspot.get("contacts", contact) or {}
    assert now["hs_v2_date_entered_lead"] == now["hs_lifecyclestage_lead_date"] == "2026-09-01T10:00:00Z"
    assert now[f"hs_v2_date_entered_{stage}"] == "2026-09-02T10:00:00Z"
    assert now["hs_v2_date_entered_salesqualifiedlead"] == "2026-09-04T10:00:00Z"
    names = {one["name"] for one in api.ask("GET", "/crm/v3/properties/contacts").json()["results"]}
    assert {f"hs_v2_date_entered_{stage}", "hs_lifecyclestage_customer_date"} <= names
    assert f"hs_lifecyclestage_{stage}_date" not in names


def test_a_merge_keeps_the_stage_that_the_account_puts_furthest(hubspot: LocalHubSpot) -> None:
    stage = hubspot.add_lifecycle_stage("Product qualified", after="lead")
    one = hubspot.create("contacts", {"lifecyclestage": "lead"})
    two = hubspot.create("contacts", {"lifecyclestage": stage})
    assert (hubspot.get("contacts", hubspot.merge("contacts", one, two)) or {})["lifecyclestage"] == stage


def test_a_stage_that_was_loaded_is_as_old_as_its_entry(hubspot: LocalHubSpot, api: Api) -> None:
    dates = {"createdate": "2025-01-01T00:00:00Z", "closedate": "2025-03-01T00:00:00Z"}
    (deal,) = hubspot.load("deals", [{"dealname": "D", "dealstage": "closedwon", **dates}])
    record = api.ask("GET", f"/crm/v3/objects/deals/{deal}?propertiesWithHistory=dealstage,dealname").json()
    history = record["propertiesWithHistory"]
    assert [(one["value"], one["timestamp"]) for one in history["dealstage"]] == [("closedwon", dates["closedate"])]
    assert [one["timestamp"] for one in history["dealname"]] == [dates["createdate"]]


def test_every_property_has_a_history(hubspot: LocalHubSpot, api: Api, clock: Clock) -> None:
    contact = hubspot.create("contacts", {"email": "a@x.org", "lifecyclestage": "lead", "hs_lead_status": "NEW"})
    clock.pass_(days=1)
    hubspot.update("contacts", contact, {"lifecyclestage": "customer", "hs_lead_status": ""})
    hubspot.add_email(contact, "b@x.org")
    names = "email,lifecyclestage,hs_lead_status,hs_additional_emails,hs_email_domain,hs_v2_date_entered_customer"
    for answer in (
        api.ask("GET", f"/crm/v3/objects/contacts/{contact}?propertiesWithHistory={names}").json(),
        api.ask("GET", f"/crm/v3/objects/contacts?propertiesWithHistory={names}").json()["results"][0],
        api.ask(
            "POST",
            "/crm/v3/objects/contacts/batch/read",
            {"inputs": [{"id": contact}], "propertiesWithHistory": names.split(",")},
        ).json()["results"][0],
    ):
        told = {name: [one["value"] for one in found] for name, found in answer["propertiesWithHistory"].items()}
        assert told == {
            "email": ["a@x.org"],
            "lifecyclestage": ["customer", "lead"],
            "hs_lead_status": ["", "NEW"],
            "hs_additional_emails": ["b@x.org"],
            "hs_email_domain": ["x.org"],
            "hs_v2_date_entered_customer": ["2026-09-02T10:00:00Z"],
        }


def test_a_lead_needs_a_contact(hubspot: LocalHubSpot, api: Api) -> None:
    contact = hubspot.create("contacts", {"email": "a@x.org"})
    body: dict[str, Any] = {"properties": {"hs_lead_name": "L"}}
    assert api.ask("POST", "/crm/v3/objects/leads", body).status_code == 400
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 578}]
    body["associations"] = [{"to": {"id": contact}, "types": types}]
    lead = api.ask("POST", "/crm/objects/2026-03/0-136", body)
    assert lead.status_code == 201
    assert hubspot.associations("leads", lead.json()["id"], "contacts") == {contact: {578, 608}}


def test_deals_as_old_connectors_read_them(hubspot: LocalHubSpot, api: Api) -> None:
    ids = hubspot.load("deals", ({"dealname": f"D{n}", "closedate": "2026-09-01T00:00:00Z"} for n in range(3)))
    (contact,) = hubspot.load("contacts", [{"email": "a@x.org"}])
    hubspot.associate("deals", ids[0], "contacts", contact)
    path = "/deals/v1/deal/paged?limit=2&includeAssociations=true&properties=dealname&properties=closedate"
    first = api.ask("GET", path).json()
    assert (first["hasMore"], first["offset"]) == (True, int(ids[2]))
    deal = first["deals"][0]
    assert (deal["dealId"], deal["associations"]["associatedVids"]) == (int(ids[0]), [int(contact)])
    assert deal["properties"]["closedate"]["value"] == "1788220800000"
    last = api.ask("GET", f"{path}&offset={first['offset']}").json()
    assert ([one["dealId"] for one in last["deals"]], last["hasMore"]) == ([int(ids[2])], False)
    assert api.ask("GET", "/crm/v3/schemas").json() == {"results": []}
    assert [one["name"] for one in api.ask("GET", "/companies/v2/properties").json()] == [
        one["name"] for one in api.ask("GET", "/crm/v3/properties/companies").json()["results"]
    ]
