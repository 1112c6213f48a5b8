"""When a code came, who is paid for what, and that the pace of runs does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from refloop.errors import ConnectorFault
from refloop.ledger import open_ledger
from refloop.ledger.accounts import keep_account
from refloop.ledger.rebuild import rebuild
from refloop.model import Account, FieldHistory, Kind, Ref, ReviewReason, parse_time
from refloop.testing import Draft, World
from refloop.testing.memory import MemoryConnector, MemoryCrm, RememberingConnector
from tests.sync.loop import BY, NOW, Loop

DAY = timedelta(days=1)
CONNECTORS = pytest.mark.parametrize("kind", [MemoryConnector, RememberingConnector], ids=["without", "with history"])


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Callable[[type[MemoryConnector]], Loop]]:
    """Makes a company whose CRM keeps histories, or does not."""
    made: list[Loop] = []

    def build(kind: type[MemoryConnector]) -> Loop:
        crm = MemoryCrm("crm", connector_class=kind)
        loop = Loop(open_ledger(tmp_path / f"{len(made)}.db"), {"crm": crm})
        loop.provision()
        loop.code("ANN-2026", "ann")
        loop.code("BEN-2026", "ben")
        made.append(loop)
        return loop

    yield build
    for loop in made:
        loop.ledger.close()


def crm_of(loop: Loop) -> MemoryCrm:
    crm = loop.crms["crm"]
    assert isinstance(crm, MemoryCrm)
    return crm


def credited(loop: Loop) -> dict[Ref, str]:
    """Deal -> the referrer who gets all of it."""
    rows = loop.ledger.rows("SELECT connection, kind, id, referrer FROM credited_deals")
    return {Ref(row["connection"], Kind(row["kind"]), row["id"]): row["referrer"] for row in rows}


def asked(loop: Loop) -> set[tuple[Ref, str]]:
    rows = loop.ledger.rows("SELECT connection, kind, id, doubt FROM questions")
    return {(Ref(row["connection"], Kind(row["kind"]), row["id"]), row["doubt"]) for row in rows}


def won(crm: MemoryCrm, person: Ref) -> Ref:
    """A deal of that person that is won a day later."""
    deal = crm.create(Kind.DEAL, Draft(title="Acme", amount=Decimal(50_000)))
    crm.associate(deal, person)
    crm.pass_time(DAY)
    crm.win(deal)
    return deal


def somebody_works(crm: MemoryCrm) -> None:
    """A day later something else is saved: so one knows that a pull saw all that was saved before."""
    crm.pass_time(DAY)
    crm.create(Kind.CONTACT, Draft(email="zoe@other.com"))


def convert_into(crm: MemoryCrm, lead: Ref, contact: Ref) -> None:
    """Converts a lead into a contact that is there already: its empty field is filled."""
    crm.link_conversion(lead, contact)
    crm.edit(contact, "code ANN-2026")


@CONNECTORS
@pytest.mark.parametrize("often", [True, False], ids=["often", "once"])
def test_a_conversion_into_an_old_contact_does_not_pay_old_deals(
    company: Callable[[type[MemoryConnector]], Loop], kind: type[MemoryConnector], *, often: bool
) -> None:
    loop = company(kind)
    crm = crm_of(loop)
    contact = crm.create(Kind.CONTACT, Draft(email="bo@acme.com"))
    crm.pass_time(700 * DAY)
    old = won(crm, contact)
    crm.pass_time(270 * DAY)
    lead = crm.create(Kind.LEAD, Draft(email="bo@acme.com", code="code ANN-2026"))
    if often:
        loop.sync()
        assert asked(loop) == {(old, ReviewReason.CLOSED_BEFORE)}
    crm.pass_time(3 * DAY)
    convert_into(crm, lead, contact)
    loop.sync()
    assert old not in credited(loop)
    assert {ref for ref, _ in asked(loop)} == {old}
    assert loop.fields(contact)["why"] == "Mentioned code ANN-2026 in Code of the lead, 12 Sep 2028"
    crm.pass_time(DAY)
    new = won(crm, contact)
    loop.sync()
    assert credited(loop) == {new: "ann"}
    assert {ref for ref, _ in asked(loop)} == {old}


@CONNECTORS
@pytest.mark.parametrize("often", [True, False], ids=["often", "once"])
def test_a_code_that_is_typed_after_a_deal_was_won_does_not_get_it(
    company: Callable[[type[MemoryConnector]], Loop], kind: type[MemoryConnector], *, often: bool
) -> None:
    loop = company(kind)
    crm = crm_of(loop)
    person = crm.create(Kind.CONTACT, Draft(email="bo@acme.com"))
    crm.pass_time(30 * DAY)
    before = won(crm, person)
    somebody_works(crm)
    if often:
        loop.sync()
    crm.pass_time(30 * DAY)
    crm.edit(person, "ANN-2026")
    if often:
        loop.sync()
    crm.pass_time(DAY)
    after = won(crm, person)
    loop.sync()
    assert credited(loop) == {after: "ann"}
    certain = often or kind is RememberingConnector
    reason = ReviewReason.CLOSED_BEFORE if certain else ReviewReason.MAY_BE_BEFORE
    assert asked(loop) == {(before, reason)}


@CONNECTORS
@pytest.mark.parametrize("often", [True, False], ids=["often", "once"])
def test_a_code_that_is_overwritten_keeps_the_first_and_asks(
    company: Callable[[type[MemoryConnector]], Loop], kind: type[MemoryConnector], *, often: bool
) -> None:
    loop = company(kind)
    crm = crm_of(loop)
    person = crm.create(Kind.CONTACT, Draft(email="bo@acme.com", code="ANN-2026"))
    if often:
        loop.sync()
    crm.pass_time(30 * DAY)
    crm.edit(person, "BEN-2026")
    if often:
        loop.sync()
    crm.pass_time(DAY)
    deal = won(crm, person)
    loop.sync()
    if often or kind is RememberingConnector:
        assert credited(loop) == {deal: "ann"}
        assert asked(loop) == {(person, ReviewReason.TWO_CODES)}
        crm.edit(person, "")  # both were wrong
        loop.sync()
        assert (credited(loop), asked(loop)) == ({}, set())


def test_what_a_person_types_into_our_field_is_a_correction(company: Callable[[type[MemoryConnector]], Loop]) -> None:
    loop = company(MemoryConnector)
    crm = crm_of(loop)
    person = crm.create(Kind.CONTACT, Draft(email="bo@acme.com", code="ANN-2026"))
    deal = won(crm, person)
    loop.sync()
    assert credited(loop) == {deal: "ann"}
    crm.pass_time(DAY)
    crm.write(person, loop.policy.spec("ref_code"), "BEN-2026")
    loop.sync()
    assert "ann" not in credited(loop).values()
    assert (person, ReviewReason.TWO_CODES) not in asked(loop)


@CONNECTORS
def test_a_mass_edit_is_one_question(
    company: Callable[[type[MemoryConnector]], Loop], kind: type[MemoryConnector]
) -> None:
    loop = company(kind)
    crm = crm_of(loop)
    people = [crm.create(Kind.CONTACT, Draft(email=f"p{n}@acme{n}.com")) for n in range(25)]
    crm.pass_time(30 * DAY)
    loop.sync()
    crm.pass_time(DAY)
    for person in people[:15]:
        crm.edit(person, "ANN-2026")
        crm.pass_time(timedelta(seconds=5))
    loop.sync()
    for person in people[15:]:
        crm.edit(person, "ANN-2026")
        crm.pass_time(timedelta(seconds=5))
    deal = won(crm, people[3])
    loop.sync()
    assert deal not in credited(loop)
    assert asked(loop) == {(people[0], ReviewReason.MASS_EDIT)}
    assert [row["evidence"] for row in loop.ledger.rows("SELECT evidence FROM questions")] == ["25 records"]
    assert all("referrer" not in loop.fields(person) for person in people)


def test_an_import_of_many_leads_with_one_code_is_no_mass_edit(
    company: Callable[[type[MemoryConnector]], Loop],
) -> None:
    loop = company(MemoryConnector)
    crm = crm_of(loop)
    leads = [crm.create(Kind.LEAD, Draft(email=f"p{n}@acme{n}.com", code="ANN-2026")) for n in range(30)]
    loop.sync()
    assert all(loop.fields(lead)["referrer"] == "Ann" for lead in leads)
    assert asked(loop) == set()


def test_what_the_ledger_knows_of_a_code_survives_a_rebuild_and_a_fresh_ledger_asks(
    company: Callable[[type[MemoryConnector]], Loop], tmp_path: Path
) -> None:
    loop = company(MemoryConnector)
    crm = crm_of(loop)
    person = crm.create(Kind.CONTACT, Draft(email="bo@acme.com"))
    crm.pass_time(30 * DAY)
    before = won(crm, person)
    somebody_works(crm)
    loop.sync()
    crm.pass_time(DAY)
    crm.edit(person, "ANN-2026")
    loop.sync()
    rebuild(loop.ledger, ["crm"], BY)
    loop.sync()
    assert asked(loop) == {(before, ReviewReason.CLOSED_BEFORE)}
    fresh = Loop(open_ledger(tmp_path / "fresh.db"), loop.crms)
    fresh.code("ANN-2026", "ann")
    fresh.sync(push=False)
    assert asked(fresh) == {(before, ReviewReason.MAY_BE_BEFORE)}
    assert credited(fresh) == {}
    fresh.ledger.close()


@pytest.mark.parametrize(("zone", "is_valid"), [("America/Los_Angeles", True), (None, False), ("Asia/Tokyo", False)])
def test_validity_is_asked_of_the_day_in_the_account(
    company: Callable[[type[MemoryConnector]], Loop], zone: str | None, *, is_valid: bool
) -> None:
    loop = company(MemoryConnector)
    crm = crm_of(loop)
    keep_account(loop.ledger, 0, "crm", Account("1", zone), NOW)
    loop.code("MARCH26", "cy", valid_to=date(2026, 3, 31))
    crm.pass_time(parse_time("2026-04-01T01:30:00Z") - crm.now)
    lead = crm.create(Kind.LEAD, Draft(email="bo@acme.com", code="MARCH26"))
    loop.sync()
    assert (loop.fields(lead).get("referrer") == "Cy") is is_valid
    assert asked(loop) == (set() if is_valid else {(lead, ReviewReason.EXPIRED)})


class Stumbling(RememberingConnector):
    """A connector with a bug where it reads histories."""

    def histories(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        raise KeyError(refs)


def test_a_bug_in_reading_histories_is_its_connection_s_trouble_alone(tmp_path: Path) -> None:
    crms: dict[str, World] = {"crm": MemoryCrm("crm", connector_class=Stumbling), "other": MemoryCrm("other")}
    loop = Loop(open_ledger(tmp_path / "refloop.db"), crms)
    loop.provision()
    loop.code("ANN-2026", "ann")
    edited = crms["crm"].create(Kind.CONTACT, Draft(email="bo@acme.com"))
    crms["crm"].pass_time(DAY)
    crms["crm"].edit(edited, "ANN-2026")
    lead = crms["other"].create(Kind.LEAD, Draft(email="di@acme.com", code="ANN-2026"))
    report = loop.sync()
    assert [(name, type(problem)) for name, problem in report.problems] == [("crm", ConnectorFault)]
    assert loop.fields(lead)["referrer"] == "Ann"
    loop.ledger.close()
