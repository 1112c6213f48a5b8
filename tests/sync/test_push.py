"""From plans to the CRM: an outbox before, a receipt after, and no doubt left for long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import pytest

from refloop.errors import AuthError, ConfigError, CrmUnavailable, Exit, FateUnknown, RefloopError, TryLater
from refloop.ledger.queue import Topic, pending
from refloop.ledger.receipts import intend
from refloop.model import FieldChange, FieldSpec, Kind, Receipt, Ref, Verdict
from refloop.sync import push as pushing
from refloop.sync.push import Pusher
from refloop.testing import Draft, MemoryConnector, MemoryCrm
from refloop.testing.memory_api import MemoryApi
from tests.sync.loop import Loop


@pytest.fixture
def sales(loop: Loop) -> MemoryCrm:
    crm = loop.crms["sales"]
    assert isinstance(crm, MemoryCrm)
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    return crm


def leads(crm: MemoryCrm, count: int = 12) -> list[Ref]:
    return [crm.create(Kind.LEAD, Draft(email=f"b{n}@buyer.io", code="ANNA-7K2Q")) for n in range(count)]


def pusher(loop: Loop, run: int = 1000) -> Pusher:
    return Pusher(loop.context(run))


def outbox(loop: Loop) -> int:
    row = loop.ledger.one("SELECT count(*) FROM outbox")
    assert row is not None
    return int(row[0])


def test_what_was_sent_has_a_receipt_and_leaves_outbox_and_queue(loop: Loop, sales: MemoryCrm) -> None:
    made = leads(sales)
    report = loop.sync()
    assert report.counts["sales"]["written"] == 6 * len(made)
    assert (outbox(loop), pending(loop.ledger, Topic.PLAN)) == (0, 0)
    rows = [
        row["n"] for row in loop.ledger.rows("SELECT count(*) AS n FROM receipts GROUP BY connection, kind, id, field")
    ]
    assert rows == [1] * 6 * len(made)


def test_receipts_are_kept_while_a_long_push_is_under_way(
    loop: Loop, sales: MemoryCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it breaks off, what is known stays known; the rest is settled by reading back."""
    monkeypatch.setattr(pushing, "KEPT_AT_ONCE", 10)
    made = leads(sales)
    seen: list[int] = []

    class Breaking(MemoryConnector):
        def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
            for number, receipt in enumerate(list(super().push(changes))):
                if number == 25:
                    seen.append(outbox(loop))
                    raise FateUnknown("gone")
                yield receipt

    loop.sync(push=False)
    with pytest.raises(FateUnknown):
        pusher(loop).push("sales", Breaking(sales))
    assert seen == [6 * len(made) - 20]
    settled = pusher(loop).settle("sales", sales.connector())
    assert settled["written"] == 6 * len(made) - 25, "what was told before it broke off is kept"
    assert outbox(loop) == 0
    report = loop.sync()
    assert report.counts["sales"]["written"] == 0
    assert all(len(sales.writes(ref)) == 1 for ref in made)
    assert report.exit is Exit.OK


@pytest.mark.parametrize("error", [AuthError("403"), ConfigError("no field"), CrmUnavailable("down"), TryLater("full")])
def test_what_did_not_arrive_is_not_kept_as_sent(loop: Loop, sales: MemoryCrm, error: RefloopError) -> None:
    """A refusal is an answer, and what breaks before a write leaves nothing to settle."""

    class Refusing(MemoryConnector):
        def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
            yield from super().push(changes[:6])
            raise error

    (told, left) = leads(sales, 2)
    loop.sync(push=False)
    part = pusher(loop)
    with pytest.raises(type(error)):
        part.push("sales", Refusing(sales))
    assert {word: part.counts[word] for word in ("planned", "written", "unknown", "unsent")} == {
        "planned": 12,
        "written": 6,
        "unknown": 0,
        "unsent": 6,
    }
    assert (outbox(loop), len(sales.writes(left))) == (0, 0)
    assert loop.sync().counts["sales"]["written"] == 6
    assert len(sales.writes(told)) == 1


def test_what_a_connector_can_foresee_is_not_even_intended(loop: Loop, sales: MemoryCrm) -> None:
    seen: list[int] = []

    class Foreseeing(MemoryConnector):
        def foresee(self, changes: Sequence[FieldChange]) -> None:
            seen.append(len(changes))
            assert outbox(loop) == 0
            raise ConfigError("no field", remedy="Run `refloop provision`.")

    leads(sales, 1)
    loop.sync(push=False)
    part = pusher(loop)
    with pytest.raises(ConfigError):
        part.push("sales", Foreseeing(sales))
    assert seen == [6]
    assert (part.counts["planned"], part.counts["unsent"], outbox(loop)) == (6, 6, 0)


