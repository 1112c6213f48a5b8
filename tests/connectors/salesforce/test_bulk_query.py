"""Full pulls by Bulk jobs: when, at what price, and that nothing is lost when something breaks. Over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from refloop.connectors.salesforce import Salesforce, bulk_query
from refloop.connectors.salesforce.cursor import parse_cursor
from refloop.connectors.salesforce.ids import record_id
from refloop.errors import CrmUnavailable, LedgerError, TryLater
from refloop.model import Between, Cursor, Everything, Kind, Page, Record, Ref, Relation, Since
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.salesforce.call import Answer, Call
from tests.connectors.salesforce.connections import Connections, connections
from tests.connectors.salesforce.pages import last_cursor
from tests.connectors.salesforce.world import inside, refuse_next

NOTHING = ()
JOBS = ("POST /services/data/v67.0/jobs/query", "DELETE /services/data/v67.0/jobs/query/{id}")


@pytest.fixture
def connect(local: LocalSalesforce) -> Iterator[Connections]:
    with connections(local, bulk_rows=0) as opened:
        yield opened


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results come seven rows a call, and go on three rows a page."""
    monkeypatch.setattr(bulk_query, "RESULT_PAGE", 7)
    monkeypatch.setattr(bulk_query, "PAGE", 3)


def leads(local: LocalSalesforce, count: int) -> set[str]:
    return set(local.load("Lead", ({"LastName": f"L{n}", "Company": f"Acme {n}"} for n in range(count))))


def records(pages: Sequence[Page]) -> dict[Ref, Record]:
    return {record.ref: record for page in pages for record in page.records}


def ids(pages: Sequence[Page]) -> list[str]:
    return [record.ref.id for page in pages for record in page.records]


def metered(crm: Salesforce) -> int:
    usage = crm.usage()
    assert usage
    return usage.ours


# what it costs


def fifteen_thousand(local: LocalSalesforce) -> None:
    leads(local, 10_000)
    deals = ({"Name": f"D{n}", "StageName": "Prospecting", "CloseDate": "2026-12-31"} for n in range(2_500))
    people = local.load("Contact", [{"LastName": "C"}])
    for deal in (found := local.load("Opportunity", deals)):
        assert deal
    local.load("OpportunityContactRole", ({"OpportunityId": deal, "ContactId": people[0]} for deal in found))


@pytest.mark.parametrize(
    ("bulk_rows", "calls"),
    [
        (25_000, 1 + 5),  # the survey, and five full pages of leads with the others beside them
        (5_000, 1 + 2 + 1 + 2 + 1 + 1),  # survey, two pages of the rest; create, look twice, results, delete
        (0, 1 + 4 * (1 + 2 + 1 + 1)),
    ],
)
def test_what_fifteen_thousand_rows_cost(
    local: LocalSalesforce, connect: Connections, bulk_rows: int, calls: int
) -> None:
    fifteen_thousand(local)
    used = local.api_usage
    crm = connect(bulk_rows=bulk_rows)
    pages = list(crm.pull(NOTHING, Everything()))
    assert len(records(pages)) == 12_501
    assert sum(len(page.links) for page in pages) == 2_500
    assert max(len(page.records) for page in pages) <= 4 * 2_000
    assert local.api_usage - used == metered(crm) == calls


def test_only_what_is_large_comes_by_a_job(local: LocalSalesforce, connect: Connections) -> None:
    leads(local, 30)
    crm = connect(bulk_rows=29)
    local.load("Contact", ({"LastName": "C"} for _ in range(29)))
    pages = list(crm.pull(NOTHING, Everything()))
    assert len(records(pages)) == 59
    assert [crm.calls().get(endpoint) for endpoint in JOBS] == [1, 1]


def test_what_cannot_be_counted_in_time_is_large(local: LocalSalesforce, connect: Connections) -> None:
    known = leads(local, 5)
    crm = connect(bulk_rows=50_000)
    serve = inside(local)._serve

    def slow(call: Call) -> Any:
        answer = serve(call)
        if call.path.endswith("/composite") and isinstance(answer.body, dict):
            for part in answer.body["compositeResponse"]:
                if part["referenceId"] == "LeadCount":
                    part.update(httpStatusCode=400, body=[{"errorCode": "QUERY_TIMEOUT", "message": "too long"}])
        return answer

    inside(local)._serve = slow  # an org that is slow at counting
    assert set(ids(list(crm.pull(NOTHING, Everything())))) == known
    assert crm.calls()[JOBS[0]] == 1


