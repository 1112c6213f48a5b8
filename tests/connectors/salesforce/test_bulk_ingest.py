"""Very many changes: what they cost, by collections and by jobs, and what became of each when a job breaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from refloop.connectors.salesforce import bulk_ingest
from refloop.connectors.salesforce.answers import Saved
from refloop.connectors.salesforce.batch import Update
from refloop.connectors.salesforce.bulk_ingest import as_csv, fits, refusal
from refloop.errors import CrmUnavailable, TryLater
from refloop.model import FieldChange, FieldSpec, FieldType, Kind, Receipt, Ref, Verdict
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.salesforce.call import Call
from tests.connectors.salesforce.connections import Connections, connections
from tests.connectors.salesforce.world import inside, refuse_next

EVERY = (Kind.LEAD, Kind.CONTACT, Kind.DEAL)
CODE = FieldSpec("ref_code", "Referral Code", FieldType.TEXT, EVERY, length=64)
SENT = FieldSpec("ref_sent", "Sent", FieldType.NUMBER, EVERY)
WORTH = FieldSpec("ref_worth", "Worth", FieldType.MONEY, EVERY)
AT = FieldSpec("ref_at", "Since", FieldType.TIME, EVERY)
FIELDS = (CODE, SENT, WORTH, AT)
JOBS = "POST /services/data/v67.0/jobs/ingest"


# as CSV


def update(id: str, **values: object) -> Update:  # noqa: A002 - the CRM's word
    return Update("Lead", id, "", values)


def test_updates_as_csv() -> None:
    rows = [update("1", B__c="x", A__c=10.5), update("2", A__c=None), update("3", B__c='say "no",\nthen', A__c=7)]
    assert as_csv(rows) == b'Id,A__c,B__c\n1,10.5,x\n2,#N/A,\n3,7,"say ""no"",\nthen"\n'


def test_a_text_that_reads_like_null_is_not_sent_as_csv() -> None:
    assert not fits(update("1", A__c="#N/A"))
    assert fits(update("1", A__c=None, B__c="#N/A "))


@pytest.mark.parametrize(
    ("text", "saved"),
    [
        ("UNABLE_TO_LOCK_ROW:unable to obtain: 001:--", Saved("UNABLE_TO_LOCK_ROW", "unable to obtain: 001")),
        ("STRING_TOO_LONG:too long:Ref_Code__c,A__c --", Saved("STRING_TOO_LONG", "too long", ("Ref_Code__c", "A__c"))),
        ("SOMETHING_NEW", Saved("SOMETHING_NEW", "")),
        ("", Saved("UNKNOWN_EXCEPTION", "")),
    ],
)
def test_what_a_refused_row_says(text: str, saved: Saved) -> None:
    assert refusal(text) == saved


# against an org


@pytest.fixture
def connect(local: LocalSalesforce) -> Iterator[Connections]:
    with connections(local, bulk_changes=1, conditional_writes="never") as opened:
        list(opened().provision(FIELDS))
        yield opened


def leads(local: LocalSalesforce, count: int) -> list[Ref]:
    ids = local.load("Lead", ({"LastName": f"L{n}", "Company": "Acme"} for n in range(count)))
    return [Ref("crm", Kind.LEAD, one) for one in ids]


def code(ref: Ref, after: str | None = "ACME1", before: str | None = None) -> FieldChange:
    return FieldChange(ref, CODE, before, after, "test")


def verdicts(receipts: Sequence[Receipt]) -> list[Verdict]:
    return [receipt.verdict for receipt in receipts]


@pytest.mark.parametrize(
    ("bulk_changes", "calls"),
    [
        (6_000, 1 + 3 * (1 + 2)),  # describe; look at 2,000, write 1,000 twice
        (5_999, 1 + 1 + 3 + 2 + 3 + 1),  # describe, look at all; make, fill, close; look twice; three sets; delete
    ],
)
def test_what_six_thousand_changes_cost(
    local: LocalSalesforce, connect: Connections, bulk_changes: int, calls: int
) -> None:
    refs = leads(local, 6_000)
    used = local.api_usage
    receipts = list(connect(bulk_changes=bulk_changes).push([code(ref) for ref in refs]))
    assert set(verdicts(receipts)) == {Verdict.WRITTEN}
    assert [receipt.change.ref for receipt in receipts] == refs
    assert local.api_usage - used == calls
    assert all(row["Ref_Code__c"] == "ACME1" for row in local.rows("Lead"))
    assert not any(row["OwnerId"] == local.queue_id for row in local.rows("Lead"))  # no assignment rule ran
    assert local._org.jobs == {}


def test_a_job_writes_what_collections_write(local: LocalSalesforce, connect: Connections) -> None:
    ids = local.load("Contact", ({"LastName": f"C{n}", "Ref_Code__c": "OLD"} for n in range(8)))
    both: list[list[dict[str, object]]] = []
    for half, bulk in ((ids[:4], 0), (ids[4:], 1000)):
        refs = [Ref("crm", Kind.CONTACT, one) for one in half]
        changes = [
            code(refs[0], None, "OLD"),
            code(refs[1], 'two\nlines, "x"', "OLD"),
            FieldChange(refs[1], WORTH, None, "10.5", "test"),
            FieldChange(refs[2], AT, None, "2026-02-28T23:59:59Z", "test"),
            FieldChange(refs[2], SENT, None, "7", "test"),
            code(refs[3], "#N/A", "OLD"),
        ]
        assert set(verdicts(list(connect(bulk_changes=bulk).push(changes)))) == {Verdict.WRITTEN}
        rows = [local.get("Contact", one) or {} for one in half]
        both.append([{name: row[name] for name in row if name.startswith("Ref_")} for row in rows])
    assert both[0] == both[1]
    assert both[0][0]["Ref_Code__c"] is None
    assert both[0][3]["Ref_Code__c"] == "#N/A"


def test_a_few_of_another_kind_go_by_collections(local: LocalSalesforce, connect: Connections) -> None:
    refs = leads(local, 3)
    contact = Ref("crm", Kind.CONTACT, local.create("Contact", {"LastName": "C"}))
    crm = connect()
    changes = [code(ref) for ref in (refs[0], contact, *refs[1:])]
    receipts = list(crm.push(changes))
    assert [receipt.change for receipt in receipts] == changes
    assert set(verdicts(receipts)) == {Verdict.WRITTEN}
    assert crm.calls()[JOBS] == 1


def test_records_of_one_account_lie_side_by_side(local: LocalSalesforce, connect: Connections) -> None:
    accounts = [local.create("Account", {"Name": f"A{n}"}) for n in range(3)]
    ids = [local.create("Contact", {"LastName": "C", "AccountId": accounts[n % 3]}) for n in range(12)]
    serve, sent = inside(local)._serve, []

    def watched(call: Call) -> Any:
        if call.path.endswith("/batches") and isinstance(call.body, bytes):
            sent.append(call.body)
        return serve(call)

    inside(local)._serve = watched  # a witness, not a stand-in
    list(connect().push([code(Ref("crm", Kind.CONTACT, one)) for one in ids]))
    order = [line.split(",")[0] for line in sent[0].decode().splitlines()[1:]]
    parents = [str((local.get("Contact", one) or {})["AccountId"]) for one in order]
    assert len(order) == 12
    assert sum(one != other for one, other in pairwise(parents)) == 2


def test_each_row_has_its_own_fate(local: LocalSalesforce, connect: Connections) -> None:
    refs = leads(local, 6)
    local.refuse_next(refs[1].id, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Not on a Sunday.", times=9)
    local.refuse_next(refs[2].id, "UNABLE_TO_LOCK_ROW", "busy")
    local.refuse_next(refs[3].id, "UNABLE_TO_LOCK_ROW", "busy", times=9)
    crm = connect(bulk_changes=5)
    receipts = list(crm.push([code(ref) for ref in refs]))
    wanted = [Verdict.WRITTEN, Verdict.REFUSED, Verdict.WRITTEN, Verdict.DEFERRED, Verdict.WRITTEN, Verdict.WRITTEN]
    assert verdicts(receipts) == wanted
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION: Not on a Sunday." in receipts[1].reason
    assert crm.calls()[JOBS] == 1  # the locked ones go by collections


def test_what_a_failed_job_left_undone_is_sent_again(local: LocalSalesforce, connect: Connections) -> None:
    refs = leads(local, 6)
    local.fail_ingest_after(2)
    crm = connect(bulk_changes=5)
    assert set(verdicts(list(crm.push([code(ref) for ref in refs])))) == {Verdict.WRITTEN}
    assert crm.calls()[JOBS] == 1
    assert crm.read(refs, [CODE]) == {ref: {"ref_code": "ACME1"} for ref in refs}


def test_an_org_that_refuses_jobs_is_written_to_by_collections(local: LocalSalesforce, connect: Connections) -> None:
    refs = leads(local, 6)
    refuse_next(local, 400, code="FEATURENOTENABLED", path="/jobs/ingest", times=9)
    assert set(verdicts(list(connect().push([code(ref) for ref in refs])))) == {Verdict.WRITTEN}


def test_an_upload_that_breaks_leaves_nothing_written(local: LocalSalesforce, connect: Connections) -> None:
    refs = leads(local, 6)
    receipts: list[Receipt] = []
    local.fail_next(None, path="/batches")
    with pytest.raises(CrmUnavailable):
        receipts.extend(connect().push([code(ref) for ref in refs]))
    assert set(verdicts(receipts)) == {Verdict.DEFERRED}
    assert {job.state for job in local._org.jobs.values()} == {"Aborted"}
    assert not any(row["Ref_Code__c"] for row in local.rows("Lead"))


@pytest.mark.parametrize("after", [True, False])
def test_whether_a_job_was_closed_is_seen(local: LocalSalesforce, connect: Connections, after: bool) -> None:
    refs = leads(local, 6)
    local.fail_next(None, path="/jobs/ingest/", method="PATCH", applied=after)
    crm = connect()
    assert set(verdicts(list(crm.push([code(ref) for ref in refs])))) == {Verdict.WRITTEN}
    closed = crm.calls()["PATCH /services/data/v67.0/jobs/ingest/{id}"]
    assert closed == (1 if after else 2)


def test_a_job_that_does_not_get_on_is_stopped(local: LocalSalesforce, connect: Connections) -> None:
    refs = leads(local, 6)
    local.set_bulk_polls(1_000)
    receipts: list[Receipt] = []
    with pytest.raises(TryLater):
        receipts.extend(connect().push([code(ref) for ref in refs]))
    assert set(verdicts(receipts)) == {Verdict.DEFERRED}
    assert sum(connect.pauses) <= 121
    assert local._org.jobs == {}


@pytest.mark.parametrize("name", ["successfulResults", "failedResults", "unprocessedrecords"])
def test_what_no_result_set_tells_is_read_back(local: LocalSalesforce, connect: Connections, name: str) -> None:
    refs = leads(local, 6)
    local.refuse_next(refs[1].id, "STRING_TOO_LONG", "too long", times=9)
    refuse_next(local, 404, code="NOT_FOUND", path=name, times=9)
    known = {"successfulResults": [], "failedResults": [0, 2, 3, 4, 5], "unprocessedrecords": [0, 1, 2, 3, 4, 5]}[name]
    receipts = list(connect().push([code(ref) for ref in refs]))
    assert [place for place, one in enumerate(receipts) if one.verdict is not Verdict.UNKNOWN] == known


def test_a_result_set_that_is_not_whole_confirms_nothing(local: LocalSalesforce, connect: Connections) -> None:
    refs = leads(local, 6)
    serve = inside(local)._serve

    def miscounting(call: Call) -> Any:
        answer = serve(call)
        if "successfulResults" not in call.path:
            return answer
        return replace(answer, headers={**answer.headers, "Sforce-NumberOfRecords": "7"})

    inside(local)._serve = miscounting  # an org that miscounts
    receipts: list[Receipt] = []
    with pytest.raises(CrmUnavailable):
        receipts.extend(connect().push([code(ref) for ref in refs]))
    assert set(verdicts(receipts)) == {Verdict.UNKNOWN}


def test_more_data_than_one_job_takes_goes_by_several(
    local: LocalSalesforce, connect: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = leads(local, 8)
    monkeypatch.setattr(bulk_ingest, "MOST_DATA", 100)
    crm = connect()
    assert set(verdicts(list(crm.push([code(ref) for ref in refs])))) == {Verdict.WRITTEN}
    assert crm.calls()[JOBS] == 4
