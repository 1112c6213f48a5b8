"""Answers to reads that HubSpot should not give, and some that it gives though nobody would expect them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import responses
from responses.matchers import query_param_matcher

from refloop.connectors.hubspot import HubSpot
from refloop.connectors.hubspot.cursor import TICK, Progress, read_cursor
from refloop.connectors.hubspot.layout import Layout
from refloop.errors import CrmUnavailable, LedgerError
from refloop.model import (
    Between,
    Cursor,
    Everything,
    Kind,
    Page,
    Since,
    Span,
)
from tests.connectors.hubspot.account import no_clock
from tests.connectors.hubspot.answers import (
    CODE,
    URL,
    WHY,
    answers,
    knows_little,
    row,
    settings,
)

OBJECTS = f"{URL}/crm/objects/2026-03"
NOW_MS = 1_767_312_000_000
FIELDS = (CODE, WHY)
PLAIN = Layout()
ARCHIVED = query_param_matcher({"archived": "true"}, strict_match=False)


def pulled(hubspot: HubSpot, span: Span) -> list[Page]:
    return list(hubspot.pull(FIELDS, span))


@pytest.mark.parametrize(
    "answer",
    [
        {"json": {"paging": {}}, "status": 200},
        {"json": {"results": {"1": {}}}, "status": 200},
        {"json": {"results": [row(number) for number in range(1, 102)]}, "status": 200},
        {"json": {"results": [row(5)], "paging": {"next": {"link": "https://evil.example/"}}}, "status": 200},
        {"json": {"results": [row(1), row(2, id=None)]}, "status": 200},
    ],
)
def test_a_page_that_is_not_whole_is_refused(
    crm: responses.RequestsMock, hubspot: HubSpot, answer: dict[str, Any]
) -> None:
    knows_little(crm)
    crm.add("GET", f"{OBJECTS}/contacts", **answer)
    pages: list[Page] = []
    with pytest.raises(CrmUnavailable) as caught:
        pages.extend(hubspot.pull(FIELDS, Everything()))
    assert pages == []
    assert "evil" not in str(caught.value)
    assert all(call.request.url.startswith(URL) for call in crm.calls if call.request.url)


@pytest.mark.parametrize(
    "listed",
    [
        {"results": [row(1), row(1)]},
        {"results": [row(2), row(1)]},
        {"results": [row(5)], "paging": {"next": {"after": "5"}}},
        {"results": [row(5)], "paging": {"next": {"after": "1"}}},
        {"results": [row(5)], "paging": {"next": {"after": "MTAw"}}},
    ],
)
def test_a_list_that_cannot_be_gone_on_from_by_ids_is_read_by_a_search(
    crm: responses.RequestsMock, hubspot: HubSpot, listed: dict[str, Any]
) -> None:
    knows_little(crm)
    answers(crm, "GET", re.compile(f"{OBJECTS}/(contacts|deals)\\?"), listed)  # type: ignore[arg-type]  # it takes it
    found = {"results": [row(5)], "total": 2}, {"results": [row(7)], "total": 1}
    for kind in ("contacts", "deals"):
        answers(crm, "POST", f"{OBJECTS}/{kind}/search", *found)
    edges = {"results": [{"from": {"id": "7"}, "to": [{"toObjectId": 5}]}]}
    answers(crm, "POST", f"{URL}/crm/associations/2026-03/deals/contacts/batch/read", {"results": []}, edges)
    pages = pulled(hubspot, Everything())
    told = [(record.ref.kind, record.ref.id) for page in pages for record in page.records]
    assert sorted(told) == [(kind, one) for kind in (Kind.CONTACT, Kind.DEAL) for one in ("5", "7")]
    assert [(link.source.id, link.target.id) for page in pages for link in page.links] == [("7", "5")]
    searches = [json.loads(call.request.body or "") for call in crm.calls if str(call.request.url).endswith("search")]
    assert all(
        [one["propertyName"] for one in body["filterGroups"][0]["filters"]] == ["hs_object_id"] for body in searches
    )


def test_archived_records_are_listed_by_whatever_tokens_there_are(
    crm: responses.RequestsMock, hubspot: HubSpot
) -> None:
    for kind in ("contacts", "deals"):
        answers(crm, "POST", f"{OBJECTS}/{kind}/search", {"results": [], "total": 0})
    first = {"results": [row(9), row(5)], "paging": {"next": {"after": "MTAw"}}}
    answers(crm, "GET", f"{OBJECTS}/contacts", first, {"results": [row(7)]}, match=[ARCHIVED])
    answers(crm, "GET", f"{OBJECTS}/deals", {"results": []}, match=[ARCHIVED])
    knows_little(crm)
    pages = pulled(hubspot, Since(Progress(mark=NOW_MS, layout=PLAIN).cursor()))
    assert [record.ref.id for page in pages for record in page.records] == ["9", "5", "7"]
    cut = next(page.cursor for page in pages if page.records)
    assert cut is not None
    assert read_cursor(cut).last == 0, "who goes on from there reads the list from its beginning"


def test_a_list_whose_tokens_go_round_is_refused(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    for kind in ("contacts", "deals"):
        answers(crm, "POST", f"{OBJECTS}/{kind}/search", {"results": [], "total": 0})
    again = {"results": [row(9)], "paging": {"next": {"after": "MTAw"}}}
    answers(crm, "GET", f"{OBJECTS}/contacts", again, match=[ARCHIVED])
    knows_little(crm)
    with pytest.raises(CrmUnavailable, match="there before"):
        pulled(hubspot, Since(Progress(mark=NOW_MS, layout=PLAIN).cursor()))


@pytest.mark.parametrize("total", [0, 1, 3])
def test_a_count_that_is_off_for_a_while_skips_nothing(
    crm: responses.RequestsMock, hubspot: HubSpot, total: int
) -> None:
    found = {"results": [row(3), row(8)], "total": total}
    answers(crm, "POST", f"{OBJECTS}/contacts/search", found, {"results": [], "total": 0})
    answers(crm, "POST", f"{OBJECTS}/deals/search", {"results": [], "total": 0})
    pages = pulled(hubspot, Since(Progress(mark=NOW_MS, swept=NOW_MS, layout=PLAIN).cursor()))
    assert [record.ref.id for page in pages for record in page.records] == ["3", "8"]
    assert pages[-1].cursor is not None
    assert read_cursor(pages[-1].cursor).mark > 0


@pytest.mark.parametrize(("mark", "stays"), [(NOW_MS - 300_000, True), (NOW_MS - 2 * 86_400_000, False)])
def test_what_is_counted_and_not_shown_is_read_again_for_a_day(
    crm: responses.RequestsMock, hubspot: HubSpot, mark: int, stays: bool
) -> None:
    answers(crm, "POST", f"{OBJECTS}/contacts/search", {"results": [row(3)], "total": 2}, {"results": [], "total": 1})
    answers(crm, "POST", f"{OBJECTS}/deals/search", {"results": [row(4)], "total": 1})
    answers(crm, "POST", f"{URL}/crm/associations/2026-03/deals/contacts/batch/read", {"results": []})
    pages = pulled(hubspot, Since(Progress(mark=mark, swept=NOW_MS, layout=PLAIN).cursor()))
    assert [record.ref.id for page in pages for record in page.records] == ["3", "4"]
    assert pages[-1].cursor is not None
    assert (read_cursor(pages[-1].cursor).mark == mark) is stays
    assert [str(call.request.url).rsplit("/", 2)[-2] for call in crm.calls].count("contacts") == 3


@pytest.mark.parametrize(
    "answer",
    [
        {"results": []},
        {"results": [], "total": -1},
        {"results": [row(2), row(1)], "total": 2},
        {"results": [row(number) for number in range(1, 202)], "total": 201},
    ],
)
def test_a_search_that_does_not_add_up_is_refused(
    crm: responses.RequestsMock, hubspot: HubSpot, answer: dict[str, Any]
) -> None:
    answers(crm, "POST", f"{OBJECTS}/contacts/search", answer)
    with pytest.raises(CrmUnavailable):
        pulled(hubspot, Since(Progress(mark=NOW_MS, swept=NOW_MS, layout=PLAIN).cursor()))


def test_a_short_page_of_a_longer_search_is_gone_on_from(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    answers(
        crm,
        "POST",
        f"{OBJECTS}/contacts/search",
        {"results": [row(3)], "total": 2},
        {"results": [row(8)], "total": 1},
    )
    answers(crm, "POST", f"{OBJECTS}/deals/search", {"results": [], "total": 0})
    pages = pulled(hubspot, Since(Progress(mark=NOW_MS, swept=NOW_MS, layout=PLAIN).cursor()))
    assert [record.ref.id for page in pages for record in page.records] == ["3", "8"]
    second = json.loads(crm.calls[1].request.body or "")["filterGroups"][0]["filters"]
    assert second[1]["value"] == "3"
    assert second[0] == {
        "propertyName": "lastmodifieddate",
        "operator": "BETWEEN",
        "value": str(NOW_MS - 3_600_000),
        "highValue": str(NOW_MS + 999),
    }


def test_a_search_that_shows_nothing_is_asked_once_more(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    empty, full = {"results": [], "total": 1}, {"results": [row(3)], "total": 1}
    answers(crm, "POST", f"{OBJECTS}/contacts/search", empty, full)
    answers(crm, "POST", f"{OBJECTS}/deals/search", {"results": [], "total": 0})
    pages = pulled(hubspot, Since(Progress(mark=NOW_MS, swept=NOW_MS, layout=PLAIN).cursor()))
    assert [record.ref.id for page in pages for record in page.records] == ["3"]
    assert len(crm.calls) == 3


def test_a_row_outside_of_its_window_is_taken(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    """The index finds an old copy, and the answer shows the new one."""
    answers(
        crm, "POST", f"{OBJECTS}/contacts/search", {"results": [row(3, updatedAt="2027-01-01T00:00:00Z")], "total": 1}
    )
    answers(crm, "POST", f"{OBJECTS}/deals/search", {"results": [], "total": 0})
    pages = pulled(hubspot, Since(Progress(mark=NOW_MS, swept=NOW_MS, layout=PLAIN).cursor()))
    assert [record.ref.id for record in pages[0].records] == ["3"]


def test_a_watermark_needs_the_servers_clock(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    crm.add("POST", f"{OBJECTS}/contacts/search", json={"results": [], "total": 0})
    with pytest.raises(CrmUnavailable, match="Date"):
        pulled(hubspot, Since(Progress(mark=NOW_MS, layout=PLAIN).cursor()))


def test_a_watermark_in_the_future_is_refused(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    answers(crm, "POST", f"{OBJECTS}/contacts/search", {"results": [], "total": 0})
    with pytest.raises(LedgerError, match="future"):
        pulled(hubspot, Since(Progress(mark=NOW_MS + 86_400_000, layout=PLAIN).cursor()))


def test_a_foreign_cursor_costs_no_call(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    with pytest.raises(LedgerError):
        pulled(hubspot, Since(Cursor("elsewhere")))
    assert len(crm.calls) == 0


def test_a_page_whose_links_cannot_be_read_is_not_yielded(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    answers(crm, "POST", f"{OBJECTS}/deals/search", {"results": [row(3)], "total": 1})
    crm.add(
        "POST",
        f"{URL}/crm/associations/2026-03/deals/contacts/batch/read",
        json={"results": [], "errors": [{"category": "INTERNAL_ERROR"}]},
        status=207,
    )
    interrupted = Progress(mark=1, swept=NOW_MS, until=NOW_MS, todo=TICK, layout=PLAIN).next_phase()
    pages: list[Page] = []
    with pytest.raises(CrmUnavailable, match="INTERNAL_ERROR"):
        pages.extend(hubspot.pull(FIELDS, Since(interrupted.cursor())))
    assert pages == []


def test_long_lists_of_contacts_are_read_to_their_end(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    knows_little(crm)
    answers(crm, "GET", f"{OBJECTS}/contacts", {"results": []})
    cut = {"contacts": {"results": [{"id": "11"}], "paging": {"next": {"after": "12"}}}}
    answers(crm, "GET", f"{OBJECTS}/deals", {"results": [row(1, associations=cut), row(2)]})
    first = {"from": {"id": "1"}, "to": [{"toObjectId": 11}], "paging": {"next": {"after": "xyz"}}}
    second = {"from": {"id": "1"}, "to": [{"toObjectId": "12"}]}
    edges = f"{URL}/crm/associations/2026-03/deals/contacts/batch/read"
    answers(crm, "POST", edges, {"results": [first]}, {"results": [second]})
    deals = pulled(hubspot, Everything())[-1]
    assert [link.target.id for link in deals.links] == ["11", "12"]
    assert [source.id for source, _ in deals.whole] == ["2", "1"] or len(deals.whole) == 2
    assert json.loads(crm.calls[-1].request.body or "") == {"inputs": [{"id": "1", "after": "xyz"}]}


def test_a_list_of_contacts_that_never_ends_is_refused(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    answers(crm, "POST", f"{OBJECTS}/contacts/search", {"results": [], "total": 0})
    answers(crm, "POST", f"{OBJECTS}/deals/search", {"results": [row(1)], "total": 1})
    again = {"from": {"id": "1"}, "to": [{"toObjectId": 11}], "paging": {"next": {"after": "xyz"}}}
    answers(crm, "POST", f"{URL}/crm/associations/2026-03/deals/contacts/batch/read", {"results": [again]})
    with pytest.raises(CrmUnavailable, match="the last one again"):
        pulled(hubspot, Since(Progress(mark=NOW_MS, swept=NOW_MS, layout=PLAIN).cursor()))


def test_properties_that_do_not_fit_a_search_are_read_by_batches(crm: responses.RequestsMock) -> None:
    names = [f"{'a_very_long_internal_name_of_a_property_' * 2}{number}" for number in range(40)]
    hubspot = HubSpot("hub", settings(code_fields={"contact": names}), clock=no_clock)
    ids = range(1, 151)
    answers(crm, "POST", f"{OBJECTS}/contacts/search", {"results": [row(one) for one in ids], "total": 150})
    answers(crm, "POST", f"{OBJECTS}/deals/search", {"results": [], "total": 0})

    def batch(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        body = json.loads(request.body or "")
        assert names[39] in body["properties"]
        rows = [row(int(one["id"]), properties={names[39]: "CODE"}) for one in body["inputs"]]
        return 200, {}, json.dumps({"status": "COMPLETE", "results": rows[::-1]})

    crm.add_callback("POST", f"{OBJECTS}/contacts/batch/read", batch)
    page = pulled(hubspot, Since(Progress(mark=NOW_MS, swept=NOW_MS, layout=PLAIN).cursor()))[0]
    assert len(page.records) == 150
    assert all(record.texts == {names[39]: "CODE"} for record in page.records)
    searches = [call.request.body or "" for call in crm.calls if str(call.request.url).endswith("search")]
    assert all(len(body) <= 3_000 for body in searches)
    assert hubspot.calls()["POST /crm/objects/2026-03/contacts/batch/read"] == 2
    hubspot.close()


def test_a_window_never_touches_what_lies_outside(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    knows_little(crm)
    answers(crm, "POST", re.compile(f"{OBJECTS}/.*/search"), {"results": [], "total": 0})  # type: ignore[arg-type]  # not what it takes, on purpose
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert [page.cursor for page in pulled(hubspot, Between(start, start + timedelta(seconds=1)))] == [None, None]
    for body in (json.loads(call.request.body) for call in crm.calls if call.request.body):
        for group in body["filterGroups"]:
            assert group["filters"][0]["value"] == "1767225600000"
            assert group["filters"][0]["highValue"] == "1767225600999"


def test_an_archived_record_is_deleted_even_where_it_does_not_say_so(
    crm: responses.RequestsMock, hubspot: HubSpot
) -> None:
    for kind in ("contacts", "deals"):
        answers(crm, "POST", f"{OBJECTS}/{kind}/search", {"results": [], "total": 0})
        answers(crm, "GET", f"{OBJECTS}/{kind}", {"results": [row(5)]}, match=[ARCHIVED])
    knows_little(crm)
    pages = pulled(hubspot, Since(Progress(mark=NOW_MS, layout=PLAIN).cursor()))
    assert [(record.ref.kind, record.deleted) for page in pages for record in page.records] == [
        (Kind.CONTACT, True),
        (Kind.DEAL, True),
    ]
