"""A person is erased: no byte of the address is left, nothing that was decided changes, and it does not come back."""

from __future__ import annotations

import gzip
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from refloop.errors import DataError, Exit
from refloop.ledger import Ledger
from refloop.ledger.backups import all_backups_of, back_up, restore, set_aside
from refloop.ledger.engine.mark import mark_file
from refloop.ledger.reads.explain import record_story
from refloop.ledger.reads.summary import summary
from refloop.ledger.records import record_of
from refloop.ledger.soundness import faults_of
from refloop.model import Kind, Ref
from refloop.sync.forget import Erased, forget, person_of
from refloop.sync.intake import BadRow, Claim, submit
from refloop.testing import Draft
from tests.sync.loop import NOW, Loop
from tests.sync.test_crash import CrashingConnection, Fate, Killed, engine_of

BO = "bo@buyer.io"


@pytest.fixture
def refs(loop: Loop) -> dict[str, Ref]:
    """A buyer in both CRMs who is told of in other places too, one whose address is longer, and a referrer."""
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    sales, marketing = loop.crms["sales"], loop.crms["marketing"]
    made = {
        "bo": sales.create(Kind.LEAD, Draft(email="Bo@Buyer.io", title="Bo Buyer Ltd", code="I am bo: ANNA-7K2Q")),
        "again": marketing.create(Kind.LEAD, Draft(email=BO, title="Bo again")),
        "rob": sales.create(Kind.LEAD, Draft(email="ro.bo@buyer.io", code="ANNA-7K2Q")),
        "friend": sales.create(Kind.LEAD, Draft(email="al@buyer.io", code=f"BO@buyer.IO told me: ANNA-7K2Q, {BO}")),
        "anna": sales.create(Kind.CONTACT, Draft(email="anna@partners.io")),
    }
    with loop.ledger.writing():
        submit(loop.context(1), Claim("ANNA-7K2Q", BO, NOW.date(), f"met {BO} at the fair"))
    assert loop.sync().exit is Exit.OK
    return made


def erased(loop: Loop, name: str) -> Erased:
    return forget(loop.ledger, person_of(loop.context(), name), NOW)


def files_with(ledger: Ledger, text: str) -> list[Path]:
    folder = ledger.path.parent
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in content_of(path).lower()]


def content_of(path: Path) -> bytes:
    """What a file holds; a backup is compressed."""
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def standing(ledger: Ledger) -> list[list[tuple[object, ...]]]:
    queries = (
        "SELECT referral, code_key, referrer, claimed_at, void FROM referrals",
        "SELECT * FROM members",
        "SELECT * FROM credits",
        "SELECT * FROM statuses",
        "SELECT connection, kind, id, code_key, rule, field, confidence FROM current_matches",
    )
    return [sorted(tuple(row) for row in ledger.rows(sql)) for sql in queries]


def test_no_byte_of_the_address_is_left_and_nothing_decided_changes(loop: Loop, refs: dict[str, Ref]) -> None:
    back_up(loop.ledger, NOW)
    before, figures = standing(loop.ledger), summary(loop.ledger)
    assert files_with(loop.ledger, BO)
    done = erased(loop, BO)
    assert files_with(loop.ledger, f"ro.{BO}")  # somebody else's
    loop.ledger.execute("UPDATE records SET email = NULL WHERE email = 'ro.bo@buyer.io'")
    assert dict(done.counts) == {
        "records": 2, "matches": 1, "questions": 0, "referrals": 1, "referrers": 0, "other values": 1
    }  # fmt: skip
    assert standing(loop.ledger) == before
    assert summary(loop.ledger) == figures
    assert record_of(loop.ledger, refs["rob"]) is not None


def test_not_a_byte_in_any_file(loop: Loop, refs: dict[str, Ref]) -> None:
    loop.crms["sales"].delete(refs["rob"])
    loop.ledger.execute("DELETE FROM records WHERE email = 'ro.bo@buyer.io'")
    kept = back_up(loop.ledger, NOW)
    path = loop.ledger.path
    loop.ledger.close()
    restore(path, kept, NOW)
    loop.reopen()
    assert len(files_with(loop.ledger, BO)) == 3
    done = erased(loop, BO)
    assert files_with(loop.ledger, BO) == []
    assert files_with(loop.ledger, "i am bo") == []
    assert files_with(loop.ledger, "bo buyer ltd") == []
    assert set(done.deleted) >= {kept}
    assert all_backups_of(path) == [done.backup]
    assert set_aside(path) == []


@pytest.mark.parametrize("name", [BO, "record"])
def test_it_does_not_come_back_and_what_was_decided_stands(loop: Loop, refs: dict[str, Ref], name: str) -> None:
    erased(loop, str(refs["bo"]) if name == "record" else name)
    before = standing(loop.ledger)
    assert loop.sync().exit is Exit.OK
    for ref in (refs["bo"], refs["again"]):
        crm = loop.crms[ref.connection]
        crm.pass_time(timedelta(hours=1))
        crm.edit(ref, f"still {BO}, still bo")
    report = loop.sync()
    assert report.exit is Exit.OK
    assert not sum(counts["written"] for counts in report.counts.values())
    assert standing(loop.ledger) == before
    for ref in (refs["bo"], refs["again"]):
        record = record_of(loop.ledger, ref)
        assert record is not None
        assert (record.title, dict(record.texts)) == (None, {})
        assert "@" not in (record.email or "")
        story = record_story(loop.ledger, ref)
        assert story is not None
        assert story.forgotten
    assert list(faults_of(loop.ledger)) == []
    assert record_of(loop.ledger, refs["bo"]).email == record_of(loop.ledger, refs["again"]).email  # type: ignore[union-attr]  # both are there


