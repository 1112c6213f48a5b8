"""Pages in, records and links out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from refloop.ledger import Ledger
from refloop.ledger.missed import asked, settle, to_ask
from refloop.ledger.record_rows import hash_of, stored_hash_of
from refloop.ledger.records import cursor_of, merged_among, overlay, record_of, records_of
from refloop.model import Link, Outcome, Owner, Ref, Relation
from tests.ledger.samples import DAY, contact, deal, keep, lead, queued, record

AWAY = Relation.ASSOCIATED_WITH


def test_a_record_comes_out_as_it_went_in(ledger: Ledger) -> None:
    whole = record(
        deal(1),
        title="Big deal",
        texts={"Code__c": "ANNA", "Notes": "x\ny"},
        found={"ref_code": "ANNA-7K2Q"},
        stage="Closed Won",
        outcome=Outcome.WON,
        amount=Decimal("1200.50"),
        currency="EUR",
        closed_at=DAY,
        owner=Owner("005", "Zoë Owner"),
    )
    bare = record(lead(1))
    assert keep(ledger, whole, bare) == {"pulled": 2, "rejected": 0, "new": 2}
    assert list(records_of(ledger, [bare.ref, whole.ref])) == [whole, bare]
    assert record_of(ledger, lead(9)) is None


def test_only_what_changed_is_work(ledger: Ledger) -> None:
    keep(ledger, record(lead(1), title="a"), record(lead(2)))
    assert queued(ledger) == {lead(1), lead(2)}
    position = ledger.position()
    again = keep(ledger, record(lead(1), title="a", hours=5), record(lead(2)))
    assert (again["unchanged"], queued(ledger), ledger.position()) == (2, set(), position)
    changed = keep(ledger, record(lead(1), title="b", hours=6), record(lead(2)))
    assert (changed["changed"], changed["unchanged"], queued(ledger)) == (1, 1, {lead(1)})
    assert ledger.position() > position


@pytest.mark.parametrize(
    "facts",
    [
        {"email": "a@b.io"},
        {"title": "t"},
        {"texts": {"x": "y"}},
        {"found": {"ref_code": "y"}},
        {"stage": "s"},
        {"outcome": Outcome.OPEN},
        {"amount": Decimal(0)},
        {"currency": "EUR"},
        {"closed_at": DAY},
        {"deleted": True},
        {"owner": Owner("005")},
        {"created_at": DAY - timedelta(days=1)},
    ],
    ids=lambda facts: next(iter(facts)),
)
def test_every_fact_counts(ledger: Ledger, facts: dict[str, object]) -> None:
    keep(ledger, record(deal(1)))
    queued(ledger)
    assert keep(ledger, record(deal(1), hours=1, **facts))["changed"] == 1
    assert queued(ledger) == {deal(1)}


def test_another_owner_is_news_and_so_is_another_name(ledger: Ledger) -> None:
    keep(ledger, record(lead(1), owner=Owner("005", "Ann")))
    for hours, owner in enumerate((Owner("006", "Ann"), Owner("006", "Anna"), Owner("006"), None), 1):
        assert keep(ledger, record(lead(1), hours=hours, owner=owner))["changed"] == 1
        assert keep(ledger, record(lead(1), hours=hours, owner=owner))["unchanged"] == 1
        assert [item.owner for item in records_of(ledger, [lead(1)])] == [owner]


def test_the_hash_of_a_record_without_an_owner_is_what_it_was_before_owners_were_kept(ledger: Ledger) -> None:
    plain = record(lead(1), title="a", texts={"x": "y"})
    assert hash_of(plain) == "8bcb55a0290df35c3ab5d99c6c4b64e3"
    keep(ledger, plain, record(lead(2), owner=Owner("005")))
    rows = {row["id"]: row for row in ledger.rows("SELECT * FROM records")}
    assert {name: stored_hash_of(row) == row["hash"] for name, row in rows.items()} == {"1": True, "2": True}
    ledger.execute("UPDATE records SET owner_name = 'x' WHERE id = '2'")
    (row,) = ledger.rows("SELECT * FROM records WHERE id = '2'")
    assert stored_hash_of(row) != row["hash"]


def test_what_its_crm_shows_no_more_is_gone_and_keeps_what_was_known(ledger: Ledger) -> None:
    keep(ledger, record(lead(1), title="a"), record(lead(2)))
    queued(ledger)
    keep(ledger, gone=(lead(1), lead(9)))
    assert queued(ledger) == {lead(1)}
    assert list(records_of(ledger, [lead(1), lead(9)])) == [record(lead(1), title="a", deleted=True)]
    position = ledger.position()
    keep(ledger, gone=(lead(1),))
    assert (queued(ledger), ledger.position()) == (set(), position)


def test_an_older_copy_is_ignored(ledger: Ledger) -> None:
    keep(ledger, record(lead(1), title="new", hours=5))
    assert keep(ledger, record(lead(1), title="old", hours=4))["rejected"] == 1
    assert [item.title for item in records_of(ledger, [lead(1)])] == ["new"]


def test_an_older_copy_is_ignored_even_when_the_later_version_said_nothing_new(ledger: Ledger) -> None:
    """Seen at 1, again the same at 5: what a lagging index shows of 3 is older than what is known."""
    keep(ledger, record(lead(1), title="same", hours=1))
    keep(ledger, record(lead(1), title="same", hours=5))
    assert keep(ledger, record(lead(1), title="between", hours=3))["rejected"] == 1
    assert [item.title for item in records_of(ledger, [lead(1)])] == ["same"]


def test_times_are_compared_as_times_to_the_microsecond(ledger: Ledger) -> None:
    zone = datetime(2026, 3, 1, 12, tzinfo=UTC)
    first = replace(record(lead(1), title="first"), modified_at=zone + timedelta(microseconds=1))
    keep(ledger, first)
    keep(ledger, replace(first, title="second", modified_at=zone))
    assert [item.title for item in records_of(ledger, [lead(1)])] == ["first"]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_page_may_bring_a_record_twice_and_the_later_version_counts(ledger: Ledger, order: tuple[int, int]) -> None:
    copies = [record(lead(1), title=f"version {hours}", hours=hours) for hours in order]
    assert keep(ledger, *copies) == {"pulled": 2, "rejected": 1, "new": 1}
    assert [item.title for item in records_of(ledger, [lead(1)])] == ["version 2"]


def test_of_two_copies_of_one_version_the_later_copy_counts(ledger: Ledger) -> None:
    keep(ledger, record(lead(1), title="a"), record(lead(1), title="b"))
    assert [item.title for item in records_of(ledger, [lead(1)])] == ["b"]


def test_a_page_is_kept_with_its_cursor_or_not_at_all(ledger: Ledger) -> None:
    keep(ledger, record(lead(1)), cursor="one")
    broken = replace(record(lead(3)), ref=Ref("crm", lead(3).kind, None))  # type: ignore[arg-type]  # what no CRM sends
    with pytest.raises(Exception, match="NOT NULL"):
        keep(ledger, record(lead(2)), broken, cursor="two")
    assert record_of(ledger, lead(2)) is None
    cursor = cursor_of(ledger, "crm")
    assert cursor is not None
    assert cursor.text == "one"
    keep(ledger, record(lead(2)))
    assert cursor_of(ledger, "crm") == cursor, "a page without a cursor moves none"
    assert cursor_of(ledger, "other") is None


@pytest.mark.parametrize(
    "text", ["naïve", "日本", "\U0001f600", "a\0b", "‮evil", "x" * 100_000, "'; DROP TABLE records"]
)
def test_any_text_is_kept_as_it_is(ledger: Ledger, text: str) -> None:
    kept = record(lead(1), title=text, texts={text: text}, found={"ref_code": text}, stage=text)
    keep(ledger, kept)
    assert record_of(ledger, lead(1)) == kept
    assert keep(ledger, kept)["unchanged"] == 1


def test_half_a_character_is_kept_as_the_replacement_character_and_stops_nobody(ledger: Ledger) -> None:
    broken = record(
        lead(1), title="a\ud800b", texts={"Code": "\udfff ANNA"}, found={"ref_code": "\ud83d"}, stage="\udc00"
    )
    assert keep(ledger, record(lead(2)), broken)["new"] == 2
    kept = record_of(ledger, lead(1))
    assert kept is not None
    assert (kept.title, kept.texts["Code"], kept.found["ref_code"], kept.stage) == ("a�b", "� ANNA", "�", "�")
    assert keep(ledger, broken)["unchanged"] == 1


# links


def links(ledger: Ledger) -> set[tuple[str, str, str, str]]:
    rows = ledger.rows("SELECT source_id, relation, target_id, key FROM links")
    return {(row["source_id"], row["relation"], row["target_id"], row["key"]) for row in rows}


def drop_missed(ledger: Ledger) -> None:
    """As a sync does once it asked for them: nobody of those at the ends was deleted."""
    with ledger.writing():
        for ref in to_ask(ledger, deal(1).connection):
            asked(ledger, [ref])
    settle(ledger, deal(1).connection)


def test_an_edge_that_appears_or_goes_concerns_both_its_ends(ledger: Ledger) -> None:
    edge = Link(deal(1), AWAY, contact(2))
    keep(ledger, links=(edge,))
    assert (links(ledger), queued(ledger)) == ({("1", "associated-with", "2", "")}, {deal(1), contact(2)})
    keep(ledger, links=(edge,))
    assert queued(ledger) == set()
    keep(ledger, links=(replace(edge, gone=True),))
    assert (len(links(ledger)), to_ask(ledger, "crm")) == (1, [contact(2)]), "its person may have been deleted"
    drop_missed(ledger)
    assert (links(ledger), queued(ledger)) == (set(), {deal(1), contact(2)})
    keep(ledger, links=(replace(edge, gone=True),))
    assert queued(ledger) == set()


def test_a_whole_set_of_edges_replaces_the_known_one(ledger: Ledger) -> None:
    keep(ledger, links=tuple(Link(deal(1), AWAY, contact(n)) for n in (1, 2)))
    keep(ledger, links=(Link(deal(1), Relation.CONVERTED_TO, contact(7)), Link(deal(2), AWAY, contact(1))))
    queued(ledger)
    keep(ledger, links=tuple(Link(deal(1), AWAY, contact(n)) for n in (2, 3)), whole=((deal(1), AWAY),))
    drop_missed(ledger)
    assert {target for source, relation, target, _ in links(ledger) if (source, relation) == ("1", AWAY)} == {"2", "3"}
    assert queued(ledger) == {deal(1), contact(1), contact(3)}
    assert ("1", "converted-to", "7", "") in links(ledger)
    assert ("2", "associated-with", "1", "") in links(ledger)
    keep(ledger, whole=((deal(1), AWAY),))
    drop_missed(ledger)
    assert {source for source, relation, _, _ in links(ledger) if relation == AWAY} == {"2"}


def test_an_edge_with_a_name_of_its_own_is_found_by_it(ledger: Ledger) -> None:
    keep(ledger, links=(Link(deal(1), AWAY, contact(1), key="role1"), Link(deal(1), AWAY, contact(1), key="role2")))
    queued(ledger)
    keep(ledger, links=(Link(deal(1), AWAY, contact(2), key="role1"),))
    assert links(ledger) == {("1", AWAY, "2", "role1"), ("1", AWAY, "1", "role2")}
    assert queued(ledger) == {deal(1), contact(1), contact(2)}
    keep(ledger, links=(Link(deal(9), AWAY, contact(9), key="role1", gone=True),))
    drop_missed(ledger)
    assert links(ledger) == {("1", AWAY, "1", "role2")}, "the ends of a removed edge need not be known"
    other = Link(Ref("other", deal(1).kind, "1"), AWAY, contact(1), key="role2", gone=True)
    keep(ledger, links=(other,))
    assert links(ledger) == {("1", AWAY, "1", "role2")}, "another account's names are its own"


def test_an_edge_removed_and_added_in_one_page_is_there(ledger: Ledger) -> None:
    edge = Link(deal(1), AWAY, contact(1))
    keep(ledger, links=(edge,))
    keep(ledger, links=(replace(edge, gone=True), edge))
    assert len(links(ledger)) == 1


# merges and deletes

MERGE = Link(contact(1), Relation.MERGED_INTO, contact(2))


@pytest.mark.parametrize("order", ["record first", "together", "link first"])
def test_a_record_that_was_merged_away_is_gone_in_whatever_order_it_is_told(ledger: Ledger, order: str) -> None:
    if order == "record first":
        keep(ledger, record(contact(1)))
        keep(ledger, links=(MERGE,))
    elif order == "together":
        keep(ledger, record(contact(1)), links=(MERGE,))
    else:
        keep(ledger, links=(MERGE,))
        keep(ledger, record(contact(1)))
    buried = record_of(ledger, contact(1))
    assert buried is not None
    assert buried.deleted
    assert merged_among(ledger, [contact(1), contact(2)]) == {contact(1)}
    keep(ledger, record(contact(1)))
    still = record_of(ledger, contact(1))
    assert still is not None
    assert still.deleted, "a copy from before the merge brings nobody back"


def test_a_record_that_comes_as_deleted_keeps_what_was_known_of_it(ledger: Ledger) -> None:
    """HubSpot shows what an archived record held, and Salesforce; what neither shows was not taken off."""
    known = record(contact(1), email="bo@buyer.io", title="Inc", texts={"Notes": "ANNA", "Code": "x"}, stage="open")
    keep(ledger, known)
    keep(ledger, record(contact(1), hours=1, texts={"Code": "BEN"}, deleted=True))
    texts = {"Notes": "ANNA", "Code": "BEN"}
    assert record_of(ledger, contact(1)) == replace(
        known, modified_at=DAY + timedelta(hours=1), texts=texts, deleted=True
    )
    assert keep(ledger, record(contact(1), hours=1, deleted=True))["unchanged"] == 1


def test_a_record_that_was_restored_is_back(ledger: Ledger) -> None:
    keep(ledger, record(contact(1)))
    keep(ledger, record(contact(1), hours=1, deleted=True))
    keep(ledger, record(contact(1), hours=2))
    back = record_of(ledger, contact(1))
    assert back is not None
    assert not back.deleted


# what we know is what was seen, overlaid with what we wrote


def test_our_own_later_knowledge_is_laid_over_a_record(ledger: Ledger) -> None:
    keep(ledger, record(lead(1), found={"ref_code": "old", "ref_why": "x"}))
    queued(ledger)
    seen = record_of(ledger, lead(1))
    assert seen is not None
    with ledger.writing():
        overlay(ledger, seen, {"ref_code": "new", "ref_why": None})
    known = record_of(ledger, lead(1))
    assert known is not None
    assert known.found == {"ref_code": "new"}
    assert queued(ledger) == set()
    echo = record(lead(1), found={"ref_code": "new"}, hours=1)
    assert keep(ledger, echo)["unchanged"] == 1, "the echo of our own write is no change"
