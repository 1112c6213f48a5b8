"""What people read in the CRM: why a record counts as referred or does not, and what is wrong with a typed code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from refloop.errors import Exit
from refloop.ledger.labels import keep_described
from refloop.ledger.undo import undoing
from refloop.model import Described, FieldLabel, FieldSpec, Kind, Ref
from refloop.sync.forget import forget, person_of
from refloop.testing import Draft, MemoryCrm
from refloop.testing.memory_connector import MemoryConnector
from tests.sync.loop import NOW, Loop

ANNA, BEN = "anna@partners.io", "ben@partners.io"
LATER = {"ref_answer", "ref_lost", "ref_other", "ref_won_currency", "ref_won_note"}


@pytest.fixture(autouse=True)
def _codes(loop: Loop) -> None:
    loop.code("ANN-2026", "anna", ANNA)
    loop.code("BENS-4F6T", "ben", BEN)
    loop.code("OLDC-0DE1", "ben", BEN, valid_to=date(2020, 5, 3))


def typed(loop: Loop, text: str | None, email: str = "bo@buyer.io", *, code: str = "") -> Ref:
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email=email, code=code))
    loop.sync()
    loop.crms["sales"].write(lead, loop.policy.spec("ref_code"), text)
    loop.sync()
    return lead


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("ANN-2027", "No such code: did you mean ANN-2026?"),
        ("ZZZZ-9999", "No such code"),
        ("met him at the fair", "No such code"),
        ("OLDC-0DE1", "OLDC-0DE1 expired on 3 May 2020"),
        ("ANN-2026", None),
        ("none", None),
        (None, None),
    ],
)
def test_a_code_that_was_typed_wrongly_gets_an_answer_beside_it(
    loop: Loop, text: str | None, answer: str | None
) -> None:
    lead = typed(loop, text)
    assert loop.fields(lead).get("answer") == answer
    written = len(loop.crms["sales"].writes(lead))
    loop.sync()
    assert len(loop.crms["sales"].writes(lead)) == written, "it is written when the verdict changes, and only then"


@pytest.mark.parametrize("mended", ["ann 2026", None])
def test_the_answer_goes_when_the_code_is_mended_or_taken_off(loop: Loop, mended: str | None) -> None:
    lead = typed(loop, "ANN-2027")
    assert "answer" in loop.fields(lead)
    loop.crms["sales"].write(lead, loop.policy.spec("ref_code"), mended)
    loop.sync()
    assert "answer" not in loop.fields(lead)


def test_the_answer_goes_when_the_code_is_issued_after_all(loop: Loop) -> None:
    lead = typed(loop, "ANN-2027")
    loop.code("ANN-2027", "anna", ANNA)
    loop.sync()
    assert "answer" not in loop.fields(lead)
    assert loop.fields(lead)["referrer"] == "Anna"


def test_what_a_person_writes_into_the_answer_stays_theirs(loop: Loop) -> None:
    lead = typed(loop, "ANN-2027")
    loop.crms["sales"].write(lead, loop.policy.spec("ref_answer"), "I will ask her")
    loop.crms["sales"].write(lead, loop.policy.spec("ref_code"), "ZZZZ-9999")
    report = loop.sync()
    assert loop.fields(lead)["answer"] == "I will ask her"
    assert report.counts["sales"]["conflicts"] == 1


def test_ones_own_code_gets_an_answer(loop: Loop) -> None:
    lead = typed(loop, "ANN-2026", ANNA)
    held = loop.fields(lead)
    assert held["answer"] == "ANN-2026 belongs to this person: nobody refers themselves"
    assert held["why"] == "Code ANN-2026 does not count: the buyer is the referrer"
    assert set(held) == {"code", "answer", "why"}


def test_who_was_referred_before_is_told_where_the_later_code_was_typed(loop: Loop) -> None:
    first = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code="BENS-4F6T"))
    loop.sync()
    loop.crms["sales"].pass_time(timedelta(days=1))
    second = typed(loop, "ANN-2026")
    assert "answer" not in loop.fields(first)
    assert loop.fields(second)["answer"].startswith("This person was already referred by Ben on ")
    assert loop.fields(second)["answer"].endswith("(code BENS-4F6T)")


@pytest.mark.parametrize("text", ["https://x.io/?ref=ANN-2027", "code ANN-2027", "ANN-2027"])
def test_nobody_is_answered_who_typed_nothing_into_our_field(loop: Loop, text: str) -> None:
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code=text))
    loop.sync()
    assert loop.fields(lead) == {}


def test_an_answer_is_taken_back_with_the_run_that_gave_it(loop: Loop) -> None:
    lead = typed(loop, "ANN-2027")
    run = loop.reports[-1].run
    loop.runner().undo(list(undoing(loop.ledger, run, loop.policy.plan.specs)))
    assert "answer" not in loop.fields(lead)
    loop.sync()
    assert "answer" not in loop.fields(lead)


def test_who_is_forgotten_gets_no_answer_any_more(loop: Loop) -> None:
    lead = typed(loop, "ANN-2027")
    forget(loop.ledger, person_of(loop.context(), "bo@buyer.io"), NOW)
    loop.sync()
    assert "answer" not in loop.fields(lead)


def test_what_became_of_a_code_is_said_as_it_was(loop: Loop) -> None:
    sales = loop.crms["sales"]
    emptied = sales.create(Kind.LEAD, Draft(email="a@buyer.io", code="ANN-2026"))
    replaced = sales.create(Kind.LEAD, Draft(email="b@buyer.io", code="ANN-2026"))
    retired = sales.create(Kind.LEAD, Draft(email="c@buyer.io", code="BENS-4F6T"))
    deleted = sales.create(Kind.LEAD, Draft(email="d@buyer.io", code="ANN-2026"))
    loop.sync()
    sales.edit(emptied, "")
    sales.write(replaced, loop.policy.spec("ref_code"), "BENS-4F6T")
    sales.delete(deleted)
    loop.sync()
    loop.code("BENS-4F6T", "ben", BEN, valid_to=date(2020, 1, 1))
    loop.sync()
    said = {
        row["origin_id"]: row["reason"]
        for row in loop.ledger.rows(
            "SELECT f.origin_id, s.reason FROM referrals f JOIN current_statuses s ON s.referral = f.referral "
            "WHERE s.status = 'withdrawn' AND f.code_key = 'ann2026' OR f.origin_id = ?",
            (retired.id,),
        )
    }
    assert said == {
        emptied.id: "a person took the code off the record",
        replaced.id: "a person typed another code in its place",
        retired.id: "the code was valid until 1 Jan 2020 only, which was before it came",
        deleted.id: "the buyer's record was deleted in the CRM",
    }
    assert loop.fields(emptied) == {
        "why": "The referral by code ANN-2026 is withdrawn: a person took the code off the record"
    }


def test_a_record_names_a_field_of_the_other_crm_by_its_label_there(loop: Loop) -> None:
    label = FieldLabel(Kind.LEAD, "code", "Lead Source Detail")
    for name, crm in (("sales", "Salesforce"), ("marketing", "HubSpot")):
        keep_described(loop.ledger, name, Described(crm, (label,)), NOW)
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANN-2026"))
    twin = loop.crms["marketing"].create(Kind.CONTACT, Draft(email="bo@buyer.io"))
    loop.sync()
    assert loop.fields(lead)["why"].startswith("Said code ANN-2026 in Lead Source Detail, ")
    assert loop.fields(twin)["why"].startswith("Said code ANN-2026 in Salesforce, field Lead Source Detail, ")


def without_later_fields(loop: Loop) -> None:
    for crm in loop.crms.values():
        for spec in loop.policy.fields:
            if spec.is_later:
                for kind in spec.kinds:
                    crm.drop_field(kind, spec)


def test_a_setup_of_an_earlier_refloop_keeps_working_and_is_told_once(loop: Loop) -> None:
    without_later_fields(loop)
    assert {spec.name for spec in loop.policy.fields if spec.is_later} == LATER
    anna = loop.crms["sales"].create(Kind.CONTACT, Draft(email=ANNA))
    lead = typed(loop, "ANN-2027")
    loop.crms["sales"].create(Kind.LEAD, Draft(email="cy@buyer.io", code="ANN-2026"))
    report = loop.sync()
    assert (report.exit, report.problems) == (Exit.OK, [])
    assert loop.fields(anna)["sent"] == "1"
    assert "lost" not in loop.fields(anna)
    assert "answer" not in loop.fields(lead)
    notes = [note for one in loop.reports for note in one.notes]
    assert [name for name, _ in notes] == ["sales", "marketing"]
    assert all(set(words.split(" not there")[0].split(", ")) == LATER for _, words in notes)
    loop.provision()
    loop.crms["sales"].create(Kind.LEAD, Draft(email="di@buyer.io", code="ANN-2026"))
    report = loop.sync()
    assert (report.exit, report.notes) == (Exit.OK, [])
    assert loop.fields(anna)["lost"] == "0"
    assert loop.fields(lead)["answer"] == "No such code: did you mean ANN-2026?"


def test_labels_are_asked_for_once_a_day_and_not_in_a_quiet_tick(loop: Loop) -> None:
    asked: list[str] = []

    class Counting(MemoryConnector):
        def described(self, fields: Sequence[FieldSpec]) -> Described:
            asked.append("asked")
            return super().described(fields)

    loop.crms = {"sales": MemoryCrm("sales", connector_class=Counting)}
    loop.provision()
    loop.sync()
    assert asked == []
    for email in ("bo@buyer.io", "cy@buyer.io"):
        loop.crms["sales"].create(Kind.LEAD, Draft(email=email, code="ANN-2026"))
        loop.sync()
    assert asked == ["asked"]
