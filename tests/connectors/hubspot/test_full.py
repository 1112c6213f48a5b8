"""Reading everything: several readers, strict limits, crashes, ids far apart."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from itertools import islice

import pytest

from refloop.errors import ConfigError, TryLater
from refloop.model import (
    Everything,
    Page,
    Since,
)
from refloop_sandbox.hubspot import Allowance
from tests.connectors.hubspot.account import (
    DAY,
    FIELDS,
    FIND_CONTACTS,
    FIND_DEALS,
    LIST_CONTACTS,
    LIST_DEALS,
    START,
    Account,
    calls,
    records,
    take_all,
)


@pytest.mark.parametrize("latency", [0.0, 0.02])
def test_several_readers_bring_every_record_once_and_any_stop_is_gone_on_from(
    accounts: Callable[..., Account], latency: float
) -> None:
    account = accounts(latency=latency, allowance=Allowance(per_ten_seconds=1_000))
    account.contacts(2_450)
    account.deals(650)
    pages = list(account.hubspot().pull(FIELDS, Everything()))
    seen = [record.ref for page in pages for record in page.records]
    assert len(seen) == len(set(seen)) == 3_100
    made = calls(account.crm)
    assert made[LIST_CONTACTS] + made[LIST_DEALS] == len(pages) <= 25 + 7 + 8
    assert made[FIND_CONTACTS] + made[FIND_DEALS] <= 2
    # how many meet depends on the machine; more than the limiter asks for never do
    assert account.most_at_once in (range(2, 7) if latency else range(1, 3))
    assert all(len(page.cursor.text) < 800 for page in pages if page.cursor)
    for stop in (1, 10, 21, len(pages) - 1):
        first = list(islice(account.hubspot().pull(FIELDS, Everything()), stop))
        cursor = first[-1].cursor
        assert cursor is not None
        rest = list(account.hubspot().pull(FIELDS, Since(cursor)))
        told = [record.ref for page in first + rest for record in page.records]
        assert sorted(told) == sorted(seen), f"stopped after page {stop}"


def test_old_and_new_ids_that_lie_far_apart_are_shared_too(accounts: Callable[..., Account]) -> None:
    account = accounts(latency=0.01)
    at = {"createdate": START - DAY, "lastmodifieddate": START - DAY}
    old = account.crm.load("contacts", (dict(at) for _ in range(2_000)))
    new = account.crm.load(
        "contacts", ({**at, "hs_object_id": str(158_000_000_000 + number)} for number in range(3_000))
    )
    pages = list(account.hubspot().pull(FIELDS, Everything()))
    assert sorted(records(pages)) == sorted(f"contact:{one}" for one in (*old, *new))
    assert calls(account.crm)[LIST_CONTACTS] <= 50 + 16


@pytest.mark.parametrize(("allowed", "latency"), [(50, 0.0), (95, 0.002)])
def test_strict_limits_are_used_up_and_never_broken(
    accounts: Callable[..., Account], allowed: int, latency: float
) -> None:
    account = accounts(strict=True, allowance=Allowance(per_ten_seconds=allowed), latency=latency)
    people, deals = account.contacts(8_000), account.deals(4_000)
    hubspot = account.hubspot()
    began, real = account.clock.now, time.monotonic()
    assert len(records(list(hubspot.pull(FIELDS, Everything())))) == len(people) + len(deals)
    assert account.refused == 0
    worked = time.monotonic() - real if latency else 0.0  # this machine's own work, where the clock ticks
    listed = sum(count for endpoint, count in hubspot.calls().items() if not endpoint.endswith("search"))
    alone = (math.ceil(listed / allowed) - 1) * 10.0
    assert alone <= (account.clock.now - began).total_seconds() <= alone * 1.05 + worked


def test_a_used_up_share_of_the_day_keeps_what_was_read(accounts: Callable[..., Account]) -> None:
    account = accounts(strict=True, allowance=Allowance(daily=40))
    account.contacts(5_000)
    hubspot = account.hubspot(quota_share=0.5)
    pages: list[Page] = []
    with pytest.raises(TryLater, match="share"):
        take_all(hubspot.pull(FIELDS, Everything()), pages)
    assert account.refused == 0
    usage = hubspot.usage()
    assert usage is not None
    assert 18 <= usage.ours <= 20
    assert 0 <= usage.used - usage.ours <= 2, "what the CRM had not counted yet is counted"
    assert pages[-1].cursor is not None
    account.clock.now += DAY
    while len(records(pages)) < 5_000:
        cursor = pages[-1].cursor
        assert cursor is not None
        with contextlib.suppress(TryLater):
            take_all(account.hubspot().pull(FIELDS, Since(cursor)), pages)
        account.clock.now += DAY
    told = [record.ref for page in pages for record in page.records]
    assert len(told) == len(set(told))


def test_a_reader_that_fails_ends_the_pull_after_what_is_there(account: Account) -> None:
    account.contacts(3_000)
    account.deals(1_000)
    account.crm.fail_next(400, path="/deals", body={"category": "VALIDATION_ERROR"})
    pages: list[Page] = []
    with pytest.raises(ConfigError, match="VALIDATION_ERROR"):
        take_all(account.hubspot().pull(FIELDS, Everything()), pages)
    assert not any(thread.name.startswith("refloop") for thread in threading.enumerate())
    cursor = pages[-1].cursor if pages else None
    rest = list(account.hubspot().pull(FIELDS, Since(cursor) if cursor else Everything()))
    told = [record.ref for page in pages + rest for record in page.records]
    assert len(told) == len(set(told)) == 4_000


def test_a_pull_that_nobody_reads_on_leaves_no_thread(account: Account) -> None:
    account.contacts(3_000)
    pages = account.hubspot().pull(FIELDS, Everything())
    next(pages)
    assert any(thread.name.startswith("refloop") for thread in threading.enumerate())
    del pages
    assert not any(thread.name.startswith("refloop") for thread in threading.enumerate())