def test_a_referrer_is_forgotten_with_name_and_address(loop: Loop, refs: dict[str, Ref]) -> None:
    done = erased(loop, "anna@partners.io")
    assert done.counts["referrers"] == 1
    assert files_with(loop.ledger, "anna@partners.io") == []
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    assert files_with(loop.ledger, "anna@partners.io") == []
    row = loop.ledger.one("SELECT * FROM referrers")
    assert row is not None
    assert (row["referrer"], row["name"]) == ("anna", "")
    assert loop.sync().exit is Exit.OK
    assert loop.fields(refs["rob"])["referrer"] == "anna"


def test_who_was_forgotten_is_not_submitted_again(loop: Loop, refs: dict[str, Ref]) -> None:
    with loop.ledger.writing():
        submit(loop.context(1), Claim("ANNA-7K2Q", "new@buyer.io", NOW.date(), ""))
    assert erased(loop, "new@buyer.io").counts["referrals"] == 1, "it waits for somebody with this address"
    with pytest.raises(BadRow, match="was forgotten"), loop.ledger.writing():
        submit(loop.context(1), Claim("ANNA-7K2Q", "new@buyer.io", NOW.date(), ""))


def test_forgetting_twice_is_forgetting_once(loop: Loop, refs: dict[str, Ref]) -> None:
    erased(loop, BO)
    before = standing(loop.ledger)
    assert not any(erased(loop, BO).counts.values())
    erased(loop, str(refs["bo"]))
    assert standing(loop.ledger) == before
    emails = {row["email"] for row in loop.ledger.rows("SELECT email FROM records")}
    assert len(emails) == 4


def test_the_guards_stand_before_and_after(loop: Loop, refs: dict[str, Ref]) -> None:
    erased(loop, BO)
    for table in ("matches", "statuses", "receipts"):
        for sql in (f"DELETE FROM {table}", f"UPDATE {table} SET run = 9"):  # noqa: S608 - tables' names
            with pytest.raises(Exception, match="never edited"):
                loop.ledger.execute(sql)


@pytest.mark.parametrize("name", ["nobody", "sales:lead:nobody", "sales:deal:nobody", ""])
def test_a_name_that_is_nobodys_is_refused(loop: Loop, name: str) -> None:
    with pytest.raises(DataError):
        person_of(loop.context(), name)


def test_a_person_is_all_their_records_under_all_their_addresses(loop: Loop) -> None:
    crm = loop.crms["sales"]
    lead = crm.create(Kind.LEAD, Draft(email="old@buyer.io"))
    loop.sync()
    contact, *_ = crm.convert(lead)
    other = crm.create(Kind.CONTACT, Draft(email="young@buyer.io"))
    crm.merge(contact, other)
    loop.sync()
    named = person_of(loop.context(), "young@buyer.io")
    assert person_of(loop.context(), str(lead)) == named
    assert named.refs >= {lead, contact, other}
    assert named.emails == {"old@buyer.io", "young@buyer.io"}
    forget(loop.ledger, named, NOW)
    assert files_with(loop.ledger, "old@buyer.io") == files_with(loop.ledger, "young@buyer.io") == []
    assert not any(loop.sync().problems)
    assert files_with(loop.ledger, "old@buyer.io") == files_with(loop.ledger, "young@buyer.io") == []


def test_killed_at_any_statement_it_is_finished_by_the_next_time(loop: Loop, refs: dict[str, Ref]) -> None:
    """The guards of the append-only tables stand after each kill; the second time erases every byte."""
    before, path = standing(loop.ledger), loop.ledger.path
    loop.ledger.execute("DELETE FROM records WHERE email = 'ro.bo@buyer.io'")
    back_up(loop.ledger, NOW)
    loop.ledger.close()
    saved = path.read_bytes()
    deadly, killed = 0, True
    while killed:
        path.write_bytes(saved)
        mark_file(path).unlink(missing_ok=True)  # of what was there before
        loop.reopen()
        fate, engine = Fate(deadly, armed=True), engine_of(loop.ledger)
        real = engine.connection
        engine.connection = CrashingConnection(real, fate)  # type: ignore[assignment]  # quacks like one
        with suppress(Killed):
            erased(loop, BO)
        killed = fate.kills == 1
        real.close()
        loop.reopen()
        assert loop.ledger.one("SELECT 1 FROM meta WHERE key = 'erasing'") is None
        erased(loop, BO)
        assert files_with(loop.ledger, BO) == []
        assert standing(loop.ledger) == before
        loop.ledger.close()
        deadly += 1
    assert deadly > 100
    loop.reopen()


def test_a_shared_mailbox_makes_nobody_one_buyer(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    crm = loop.crms["sales"]
    for number in range(3):
        crm.create(Kind.LEAD, Draft(email="info@acme.io", code="ANNA-7K2Q" if number else None))
    loop.sync()
    before = standing(loop.ledger)
    erased(loop, "info@acme.io")
    assert {row["email"] for row in loop.ledger.rows("SELECT email FROM records")} == {None}
    loop.sync()
    assert standing(loop.ledger) == before