def test_the_looks_at_a_job_become_rarer(local: LocalSalesforce, connect: Connections) -> None:
    leads(local, 5)
    local.set_bulk_polls(6)
    list(connect().pull(NOTHING, Everything()))
    assert connect.pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


# what it brings


def test_a_job_brings_what_queries_bring(local: LocalSalesforce, connect: Connections) -> None:
    account = local.create("Account", {"Name": 'Acme, "the" Company'})
    texts = ["two\nlines", "two\r\nlines", 'say "x", y', "Zoë 紹介 🎉", "#N/A", " space ", "null", "true"]
    for text in texts:
        local.create("Lead", {"LastName": "L", "Company": "A", "Email": "a@example.com", "Description": text})
    contact = local.create("Contact", {"LastName": "C", "AccountId": account})
    deal = {"Name": "D", "CloseDate": "2026-12-31"}
    for stage, amount in (("Prospecting", None), ("Closed Won", 10.5), ("Closed Lost", 1234567.0)):
        made = local.create("Opportunity", {**deal, "StageName": stage, "Amount": amount})
        role = local.create("OpportunityContactRole", {"OpportunityId": made, "ContactId": contact})
    local.delete("OpportunityContactRole", role)
    converted, winner, loser = (local.create("Lead", {"LastName": "L", "Company": "A"}) for _ in range(3))
    local.convert_lead(converted)
    local.merge("Lead", winner, loser)
    by_job, by_query = (list(connect(bulk_rows=rows).pull(NOTHING, Everything())) for rows in (0, 50_000))
    assert records(by_job) == records(by_query)
    assert {link for page in by_job for link in page.links} == {link for page in by_query for link in page.links}
    assert len(records(by_job)) == 17
    relations = {link.relation for page in by_job for link in page.links}
    assert relations == {Relation.CONVERTED_TO, Relation.MERGED_INTO, Relation.ASSOCIATED_WITH}


@pytest.mark.usefixtures("small_pages")
def test_no_row_comes_twice(local: LocalSalesforce, connect: Connections) -> None:
    for count in (0, 1, 3, 6, 7, 8, 14, 20):
        known = leads(local, count) | {ref.id for ref in records(list(connect().pull(NOTHING, Everything())))}
        found = ids(list(connect().pull(NOTHING, Everything())))
        assert sorted(found) == sorted(known)


