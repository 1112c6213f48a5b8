"""Pulling: it may bring a record twice; it never misses one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from itertools import islice

import pytest

from refloop.connectors.base import Connector
from refloop.errors import CrmUnavailable, LedgerError
from refloop.model import (
    Between,
    Cursor,
    Everything,
    FieldSpec,
    Kind,
    Named,
    Outcome,
    Owner,
    Page,
    Ref,
    Relation,
    Since,
    Span,
)
from refloop.testing.contract_setup import ContractBase
from refloop.testing.seen import Seen
from refloop.testing.world import Draft, World

HOUR = timedelta(hours=1)
ODD_TEXTS = (
    "ANNA-10",
    "O'Hara",
    'the "best" code',
    "back\\slash \\' \\n",
    "Zoë 紹介 كود",
    "\U0001f389 party \U0001f1e9\U0001f1ea",
    "50% off & <b>more</b> = {x}",
)


def everything(world: World, ours: Sequence[FieldSpec]) -> Seen:
    """What a new connector sees of the whole CRM."""
    connector = world.connector()
    seen = Seen(world.connection).take(connector.pull(ours, Everything()))
    connector.close()
    return seen


def going_on(world: World, ours: Sequence[FieldSpec], seen: Seen) -> Seen:
    """`seen`, after a new connector went on from its cursor."""
    connector = world.connector()
    seen.take(connector.pull(ours, _span_after(seen)))
    connector.close()
    return seen


@contextmanager
def interrupted(world: World, ours: Sequence[FieldSpec], span: Span) -> Iterator[Iterator[Page]]:
    """The pages of a pull by a new connector that is closed where the block ends, as a killed run's is."""
    connector = world.connector()
    yield connector.pull(ours, span)
    connector.close()


def _span_after(seen: Seen) -> Span:
    return Since(seen.cursor) if seen.cursor else Everything()


def _drafts(kind: Kind, count: int) -> list[Draft]:
    if kind is Kind.DEAL:
        return [Draft(title=f"Deal {number}") for number in range(count)]
    return [Draft(email=f"{kind}{number}@example.com", title=f"Company {number}") for number in range(count)]


