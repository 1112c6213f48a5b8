"""Runs over the local CRMs while they are not as refloop needs them: without our fields, closed to writes, odd."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from refloop.errors import Exit
from refloop.ledger.reads.summary import summary
from refloop.model import Kind
from refloop.sync.run_report import Report
from refloop.testing import Draft
from refloop_sandbox import faults
from refloop_sandbox.hubspot import Quirks
from refloop_sandbox.salesforce import troubles
from refloop_sandbox.salesforce.errors import ApiError
from refloop_sandbox.server import Server
from tests import new_ledger as blank
from tests.connectors.hubspot.world import TOKEN, Front, HubSpotWorld
from tests.connectors.salesforce.world import SECRET, SalesforceWorld
from tests.sync.loop import Loop, assert_balanced

MISSING_SCOPES = {
    "status": "error",
    "message": "This app hasn't been granted all required scopes to make this call.",
    "category": "MISSING_SCOPES",
    "errors": [{"message": "scope", "context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}],
}


@pytest.fixture
def crms(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    """Both CRMs with a contact each that carries a code, without fields of ours; and a ledger."""
    monkeypatch.setenv("SF_SECRET", SECRET)
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    front = Front()
    with (
        Server(front) as server,
        closing(SalesforceWorld("sales")) as sales,
        closing(blank.new_ledger(folder / "refloop.db")) as ledger,
    ):
        loop = Loop(ledger, {"sales": sales, "marketing": HubSpotWorld(front, server.url, Quirks(), "marketing")})
        loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
        for name, crm in loop.crms.items():
            crm.create(Kind.CONTACT, Draft(email=f"bo@{name}.io", code="ANNA-7K2Q"))
        yield loop
        assert_balanced(ledger)


def told(report: Report) -> dict[str, str]:
    return {name: str(error) for name, error in report.problems}


def later(loop: Loop) -> Report:
    for crm in loop.crms.values():
        crm.pass_time(timedelta(minutes=1))
    return loop.sync()


def test_a_sync_before_our_fields_are_there_sends_nothing_and_reads_on(crms: Loop) -> None:
    for count in (1, 2):
        report = later(crms)
        assert (report.exit, set(told(report))) == (Exit.CONFIG, set(crms.crms))
        assert all("refloop provision" in problem for problem in told(report).values())
        assert summary(crms.ledger).unsettled == 0
        assert all(report.counts[name]["unsent"] and not report.counts[name]["unknown"] for name in crms.crms)
        for name, crm in crms.crms.items():
            rows = crms.ledger.rows("SELECT id FROM records WHERE connection = ?", (name,))
            assert len(list(rows)) == count, "what is new is read all the same"
            crm.create(Kind.CONTACT, Draft(email=f"ev{count}@{name}.io"))
    crms.provision()
    report = later(crms)
    assert (report.exit, told(report)) == (Exit.OK, {})
    assert report.counts["sales"]["written"] == report.counts["marketing"]["written"] > 0


def test_a_field_that_goes_while_a_fate_is_open_does_not_keep_a_run_from_reading(crms: Loop) -> None:
    crms.provision()
    sales = crms.crms["sales"]
    sales.break_next_write(done=True)
    later(crms)
    made = sales.create(Kind.CONTACT, Draft(email="new@sales.io"))
    for kind in (Kind.LEAD, Kind.CONTACT, Kind.DEAL):
        sales.drop_field(kind, crms.policy.spec("ref_why"))
    report = later(crms)
    assert set(told(report)) <= {"sales"}
    assert any(row["id"] == made.id for row in crms.ledger.rows("SELECT id FROM records WHERE connection = 'sales'"))


@pytest.mark.parametrize("refused", ["sales", "marketing"])
def test_a_key_that_may_not_write_is_told_and_nothing_is_kept_as_sent(crms: Loop, refused: str) -> None:
    crms.provision()
    world = crms.crms[refused]
    if isinstance(world, SalesforceWorld):
        no = troubles.fault(ApiError(403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights"))
        world.local.faults.add(no, when=lambda asked: asked.method == "PATCH" or b'"PATCH"' in asked.body, times=99)
    elif isinstance(world, HubSpotWorld):
        world.crm.faults.add(faults.answer(403, MISSING_SCOPES), path="/batch/update", times=99)
    report = later(crms)
    counts = report.counts[refused]
    assert counts["written"] == counts["unknown"] == 0
    assert counts["unsent"] or counts["refused"]
    assert summary(crms.ledger).unsettled == 0
    if refused == "marketing":
        assert report.exit is Exit.AUTH
        assert "crm.objects.contacts.write" in told(report)["marketing"]
    other = next(name for name in crms.crms if name != refused)
    assert report.counts[other]["written"]


@pytest.mark.parametrize(
    "code",
    [
        "MALFORMED_QUERY",
        "MALFORMED_ID",
        "JSON_PARSER_ERROR",
        "EXCEEDED_ID_LIMIT",
        "INVALID_REPLICATION_DATE",
        "INVALID_BATCH_REQUEST",
        "METHOD_NOT_ALLOWED",
        "URI_TOO_LONG",
        "REQUEST_HEADER_TOO_LARGE",
        "SOMETHING_NEW",
    ],
)
def test_an_odd_answer_of_one_crm_does_not_stop_the_other(crms: Loop, code: str) -> None:
    crms.provision()
    sales = crms.crms["sales"]
    assert isinstance(sales, SalesforceWorld)
    sales.local.faults.add(troubles.fault(ApiError(400, code, "odd")), path="/services/data/v", times=99)
    report = later(crms)
    assert (report.exit, set(told(report))) == (Exit.UNAVAILABLE, {"sales"})
    assert code in told(report)["sales"]
    assert report.counts["marketing"]["written"]
