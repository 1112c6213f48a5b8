"""The lists of work between the stages."""

from __future__ import annotations

from refloop.ledger import Ledger
from refloop.ledger.queue import Topic, dequeue, dequeue_ids, enqueue, enqueue_ids, next_ids, next_refs, pending
from refloop.model import Kind, Ref
from tests.ledger.samples import contact, deal, lead

OTHER = Ref("other", Kind.LEAD, "1")


def test_work_is_named_once_and_comes_in_order(ledger: Ledger) -> None:
    enqueue(ledger, Topic.MATCH, [lead(2), contact(10), OTHER, contact(9), lead(2), deal(1)])
    enqueue(ledger, Topic.MATCH, [lead(2)])
    assert next_refs(ledger, Topic.MATCH, 10) == [contact(10), contact(9), deal(1), lead(2), OTHER]
    assert next_refs(ledger, Topic.MATCH, 2) == [contact(10), contact(9)]
    assert next_refs(ledger, Topic.PLAN, 10) == []
    assert pending(ledger, Topic.MATCH) == 5


def test_a_page_of_work_begins_behind_the_last_one(ledger: Ledger) -> None:
    refs = [contact("a"), contact("b"), deal("a"), lead("a"), OTHER]
    enqueue(ledger, Topic.PLAN, refs)
    seen: list[Ref] = []
    after: Ref | None = None
    while page := next_refs(ledger, Topic.PLAN, 2, after=after):
        after = page[-1]
        seen += page
        dequeue(ledger, Topic.PLAN, page[:1])
    assert seen == refs
    assert next_refs(ledger, Topic.PLAN, 9) == [contact("b"), lead("a")]


def test_work_of_one_connection(ledger: Ledger) -> None:
    enqueue(ledger, Topic.PLAN, [lead(1), OTHER, lead(2)])
    assert next_refs(ledger, Topic.PLAN, 9, connection="other") == [OTHER]
    assert next_refs(ledger, Topic.PLAN, 9, connection="crm", after=lead(1)) == [lead(2)]
    assert next_refs(ledger, Topic.PLAN, 9, connection="other", after=lead(1)) == [OTHER]


def test_things_that_have_only_an_id(ledger: Ledger) -> None:
    enqueue_ids(ledger, Topic.STATUS, ["rf_2", "rf_1", "rf_2"])
    assert next_ids(ledger, Topic.STATUS, 9) == ["rf_1", "rf_2"]
    dequeue_ids(ledger, Topic.STATUS, ["rf_1", "rf_9"])
    assert next_ids(ledger, Topic.STATUS, 9) == ["rf_2"]


def test_no_list_is_gone_through_to_find_its_beginning(ledger: Ledger) -> None:
    """A tick with nothing new costs nothing, however much the ledger holds."""
    for sql, given in (
        ("SELECT id FROM queue WHERE topic = ? AND connection = '' AND kind = '' ORDER BY id LIMIT 1", ("x",)),
        (
            "SELECT id FROM queue WHERE topic = ? AND (connection, kind, id) > ('', '', '') "
            "ORDER BY connection, kind, id LIMIT 1",
            ("x",),
        ),
        ("SELECT coalesce(max(seq), 0) + 1 AS next FROM credits", ()),
    ):
        steps = " | ".join(row["detail"] for row in ledger.rows(f"EXPLAIN QUERY PLAN {sql}", given))
        assert "SCAN queue" not in steps
        assert "TEMP B-TREE" not in steps