def test_a_window_by_a_job(local: LocalSalesforce, connect: Connections) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day in range(4):
        stamp = (start + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        row = {"LastName": "L", "Company": f"{day}", "CreatedDate": stamp, "SystemModstamp": stamp}
        local.load("Lead", [row])
    crm = connect()
    pages = list(crm.pull(NOTHING, Between(start + timedelta(days=1), start + timedelta(days=3))))
    assert sorted(str(record.title) for record in records(pages).values()) == ["1", "2"]
    assert crm.calls()[JOBS[0]] == 1
    assert {page.cursor for page in pages} == {None}


def test_the_watermark_is_from_before_the_jobs(local: LocalSalesforce, connect: Connections) -> None:
    known = leads(local, 5)
    with local.transaction() as slow:
        slow.update("Lead", min(known), {"Description": "late"})
        pages = list(connect().pull(NOTHING, Everything()))
    assert parse_cursor(last_cursor(pages)).watermark <= datetime.fromisoformat(slow.start)
    after = list(connect(look_back=0).pull(NOTHING, Since(last_cursor(pages))))
    assert records(after)[Ref("crm", Kind.LEAD, min(known))].texts == {"Description": "late"}


def test_what_changed_in_a_long_time_comes_by_a_job(local: LocalSalesforce, connect: Connections) -> None:
    cursor = last_cursor(list(connect().pull(NOTHING, Everything())))
    known = leads(local, 9)
    today, (used, crm) = parse_cursor(cursor), (local.api_usage, connect())
    assert set(ids(list(crm.pull(NOTHING, Since(cursor))))) == known
    assert local.api_usage - used == 1
    last_year = replace(
        today, watermark=today.watermark - timedelta(days=365), described=today.described - timedelta(days=365)
    )
    crm = connect(bulk_rows=8)
    pages = list(crm.pull(NOTHING, Since(last_year.cursor())))
    assert set(ids(pages)) == known
    assert crm.calls()[JOBS[0]] == 1
    assert parse_cursor(last_cursor(pages)).watermark >= today.watermark


# what may break


@pytest.mark.usefixtures("small_pages")
def test_a_pull_goes_on_after_any_page(local: LocalSalesforce, connect: Connections) -> None:
    known = leads(local, 17)
    total = len(list(connect().pull(NOTHING, Everything())))
    assert total == 9  # one to remember the job, one of the rest, seven of leads
    for stop in range(1, total):
        pull = connect().pull(NOTHING, Everything())
        before = [next(pull) for _ in range(stop)]
        crm = connect()
        after = list(crm.pull(NOTHING, Since(last_cursor(before))))
        assert sorted([*ids(before), *ids(after)]) == sorted(known), f"stopped after page {stop}"
        assert JOBS[0] not in crm.calls(), "the job that was under way is used"


@pytest.mark.parametrize("when", ["failed", "expired", "refused"])
def test_queries_stand_in_for_a_job_that_is_no_use(local: LocalSalesforce, connect: Connections, when: str) -> None:
    known = leads(local, 5)
    crm = connect()
    if when == "refused":
        refuse_next(local, 400, code="FEATURENOTENABLED", path="/jobs/query", times=9)
    pull = crm.pull(NOTHING, Everything())
    first = [next(pull)]
    for job in list(local._org.jobs.values()):
        if when == "failed":
            job.state = "Failed"
        else:
            del local._org.jobs[job.id]
    assert set(ids([*first, *pull])) == known
    assert crm.calls()[JOBS[0]] == (2 if when == "expired" else 1)
    assert local._org.jobs == {}


def test_a_job_that_is_lost_again_and_again_ends_in_queries(local: LocalSalesforce, connect: Connections) -> None:
    known = leads(local, 5)
    refuse_next(local, 404, code="NOT_FOUND", path="/jobs/query/", times=99)
    assert set(ids(list(connect().pull(NOTHING, Everything())))) == known


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("status", [204, 400, 404, 409])
def test_results_that_expire_meanwhile_are_made_again(
    local: LocalSalesforce, connect: Connections, status: int
) -> None:
    known = leads(local, 17)
    pull = connect().pull(NOTHING, Everything())
    before = [next(pull) for _ in range(4)]
    refuse_next(local, status, code="INVALID_LOCATOR", path="locator=")
    assert set(ids([*before, *pull])) == known


def tampered(local: LocalSalesforce, headers: Mapping[str, str]) -> None:
    serve = inside(local)._serve

    def spoilt(call: Call) -> Any:
        answer = serve(call)
        if "/results" not in call.path:
            return answer
        return replace(answer, headers={**answer.headers, **headers})

    inside(local)._serve = spoilt  # an org that miscounts


@pytest.mark.parametrize(
    "headers",
    [{"Sforce-NumberOfRecords": "6"}, {"Sforce-NumberOfRecords": ""}, {"Sforce-Locator": ""}],
    ids=["another count", "no count", "no locator"],
)
def test_a_job_whose_pages_do_not_fit_what_it_says_ends_in_queries(
    local: LocalSalesforce, connect: Connections, headers: dict[str, str]
) -> None:
    """Not in a stop that the next run would come to again; without a count, the job's own is enough."""
    known = leads(local, 5)
    tampered(local, headers)
    crm = connect()
    assert ids(list(crm.pull(NOTHING, Everything()))) == sorted(known)
    assert any(path.endswith("queryAll") or "composite" in path for path in crm.calls())
    assert local._org.jobs == {}


def test_a_job_with_fewer_rows_than_it_says_is_not_believed(local: LocalSalesforce, connect: Connections) -> None:
    known = leads(local, 5)
    crm = connect()
    pull = crm.pull(NOTHING, Everything())
    next(pull)
    (job,) = local._org.jobs.values()
    serve = inside(local)._serve

    def boastful(call: Call) -> Any:
        answer = serve(call)
        if call.path.endswith(job.id) and isinstance(answer.body, dict) and "numberRecordsProcessed" in answer.body:
            answer = replace(answer, body={**answer.body, "numberRecordsProcessed": 6})
        return answer

    inside(local)._serve = boastful  # an org that miscounts
    assert set(ids(list(pull))) == known  # by queries


@pytest.mark.parametrize("how", [{"status": None}, {"status": 503}, {"status": 500, "body": b"{}"}])
def test_a_broken_download_is_repeated(local: LocalSalesforce, connect: Connections, how: Any) -> None:
    known = leads(local, 500)
    local.fail_next(path="/results", **how)
    assert set(ids(list(connect().pull(NOTHING, Everything())))) == known


@pytest.mark.parametrize("body", [b'"Id","Id"\n', b'"Id"\n"a","b"\n', b"\xff\xfe", b'"Id"\n"x'])
def test_a_file_that_is_no_csv_brings_nothing(local: LocalSalesforce, connect: Connections, body: bytes) -> None:
    leads(local, 5)
    serve = inside(local)._serve

    def spoilt(call: Call) -> Any:
        answer = serve(call)
        return replace(answer, body=body) if "/results" in call.path else answer

    inside(local)._serve = spoilt  # an org that cannot write CSV
    with pytest.raises(CrmUnavailable, match="CSV"):
        list(connect().pull(NOTHING, Everything()))


def test_a_job_that_does_not_get_on_is_left_for_the_next_run(local: LocalSalesforce, connect: Connections) -> None:
    known = leads(local, 5)
    local.set_bulk_polls(1_000)
    seen: list[Page] = []
    with pytest.raises(TryLater) as later:
        seen.extend(connect().pull(NOTHING, Everything()))
    assert later.value.seconds
    assert max(connect.pauses) <= 30
    assert sum(connect.pauses) <= 121
    (job,) = local._org.jobs.values()
    job.polls = 1
    crm = connect()
    assert set(ids(list(crm.pull(NOTHING, Since(last_cursor(seen)))))) == known
    assert JOBS[0] not in crm.calls()


def test_jobs_are_removed_when_done(local: LocalSalesforce, connect: Connections) -> None:
    leads(local, 5)
    local.create("Contact", {"LastName": "C"})
    list(connect().pull(NOTHING, Everything()))
    assert local._org.jobs == {}


def test_a_job_that_cannot_be_removed_does_not_matter(local: LocalSalesforce, connect: Connections) -> None:
    known = leads(local, 5)
    refuse_next(local, 403, code="INSUFFICIENT_ACCESS", path="/jobs/query/", method="DELETE")
    assert set(ids(list(connect().pull(NOTHING, Everything())))) == known


def test_jobs_that_were_started_in_vain_are_removed(local: LocalSalesforce, connect: Connections) -> None:
    leads(local, 5)
    local.load("Contact", ({"LastName": "C"} for _ in range(4)))
    serve = inside(local)._serve

    def full(call: Call) -> Any:
        if call.method == "POST" and call.path.endswith("/jobs/query") and local._org.jobs:
            said = {"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}
            return Answer(403, [said])
        return serve(call)

    inside(local)._serve = full  # an org whose limit is reached between two calls
    with pytest.raises(TryLater):
        list(connect().pull(NOTHING, Everything()))
    assert local._org.jobs == {}


# whose cursor it is


def test_a_cursor_of_another_org_is_refused(local: LocalSalesforce, connect: Connections) -> None:
    cursor = last_cursor(list(connect().pull(NOTHING, Everything())))
    assert parse_cursor(cursor).organization == local.organization_id
    body = json.loads(cursor.text)
    other = Cursor(json.dumps(body | {"org": record_id("00D5g00000ABCDE")}))
    with pytest.raises(LedgerError, match="org") as failure:
        list(connect().pull(NOTHING, Since(other)))
    assert failure.value.remedy
    unknown = Cursor(json.dumps(body | {"org": ""}))
    assert list(connect().pull(NOTHING, Since(unknown)))
