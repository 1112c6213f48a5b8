"""The daily allowance: what is read of it, what of it is spent, and how a run ends that has spent its share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from refloop.connectors.salesforce.limits import Allowance, Quota, is_free, parse_limit_info
from refloop.errors import TryLater
from refloop.model import (
    Everything,
    FieldChange,
    FieldSpec,
    FieldType,
    Kind,
    Page,
    Receipt,
    Ref,
    Since,
    Usage,
    Verdict,
)
from refloop_sandbox.salesforce import LocalSalesforce
from tests.connectors.salesforce.world import refuse_next

CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, (Kind.LEAD,), length=64)
NOTHING = ()
CALL = "POST /services/data/v67.0/composite"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("api-usage=10018/100000", Allowance(10018, 100000)),
        ("api-usage=10018/100000; api-bursts=1/750", Allowance(10018, 100000)),
        ("api-bursts=1/750;api-usage=7/15000", Allowance(7, 15000)),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)", Allowance(25, 5000)),
        ("per-app-api-usage=17/250(appName=x)", None),
        ("api-usage = 1 / 2", Allowance(1, 2)),
        ("api-usage=many", None),
        ("api-usage=1/2/3", None),
        ("", None),
    ],
)
def test_what_the_header_says(text: str, said: Allowance | None) -> None:
    assert parse_limit_info(text) == said


@pytest.mark.parametrize(
    ("endpoint", "free"),
    [
        ("GET /services/data", True),
        ("POST /services/oauth2/token", True),
        ("GET /services/oauth2/userinfo", True),
        (CALL, False),
        ("GET /services/data/v67.0/limits", False),
    ],
)
def test_what_is_metered(endpoint: str, free: bool) -> None:
    assert is_free(endpoint) is free


def spent_until_refused(quota: Quota, used: int, limit: int) -> int:
    """How many calls one may make where nobody else calls."""
    for calls in range(1, 1000):
        try:
            quota.admit(CALL)
        except TryLater:
            return calls - 1
        quota.learn({"Sforce-Limit-Info": f"api-usage={used + calls}/{limit}"})
    raise AssertionError("never refused")


@pytest.mark.parametrize(
    ("share", "used", "limit", "calls"),
    [
        (0.8, 0, 100, 80),
        (0.8, 90, 100, 8),
        (1.0, 90, 100, 10),
        (0.5, 99, 100, 1),
        (0.8, 100, 100, 1),
        (0.1, 5, 100, 9),
    ],
)
def test_a_share_of_what_was_left(share: float, used: int, limit: int, calls: int) -> None:
    assert spent_until_refused(Quota("acme", share), used, limit) == calls


def test_what_others_spend_meanwhile_does_not_widen_our_share() -> None:
    quota = Quota("acme", 0.5)
    quota.admit(CALL)
    quota.learn({"Sforce-Limit-Info": "api-usage=1/11"})
    quota.learn({"Sforce-Limit-Info": "api-usage=1/1000"})
    quota.learn({})
    for _ in range(4):
        quota.admit(CALL)
    quota.admit("POST /services/oauth2/token")
    with pytest.raises(TryLater) as later:
        quota.admit(CALL)
    assert later.value.seconds == 3600
    assert "quota_share" in later.value.remedy
    assert (quota.spent, quota.latest) == (5, Allowance(1, 1000))


def test_an_org_that_says_nothing_sets_no_bound() -> None:
    quota = Quota("acme", 0.5)
    for _ in range(100):
        quota.admit(CALL)
        quota.learn({})
    assert quota.latest is None


# against an org


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSalesforce]:
    monkeypatch.setenv("SF_SECRET", "local-secret")
    with LocalSalesforce(page_size=5) as local:
        yield local


def test_usage_is_what_the_org_last_said_and_what_we_made(local: LocalSalesforce, connect: Any) -> None:
    crm, other = connect(), connect()
    assert crm.usage() is None
    list(crm.pull(NOTHING, Everything()))
    assert crm.usage() == Usage(limit=100_000, used=2, ours=2)
    list(other.pull(NOTHING, Everything()))
    list(crm.check(NOTHING))
    assert crm.usage() == Usage(limit=100_000, used=8, ours=6) == Usage(100_000, local.api_usage, local.api_usage - 2)


def test_a_pull_that_has_spent_its_share_ends_and_goes_on_later(local: LocalSalesforce, connect: Any) -> None:
    known = {local.create("Lead", {"LastName": "L", "Company": "A"}) for _ in range(50)}
    local.use_up_limit(left=6)
    pages: list[Page] = []
    with pytest.raises(TryLater, match="share") as later:
        pages.extend(connect(quota_share=0.5).pull(NOTHING, Everything()))
    assert later.value.seconds == 3600
    assert (local.api_usage, len(pages)) == (3, 2)  # half of six: the survey and two pages
    local.use_up_limit(left=100)
    assert pages[-1].cursor
    pages += connect().pull(NOTHING, Since(pages[-1].cursor))
    assert {record.ref.id for page in pages for record in page.records} == known


def test_a_push_that_has_spent_its_share_tells_what_it_wrote(local: LocalSalesforce, connect: Any) -> None:
    ids = local.load("Lead", ({"LastName": f"L{n}", "Company": "Acme"} for n in range(3000)))
    list(connect().provision([CODE]))
    local.use_up_limit(left=8)
    changes = [FieldChange(Ref("crm", Kind.LEAD, one), CODE, None, "ACME1", "test") for one in ids]
    receipts: list[Receipt] = []
    with pytest.raises(TryLater, match="share"):
        receipts.extend(connect(quota_share=0.45).push(changes))
    verdicts = [receipt.verdict for receipt in receipts]
    assert verdicts == [Verdict.WRITTEN] * 1000 + [Verdict.DEFERRED] * 1000
    assert sum(row["Ref_Code__c"] == "ACME1" for row in local.rows("Lead")) == 1000


def test_too_many_long_calls_at_once_are_waited_for(local: LocalSalesforce, connect: Any) -> None:
    message = "ConcurrentPerOrgLongTxn Limit exceeded."
    refuse_next(local, 403, code="REQUEST_LIMIT_EXCEEDED", message=message, path="/composite", times=2)
    crm = connect()
    pauses: list[float] = []
    crm._client.transport._sleep = pauses.append
    assert list(crm.pull(NOTHING, Everything()))
    assert len(pauses) == 2
    assert all(5 <= pause <= 6 for pause in pauses)


def test_the_days_limit_ends_a_run_at_once(local: LocalSalesforce, connect: Any) -> None:
    crm = connect()
    pauses: list[float] = []
    crm._client.transport._sleep = pauses.append
    local.use_up_limit()
    with pytest.raises(TryLater) as later:
        list(crm.pull(NOTHING, Everything()))
    assert later.value.seconds == 3600
    assert pauses == []