@pytest.mark.parametrize(
    ("held", "verdict", "again"),
    [("after", "written", 0), ("before", None, 0), ("hers", "moved", 0), (None, "refused", 0)],
)
def test_what_reading_back_says(
    loop: Loop, sales: MemoryCrm, held: str | None, verdict: str | None, again: int
) -> None:
    (lead,) = leads(sales, 1)
    spec = loop.policy.spec("ref_why")
    if held is None:
        sales.delete(lead)
    else:
        sales.write(lead, spec, held)
    with loop.ledger.writing():
        intend(loop.ledger, 1, [FieldChange(lead, spec, "before", "after", "because")])
    counts = pusher(loop).settle("sales", sales.connector())
    assert dict(counts) == {"settled": 1, verdict or "unsent": 1}
    assert outbox(loop) == again
    assert pending(loop.ledger, Topic.PLAN) == 1, "and it is planned anew"


def test_a_connector_may_answer_with_any_mapping(loop: Loop, sales: MemoryCrm) -> None:
    class Frozen(MemoryConnector):
        def read(self, refs: Sequence[Ref], fields: Sequence[FieldSpec]) -> Mapping[Ref, Mapping[str, str]]:
            return MappingProxyType(
                {ref: MappingProxyType(dict(own)) for ref, own in super().read(refs, fields).items()}
            )

    (lead,) = leads(sales, 1)
    spec = loop.policy.spec("ref_why")
    sales.write(lead, spec, "after")
    with loop.ledger.writing():
        intend(loop.ledger, 1, [FieldChange(lead, spec, None, "after", "because")])
    assert pusher(loop).settle("sales", Frozen(sales)) == {"settled": 1, "written": 1}


def test_settling_works_through_any_number(loop: Loop, sales: MemoryCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "SETTLED_AT_ONCE", 7)
    made = leads(sales)
    spec = loop.policy.spec("ref_why")
    for lead in made:
        sales.write(lead, spec, "after")
    with loop.ledger.writing():
        intend(loop.ledger, 1, [FieldChange(lead, spec, None, "after", "because") for lead in made])
    assert pusher(loop).settle("sales", sales.connector()) == {"settled": len(made), "written": len(made)}
    assert sales.calls["read"] == 2


def test_a_person_who_writes_between_pull_and_push_wins(loop: Loop, sales: MemoryCrm) -> None:
    (lead,) = leads(sales, 1)
    loop.sync(push=False)
    sales.write(lead, loop.policy.spec("ref_status"), "lost")
    counts = pusher(loop).push("sales", sales.connector())
    assert (counts["moved"], counts["written"]) == (1, 5)
    assert loop.fields(lead)["status"] == "lost"
    report = loop.sync()
    assert (report.counts["sales"]["conflicts"], report.counts["sales"]["written"]) == (1, 0)
    assert report.exit is Exit.ATTENTION


def test_what_is_deferred_is_sent_by_the_next_run(loop: Loop) -> None:
    class Locking(MemoryConnector):
        locked = True

        def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
            if Locking.locked:
                yield from (Receipt(change, Verdict.DEFERRED, None, "locked") for change in changes)
            else:
                yield from super().push(changes)

    def connect(api: MemoryApi, token: str) -> MemoryConnector:
        return Locking(api, token)

    crm = MemoryCrm("sales", connector_class=connect)
    other = Loop(loop.ledger, {"sales": crm})
    other.provision()
    other.code("ANNA-7K2Q", "anna")
    (lead,) = leads(crm, 1)
    assert other.sync().counts["sales"]["deferred"] == 6
    assert outbox(other) == 0
    Locking.locked = False
    assert other.sync().counts["sales"]["written"] == 6
    assert other.fields(lead)["code"] == "ANNA-7K2Q"


def test_one_refused_record_does_not_hold_up_its_batch(loop: Loop, sales: MemoryCrm) -> None:
    made = leads(sales)
    sales.poison(made[5])
    counts = loop.sync().counts["sales"]
    assert (counts["refused"], counts["written"]) == (6, 6 * (len(made) - 1))
    assert pending(loop.ledger, Topic.PLAN) == 1
