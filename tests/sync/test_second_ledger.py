"""A second ledger on an account is noticed before it writes anything there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from refloop.errors import ConfigError, Exit
from refloop.ledger import Ledger
from refloop.ledger.backups import back_up, restore
from refloop.ledger.rebuild import rebuild
from refloop.mapping.claims import referral_id
from refloop.model import FieldChange, Kind, Ref
from refloop.sync.run import Task
from refloop.sync.run_report import Report
from refloop.testing import Draft
from tests.sync.loop import BY, NOW, Loop


@pytest.fixture
def leads(loop: Loop) -> list[Ref]:
    """Three leads in one CRM, written to by the first ledger. The other CRM holds a lead that nobody referred yet."""
    loop.code("ANNA-7K2Q", "anna")
    made = [
        loop.crms["sales"].create(Kind.LEAD, Draft(email=f"b{n}@buyer.io", code=code))
        for n, code in enumerate(("ANNA-7K2Q", "ANNA-7K2Q", "ANNA-7K2Q", "BENS-4F6T"))
    ]
    made.append(loop.crms["marketing"].create(Kind.LEAD, Draft(email="m@buyer.io", code="BENS-4F6T")))
    assert loop.sync().exit is Exit.OK
    return made


@pytest.fixture
def second(loop: Loop, leads: list[Ref], new_ledger: Callable[[str], Ledger]) -> Loop:
    """Another ledger over the same CRMs, which knows one more code."""
    made = Loop(new_ledger("second"), loop.crms)
    made.code("ANNA-7K2Q", "anna")
    made.code("BENS-4F6T", "ben")
    return made


def take_over(loop: Loop) -> Report:
    return loop.runner().run(Task("sync", take_over=True))


def writes(loop: Loop, refs: list[Ref]) -> list[int]:
    return [len(loop.crms[ref.connection].writes(ref)) for ref in refs]


def test_it_is_noticed_before_its_first_write(second: Loop, leads: list[Ref]) -> None:
    for _ in range(2):
        report = second.sync()
        assert report.exit is Exit.CONFIG
        error = dict(report.problems)["sales"]
        assert "another ledger of refloop has written to 3 records" in str(error)
        assert str(leads[0]) in str(error)
        assert "--take-over" in str(error)
    # the other CRM holds nothing of another ledger's: what is right there goes on
    assert writes(second, leads) == [1, 1, 1, 0, 1]


def test_it_takes_over_when_told_and_goes_on_without_being_told_again(second: Loop, leads: list[Ref]) -> None:
    ids = [second.fields(ref)["id"] for ref in leads[:3]]
    report = take_over(second)
    # what the other ledger wrote and this one would say otherwise is taken for a person's: shown, never overwritten
    assert (report.problems, report.exit) == ([], Exit.ATTENTION)
    assert writes(second, leads) == [1, 1, 1, 1, 1]
    assert [second.fields(ref)["id"] for ref in leads[:3]] == ids
    assert second.sync().problems == []


def test_taking_over_holds_also_when_there_was_nothing_to_write(
    loop: Loop, leads: list[Ref], new_ledger: Callable[[str], Ledger]
) -> None:
    same = Loop(new_ledger("second"), loop.crms)
    same.code("ANNA-7K2Q", "anna")
    assert same.sync().exit is Exit.CONFIG
    assert take_over(same).problems == []
    loop.crms["sales"].create(Kind.LEAD, Draft(email="new@buyer.io", code="ANNA-7K2Q"))
    assert same.sync().problems == []


def test_looking_is_free(second: Loop, leads: list[Ref]) -> None:
    assert second.sync(push=False).exit is Exit.OK
    assert writes(second, leads) == [1, 1, 1, 0, 0]


def test_a_plan_of_its_own_is_not_applied(second: Loop, leads: list[Ref]) -> None:
    second.sync(push=False)
    changes = [
        FieldChange(ref, second.policy.spec(name), None, after, "because")
        for (ref, name), after in second.planned().items()
    ]
    assert {change.ref for change in changes} == {leads[3], leads[4]}
    with pytest.raises(ConfigError, match="another ledger of refloop"):
        second.runner().apply(changes)
    assert writes(second, leads) == [1, 1, 1, 0, 0]
    assert second.runner().apply(changes, take_over=True).exit is Exit.OK
    assert writes(second, leads) == [1, 1, 1, 1, 1]


def test_the_first_ledger_goes_on_rebuilt_or_put_back(loop: Loop, leads: list[Ref]) -> None:
    rebuild(loop.ledger, ("sales", "marketing"), BY)
    assert loop.sync().exit is Exit.OK
    back_up(loop.ledger, NOW)
    path = loop.ledger.path
    loop.ledger.close()
    restore(path, None, NOW)
    loop.reopen()
    assert loop.sync().exit is Exit.OK


def test_ids_that_an_integration_copied_from_our_own_writes_are_ours(loop: Loop, leads: list[Ref]) -> None:
    copied = loop.crms["marketing"].create(Kind.LEAD, Draft(email="b0@buyer.io"))
    loop.crms["marketing"].write(copied, loop.policy.spec("ref_id"), loop.fields(leads[0])["id"])
    assert loop.sync().exit is Exit.OK
    assert loop.fields(copied)["code"] == "ANNA-7K2Q"


@pytest.mark.parametrize(
    ("text", "noticed"),
    [
        (referral_id(Ref("sales", Kind.LEAD, "1"), "ANNA7K2Q"), True),
        ("rf_0123456789abcdef", True),
        ("rf_0123456789abcde", False),
        ("rf_0123456789abcdef0", False),
        ("RF_0123456789ABCDEF", False),
        ("my own note", False),
    ],
)
def test_only_what_has_the_form_of_an_id_counts(loop: Loop, text: str, noticed: bool) -> None:
    loop.code("ANNA-7K2Q", "anna")
    loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    other = loop.crms["sales"].create(Kind.LEAD, Draft(email="x@y.io"))
    loop.crms["sales"].write(other, loop.policy.spec("ref_id"), text)
    assert [name for name, _ in loop.sync().problems] == (["sales"] if noticed else [])
