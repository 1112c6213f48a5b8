"""What a push raises, at whichever of its calls: what has no receipt did not arrive, and a refusal is an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from refloop.connectors.salesforce import Salesforce
from refloop.errors import AuthError, ConfigError, CrmUnavailable, FateUnknown, RefloopError, TryLater
from refloop.model import FieldChange, FieldSpec, FieldType, Kind, Receipt, Ref, Verdict
from refloop_sandbox import faults
from refloop_sandbox.faults import Fault
from refloop_sandbox.salesforce import LocalSalesforce, troubles
from refloop_sandbox.salesforce.errors import ApiError

EVERY = (Kind.LEAD, Kind.CONTACT, Kind.DEAL)
CODE = FieldSpec("ref_code", "Referral Code", FieldType.TEXT, EVERY, length=64)
NOT_ALLOWED = ApiError(403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")


@pytest.fixture
def changes(local: LocalSalesforce, connect: Callable[..., Salesforce]) -> list[FieldChange]:
    """Of leads and contacts in turn, so that no call holds a run of them."""
    list(connect().provision([CODE]))
    lead = {"LastName": "Doe", "Company": "Acme"}
    refs: list[Ref] = []
    for _ in range(12):
        refs.append(Ref("crm", Kind.LEAD, local.create("Lead", lead)))
        refs.append(Ref("crm", Kind.CONTACT, local.create("Contact", {"LastName": "Doe"})))
    return [FieldChange(ref, CODE, None, "ACME1", "test") for ref in refs]


def pushed(crm: Salesforce, changes: list[FieldChange]) -> tuple[list[Receipt], RefloopError | None]:
    receipts: list[Receipt] = []
    try:
        receipts += _kept(crm.push(changes), receipts)
    except (AuthError, ConfigError, CrmUnavailable, TryLater) as error:
        return receipts, error
    return receipts, None


def _kept(given: Iterator[Receipt], kept: list[Receipt]) -> list[Receipt]:
    kept.extend(given)
    return []


@pytest.mark.parametrize("mode", ["never", "always"])
@pytest.mark.parametrize("call", range(1, 5))
@pytest.mark.parametrize(
    "fault",
    [
        troubles.fault(NOT_ALLOWED),
        troubles.fault(ApiError(400, "MALFORMED_QUERY", "unexpected token")),
        troubles.fault(troubles.daily()),
        faults.json_list(),
        faults.html(),
        faults.closed(),
        faults.reset(applied=True),
    ],
    ids=lambda fault: fault.name,
)
def test_a_change_without_a_receipt_did_not_arrive(
    local: LocalSalesforce,
    connect: Callable[..., Salesforce],
    changes: list[FieldChange],
    fault: Fault,
    call: int,
    mode: str,
) -> None:
    crm = connect(conditional_writes=mode, look_back=0)
    local.faults.add(fault, path="/services/data", skip=call, times=4)
    receipts, failure = pushed(crm, changes)
    local.faults.clear()
    assert [receipt.change for receipt in receipts] == changes[: len(receipts)]
    held = connect().read([change.ref for change in changes], [CODE])
    if not isinstance(failure, FateUnknown):
        assert all(not held[change.ref] for change in changes[len(receipts) :])
    assert failure is not None or len(receipts) == len(changes)
    for receipt in receipts:
        if receipt.verdict is Verdict.WRITTEN:
            assert held[receipt.change.ref] == {"ref_code": "ACME1"}
        elif receipt.verdict is not Verdict.UNKNOWN:
            assert not held[receipt.change.ref], receipt.verdict


@pytest.mark.parametrize("mode", ["never", "always"])
@pytest.mark.parametrize("call", range(1, 5))
def test_a_refusal_is_never_an_unknown_fate(
    local: LocalSalesforce, connect: Callable[..., Salesforce], changes: list[FieldChange], call: int, mode: str
) -> None:
    crm = connect(conditional_writes=mode)
    local.faults.add(troubles.fault(NOT_ALLOWED), path="/services/data", skip=call, times=200)
    receipts, failure = pushed(crm, changes)
    assert Verdict.UNKNOWN not in {receipt.verdict for receipt in receipts}
    assert not isinstance(failure, FateUnknown)
    assert mode == "always" or sum(crm.calls().values()) < 12, "it is not halved down to its records"