class PullContract(ContractBase):
    def test_everything_brings_every_record_of_every_kind(self, world: World, ours: Sequence[FieldSpec]) -> None:
        refs = {world.create(kind, draft) for kind in world.kinds for draft in _drafts(kind, 2 * world.page_size + 1)}
        seen = everything(world, ours)
        assert set(seen.records) == refs
        assert seen.pages > 1
        assert seen.cursor
        assert not any(record.deleted for record in seen.records.values())

    def test_an_empty_crm_leaves_a_cursor(self, world: World, ours: Sequence[FieldSpec]) -> None:
        seen = everything(world, ours)
        assert seen.records == {}
        assert seen.cursor
        ref = world.create(world.kinds[0], Draft(title="Acme"))
        assert set(going_on(world, ours, seen).records) == {ref}

    def test_a_person_is_brought_as_she_stands(self, world: World, ours: Sequence[FieldSpec]) -> None:
        for kind in set(world.kinds) - {Kind.DEAL}:
            ref = world.create(kind, Draft(email="anna@example.com", title="Acme", code="ANNA-10"))
            record = everything(world, ours).records[ref]
            assert record.email == "anna@example.com"
            assert record.title == "Acme"
            assert "ANNA-10" in record.texts.values()
            assert record.created_at <= record.modified_at
            assert record.outcome is None
            assert record.found == {}

    def test_a_deal_is_brought_as_it_stands(self, world: World, ours: Sequence[FieldSpec]) -> None:
        ref = world.create(Kind.DEAL, Draft(title="Big one", code="ANNA-10", amount=Decimal("1234.50")))
        seen = everything(world, ours)
        deal = seen.records[ref]
        assert (deal.title, deal.amount, deal.outcome) == ("Big one", Decimal("1234.50"), Outcome.OPEN)
        assert isinstance(deal.amount, Decimal)
        assert "ANNA-10" in deal.texts.values()
        assert deal.stage
        assert deal.closed_at is None
        world.pass_time(HOUR)
        world.win(ref)
        deal = going_on(world, ours, seen).records[ref]
        assert deal.outcome is Outcome.WON
        assert deal.closed_at is not None

    @pytest.mark.parametrize("text", ODD_TEXTS)
    def test_texts_come_as_they_were_typed(self, world: World, ours: Sequence[FieldSpec], text: str) -> None:
        ref = world.create(Kind.CONTACT, Draft(email="a@example.com", code=text))
        assert text in everything(world, ours).records[ref].texts.values()

    def test_our_fields_are_brought_in_canonical_form(self, world: World, ours: Sequence[FieldSpec]) -> None:
        values = dict(zip(ours, ("ANNA-10", "won", "0.5", "99.9", "2026-02-28T23:59:59Z"), strict=True))
        for kind in world.kinds:
            ref = world.create(kind, Draft(title="Acme"))
            for field, value in values.items():
                world.write(ref, field, value)
            found = everything(world, ours).records[ref].found
            assert found == {field.name: value for field, value in values.items()}

    def test_only_the_fields_asked_for_are_brought(self, world: World, ours: Sequence[FieldSpec]) -> None:
        ref = world.create(Kind.CONTACT, Draft(email="anna@example.com"))
        for field, value in zip(ours, ("ANNA-10", "won"), strict=False):
            world.write(ref, field, value)
        some = ours[:1]
        assert everything(world, some).records[ref].found == {ours[0].name: "ANNA-10"}

    def test_a_pull_goes_on_after_any_page(self, world: World, ours: Sequence[FieldSpec]) -> None:
        kinds = world.kinds
        refs = {world.create(kind, draft) for kind in kinds for draft in _drafts(kind, 2 * world.page_size + 1)}
        world.pass_time(world.look_back + HOUR)  # else looking back would hide what the cursor forgets
        for stop in range(1, everything(world, ours).pages):
            seen = Seen(world.connection)
            with interrupted(world, ours, Everything()) as pages:
                seen.take(islice(pages, stop))
            assert set(going_on(world, ours, seen).records) == refs, f"stopped after page {stop}"

    def test_an_incremental_pull_goes_on_after_any_page(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec]
    ) -> None:
        start = everything(world, ours).cursor
        assert start
        world.pass_time(HOUR)
        refs = set(world.import_at_once(Kind.CONTACT, _drafts(Kind.CONTACT, 3 * world.page_size + 1)))
        world.pass_time(world.look_back + HOUR)  # as above
        count = Seen(world.connection).take(connector.pull(ours, Since(start))).pages
        assert count > 1
        for stop in range(1, count):
            seen = Seen(world.connection)
            with interrupted(world, ours, Since(start)) as pages:
                seen.take(islice(pages, stop))
            assert set(going_on(world, ours, seen).records) >= refs, f"stopped after page {stop}"

    def test_a_garbled_answer_ends_the_pull_and_loses_nothing(self, world: World, ours: Sequence[FieldSpec]) -> None:
        refs = {world.create(Kind.CONTACT, draft) for draft in _drafts(Kind.CONTACT, 3 * world.page_size)}
        world.pass_time(world.look_back + HOUR)
        seen = Seen(world.connection)
        with interrupted(world, ours, Everything()) as pages:
            seen.take(islice(pages, 1))
            world.garble_reads(on=True)
            with pytest.raises(CrmUnavailable):
                seen.take(pages)
        assert set(seen.records) < refs
        world.garble_reads(on=False)
        assert set(going_on(world, ours, seen).records) == refs

    def test_what_changed_is_brought(self, world: World, ours: Sequence[FieldSpec]) -> None:
        refs = {kind: [world.create(kind, draft) for draft in _drafts(kind, 3)] for kind in world.kinds}
        world.pass_time(world.look_back + world.sweep + HOUR)
        seen = everything(world, ours)
        world.pass_time(world.look_back + HOUR)
        changed = {some[1] for some in refs.values()}
        for ref in changed:
            world.edit(ref, "NEW-1")
        changed |= {world.create(kind, Draft(title="New")) for kind in world.kinds}
        news = Seen(world.connection)
        news.cursor = seen.cursor
        assert set(going_on(world, ours, news).records) == changed
        assert all("NEW-1" in news.records[some[1]].texts.values() for some in refs.values())

    def test_a_second_pull_brings_nothing_new(self, world: World, ours: Sequence[FieldSpec]) -> None:
        for kind in world.kinds:
            world.create(kind, Draft(title="Acme"))
        seen = everything(world, ours)
        before = dict(seen.records)
        for _ in range(2):
            world.pass_time(HOUR)
            assert going_on(world, ours, seen).records == before

    def test_no_record_is_missed_at_one_moment(self, world: World, ours: Sequence[FieldSpec]) -> None:
        """Equal times: more than a page of them, some of them written after the pull looked."""
        for kind in world.kinds:
            first = set(world.import_at_once(kind, _drafts(kind, 2 * world.page_size + 1)))
            seen = everything(world, ours)
            second = set(world.import_at_once(kind, _drafts(kind, world.page_size + 1)))
            assert set(going_on(world, ours, seen).records) >= first | second

    def test_no_edit_during_a_pull_is_missed(self, world: World, ours: Sequence[FieldSpec]) -> None:
        refs = [world.create(Kind.CONTACT, draft) for draft in _drafts(Kind.CONTACT, 3 * world.page_size)]
        seen = Seen(world.connection)
        with interrupted(world, ours, Everything()) as pages:
            for number, page in enumerate(pages):
                seen.take([page])
                world.edit(refs[number % len(refs)], f"EARLY-{number}")
                world.edit(refs[-1 - number % len(refs)], f"LATE-{number}")
                refs.append(world.create(Kind.CONTACT, Draft(title="During")))
                if number > 8 * len(world.kinds):
                    break  # a pull that never ends as long as people work
        world.pass_time(HOUR)
        assert going_on(world, ours, seen).records == everything(world, ours).records
        assert set(refs) == set(seen.records)

    @pytest.mark.parametrize("text", ["", "garbage", "null", "[]", "{}", '{"v": 999}', "9" * 5000, "\x00"])
    def test_a_cursor_that_is_none_of_ours_is_refused(
        self, connector: Connector, ours: Sequence[FieldSpec], text: str
    ) -> None:
        with pytest.raises(LedgerError):
            list(connector.pull(ours, Since(Cursor(text))))

    def test_a_cursor_from_the_future_is_refused(self, world: World, ours: Sequence[FieldSpec]) -> None:
        cursor = everything(world, ours).cursor
        assert cursor
        world.pass_time(timedelta(days=-365))
        again = world.connector()
        with pytest.raises(LedgerError):
            list(again.pull(ours, Since(cursor)))
        again.close()

    def test_a_cursor_holds_no_secret(self, world: World, ours: Sequence[FieldSpec]) -> None:
        world.create(Kind.CONTACT, Draft(email="anna@example.com"))
        cursor = everything(world, ours).cursor
        assert cursor
        assert not any(word in cursor.text for word in (*world.secrets, "anna@"))

    def test_deletes_are_seen(self, world: World, ours: Sequence[FieldSpec]) -> None:
        kept = {kind: world.create(kind, Draft(title="Kept")) for kind in world.kinds}
        gone = {kind: world.create(kind, Draft(title="Gone")) for kind in world.kinds}
        seen = everything(world, ours)
        world.pass_time(world.look_back + world.sweep + HOUR)
        for ref in gone.values():
            world.delete(ref)
        world.pass_time(HOUR)
        going_on(world, ours, seen)
        assert {ref for ref, record in seen.records.items() if record.deleted} == set(gone.values())
        for view in (seen, everything(world, ours)):
            assert {ref for ref, record in view.records.items() if not record.deleted} == set(kept.values())

    def test_merges_are_seen(self, world: World, ours: Sequence[FieldSpec]) -> None:
        for kind in [kind for kind in world.merges if kind in world.kinds]:
            loser = world.create(kind, Draft(email="one@example.com"))
            survivor = world.create(kind, Draft(email="two@example.com"))
            seen = everything(world, ours)
            world.pass_time(world.look_back + world.sweep + HOUR)
            remains = world.merge(loser, survivor)
            world.pass_time(HOUR)
            assert going_on(world, ours, seen).linked(loser, Relation.MERGED_INTO) == {remains}
            assert not seen.records[remains].deleted
            assert everything(world, ours).linked(loser, Relation.MERGED_INTO) == {remains}

    def test_conversions_are_seen(self, world: World, ours: Sequence[FieldSpec]) -> None:
        if not world.converts:
            pytest.skip("this CRM converts no leads")
        lead = world.create(Kind.LEAD, Draft(email="anna@example.com", title="Acme", code="ANNA-10"))
        seen = everything(world, ours)
        world.pass_time(world.look_back + HOUR)
        became = set(world.convert(lead))
        for view in (going_on(world, ours, seen), everything(world, ours)):
            assert view.linked(lead, Relation.CONVERTED_TO) == became
            assert became <= set(view.records)

    def test_links_come_and_go(self, world: World, ours: Sequence[FieldSpec]) -> None:
        deal = world.create(Kind.DEAL, Draft(title="Deal"))
        people = [world.create(Kind.CONTACT, draft) for draft in _drafts(Kind.CONTACT, 2)]
        world.associate(deal, people[0])
        seen = everything(world, ours)
        assert seen.linked(deal, Relation.ASSOCIATED_WITH) == {people[0]}
        for act, person, expected in (
            (world.associate, people[1], set(people)),
            (world.dissociate, people[0], {people[1]}),
            (world.dissociate, people[1], set()),
            (world.associate, people[0], {people[0]}),
        ):
            world.pass_time(world.look_back + world.sweep + HOUR)
            act(deal, person)
            world.pass_time(HOUR)
            assert going_on(world, ours, seen).linked(deal, Relation.ASSOCIATED_WITH) == expected
            assert everything(world, ours).linked(deal, Relation.ASSOCIATED_WITH) == expected

    def test_who_looks_after_a_record_is_brought(self, world: World, ours: Sequence[FieldSpec]) -> None:
        if not world.owners:
            pytest.skip("this CRM does not say who looks after a record")
        refs = {kind: world.create(kind, Draft(title="Acme")) for kind in world.kinds}
        seen = everything(world, ours)
        for names in (("Ann", "Bob", "Cem"), ("Dagny", "Emilie", "Florian")):
            world.pass_time(world.look_back + HOUR)
            owners = {
                ref: Owner(world.hand_over(ref, name), name) for ref, name in zip(refs.values(), names, strict=False)
            }
            world.pass_time(HOUR)
            going_on(world, ours, seen)
            assert {ref: seen.records[ref].owner for ref in owners} == owners
            whole = everything(world, ours)
            assert {ref: whole.records[ref].owner for ref in owners} == owners

    def test_named_records_come_as_in_a_full_pull(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec]
    ) -> None:
        count = 2 * world.page_size + 1  # more than a page, and more than fit one call where a page is a call
        refs = {kind: [world.create(kind, draft) for draft in _drafts(kind, count)] for kind in world.kinds}
        for deal, person in zip(refs[Kind.DEAL], reversed(refs[Kind.CONTACT]), strict=True):
            world.associate(deal, person)
        for kind in world.kinds:
            world.write(refs[kind][0], ours[0], "ANNA-10")
            if world.owners:
                world.hand_over(refs[kind][-1], f"Owner of a {kind}")
        whole = everything(world, ours)
        asked = [ref for some in refs.values() for ref in [*some[::-1], some[0]] if ref != refs[Kind.DEAL][3]]
        pages = list(connector.pull(ours, Named(tuple(asked))))
        named = Seen(world.connection).take(pages)
        assert named.cursor is None
        assert named.gone == set()
        assert named.records == {ref: whole.records[ref] for ref in asked}
        assert named.links == {name: link for name, link in whole.links.items() if name[0] in set(asked)}
        assert {source for page in pages for source, _ in page.whole} <= set(asked)
        for kind in world.kinds:
            brought = [record.ref for page in pages for record in page.records if record.ref.kind is kind]
            assert brought == [ref for ref in dict.fromkeys(asked) if ref.kind is kind], "once each, in the order asked"

    def test_a_named_record_that_is_gone_is_told(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec]
    ) -> None:
        for kind in world.kinds:
            kept, gone = (world.create(kind, draft) for draft in _drafts(kind, 2))
            world.delete(gone)
            strange = [Ref(world.connection, kind, text) for text in ("", "no id", "' OR Id != '", "9" * 400)]
            elsewhere = Ref("elsewhere", kind, kept.id)
            seen = Seen(world.connection).take(connector.pull(ours, Named((gone, elsewhere, *strange, kept))))
            assert not seen.records[kept].deleted
            assert seen.gone - {gone} == set(strange)
            assert gone in seen.gone or seen.records[gone].deleted
            assert seen.records.keys() <= {kept, gone}

    def test_a_named_record_that_was_merged_is_told(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec]
    ) -> None:
        for kind in [kind for kind in world.merges if kind in world.kinds]:
            loser, survivor = (world.create(kind, draft) for draft in _drafts(kind, 2))
            remains = world.merge(loser, survivor)
            seen = Seen(world.connection).take(connector.pull(ours, Named((loser, survivor, remains))))
            assert not seen.records[remains].deleted
            assert loser in seen.gone or seen.records[loser].deleted
            assert seen.linked(loser, Relation.MERGED_INTO) <= {remains}

    def test_no_named_record_costs_nothing(self, connector: Connector, ours: Sequence[FieldSpec]) -> None:
        before = dict(connector.calls())
        assert list(connector.pull(ours, Named(()))) == []
        assert connector.calls() == before

    def test_a_window_is_brought_without_a_cursor(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec]
    ) -> None:
        refs: list[Ref] = []
        moments = []
        for name in ("before", "inside", "after"):
            refs.append(world.create(Kind.CONTACT, Draft(title=name)))
            moments.append(everything(world, ours).records[refs[-1]].created_at)
            world.pass_time(24 * HOUR)
        window = Between(moments[1] - HOUR, moments[1] + HOUR)
        pages = list(connector.pull(ours, window))
        assert [page.cursor for page in pages] == [None] * len(pages)
        assert set(Seen(world.connection).take(pages).records) == {refs[1]}
        exact = Between(moments[0], moments[1])  # its end is outside
        assert set(Seen(world.connection).take(connector.pull(ours, exact)).records) == {refs[0]}
